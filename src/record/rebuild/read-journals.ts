import { constants, fstatSync } from 'node:fs';
import { journalNodes, journalPath, withJournal } from '../journal/journal-file.js';
import { journalEntries } from '../journal/journal-reading.js';
import type { JournalLine, ServingLine } from '../journal/journal.js';
import { mostFsids, type RecordedClient } from '../tables/journal-tables.js';

/** What the journals of one floating IP say by themselves, without a database. */
export interface JournalContents {
  /** The nodes that have a journal. */
  readonly nodes: readonly string[];
  /** Those that any journal knows, else those of the configuration. */
  readonly fsids: readonly string[];
  /** Undefined: no journal says who served. */
  readonly served: LastServed | undefined;
}

export interface LastServed {
  readonly node: string;
  readonly epoch: number;
  /** Milliseconds since 1970: the latest that any journal knows. */
  readonly latest: number;
}

/**
 * Reads every line of every journal in the directory for who served, and which file systems; however many lines, only what is asked for
 * is kept. `fsids`: those of the configuration.
 */
export function readJournals(
  directory: string,
  { fsids }: { readonly fsids: readonly string[] },
): JournalContents {
  const nodes = journalNodes(directory);
  const known = new Set<string>();
  const served = new Serving();
  eachLine(directory, nodes, (line, node) => {
    if (!isServing(line, node)) return;
    for (const fsid of line.fsids) if (known.size < mostFsids) known.add(fsid);
    served.add(line);
  });
  return { nodes, fsids: known.size > 0 ? [...known] : fsids, served: served.last };
}

/**
 * Every client that any line of a journal names as monitored, whatever a later line says. An event without a fsid, below no serving line
 * that can be read, is one of each of `fsids`. `now`: ms since 1970.
 */
export function eachNamedClient(
  directory: string,
  { nodes, fsids }: Pick<JournalContents, 'nodes' | 'fsids'>,
  now: number,
  use: (client: RecordedClient) => void,
): void {
  let session: ServingLine | undefined;
  eachLine(directory, nodes, (line, node) => {
    if (session?.node !== node) session = undefined;
    if (isServing(line, node)) {
      session = line;
    } else if (line.kind === 'recorded') {
      const { client, myName, fsid, node: by, since } = line;
      use({ client, myName, node: by, since, fsid });
    } else if (line.kind === 'add-client') {
      const { client, myName, uptime } = line;
      const since =
        session === undefined
          ? now
          : session.wall + Math.max(0, Math.round((uptime - session.uptime) * 1000));
      const own = line.fsid === undefined ? (session?.fsids ?? fsids).slice(0, mostFsids) : [line.fsid];
      for (const fsid of own) use({ client, myName, node, since, fsid });
    }
  });
}

function eachLine(
  directory: string,
  nodes: readonly string[],
  use: (line: JournalLine, node: string) => void,
): void {
  for (const node of nodes) {
    withJournal(directory, node, constants.O_RDONLY, (fd) => {
      for (const { line } of journalEntries(fd, journalPath(directory, node), fstatSync(fd).size)) {
        if (line !== undefined) use(line, node);
      }
    });
  }
}

/** Another node's journal under this name is a copy that somebody made. */
function isServing(line: JournalLine, node: string): line is ServingLine {
  return line.kind === 'serving' && line.node === node;
}

/** The node that served in the highest epoch. Where two nodes say they did, the later one, one epoch up: then neither goes on by itself. */
class Serving {
  /** The latest of the highest epoch. */
  #owner: ServingLine | undefined;
  #isShared = false;
  #latest = 0;

  add(line: ServingLine): void {
    const owner = this.#owner;
    this.#latest = Math.max(this.#latest, line.wall);
    if (owner === undefined || line.epoch > owner.epoch) {
      this.#owner = line;
      this.#isShared = false;
    } else if (line.epoch === owner.epoch) {
      this.#isShared ||= line.node !== owner.node;
      if (line.wall >= owner.wall) this.#owner = line;
    }
  }

  get last(): LastServed | undefined {
    if (this.#owner === undefined) return undefined;
    const { node, epoch } = this.#owner;
    return { node, epoch: this.#isShared ? epoch + 1 : epoch, latest: this.#latest };
  }
}
