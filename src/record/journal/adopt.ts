import { constants, fdatasyncSync } from 'node:fs';
import type { Database } from 'better-sqlite3';
import { isClientName } from '../../names.js';
import { foldJournals } from './fold.js';
import { withJournal } from './journal-file.js';
import { journalTables, type RecordedClient } from '../tables/journal-tables.js';
import { formatLine } from './journal.js';
import { writeAll } from '../safe-files/files.js';

export interface Adoption {
  readonly node: string;
  /** Hosts that this node's statd monitors; as hostile as what the callout is given. */
  readonly clients: readonly string[];
  readonly fsids: readonly string[];
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly myName: string;
}

/**
 * Records clients as if the node's callout had seen each now. Those that are new are also appended to the
 * node's journal, where it has one, since the journals alone must suffice to rebuild the record.
 * Returns the names that may not be recorded.
 */
export function adoptClients(
  db: Database,
  directory: string,
  { node, clients, fsids, now, myName }: Adoption,
): string[] {
  const known = isClientName(myName) ? myName : undefined;
  db.transaction(() => {
    // First what the callout wrote until now: a del-client in it must not undo the adoption.
    foldJournals(db, directory);
    const tables = journalTables(db);
    const added = clients
      .filter(isClientName)
      .flatMap((client): RecordedClient[] =>
        fsids.map((fsid) => ({ client, fsid, node, since: now, myName: known })),
      )
      .filter((row) => tables.addClient(row));
    if (added.length > 0) append(directory, node, added);
  }).immediate();
  return clients.filter((client) => !isClientName(client));
}

function append(directory: string, node: string, added: readonly RecordedClient[]): void {
  withJournal(directory, node, constants.O_WRONLY | constants.O_APPEND, (fd) => {
    // The callout's lines come before or after, whole: O_APPEND, one write.
    writeAll(fd, added.map((row) => formatLine({ kind: 'recorded', uptime: 0, ...row })).join(''));
    fdatasyncSync(fd);
  });
}
