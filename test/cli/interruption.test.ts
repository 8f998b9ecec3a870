// What ends a command in the middle, by real signals to a process.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import test from 'ava';

const program = `
  const { interruption } = await import(${JSON.stringify(new URL('../../src/cli/interruption.js', import.meta.url).href)});
  const signal = interruption();
  const alive = setInterval(() => {}, 1000);
  signal.addEventListener('abort', () => { console.log(signal.reason.message); clearInterval(alive); });
  console.log('ready');`;

/** What it says of these signals, one after the other. */
async function saidOf(...signals: readonly NodeJS.Signals[]): Promise<string> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let said = '';
  child.stdout.on('data', (bytes: Buffer) => (said += bytes.toString()));
  const closed = once(child, 'close');
  await once(child.stdout, 'data');
  for (const name of signals) child.kill(name);
  await closed;
  return said;
}

for (const name of ['SIGINT', 'SIGTERM'] as const) {
  test(`${name} is taken between two effects`, async (t) => {
    t.is(await saidOf(name), `ready\ninterrupted by ${name}\n`);
  });
}

test('a terminal that is gone ends nothing', async (t) => {
  t.is(await saidOf('SIGHUP', 'SIGTERM'), 'ready\ninterrupted by SIGTERM\n');
});
