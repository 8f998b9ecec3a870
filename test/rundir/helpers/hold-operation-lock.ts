// Holds the lock of an address until it is killed: node hold-operation-lock.js RUN ADDRESS
import { lockOperation } from '../../../src/rundir/operation-lock.js';

const [, , run = '', address = ''] = process.argv;
lockOperation(run, address, 'takeover');
process.stdout.write('held\n');
process.stdin.resume();
