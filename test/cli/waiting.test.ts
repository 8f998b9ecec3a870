// The whole command, made to wait for what does not come: what it says, with which exit code, and that it goes on when run again.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { toTimeouts } from '../../src/config/timeout-words.js';
import { limitOf } from '../../src/failover/limits.js';
import { within } from '../../src/host/running/deadline.js';
import { realHost } from '../../src/host/real.js';
import { waitUntil } from '../../src/host/running/wait.js';
import { lockd } from '../../src/lockmanager/lockd/lockd.js';
import { nodeItself } from '../lockmanager/helpers/instance.js';
import type { LockManagerContext } from '../../src/lockmanager/port.js';
import { rpcbindLookup } from '../../src/rpc/rpcbind.js';
import { registeredPrograms } from '../../src/rpc/rpcbind-local.js';
import { startLoopbackClient } from '../demo/loopback-client.js';
import { projectRoot } from '../lab/project-root.js';
import { makeRehearsal, type RehearsalNode, type RehearsalSite } from '../helpers/rehearsal-site.js';
import { startProcess } from '../record/helpers/process.js';
import { addClient, jsonLines } from '../helpers/rehearsal-steps.js';

const address = '127.77.6.1';
const bin = path.join(projectRoot(), 'bin/nlm-failover');

/** Gone when the test is over. */
function site(t: ExecutionContext, rpcbindPort: number): RehearsalSite {
  const made = makeRehearsal({ address, rpcbindPort });
  t.teardown(() => made.remove());
  return made;
}

/** Gives a node the content of [timeouts] for as long as `work` goes on: a busy machine may take its time for all else. */
async function withTimeouts<T>(node: RehearsalNode, content: string, work: () => Promise<T>): Promise<T> {
  const text = node.read('/etc/nlm-failover.toml');
  node.write(
    '/etc/nlm-failover.toml',
    text.replace('[lock_manager]', `[timeouts]\n${content}\n\n[lock_manager]`),
  );
  try {
    return await work();
  } finally {
    node.write('/etc/nlm-failover.toml', text);
  }
}

/** A command that hangs for all that fails the test, after half a minute, instead of hanging it. */
async function tool(t: ExecutionContext, node: RehearsalNode, ...args: string[]) {
  const ended = await Promise.race([
    node.tool([...args, '--json']),
    new Promise<never>((_, reject) => {
      const timer = setTimeout(reject, 30_000, new Error(`${args.join(' ')} has not ended`));
      t.teardown(() => clearTimeout(timer));
    }),
  ]);
  return { ...ended, last: jsonLines(ended.stdout).at(-1) as Last | undefined };
}

interface Last {
  readonly result: string;
  readonly exitCode?: number;
  readonly error?: {
    readonly code: string;
    readonly operation: string;
    readonly message: string;
    readonly hint: string;
  };
}

test('another process holds the record: it is named, with the key, and the same command goes on afterwards', async (t) => {
  const { a } = site(t, 1);
  t.is((await tool(t, a, 'takeover', address, '--no-wait')).exitCode, 0);
  const file = a.path(`/mnt/state1/sm_${address}/monitors.db`);
  const holder = startProcess(t, 'hold-database.js', [file]);
  t.is(await holder.line(), 'held');
  const { exitCode, last, stderr } = await withTimeouts(a, 'record = 1', () =>
    tool(t, a, 'release', address),
  );
  t.is(exitCode, 1);
  t.is(last?.error?.code, 'RECORD_BUSY');
  t.regex(
    stderr,
    new RegExp(`another process \\(node, pid ${holder.child.pid}\\) has kept the database locked for 1 s`),
  );
  t.regex(stderr, /\[timeouts\]\.record in the configuration sets how long/);
  t.true(a.read('/addresses.json').includes(address), 'nothing was touched');
  const rebuild = await withTimeouts(a, 'record = 1', () => tool(t, a, 'rebuild', address));
  t.regex(rebuild.stderr, /has kept the database locked for 1 s/);
  holder.write('let go\n');
  t.deepEqual(await holder.ended(), { code: 0, signal: null });
  t.is((await tool(t, a, 'release', address)).exitCode, 0);
  t.is(a.read('/addresses.json'), '[]');
});

/** Takes a lease (fcntl(2)) on a file and keeps it when it is asked to give it back: for 45 s (/proc/sys/fs/lease-break-time) open(2) waits. */
const keepLease =
  '$SIG{IO} = "IGNORE"; open(F, "+<", $ARGV[0]) && fcntl(F, 1024, 1) or die $!; syswrite(STDOUT, "kept\\n"); sleep 100';

// A file whose lease another one keeps is what one on a dead disk is: open(2) does not return, and nothing in this process can change that.
for (const [what, file, args, step] of [
  ['release', '/proc/locks', ['release', address], 'A-1'],
  ['takeover', '/var/lib/nfs/etab', ['takeover', address, '--no-wait', '--steps', 'B-5'], undefined],
] as const) {
  test(`${what}: a file that cannot be read to its end is named, and the process ends`, async (t) => {
    const { a } = site(t, 1);
    const steps = step === undefined ? ['--steps', 'B-1,B-2'] : [];
    t.is((await tool(t, a, 'takeover', address, '--no-wait', ...steps)).exitCode, 0);
    const content = a.read(file);
    const keeper = spawn('perl', ['-e', keepLease, a.path(file)], { stdio: ['ignore', 'pipe', 'inherit'] });
    t.teardown(() => keeper.kill('SIGKILL'));
    const [said] = (await Promise.race([once(keeper.stdout, 'data'), once(keeper, 'exit')])) as unknown[];
    t.is(String(said), 'kept\n');
    const { last, stderr, stdout } = await withTimeouts(a, 'step = 1\nrecord = 1', () => tool(t, a, ...args));
    const where = step === undefined ? 'Choosing the lock manager driver' : step;
    t.regex(
      stderr,
      new RegExp(
        `nlm-failover: ${where}.*: a system call has not returned for 3 s, in or after: reading .*${file}\n`,
      ),
    );
    t.regex(
      stderr,
      /kills itself.*Then run the same command again.*\[timeouts\]\.(A-1|step) in the configuration/,
    );
    t.like(last, { result: 'failed', exitCode: 137 }, stdout);
    t.is(last?.error?.code, 'STUCK');
    a.remove(file);
    a.write(file, content);
    t.is((await tool(t, a, ...args)).exitCode, 0);
  });
}

test('a statd that swallows packets: B-3 ends with [timeouts].B-3, the client is named, kept, and notified by notify', async (t) => {
  const client = '127.77.6.21';
  const notified: string[] = [];
  const rpcbind = await startLoopbackClient(client, 0, (monName) => notified.push(monName));
  const { port } = rpcbind;
  const { a, b } = site(t, port);
  t.is((await tool(t, a, 'takeover', address, '--no-wait')).exitCode, 0);
  addClient(a, client);
  t.is((await tool(t, a, 'release', address)).exitCode, 0);
  rpcbind.close();
  const swallowing = createSocket('udp4').bind(port, client);
  await once(swallowing, 'listening');
  const silent = await withTimeouts(b, 'B-3 = 1', () => tool(t, b, 'takeover', address, '--no-wait'));
  t.is(silent.exitCode, 5);
  t.true(silent.stdout.includes(client));
  t.is((await withTimeouts(b, 'B-3 = 1', () => tool(t, b, 'notify', address))).exitCode, 5);
  await new Promise<void>((resolve) => swallowing.close(() => resolve()));
  const back = await startLoopbackClient(client, port, (monName) => notified.push(monName));
  t.teardown(() => back.close());
  t.is((await tool(t, b, 'notify', address)).exitCode, 0);
  t.true(notified.includes(address));
});

test('a step that failed ends the process, whatever it has left behind', async (t) => {
  const { a } = site(t, 1);
  // Stands for what a step waits for and gave up: it would keep the process for ever.
  const left = '--import=data:text/javascript,setInterval(()=>{},1e3)';
  const child = spawn(process.execPath, [left, bin, 'takeover', address, '--steps', 'B-3'], {
    env: { ...process.env, NLM_FAILOVER_REHEARSAL: a.root, NLM_FAILOVER_CONFIG: a.config },
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: 30_000,
    killSignal: 'SIGKILL',
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  t.deepEqual(await once(child, 'close'), [1, null]);
  t.regex(
    said,
    /The record of 127\.77\.6\.1 cannot be reached: \/mnt\/state1 is not mounted\n {2}Run this on the node that serves 127\.77\.6\.1\. Where none does, and the others are dead or have let go \(IS THE OTHER NODE DEAD in nlm-failover-recovery\(7\)\): nlm-failover takeover --steps B-1 127\.77\.6\.1\. Never mount it by hand/,
  );
});

const short = {
  ...limitOf('B-2 (fsid 1234)', { timeouts: { ...toTimeouts({}), settle: 1 } }),
  seconds: 600,
};

test('rpcbind of this host does not answer: nfsd is not restarted, and it is said who was silent', async (t) => {
  const { a } = site(t, 1);
  const swallowing = createSocket('udp4').bind(0, '127.0.0.1');
  t.teardown(() => void swallowing.close());
  await once(swallowing, 'listening');
  const { port } = swallowing.address();
  const nfsd = a.path('/proc/fs/nfsd');
  a.write('/proc/fs/nfsd/threads', '8\n');
  const context: LockManagerContext = {
    host: { ...realHost, readText: (file) => (file.startsWith(nfsd) ? realHost.readText(file) : '') },
    nlmRegistered: async () => {
      const found = await rpcbindLookup({
        address: '127.0.0.1',
        port,
        program: 100021,
        version: 4,
        protocol: 'tcp',
        timeoutMs: 100,
      });
      return found === undefined ? undefined : found > 0;
    },
    registeredAt: async () => false,
  };
  const driver = lockd(nodeItself(realHost), { nfsd, restart: ['true'] });
  const [stop] = driver.beforeGrace({ fsid: '1234', device: '/dev/vol1', mountpoint: '/mnt/vol1' });
  const [start] = driver.enterGrace({ fsid: '1234', device: '/dev/vol1', mountpoint: '/mnt/vol1' });
  await t.throwsAsync(
    within(short, async () => stop?.check(context)),
    {
      message:
        /^rpcbind of this host \(127\.0\.0\.1 port 111\) has not answered for 1 s \(\[timeouts\]\.settle\): nfsd was not restarted$/,
    },
  );
  t.is(a.read('/proc/fs/nfsd/threads'), '8\n');
  await within(short, async () => start?.act(context));
  await t.throwsAsync(
    within(short, async () => start?.verify(context)),
    { message: /rpcbind of this host .* does not answer 1 s \(\[timeouts\]\.settle\) after "true"/ },
  );
  const after = (...answers: (boolean | undefined)[]) => ({
    ...context,
    host: {
      ...context.host,
      readText: (file: string) => (file.startsWith(nfsd) ? realHost.readText(file) : undefined),
    },
    nlmRegistered: async () => answers.shift(),
  });
  await within(short, async () => start?.verify(after(undefined, true)));
  const leaving = { ...context, nlmRegistered: async () => true };
  a.write('/proc/fs/nfsd/threads', '');
  await within(short, async () => stop?.act(leaving));
  await t.throwsAsync(
    within(short, async () => stop?.verify(leaving)),
    {
      message: /lockd is still registered with rpcbind 1 s \(\[timeouts\]\.settle\) after nfsd ended/,
    },
  );
  await within(short, async () => stop?.verify(after(undefined, false)));
});

test('a rpcbind behind a local socket that accepts and never answers: the step’s own deadline ends the wait', async (t) => {
  const { a } = site(t, 1);
  const socket = path.join(a.root, 'run/rpcbind.sock');
  const server = createServer(() => undefined).listen(socket);
  t.teardown(() => void server.close());
  await once(server, 'listening');
  const isUp = async () => (await registeredPrograms(socket, 200))?.has(100005) === true;
  const what = 'rpc.mountd to register with the rpcbind of the instance';
  t.false(await within(short, () => waitUntil(realHost, what, isUp)), 'after [timeouts].settle');
  await t.throwsAsync(
    within({ ...short, seconds: 1, settle: 600 }, () => waitUntil(realHost, what, isUp)),
    { message: /^B-2 \(fsid 1234\) was not done within 1 s: it waited for rpc\.mountd to register/ },
  );
});
