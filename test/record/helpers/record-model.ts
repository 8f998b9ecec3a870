import type { EventLine } from '../../../src/record/journal/journal.js';
import type { RecordedClient } from '../../../src/record/record.js';
import { Model } from './model.js';

export type NodeName = 'A' | 'B';
export const nodeNames = ['A', 'B'] as const;

/** The whole record as it should be, in plain variables: what two nodes do to it through a handle each. */
export class RecordModel {
  /** What the whole lines say. */
  readonly #written = new Model();
  /** As far as anybody has folded. */
  clients: readonly RecordedClient[] = [];
  owner: NodeName | undefined;
  epoch = 0;
  released = true;
  /** The NSM state; 0 before the first grace. */
  state = 0;
  /** Who is to be notified of it, and whether they were. */
  notified = new Map<string, boolean>();
  /** Of each node: the epoch of its journal, that of its last claim, and the state whose list it read last. */
  readonly journalEpoch = new Map<NodeName, number>();
  readonly claimed = new Map<NodeName, number>();
  readonly owed = new Map<NodeName, number | undefined>();

  event(node: NodeName, line: EventLine): void {
    const isStale = (this.journalEpoch.get(node) ?? 0) < this.epoch;
    if (line.kind === 'add-client' || !isStale) this.#written.event(node, line);
  }

  fold(): void {
    this.clients = this.#written.clients();
  }

  /** Returns the epoch; undefined: refused. */
  claim(node: NodeName, fenced: boolean): number | undefined {
    this.fold();
    if (this.owner !== node || this.released) {
      if (this.owner !== undefined && !this.released && !fenced) return undefined;
      this.owner = node;
      this.epoch += 1;
      this.released = false;
    }
    this.claimed.set(node, this.epoch);
    return this.epoch;
  }

  isOwner(node: NodeName): boolean {
    return this.owner === node && this.claimed.get(node) === this.epoch;
  }

  serve(node: NodeName, fsids: readonly string[]): void {
    this.fold();
    this.#written.serve(node, fsids);
    this.journalEpoch.set(node, this.epoch);
  }

  adopt(node: NodeName, client: string, fsids: readonly string[], now: number): void {
    this.#written.adopt(node, client, fsids, now);
    this.fold();
  }

  /** With the state that the record chose. */
  beginGrace(state: number): void {
    this.state = state;
    this.notified = new Map(this.clients.map(({ client }) => [client, false]));
  }

  notNotified(node: NodeName): string[] {
    const names = [...this.notified].filter(([, notified]) => !notified).map(([client]) => client);
    this.owed.set(node, names.length === 0 ? undefined : this.state);
    return names.toSorted();
  }

  markNotified(node: NodeName, clients: readonly string[]): void {
    if ((this.owed.get(node) ?? this.state) !== this.state) return;
    for (const client of clients) if (this.notified.has(client)) this.notified.set(client, true);
  }

  counts(): { notified: number; notNotified: number } {
    const notified = [...this.notified.values()].filter(Boolean).length;
    return { notified, notNotified: this.notified.size - notified };
  }
}
