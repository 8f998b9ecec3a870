/** The steps of the 2006 proposal, by the names it gave them, in its order. */
export const releaseSteps = ['A-1', 'A-2', 'A-3', 'A-4'] as const;

/** As published in 2006; right only while no client can reach the address before B-5. */
export const publishedOrder = ['B-1', 'B-2', 'B-3', 'B-4', 'B-5'] as const;

/** B-3 last and the address after the exports: a client that is notified always finds lockd, export and address. */
export const safeOrder = ['B-1', 'B-2', 'B-5', 'B-4', 'B-3'] as const;

export type TakeoverStepName = (typeof publishedOrder)[number];
export type StepName = (typeof releaseSteps)[number] | TakeoverStepName;

export const takeoverOrders: Readonly<Record<'safe' | 'published', readonly TakeoverStepName[]>> = {
  safe: safeOrder,
  published: publishedOrder,
};
export type TakeoverOrder = keyof typeof takeoverOrders;

export const stepTitles: Readonly<Record<StepName, string>> = {
  'A-1': 'floating IP down',
  'A-2': 'unexport',
  'A-3': 'drop the locks',
  'A-4': 'unmount',
  'B-1': 'mount',
  'B-2': 'grace',
  'B-3': 'notify the clients',
  'B-4': 'floating IP up',
  'B-5': 'export',
};

/** "A-1 floating IP down, A-2 unexport", for --help. */
export function stepsText(names: readonly StepName[]): string {
  return names.map((name) => `${name} ${stepTitles[name]}`).join(', ');
}
