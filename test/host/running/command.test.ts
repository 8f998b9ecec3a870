// Commands that do not end, as they do it in life: real processes, with deadlines of two seconds.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { toTimeouts } from '../../../src/config/timeout-words.js';
import type { FailoverError } from '../../../src/errors.js';
import { limitOf } from '../../../src/failover/limits.js';
import { runCommand } from '../../../src/host/running/command.js';
import { type Limit, within } from '../../../src/host/running/deadline.js';
import { realHost } from '../../../src/host/real.js';
import { expectAnswer } from '../../../src/host/reading/storage.js';
import { waitUntil } from '../../../src/host/running/wait.js';

// The time that node takes to load it, seconds on a busy machine, is not that of the commands.
test.before('execa is loaded', async () => void (await import('execa')));

/** Long enough for a script to say its pid on a busy machine. */
const moment: Limit = {
  ...limitOf('A-4 (/srv/vol1)', { timeouts: toTimeouts({}) }),
  seconds: 2,
  key: '[timeouts].A-4',
};
const patient: Limit = { ...moment, seconds: 600 };

function directory(t: ExecutionContext): string {
  t.timeout(60_000, 'fails instead of hanging');
  const made = mkdtempSync(path.join(tmpdir(), 'nlm-failover-command-'));
  t.teardown(() => {
    // Where the test has failed.
    const left = existsSync(path.join(made, 'pids')) ? pids(path.join(made, 'pids')) : [];
    for (const pid of left.filter((one) => !isGone(one))) process.kill(pid, 'SIGKILL');
    rmSync(made, { recursive: true });
  });
  return made;
}

/** The pids that a script has written, one a line. */
function pids(file: string): number[] {
  return readFileSync(file, 'utf8').trim().split('\n').map(Number);
}

/** Gone, or a zombie that whoever adopted it has not buried yet. */
function isGone(pid: number): boolean {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

async function refused(
  t: ExecutionContext,
  limit: Limit,
  work: () => Promise<unknown>,
): Promise<FailoverError> {
  t.timeout(60_000, 'fails instead of hanging');
  const error = await t.throwsAsync(within(limit, work));
  return error as FailoverError;
}

test('a command that sleeps: ended at the deadline, with step, command, time and key in the sentence', async (t) => {
  const file = path.join(directory(t), 'pids');
  const error = await refused(t, moment, () => runCommand(['sh', '-c', `echo $$ >${file}; exec sleep 600`]));
  t.like(error, { code: 'COMMAND_TIMEOUT', exitCode: 1 });
  t.regex(
    error.message,
    /^A-4 \(\/srv\/vol1\) was not done within 2 s: "sh -c .*" did not end, and was ended$/,
  );
  t.regex(error.hint ?? '', /same nlm-failover command again.*\[timeouts\]\.A-4 in the configuration/);
  t.true(pids(file).every(isGone));
});

test('one that ignores SIGTERM is killed, with what it has started', async (t) => {
  const file = path.join(directory(t), 'pids');
  const script = `trap '' TERM; sleep 600 & echo $! >>${file}; echo $$ >>${file}; while :; do sleep 1; done`;
  const error = await refused(t, moment, () => runCommand(['sh', '-c', script]));
  t.is(error.code, 'COMMAND_TIMEOUT');
  t.regex(error.message, /did not end, ignored SIGTERM, and was killed$/);
  t.is(pids(file).length, 2);
  await waitUntil(realHost, 'the processes to be gone', () => pids(file).every(isGone), { seconds: 60 });
  t.true(pids(file).every(isGone));
});

test('one that ends while a child of its own ignores SIGTERM leaves nothing behind either', async (t) => {
  const file = path.join(directory(t), 'pids');
  const script = `(trap '' TERM; echo "$(exec sh -c 'echo $PPID')" >>${file}; exec sleep 600) & exec sleep 600`;
  const error = await refused(t, moment, () => runCommand(['sh', '-c', script]));
  t.regex(error.message, /and was ended$/);
  await waitUntil(realHost, 'the child to be gone', () => pids(file).every(isGone), { seconds: 60 });
  t.true(pids(file).every(isGone));
});

test('one that has ended is not waited for because a daemon of it keeps its output open', async (t) => {
  const file = path.join(directory(t), 'pids');
  const result = await within(patient, () =>
    runCommand(['sh', '-c', `sleep 600 & echo $! >${file}; echo said; echo complained >&2; exit 3`]),
  );
  const [daemon = 0] = pids(file);
  t.deepEqual(result, { exitCode: 3, stdout: 'said\n', stderr: 'complained\n' });
  t.false(isGone(daemon), 'it is none of ours to end');
});

test('all of a long output is there, and so is what was given as input', async (t) => {
  const input = 'x'.repeat(3_000_000);
  const { stdout } = await within(patient, () => runCommand(['cat'], { input }));
  t.true(stdout === input);
  t.like(await within(patient, () => runCommand(['true'], { input })), { exitCode: 0 });
});

test('killed by a signal it has a shell’s status; one that is not there is said to be missing', async (t) => {
  t.is((await runCommand(['sh', '-c', 'kill -9 $$'])).exitCode, 137);
  const error = await refused(t, patient, () => runCommand(['nlm-failover-no-such-command']));
  t.like(error, { code: 'COMMAND_MISSING' });
  t.regex(error.hint ?? '', /Install the package/);
});

test('one that only asks has [timeouts].settle', async (t) => {
  const error = await refused(t, { ...patient, settle: 1 }, () =>
    runCommand(['sleep', '600'], { short: true }),
  );
  t.is(error.code, 'COMMAND_TIMEOUT');
  t.is(error.message, 'A-4 (/srv/vol1): "sleep 600" did not end within 1 s, and was ended');
  t.regex(error.hint ?? '', /\[timeouts\]\.settle/);
});

test('the second of two commands has what the first has left', async (t) => {
  const error = await refused(t, moment, async () => {
    await runCommand(['sleep', '0.1']);
    await runCommand(['sleep', '600']);
  });
  t.regex(error.message, /within 2 s: "sleep 600" did not end/);
});

test('what was left behind begins nothing more', async (t) => {
  const file = path.join(directory(t), 'too-late');
  let wake = (): void => undefined;
  const asleep = new Promise<void>((resolve) => (wake = resolve));
  let late: Promise<unknown> = Promise.resolve();
  const error = await refused(t, moment, async () => {
    late = asleep.then(() => runCommand(['touch', file]));
    await late;
  });
  t.like(error, { code: 'STEP_TIMEOUT', exitCode: 1 });
  wake();
  await t.throwsAsync(late, { message: /no time left to run "touch / });
  t.false(existsSync(file));
});

test('a wait that the step ends before it is over says what for', async (t) => {
  const error = await refused(t, moment, () => waitUntil(realHost, 'godot', () => false, { seconds: 600 }));
  t.like(error, { code: 'STEP_TIMEOUT', exitCode: 1 });
  t.regex(error.message, /^A-4 \(\/srv\/vol1\) was not done within 2 s: it waited for godot$/);
});

test('a disk that does not answer (a FIFO nobody writes to) is said so, and not waited for', async (t) => {
  const fifo = path.join(directory(t), 'monitors.db');
  spawnSync('mkfifo', [fifo]);
  const error = await refused(t, moment, () => expectAnswer(realHost, fifo));
  t.is(error.code, 'COMMAND_TIMEOUT');
  t.true(error.message.includes(`if=${fifo}`));
  await t.notThrowsAsync(
    within(patient, () => expectAnswer(realHost, `${fifo}.absent`)),
    'none is an answer',
  );
});

test('what may be somebody else’s is neither followed nor waited for when its disk is asked', async (t) => {
  const fifo = path.join(directory(t), 'fifo');
  spawnSync('mkfifo', [fifo]);
  const link = path.join(directory(t), 'monitors.db');
  symlinkSync(fifo, link);
  for (const file of [fifo, link])
    await t.notThrowsAsync(
      within(moment, () => expectAnswer(realHost, file, false)),
      file,
    );
});

test('a write to a kernel’s file: appended, in a process of its own, never a new file', async (t) => {
  const file = path.join(directory(t), 'threads');
  await t.throwsAsync(() => realHost.writeKernel(file, '0\n'), { code: 'ENOENT' });
  spawnSync('touch', [file]);
  await realHost.writeKernel(file, '0\n');
  await realHost.writeKernel(file, '1\n');
  t.is(readFileSync(file, 'utf8'), '0\n1\n');
  const fifo = path.join(directory(t), 'fifo');
  spawnSync('mkfifo', [fifo]);
  const error = await refused(t, moment, () => realHost.writeKernel(fifo, '0\n'));
  t.is(error.code, 'COMMAND_TIMEOUT');
  t.regex(error.message, /"tee -a .*fifo" did not end, and was ended$/);
  await t.throwsAsync(() => realHost.writeKernel('/proc/sys/kernel/ostype', 'x\n'), {
    message: /could not be written to \/proc\/sys\/kernel\/ostype: tee: /,
  });
});

test('a command that cannot be started is said at once, whatever the reason', async (t) => {
  const tooLong = 'x'.repeat(200_000); // the kernel takes 128 kB, MAX_ARG_STRLEN in linux/binfmts.h
  for (const [argv, said] of [
    [['true', tooLong], /"true" could not be run: spawn E2BIG/],
    [['true', 'a\0b'], /"true" could not be run: .*null bytes/],
    [['/nonexistent/true'], /could not be run: .*ENOENT/],
    [['/etc'], /could not be run: .*EACCES/],
  ] as const) {
    const error = await refused(t, patient, () => runCommand(argv));
    t.is(error.code, 'COMMAND_MISSING');
    t.regex(error.message, said);
  }
});
