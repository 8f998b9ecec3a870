import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { text as allOf } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { chooseFrom } from './choice.mjs';
import { secondsOf } from './costs.mjs';
import { fileOfTitle } from './file-of-title.mjs';
import { planLines, planOf, spread, totalOf } from './plan.mjs';
import { seconds } from './screen.mjs';
import { addTo, exitCodeOf, lastLines } from './tally.mjs';
import { tapReader } from './tap.mjs';

function read(text) {
  const seen = [];
  const reader = tapReader({
    onTest: ({ state, title }) => seen.push(`${state}: ${title}`),
    onDetail: (line) => seen.push(`  ${line}`),
  });
  for (const line of text.split('\n')) reader.line(line);
  return { ...reader.result(), seen };
}

test('every kind of line', (t) => {
  const { seen, ...counts } = read(`TAP version 13
ok 1 - later # SKIP
not ok 2 - one day # TODO
ok 3 - nsm › issue #7 is gone
#   42 clients
not ok 4 - bad
  ---
    name: AssertionError
  ...

1..4
# tests 3
# pass 1
# fail 1
`);
  t.deepEqual(counts, { passed: 1, failed: 1, skipped: 2, complete: true });
  t.deepEqual(seen, [
    'skipped: later',
    'skipped: one day',
    'passed: nsm › issue #7 is gone',
    '  42 clients',
    'failed: bad',
    '  ---',
    '   name: AssertionError',
    '  ...',
  ]);
});

test('output that ends without a plan is not complete', (t) => {
  t.false(read('TAP version 13\nok 1 - a\n').complete);
  t.false(read('').complete);
});

test('the last line and the exit code', (t) => {
  const rows = [
    [{ passed: 3, failed: 0, skipped: 0 }, false, ['3 passed, 0 failed'], 0],
    [{ passed: 3, failed: 1, skipped: 0 }, false, ['3 passed, 1 failed'], 1],
    [{ passed: 3, failed: 0, skipped: 2 }, false, ['3 passed, 0 failed, 2 skipped'], 0],
  ];
  for (const [tally, ci, lines, code] of rows) {
    t.deepEqual(lastLines(tally, { ci }), lines);
    t.is(exitCodeOf(tally, { ci }), code);
  }
});

test('the tallies of phases are added', (t) => {
  const tally = { passed: 3, failed: 0, skipped: 1 };
  addTo(tally, { passed: 4, failed: 2, skipped: 0 });
  t.deepEqual(tally, { passed: 7, failed: 2, skipped: 1 });
});

test('in CI a skipped test is a failure, and so is a run of nothing anywhere', (t) => {
  const skipped = { passed: 3, failed: 0, skipped: 2 };
  t.is(exitCodeOf(skipped, { ci: true }), 1);
  t.is(lastLines(skipped, { ci: true }).at(-1), '3 passed, 0 failed, 2 skipped');
  t.is(lastLines(skipped, { ci: true }).length, 2);
  t.is(exitCodeOf({ passed: 0, failed: 0, skipped: 0 }, { ci: false }), 1);
});

test('phases are chosen by name, with those they need', (t) => {
  const phases = [{ name: 'format' }, { name: 'types', needed: true }, { name: 'unit' }, { name: 'lab' }];
  const names = (...args) => chooseFrom(phases, args).map(({ name }) => name);
  t.deepEqual(names(), ['format', 'types', 'unit', 'lab']);
  t.deepEqual(names('--only', 'lab'), ['types', 'lab']);
  t.deepEqual(names('--only=lab,unit'), ['types', 'unit', 'lab']);
  t.deepEqual(names('unit'), ['types', 'unit']);
  t.deepEqual(names('lab'), ['types', 'lab']);
  t.is(chooseFrom(phases, ['lap']), 'there is no phase "lap"; write one or more of: format types unit lab');
});

test('times', (t) => {
  t.deepEqual([0, 1234, 59_940, 59_960, 83_000].map(seconds), [
    '0.0 s',
    '1.2 s',
    '59.9 s',
    '1 min 0 s',
    '1 min 23 s',
  ]);
});

test("a failed test's file is found by its title", (t) => {
  const files = [
    'build/test/config/names.test.js',
    'build/test/names.test.js',
    'test/runner/runner.test.mjs',
  ];
  t.is(fileOfTitle(files, 'build › test › config › names › a › b'), files[0]);
  t.is(fileOfTitle(files, 'build › test › names › a'), files[1]);
  t.is(fileOfTitle(files.slice(0, 2), 'config › names › a'), files[0]);
  t.is(fileOfTitle(files, 'runner › a'), files[2]);
  t.is(fileOfTitle(files, 'ReferenceError: x is not defined'), undefined);
  t.is(fileOfTitle(files.slice(0, 1), 'a'), files[0]);
});

test('a file that is not known takes as long as the one in the middle of its folder', (t) => {
  const files = { 'lab/a.js': 10, 'lab/b.js': 100, 'lab/c.js': 20, 'unit/d.js': 3 };
  t.is(secondsOf(files, 'lab/a.js'), 10);
  t.is(secondsOf(files, 'lab/new.js'), 20);
  t.is(secondsOf(files, 'other/new.js'), 1);
});

test('so many at once, the longest first', (t) => {
  t.is(spread([1, 2, 3, 4], 1), 10);
  t.is(spread([1, 2, 3, 4], 2), 5);
  t.is(spread([1, 1, 9], 2), 9);
  t.is(spread([5], 4), 5);
});

test('what comes, and how long it takes here', (t) => {
  const phases = [
    { name: 'types' },
    { name: 'unit', files: ['unit/a.js', 'unit/b.js'], atOnce: 2 },
    { name: 'lab', files: ['lab/a.js', 'lab/b.js', 'lab/c.js'], atOnce: 2 },
  ];
  const files = { 'unit/a.js': 5, 'unit/b.js': 3, 'lab/a.js': 90, 'lab/b.js': 60 };
  const plan = planOf(phases, { phases: { types: 4, unit: 99 }, tests: { unit: 40 }, files });
  t.is(totalOf(plan), 4 + 5 + 150);
  t.deepEqual(planLines(plan, { cpus: 2, gigabytes: 24 }), [
    'what comes, and how long it takes here, on 2 CPUs and 24 GB: 2 min 39 s',
    '   types        4.0 s  a check',
    '   unit         5.0 s  2 files, 2 at once, 40 tests the last time',
    '   lab     2 min 30 s  3 files, 2 at once',
  ]);
});

test('of phases beside one another the longest counts, where both are run', (t) => {
  const phases = [
    { name: 'unit', files: ['unit/a.js'], atOnce: 2 },
    { name: 'wire', files: ['wire/a.js'], atOnce: 2, beside: 'unit' },
    { name: 'lab', files: ['lab/a.js'], atOnce: 2, after: 'wire' },
    { name: 'long', files: ['lab/long.js'], atOnce: 1, partOf: 'lab', beside: ['unit', 'lab'] },
  ];
  const costs = {
    phases: {},
    tests: {},
    files: { 'unit/a.js': 12, 'wire/a.js': 9, 'lab/a.js': 20, 'lab/long.js': 25 },
  };
  const besides = (...args) =>
    chooseFrom(phases, args).map(({ name, beside, after }) => [name, beside, after].filter(Boolean));
  t.deepEqual(besides(), [['unit'], ['wire', 'unit'], ['lab', 'wire'], ['long', 'unit']]);
  t.deepEqual(besides('wire', 'lab'), [['wire'], ['lab', 'wire'], ['long', 'lab']]);
  const totalFor = (...args) => totalOf(planOf(chooseFrom(phases, args), costs));
  t.is(totalFor(), 9 + 20, 'the long one has ended at 25');
  t.is(totalFor('wire'), 9);
  t.is(totalFor('lab'), 25);
  t.is(totalFor('unit', 'lab'), 12 + 20, 'in its turn');
  t.is(
    planLines(planOf(chooseFrom(phases, []), costs), { cpus: 2, gigabytes: 24 })[2],
    '   wire         9.0 s  1 files, 2 at once, beside unit',
  );
});

test('a check that fails is heard, with how it ended', async (t) => {
  const module = new URL('check.mjs', import.meta.url).href;
  const program = `const { check } = await import('${module}');
    const tally = { passed: 0, failed: 0, skipped: 0 };
    const fails = ['echo said; exit 3', 'kill -9 $$'].map((script) => ['sh', '-c', script]);
    for (const command of [['true'], ...fails, ['no-such-command']]) await check(command)(tally);
    console.log(tally.passed, tally.failed);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.deepEqual((await allOf(child.stdout)).split('\n').filter(Boolean), [
    'said',
    '   FAILED: sh -c echo said; exit 3: exit code 3',
    '   FAILED: sh -c kill -9 $$: SIGKILL',
    '   FAILED: no-such-command : spawn no-such-command ENOENT',
    '1 3',
  ]);
});

test('who runs beside another is heard when its turn has come', async (t) => {
  const screen = new URL('screen.mjs', import.meta.url).href;
  const program = `const { holdBack, write } = await import('${screen}');
    const later = () => new Promise((resolve) => setTimeout(resolve, 10));
    const other = holdBack(async () => {
      write('b1');
      await later();
      write('b2');
      await later();
      await later();
      write('b3');
      return 'b';
    });
    write('a1');
    await later();
    await later();
    write('a2');
    other.release();
    write(await other.result);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.is(await allOf(child.stdout), 'a1\na2\nb1\nb2\nb3\nb\n');
});

test('what a test process made and started goes with it, also when it is killed', async (t) => {
  const preload = fileURLToPath(new URL('own-tmp.mjs', import.meta.url));
  const program = `const made = require('fs').mkdtempSync(require('path').join(require('os').tmpdir(), 'made-'));
    const { pid } = require('child_process').spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
    console.log(made, pid);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--import', preload, '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const [said] = await once(child.stdout, 'data');
  const [made, pid] = said.toString().trim().split(' ');
  t.true(existsSync(made));
  t.is(statSync(dirname(made)).mode & 0o777, 0o711);
  child.kill('SIGKILL');
  // Bounded by the test's timeout.
  const isRunning = () => {
    try {
      return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
    } catch {
      return false;
    }
  };
  while (existsSync(dirname(made)) || isRunning()) await delay(10);
  t.pass();
});
