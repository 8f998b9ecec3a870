// One side of a trial: DIRECTORY NODE MACHINE DEVICE WAIT-SECONDS. Prints the verdict, or the error, as JSON.
import { setTimeout as delay } from 'node:timers/promises';
import { FailoverError } from '../../../src/errors.js';
import { tryStorage } from '../../../src/record/trial/trial.js';

const [directory = '', node = '', machine = '', device, waitSeconds] = process.argv.slice(2);
try {
  const verdict = await tryStorage({
    directory,
    named: directory,
    side: { node, machine, bootId: 'b', device: Number(device) },
    mount: { type: 'ext4', source: '/dev/x', options: ['rw'] },
    waitSeconds: Number(waitSeconds),
    busyMs: 15_000,
    now: () => Date.now(),
    delay: (ms) => delay(ms),
    onOther: (other) => void process.stdout.write(`${JSON.stringify({ with: other })}\n`),
  });
  process.stdout.write(`${JSON.stringify(verdict)}\n`);
} catch (error) {
  if (!(error instanceof FailoverError)) throw error;
  process.stdout.write(`${JSON.stringify({ code: error.code, message: error.message })}\n`);
}
