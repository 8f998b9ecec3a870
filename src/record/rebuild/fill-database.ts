import type { Database } from 'better-sqlite3';
import { openDatabase } from '../database/database.js';
import { foldJournals } from '../journal/fold.js';
import { journalTables } from '../tables/journal-tables.js';
import { eachNamedClient, type JournalContents } from './read-journals.js';
import { latestClock } from '../tables/notifications.js';
import { makeEmptyFile } from '../safe-files/record-directory.js';
import { highestGiven } from '../safe-files/states-given.js';

export interface Filled {
  /** Each counted once. */
  readonly clients: number;
  /** Undefined: no journal names an owner. */
  readonly owner: string | undefined;
  readonly epoch: number;
  /** The last NSM state that clients may have seen; the next takeover's is above. Undefined: nothing is known of any. */
  readonly nsmState: number | undefined;
  /** Lines of the journals that could not be used. */
  readonly badLines: number;
}

/**
 * Makes a database under the name `file`, complete and durable, of what the journals in `directory` say.
 *
 * Every client that they name is recorded, also where a del-client follows: whether its node still had the address when it wrote
 * that, and so whether it counted, only the lost database knew (a takeover that was stopped before B-2 is in no journal).
 *
 * No client is put on the list of those to notify: a client that is notified outside of a grace reclaims in vain, and loses the lock that it has
 * (fs/lockd/svclock.c: nlm_lck_denied_grace_period). The next takeover makes the list, of everybody.
 */
export function fillDatabase(
  file: string,
  directory: string,
  contents: JournalContents,
  now: number,
): Filled {
  const { served } = contents;
  makeEmptyFile(file);
  const db = openDatabase(file);
  try {
    return db
      .transaction(() => {
        foldJournals(db, directory);
        // Again, those whom a del-client has removed in the fold. Later ones of the owner count.
        const tables = journalTables(db);
        eachNamedClient(directory, contents, now, (row) => void tables.addClient(row));
        if (served !== undefined) {
          db.prepare(
            'UPDATE ownership SET owner = ?, machine = NULL, epoch = ?, released = 0, since = NULL',
          ).run(served.node, served.epoch);
        }
        const nsmState = lastState(directory, served?.latest ?? 0);
        db.prepare('UPDATE nsm SET state = ?').run(nsmState);
        return {
          clients: count(db, 'SELECT count(DISTINCT client) FROM clients'),
          badLines: count(db, 'SELECT count(*) FROM bad_lines'),
          owner: served?.node,
          epoch: served?.epoch ?? 0,
          nsmState: nsmState === 0 ? undefined : nsmState,
        };
      })
      .immediate();
  } finally {
    db.close();
  }
}

/** What nsm-states knows; and, as a state is at least the time in seconds since 1970, the latest time in the journals. */
function lastState(directory: string, latest: number): number {
  const seconds = Math.floor(latest / 1000);
  return Math.max(highestGiven(directory), seconds > latestClock ? 0 : seconds);
}

function count(db: Database, sql: string): number {
  return db.prepare<[], number>(sql).pluck().get() ?? 0;
}
