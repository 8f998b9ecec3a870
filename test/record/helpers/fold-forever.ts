// Folds the record in DIRECTORY again and again, saying "fold" before each, until its input ends; then once more, and
// prints how many events it has folded. With "read" after DIRECTORY it reads the clients too.
import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { openRecord } from '../../../src/record/record.js';

const [directory = '', read] = process.argv.slice(2);
const record = openRecord({ directory, node: 'X', create: true });
let events = 0;
const stop = new AbortController();
const fold = () => {
  for (const journal of record.fold().journals) events += journal.events;
  if (read !== undefined) record.clients();
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
