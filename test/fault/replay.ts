import type { EventLine } from '../../src/record/journal/journal.js';
import type { Change } from './witness.js';

export interface Replayed {
  /** By the name of a call ("add-client A-17"): after how many changes of the record, of all nodes, it had its effect. */
  readonly effects: ReadonlyMap<string, number>;
  /** Names of lines that had none, and should have. */
  readonly lost: readonly string[];
  /** Changes that no line explains: events that were folded twice, or out of order. */
  readonly unexplained: readonly Change[];
}

export const nameOf = ({ kind, myName }: EventLine): string => `${kind} ${myName ?? ''}`;

/**
 * Compares what the journals of one node say, line by line, with what happened to its rows of the table of clients. A
 * del-client may be without effect once another node has taken the address over, and then so are those after it, up to the next
 * journal. At the end of a journal that was replaced there may be lines that nobody has folded: of calls that were under way
 * when recording ceased. `required`: the names of calls that were not.
 */
export function replay(
  node: string,
  journals: readonly (readonly EventLine[])[],
  fsids: readonly string[],
  all: readonly Change[],
  required: ReadonlySet<string>,
): Replayed {
  const own = all.flatMap((change, index) => (change.node === node ? [{ change, index }] : []));
  const rows = new Set<string>();
  const effects = new Map<string, number>();
  const lost: string[] = [];
  let next = 0;
  for (const journal of journals) {
    let isStale = false;
    for (const line of journal) {
      const isAdd = line.kind === 'add-client';
      const expected = fsids
        .map((fsid) => `${line.client} ${fsid}`)
        .filter((row) => rows.has(row) !== isAdd)
        .toSorted();
      const found = own.slice(next, next + expected.length).map(({ change }) => change);
      const happened =
        found
          .map(({ client, fsid }) => `${client} ${fsid}`)
          .toSorted()
          .join() === expected.join() && found.every(({ op }) => op === (isAdd ? 'add' : 'del'));
      if (happened && (expected.length === 0 || isAdd || !isStale)) {
        next += expected.length;
        for (const row of expected) {
          if (isAdd) rows.add(row);
          else rows.delete(row);
        }
        effects.set(nameOf(line), next === 0 ? 0 : (own[next - 1]?.index ?? 0) + 1);
      } else if (isAdd || required.has(nameOf(line))) {
        if (required.has(nameOf(line))) lost.push(nameOf(line));
      } else {
        isStale = true;
      }
    }
  }
  return { effects, lost, unexplained: own.slice(next).map(({ change }) => change) };
}
