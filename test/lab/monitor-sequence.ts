/** One call of lockd to its statd, and the event that it makes of it. */
export interface MonitorEvent {
  readonly procedure: 'mon' | 'unmon';
  readonly client: string;
}

/** So many are monitored at a time at most: statd compares each with every one on each call. */
const monitored = 25;

/**
 * The `index`-th event, from 0, of a round: ever new clients, and when there are enough of them, after each the one that has
 * been monitored for longest is forgotten. Rounds have no client in common.
 */
export function monitorEvent(round: number, index: number): MonitorEvent {
  const turn = index - monitored;
  if (turn < 0) return { procedure: 'mon', client: clientOf(round, index) };
  return turn % 2 === 0
    ? { procedure: 'unmon', client: clientOf(round, turn / 2) }
    : { procedure: 'mon', client: clientOf(round, monitored + (turn - 1) / 2) };
}

/** Whom the first `count` events leave monitored, sorted. */
export function monitoredAfter(round: number, count: number): string[] {
  const clients = new Set<string>();
  for (let index = 0; index < count; index += 1) {
    const { procedure, client } = monitorEvent(round, index);
    if (procedure === 'mon') clients.add(client);
    else clients.delete(client);
  }
  return [...clients].toSorted();
}

export function isOfRound(round: number, client: string): boolean {
  return client.startsWith(`10.${100 + round}.`);
}

function clientOf(round: number, number: number): string {
  return `10.${100 + round}.${number >> 8}.${number & 255}`;
}
