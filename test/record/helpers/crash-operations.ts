// What is interrupted at each of its moments, on the record in a directory, as node A.
import { rebuildRecord } from '../../../src/record/rebuild/rebuild.js';
import { type MonitorRecord, openRecord } from '../../../src/record/record.js';
import { beginServing } from '../../../src/record/journal/serving-journal.js';
import { servingSession } from './site.js';

/** Calls `begin` where its moments begin to count; they end with it. */
export type CrashOperation = (directory: string, begin: () => void) => unknown;

export const crashOperations: Readonly<Record<string, CrashOperation>> = {
  open(directory, begin) {
    begin();
    openRecord({ directory, node: 'A', create: true }).close();
  },
  rebuild(directory, begin) {
    begin();
    rebuildRecord({ directory, force: false, fsids: [], now: 1000 });
  },
  fold: opened((record) => record.fold()),
  serve: opened((record, directory) =>
    beginServing(record, servingSession(directory, { node: 'A', epoch: 2, fsids: ['1', '2'] })),
  ),
  adopt: opened((record) =>
    record.adopt({ node: 'A', clients: ['x', 'y'], fsids: ['1', '2'], now: 7, myName: 'A' }),
  ),
  grace: opened((record) => record.beginGrace({ now: 1000 })),
  claim: opened((record) => record.claim({ node: 'A', fenced: true, now: 1000 })),
};

function opened(use: (record: MonitorRecord, directory: string) => unknown): CrashOperation {
  return async (directory, begin) => {
    const record = openRecord({ directory, node: 'A', create: true });
    begin();
    try {
      await use(record, directory);
    } finally {
      record.close();
    }
  };
}
