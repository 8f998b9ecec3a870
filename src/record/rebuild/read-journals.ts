import { constants, fstatSync } from 'node:fs';
import { journalNodes, journalPath, withJournal } from '../journal/journal-file.js';
import { journalEntries } from '../journal/journal-reading.js';
import type { JournalLine, ServingLine } from '../journal/journal.js';
import type { RecordedClient } from '../tables/journal-tables.js';

/** What the journals of one floating IP say by themselves, without a database. */
export interface JournalContents {
  /** The nodes that have a journal. */
  readonly nodes: readonly string[];
  /** Every client that any line names as monitored, whatever a later line says. */
  readonly clients: readonly RecordedClient[];
  /** Undefined: no journal says who served. */
  readonly served: LastServed | undefined;
}

export interface LastServed {
  readonly node: string;
  readonly epoch: number;
  /** Milliseconds since 1970: the latest that any journal knows. */
  readonly latest: number;
}

/** A client as its line has it. */
type Named = Omit<RecordedClient, 'fsid'> & { readonly fsids: readonly string[] };

/**
 * Reads every line of every journal in the directory. An event without a fsid, below no serving line that can be read, is one
 * of each fsid that any journal knows, else of `fsids`, those of the configuration. `now`: ms since 1970.
 */
export function readJournals(
  directory: string,
  { fsids, now }: { readonly fsids: readonly string[]; readonly now: number },
): JournalContents {
  const nodes = journalNodes(directory);
  const serving: ServingLine[] = [];
  const named: Named[] = [];
  for (const node of nodes) {
    withJournal(directory, node, constants.O_RDONLY, (fd) => {
      let session: ServingLine | undefined;
      const path = journalPath(directory, node);
      for (const { line } of journalEntries(fd, path, fstatSync(fd).size)) {
        // Another node's journal under this name is a copy that somebody made.
        if (line?.kind === 'serving' && line.node === node) {
          session = line;
          serving.push(line);
        } else if (line !== undefined) {
          named.push(...namedIn(line, node, session, now));
        }
      }
    });
  }
  const known = new Set(serving.flatMap((line) => line.fsids));
  const all = known.size > 0 ? [...known] : fsids;
  return {
    nodes,
    clients: named.flatMap(({ fsids: own, ...row }) =>
      (own.length > 0 ? own : all).map((fsid) => ({ ...row, fsid })),
    ),
    served: lastServed(serving),
  };
}

function namedIn(line: JournalLine, node: string, session: ServingLine | undefined, now: number): Named[] {
  if (line.kind === 'recorded') {
    const { client, myName, fsid, node: by, since } = line;
    return [{ client, myName, node: by, since, fsids: [fsid] }];
  }
  if (line.kind !== 'add-client') return [];
  const { client, myName, fsid, uptime } = line;
  const since =
    session === undefined ? now : session.wall + Math.max(0, Math.round((uptime - session.uptime) * 1000));
  return [{ client, myName, node, since, fsids: fsid === undefined ? (session?.fsids ?? []) : [fsid] }];
}

/** The node that served in the highest epoch. Where two nodes say they did, the later one, one epoch up: then neither goes on by itself. */
function lastServed(lines: readonly ServingLine[]): LastServed | undefined {
  const epoch = Math.max(...lines.map((line) => line.epoch));
  const last = lines.filter((line) => line.epoch === epoch).toSorted((a, b) => a.wall - b.wall);
  const owner = last.at(-1);
  if (owner === undefined) return undefined;
  const isShared = last.some(({ node }) => node !== owner.node);
  return {
    node: owner.node,
    epoch: isShared ? epoch + 1 : epoch,
    latest: Math.max(...lines.map(({ wall }) => wall)),
  };
}
