import { execFile } from 'node:child_process';
import path from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { printable, printableText } from '../../src/cli/text/printable.js';
import { acceptedNames, anyName, refusedNames } from '../helpers/hostile-names.js';
import { projectRoot } from '../lab/project-root.js';

/** The rule in the plainest words: nothing but what is drawn, and blanks. */
const isSafe = (text: string): boolean => !/[^\P{C}]|[\u2028\u2029]/u.test(text);
const anyText = fc.oneof(anyName, fc.string({ unit: 'binary' }), fc.constantFrom(...refusedNames));

test('a hostile text in a line cannot move the cursor, reorder the line, or begin the next one', (t) => {
  fc.assert(
    fc.property(anyText, (text) => {
      t.true(isSafe(printable(text)));
    }),
  );
  t.is(printable('a\u001B[2Jb\nc\u009B\u202E\u{E0001}'), 'a\\u{1b}[2Jb\\u{a}c\\u{9b}\\u{202e}\\u{e0001}');
});

test('names that may be recorded are shown as they are', (t) => {
  for (const name of acceptedNames) t.is(printable(name), name);
});

test('whatever a command prints is safe, and JSON stays what it was', (t) => {
  fc.assert(
    fc.property(fc.array(anyText), (texts) => {
      const shown = printableText(`${JSON.stringify(texts)}\n`);
      t.true(isSafe(shown.replaceAll('\n', '')));
      t.deepEqual(JSON.parse(shown), texts);
    }),
  );
});

/** What a person at a terminal would get, byte for byte. */
function run(...args: readonly string[]): Promise<Buffer> {
  const bin = path.join(projectRoot(), 'bin', 'nlm-failover');
  return new Promise((resolve) => {
    execFile(process.execPath, [bin, ...args], { encoding: 'buffer' }, (_, stdout, stderr) => {
      resolve(Buffer.concat([stdout, stderr]));
    });
  });
}

const hostile = '/nowhere/\u001B]0;owned\u0007\u009B2J\u202E.toml';
for (const args of [
  ['status', '--config', hostile],
  ['status', '--config', hostile, '--json'],
  ['takeover', hostile, '--config', '/nowhere'],
  [hostile],
]) {
  test(`nlm-failover ${args.join(' ').replaceAll(hostile, 'HOSTILE')}: prints nothing that a terminal obeys`, async (t) => {
    const printed = (await run(...args)).toString();
    t.regex(printed, /nowhere/u);
    t.true(isSafe(printed.replaceAll('\n', '')), JSON.stringify(printed));
  });
}
