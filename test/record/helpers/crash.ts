// Runs one operation on the record in DIRECTORY, as node A, and is killed at its POINT-th moment; exits 0 if it has fewer.
import { rebuildRecord } from '../../../src/record/rebuild/rebuild.js';
import { openRecord } from '../../../src/record/record.js';
import { beginServing } from '../../../src/record/journal/serving-journal.js';
import { killAt } from './crash-points.js';
import { servingSession } from './site.js';

const [operation = '', directory = '', point = ''] = process.argv.slice(2);
if (operation === 'open' || operation === 'rebuild') killAt(Number(point));
if (operation === 'rebuild') {
  rebuildRecord({ directory, force: false, fsids: [], now: 1000 });
  process.exit(0);
}
const record = openRecord({ directory, node: 'A', create: true });
if (operation !== 'open') killAt(Number(point));
if (operation === 'fold') {
  record.fold();
} else if (operation === 'serve') {
  await beginServing(record, servingSession(directory, { node: 'A', epoch: 2, fsids: ['1', '2'] }));
} else if (operation === 'adopt') {
  record.adopt({ node: 'A', clients: ['x', 'y'], fsids: ['1', '2'], now: 7, myName: 'A' });
} else if (operation === 'grace') {
  record.beginGrace({ now: 1000 });
} else if (operation === 'claim') {
  record.claim({ node: 'A', fenced: true, now: 1000 });
}
record.close();
