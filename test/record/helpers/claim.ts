// Claims the record in DIRECTORY for NODE at a byte of input; prints the epoch, or the error's code.
import { once } from 'node:events';
import { FailoverError } from '../../../src/errors.js';
import { openRecord } from '../../../src/record/record.js';

const [directory = '', node = ''] = process.argv.slice(2);
const record = openRecord({ directory, node, create: true });
console.log('ready');
await once(process.stdin, 'data');
try {
  console.log(record.claim({ node, fenced: false, now: Date.now() }));
} catch (error) {
  console.log(error instanceof FailoverError ? error.code : error);
}
record.close();
process.stdin.destroy();
