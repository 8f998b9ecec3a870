import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { formatLine, type EventLine, type JournalLine } from '../../../src/record/journal/journal.js';
import { journalPath } from '../../../src/record/journal/journal-file.js';
import { rebuildRecord, type RebuildRequest, type Rebuilt } from '../../../src/record/rebuild/rebuild.js';
import { openRecord, type MonitorRecord, type RecordedClient } from '../../../src/record/record.js';
import {
  beginServing,
  type ServingJournal,
  type ServingSession,
} from '../../../src/record/journal/serving-journal.js';

/** When the tests take place, and the uptime at that moment. */
export const wall = 1_700_000_000_000;
export const uptime = 1000;

/** A state directory of its own, with the record of one floating IP in it, gone when the test ends. */
export class Site {
  readonly state: string;
  readonly directory: string;
  readonly #open = new Set<MonitorRecord>();

  constructor() {
    this.state = mkdtempSync(join(tmpdir(), 'nlm-failover-record-'));
    chmodSync(this.state, 0o711);
    this.directory = join(this.state, 'sm_10.10.1.1');
  }

  /**
   * What is on the disk now, in a directory of its own: names, modes, owners and second names as here. By a process of its
   * own: closing a file ends all the locks that this process has on it, SQLite's among them (fcntl_locking(2)).
   */
  copy(): Site {
    const copy = new Site();
    execFileSync('cp', ['-a', '--', `${this.state}/.`, copy.state]);
    return copy;
  }

  /** Opens the record, as another process would; closed at the end. */
  open(node = 'A', machine: string | undefined = 'one'): MonitorRecord {
    const record = openRecord({ directory: this.directory, node, machine, create: true });
    this.#open.add(record);
    return record;
  }

  /** Begins to record for `node`, at `wall` and `uptime`. */
  async serve(record: MonitorRecord, session: Partial<ServingSession> = {}): Promise<ServingJournal> {
    return await beginServing(record, servingSession(this.directory, session));
  }

  /** Appends to a journal as it is: lines, or what is to stand for foreign bytes. */
  append(node: string, ...parts: readonly (JournalLine | string)[]): void {
    const text = parts.map((part) => (typeof part === 'string' ? part : formatLine(part))).join('');
    appendFileSync(journalPath(this.directory, node), text, 'latin1');
  }

  journal(node: string): string {
    return readFileSync(journalPath(this.directory, node), 'latin1');
  }

  /** What a record made anew from the journals alone says, where the database was lost. */
  rebuilt(): RecordedClient[] {
    const database = join(this.directory, 'monitors.db');
    renameSync(database, join(this.directory, 'lost'));
    this.rebuild();
    const record = this.open();
    record.fold();
    return record.clients();
  }

  rebuild(request: Partial<RebuildRequest> = {}): Rebuilt {
    return rebuildRecord({ directory: this.directory, force: false, fsids: ['9'], now: wall, ...request });
  }

  remove(): void {
    for (const record of this.#open) record.close();
    rmSync(this.state, { recursive: true, force: true });
  }
}

export function makeSite(t: ExecutionContext): Site {
  const site = new Site();
  t.teardown(() => site.remove());
  return site;
}

export function servingSession(directory: string, session: Partial<ServingSession> = {}): ServingSession {
  return {
    directory,
    node: 'A',
    epoch: 1,
    fsids: ['1234'],
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    now: wall,
    uptime: uptime.toFixed(2),
    bootId: '1b4e28ba-2fa1-11d2-883f-0016d3cca427',
    makeSynchronous: async () => false,
    assertOwner: () => undefined,
    ...session,
  };
}

/** What the callout writes `seconds` after the serving line. */
export function event(kind: EventLine['kind'], client: string, seconds = 1, fsid?: string): EventLine {
  return { kind, uptime: uptime + seconds, client, myName: 'A', fsid };
}

/** Those of `lost` whom the rebuilt record does not name: there may be more in it, and since another time. */
export function missing(
  lost: readonly RecordedClient[],
  rebuilt: readonly RecordedClient[],
): RecordedClient[] {
  const key = ({ client, fsid, node }: RecordedClient) => `${client} ${fsid} ${node}`;
  const known = new Set(rebuilt.map(key));
  return lost.filter((row) => !known.has(key(row)));
}
