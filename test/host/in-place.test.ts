// What two processes put in the place of one file at once, and what a killed one leaves.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { putInPlace, unfinished } from '../../src/host/in-place.js';
import { replaceDurably } from '../../src/host/replace-file.js';

function directoryFor(t: ExecutionContext): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-place-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

const module = new URL('../../src/host/replace-file.js', import.meta.url).href;
/** Of this host, the process `pid`: as its own are, but for the last part. */
function nameOf(pid: number | string): string {
  let own = '';
  try {
    putInPlace(path.join(tmpdir(), 'looks'), (beside) => {
      own = path.basename(beside);
      throw new Error('nothing is to be made');
    });
  } catch {}
  return own.replace(
    new RegExp(`^(\\.looks\\.[0-9a-f]{8}-)${process.pid}-[0-9a-f]{8}\\.new$`),
    `$1${pid}-0123abcd.new`,
  );
}

test('six processes replace one file at once, three hundred times each: all of them succeed', async (t) => {
  t.timeout(120_000);
  const directory = directoryFor(t);
  const file = path.join(directory, 'looks');
  const program = (letter: string) =>
    `const { replaceDurably } = await import(${JSON.stringify(module)});
    for (let i = 0; i < 300; i += 1) replaceDurably(${JSON.stringify(file)}, '${letter}'.repeat(20_000), 0o600);`;
  const ended = ['a', 'b', 'c', 'd', 'e', 'f'].map(async (letter) => {
    const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', program(letter)], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr?.on('data', (data: Buffer) => (said += data.toString()));
    await once(child, 'close');
    return { exitCode: child.exitCode, said };
  });
  for (const one of await Promise.all(ended)) t.deepEqual(one, { exitCode: 0, said: '' });
  t.regex(readFileSync(file, 'utf8'), /^([a-f])\1{19999}$/);
  t.deepEqual(readdirSync(directory), ['looks']);
});

test('what killed runs of this host have left goes with the next one; what others write now stays', async (t) => {
  const directory = directoryFor(t);
  const gone = spawn('true');
  await once(gone, 'exit');
  const stays = [
    nameOf(process.ppid),
    // Of another host, and of another file.
    `.looks.00000000-${gone.pid}-0123abcd.new`,
    nameOf(gone.pid ?? 0).replace('.looks.', '.looks.B.'),
    nameOf(`${gone.pid}0000000000`),
    '.looks',
    'looks.new',
  ];
  for (const name of [nameOf(gone.pid ?? 0), '.looks.new', ...stays])
    writeFileSync(path.join(directory, name), 'left');
  const file = path.join(directory, 'looks');
  t.deepEqual(
    unfinished(file).map((one) => path.basename(one)),
    [nameOf(gone.pid ?? 0), '.looks.new'].toSorted(),
  );
  replaceDurably(file, 'whole', 0o600);
  t.deepEqual(readdirSync(directory).toSorted(), ['looks', ...stays].toSorted());
});

test('whose unfinished file another host of this name has removed makes it anew, and not for ever', (t) => {
  const file = path.join(directoryFor(t), 'looks');
  let made = 0;
  const make = (removals: number) => (beside: string) => {
    symlinkSync(`number ${made}`, beside);
    made += 1;
    if (made <= removals) rmSync(beside);
  };
  putInPlace(file, make(2));
  t.is(made, 3);
  made = 0;
  t.throws(() => putInPlace(file, make(3)), { code: 'ENOENT' });
});
