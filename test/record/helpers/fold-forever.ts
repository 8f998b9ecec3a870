// Folds the record in DIRECTORY again and again, saying "fold" before each, until its input ends; then once more, and
// prints how many events it has folded. With "read" after DIRECTORY it reads the clients too, which must be there with every fsid:
// half an event, and so half a fold, is an error.
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { openRecord, type RecordedClient } from '../../../src/record/record.js';

const [directory = '', read] = process.argv.slice(2);
const record = openRecord({ directory, node: 'X', create: true });
let events = 0;

function assertWhole(clients: readonly RecordedClient[]): void {
  const fsids = new Set(clients.map(({ fsid }) => fsid)).size;
  const rows = new Map<string, number>();
  for (const { client, node } of clients)
    rows.set(`${client} of ${node}`, (rows.get(`${client} of ${node}`) ?? 0) + 1);
  for (const [client, count] of rows)
    if (count !== fsids) throw new Error(`half a fold: ${client} is there for ${count} of ${fsids} fsids`);
}

const stop = new AbortController();
const fold = () => {
  for (const journal of record.fold().journals) events += journal.events;
  if (read !== undefined) assertWhole(record.clients());
};
process.stdin.resume();
void once(process.stdin, 'end').then(() => stop.abort());
while (!stop.signal.aborted) {
  console.log('fold');
  fold();
  await setImmediate();
}
fold();
console.log(events);
record.close();
