import type { EventLine } from '../../../src/record/journal/journal.js';
import type { RecordedClient } from '../../../src/record/record.js';
import { uptime, wall } from './site.js';

/** What the record should say, in the simplest way: events take effect when they are written. */
export class Model {
  readonly #rows = new Map<string, RecordedClient>();
  readonly #fsids = new Map<string, readonly string[]>();

  serve(node: string, fsids: readonly string[]): void {
    this.#fsids.set(node, fsids);
  }

  event(node: string, { kind, client, fsid, uptime: at, myName }: EventLine): void {
    if (kind === 'add-client') {
      const since = wall + Math.round((at - uptime) * 1000);
      for (const one of fsid === undefined ? (this.#fsids.get(node) ?? []) : [fsid]) {
        this.#add({ client, fsid: one, node, since, myName });
      }
      return;
    }
    for (const [key, row] of this.#rows) {
      if (row.client === client && row.node === node && (fsid ?? row.fsid) === row.fsid)
        this.#rows.delete(key);
    }
  }

  adopt(node: string, client: string, fsids: readonly string[], now: number): void {
    for (const fsid of fsids) this.#add({ client, fsid, node, since: now, myName: node });
  }

  clients(): RecordedClient[] {
    return [...this.#rows].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
  }

  #add(row: RecordedClient): void {
    const key = `${row.client} ${row.fsid} ${row.node}`;
    if (!this.#rows.has(key)) this.#rows.set(key, row);
  }
}
