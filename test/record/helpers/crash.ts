// Runs one operation on the record in DIRECTORY, and is killed (SIGKILL) at its POINT-th moment; exits 0 if it has fewer.
import { crashOperations } from './crash-operations.js';
import { atEveryMoment } from './crash-points.js';

const [operation = '', directory = '', point = ''] = process.argv.slice(2);
const run = crashOperations[operation];
if (run === undefined) throw new Error(`no operation ${operation}`);
await run(directory, () => {
  atEveryMoment((number) => {
    if (number === Number(point)) process.kill(process.pid, 'SIGKILL');
  });
});
