import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { clearMark } from '../../src/rundir/marks.js';
import { allMarks } from '../helpers/all-marks.js';
import { makeSite } from '../record/helpers/site.js';

function marksDirectory(t: ExecutionContext): { run: string; marks: string } {
  const { state: run } = makeSite(t);
  const marks = join(run, 'marks');
  mkdirSync(marks);
  return { run, marks };
}

test('none', (t) => {
  t.deepEqual(allMarks(join(makeSite(t).state, 'absent')), []);
  t.deepEqual(allMarks(marksDirectory(t).run), []);
});

test('each with its address, until it is cleared', (t) => {
  const { run, marks } = marksDirectory(t);
  writeFileSync(join(marks, 'refused'), '1.00 add-client refused client: x\n');
  writeFileSync(join(marks, '10.10.1.1'), '2.00 add-client c not recorded: why\n');
  t.deepEqual(allMarks(run), [
    { address: '10.10.1.1', text: '2.00 add-client c not recorded: why' },
    { address: 'refused', text: '1.00 add-client refused client: x' },
  ]);
  clearMark(run, '10.10.1.1');
  clearMark(run, 'absent');
  t.deepEqual(
    allMarks(run).map(({ address }) => address),
    ['refused'],
  );
});

test('nothing in it is shown as it is, followed, or waited for', (t) => {
  const { run, marks } = marksDirectory(t);
  writeFileSync(join(marks, 'a'), '\x1b]0;owned\x07\n\xff\\');
  writeFileSync(join(marks, 'b'), 'x'.repeat(5000));
  symlinkSync('/etc/shadow', join(marks, 'c'));
  mkdirSync(join(marks, 'd'));
  execFileSync('mkfifo', [join(marks, 'e')]);
  writeFileSync(join(marks, '\x1b[2J'), 'a name that is none');
  const [a, b, ...others] = allMarks(run);
  t.is(a?.text, '\\x1b]0;owned\\x07\\x0a\\xc3\\xbf\\x5c');
  t.true((b?.text.length ?? 0) <= 700);
  t.deepEqual(
    others.map(({ address, text }) => [address, text]),
    [
      ['c', 'a mark that cannot be read (ELOOP)'],
      ['d', 'a mark that is not a regular file'],
      ['e', 'a mark that is not a regular file'],
    ],
  );
});

test('clearing does not leave the directory of marks', (t) => {
  const { run } = marksDirectory(t);
  writeFileSync(join(run, 'precious'), 'x');
  clearMark(run, '../precious');
  t.is(readFileSync(join(run, 'precious'), 'utf8'), 'x');
  t.true(existsSync(join(run, 'marks')));
});
