import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { toTimeouts } from '../../src/config/timeout-words.js';
import { FailoverError } from '../../src/errors.js';
import { limitOf } from '../../src/failover/limits.js';
import { realHost } from '../../src/host/real.js';
import { within } from '../../src/host/running/deadline.js';
import { runInOrder } from '../../src/host/run-in-order.js';

// The time that node takes to load it is not that of the commands.
test.before('execa is loaded', async () => void (await import('execa')));

const directory = mkdtempSync(join(tmpdir(), 'in-order-'));

async function failureOf(run: Promise<void>): Promise<FailoverError> {
  const error = await run.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof FailoverError) return error;
  throw new Error(`no FailoverError: ${String(error)}`);
}

test('one after another, in one process', async (t) => {
  const file = join(directory, 'order');
  const say = (word: string) => ['sh', '-c', 'echo "$1 $PPID" >>"$2"', 'sh', word, file] as const;
  await runInOrder(realHost, [say('one'), say('two'), say('three')], ['env', 'A=1']);
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  t.deepEqual(
    lines.map((line) => line.split(' ')[0]),
    ['one', 'two', 'three'],
  );
  t.is(new Set(lines.map((line) => line.split(' ')[1])).size, 1);
  await runInOrder(realHost, []);
});

test('the first that fails is the last, and is named with what it said', async (t) => {
  const file = join(directory, 'after');
  const error = await failureOf(
    runInOrder(
      realHost,
      [['true'], ['sh', '-c', 'echo "not 7 12" >&2; echo 3 0 >&2; exit 9'], ['touch', file]],
      ['env', 'A=1'],
    ),
  );
  t.is(error.code, 'COMMAND_FAILED');
  t.regex(error.message, /^"env A=1 sh -c .*" exited with 9: not 7 12; 3 0$/u);
  t.false(existsSync(file));
  const missing = await failureOf(runInOrder(realHost, [['true'], ['/nowhere/at-all']]));
  t.regex(missing.message, /^"\/nowhere\/at-all" exited with 127: .*not found$/u);
});

test('what leads to them fails: that is named', async (t) => {
  const error = await failureOf(runInOrder(realHost, [['true']], ['nsenter', '--net=/nowhere', '--']));
  t.regex(error.message, /^"nsenter --net=\/nowhere -- sh" exited with 1: nsenter: .*No such file/u);
});

test.serial('they do not end in time: all are ended, and called by the first and the last', async (t) => {
  const limit = { ...limitOf('B-2', { timeouts: toTimeouts({}) }), seconds: 2, key: '[timeouts].B-2' };
  const file = join(directory, 'late');
  const slow = () => runInOrder(realHost, [['true'], ['sleep', '600'], ['touch', file]], ['env', 'A=1']);
  const error = await failureOf(within(limit, slow));
  t.is(error.code, 'COMMAND_TIMEOUT');
  t.regex(error.message, /"true \.\.\. touch [^"]*late" did not end, and was ended/u);
  t.false(existsSync(file));
});

test('no word is read by the shell', async (t) => {
  const word = fc.oneof(
    fc.constantFrom(
      '$(touch x)',
      '`id`',
      '"',
      "'",
      '\\',
      '*',
      ';',
      '&&',
      '',
      ' ',
      '\n',
      '$1',
      '${2}',
      '!',
      '~',
      '-n',
    ),
    fc.string({ unit: 'binary' }).map((text) => text.replaceAll('\0', '')),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(word, { maxLength: 12 }), { minLength: 1, maxLength: 4 }),
      async (all) => {
        const file = join(directory, 'words');
        const write = 'f=$1; shift; for w; do printf "%s\\0" "$w"; done >>"$f"; printf "end\\0" >>"$f"';
        await runInOrder(realHost, [
          ['rm', '-f', file],
          ...all.map((words) => ['sh', '-c', write, 'sh', file, ...words] as const),
        ]);
        const expected = all.map((words) => [...words, 'end', ''].join('\0')).join('');
        t.deepEqual(readFileSync(file), Buffer.from(expected));
      },
    ),
    { numRuns: 30 },
  );
});
