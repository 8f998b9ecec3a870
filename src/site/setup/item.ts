import { exitCodes, FailoverError } from '../../errors.js';

/** What an item found, or did. */
export interface Finding {
  /** `by hand`: only the administrator can, or may, do that; `left`: it is not as setup made it, and stays. */
  readonly state: 'unchanged' | 'to do' | 'done' | 'by hand' | 'left';
  /** What is so, or is to be done, as a clause. */
  readonly detail: string;
  /** The commands and writes, as a person would type them. */
  readonly commands?: readonly string[];
}

/** One thing that setup sees to, or that --undo takes back. Making one has no effect. */
export interface SetupItem {
  /** The first column: "nfs.conf". */
  readonly name: string;
  /**
   * What is so, and what is to be done; `unchanged` where it is as it should be. Leaves no trace. `before`: names of the items that are still to be done before it. Throws
   * FailoverError where nothing at all may be done.
   */
  look(before: ReadonlySet<string>): Finding | Promise<Finding>;
  /** Does it, where `look` has found it to do, and proves it. Throws FailoverError. */
  act(): Promise<Finding>;
}

/** Ends of a run: whether something is left for the administrator. */
export interface SetupResult {
  readonly byHand: number;
}

/**
 * Looks at all of them, so that what refuses refuses before the first effect; then does them in order, each looked at once more, since one
 * may have done what the next one would. `report` gets what became of each. With `dryRun` what refuses is reported in its place, so that the
 * whole plan is seen, and thrown at the end.
 */
export async function runItems(
  items: readonly SetupItem[],
  { dryRun }: { readonly dryRun: boolean },
  report: (item: SetupItem, finding: Finding) => void,
): Promise<SetupResult> {
  const ahead = new Set<string>();
  const seen: Finding[] = [];
  const refusals: FailoverError[] = [];
  for (const item of items) {
    const finding = await look(item, ahead, dryRun ? refusals : undefined);
    if (finding.state === 'to do') ahead.add(item.name);
    seen.push(finding);
    if (dryRun) report(item, finding);
  }
  const [refusal] = refusals;
  if (refusal !== undefined) throw refusal;
  if (dryRun) return { byHand: byHandOf(seen) };
  const done: Finding[] = [];
  for (const item of items) {
    const finding = await item.look(new Set());
    const end = finding.state === 'to do' ? await item.act() : finding;
    report(item, end);
    done.push(end);
  }
  return { byHand: byHandOf(done) };
}

/** `refusals` gets what the item refuses; undefined: that is thrown. */
async function look(
  item: SetupItem,
  ahead: ReadonlySet<string>,
  refusals: FailoverError[] | undefined,
): Promise<Finding> {
  try {
    return await item.look(ahead);
  } catch (error) {
    const isRefusal = error instanceof FailoverError && error.exitCode === exitCodes.configuration;
    if (refusals === undefined || !isRefusal) throw error;
    refusals.push(error);
    return {
      state: 'by hand',
      detail: [error.message, error.hint].filter((one) => one !== undefined).join('. '),
    };
  }
}

function byHandOf(findings: readonly Finding[]): number {
  return findings.filter(({ state }) => state === 'by hand' || state === 'left').length;
}
