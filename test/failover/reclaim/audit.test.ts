// Lost locks are named: the whole command on a rehearsal host, whose /proc/locks is a file, with real packets and record.
import { spawn } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import test, { type ExecutionContext } from 'ava';
import { type LoopbackClient, startLoopbackClient } from '../../demo/loopback-client.js';
import { projectRoot } from '../../lab/project-root.js';
import type { ReportLine } from '../../lab/site.js';
import { makeRehearsal, type RehearsalNode } from '../../helpers/rehearsal-site.js';
import { openRecord } from '../../../src/record/record.js';
import { addClient, jsonLines } from '../../helpers/rehearsal-steps.js';

const floatingIp = '127.77.4.1';
let nextClient = 20;

/** A client that answers, until it is closed. */
async function startClient(t: ExecutionContext, port = 0): Promise<LoopbackClient> {
  nextClient += 1;
  const client = await startLoopbackClient(`127.77.4.${nextClient}`, port, () => undefined);
  let open = true;
  const close = () => {
    if (open) client.close();
    open = false;
  };
  t.teardown(close);
  return { ...client, close };
}

/** The line of /proc/locks for a lock of lockd's on a whole file of the volume: no process has this pid. */
function lockOn(node: RehearsalNode, file: string): string {
  const { ino } = statSync(node.path(`/mnt/vol1/${file}`));
  return `1: POSIX  ADVISORY  WRITE 4194305 07:01:${ino} 0 EOF\n`;
}

interface Stage {
  readonly a: RehearsalNode;
  readonly b: RehearsalNode;
  readonly client: LoopbackClient;
  /** Lines of /proc/locks. */
  readonly locks: { readonly one: string; readonly two: string };
}

/** A serves the volume; the client, and whoever else is given, is recorded; there are locks on two files. */
async function stage(t: ExecutionContext, others: readonly string[] = []): Promise<Stage> {
  const client = await startClient(t);
  const site = makeRehearsal({ address: floatingIp, rpcbindPort: client.port });
  t.teardown(() => site.remove());
  const { a, b } = site;
  for (const node of [a, b]) {
    mkdirSync(path.join(node.root, 'proc/sys/fs/nfs'), { recursive: true });
    node.write('/proc/sys/fs/nfs/nlm_grace_period', '200\n');
  }
  t.is((await a.here(['takeover', floatingIp])).exitCode, 0);
  for (const name of [client.address, ...others]) addClient(a, name);
  mkdirSync(a.path('/mnt/vol1/dir'));
  for (const file of ['dir/one', 'two']) a.write(`/mnt/vol1/${file}`, '');
  const locks = { one: lockOn(a, 'dir/one'), two: lockOn(a, 'two') };
  a.write('/proc/locks', locks.one + locks.two);
  return { a, b, client, locks };
}

async function release(t: ExecutionContext, node: RehearsalNode): Promise<void> {
  const released = await node.here(['release', floatingIp]);
  t.is(released.exitCode, 0, released.stderr);
  t.regex(released.stdout, /A-1.*2 locks held/);
  t.is(node.read('/proc/locks'), '');
}

interface Ended {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly lines: ReportLine[];
}

/** takeover --json; `onWaiting` gets each line that says that it waits, at first and when a number has changed. */
function takeover(
  node: RehearsalNode,
  onWaiting: (kill: (signal: NodeJS.Signals) => void, line: ReportLine) => void,
  options: readonly string[] = [],
): Promise<Ended> {
  const child = spawn(
    process.execPath,
    [path.join(projectRoot(), 'bin/nlm-failover'), 'takeover', floatingIp, '--json', ...options],
    { env: { ...process.env, NLM_FAILOVER_REHEARSAL: node.root, NLM_FAILOVER_CONFIG: node.config } },
  );
  let stdout = '';
  let stderr = '';
  createInterface({ input: child.stdout }).on('line', (line) => {
    stdout += `${line}\n`;
    const [parsed] = jsonLines(line);
    if (parsed?.waiting !== undefined) onWaiting((signal) => child.kill(signal), parsed);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve) => {
    child.once('close', (exitCode) => {
      resolve({ exitCode, stdout, stderr, lines: jsonLines(stdout) });
    });
  });
}

const endGrace = (node: RehearsalNode) => node.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
const resultOf = ({ lines }: Ended) => lines.at(-1);
const never = () => undefined;

/** Each finding as its verdict, file and clients. */
function found(line: ReportLine | undefined) {
  return line?.audit?.findings?.map(({ verdict, path: file, clients }) => [verdict, file, clients]);
}

test('when everything is reclaimed it does not wait for the end of the grace', async (t) => {
  const { a, b, locks } = await stage(t);
  await release(t, a);
  // The client's kernel: it reclaims once it is notified, as the waiting shows.
  const taken = await takeover(b, () => b.write('/proc/locks', locks.two + locks.one));
  t.is(taken.exitCode, 0, taken.stderr);
  t.like(resultOf(taken), { result: 'done', audit: { state: 'compared', locks: { held: 2, reclaimed: 2 } } });
  t.deepEqual(found(resultOf(taken)), []);
  t.is(b.read('/proc/fs/lockd/nlm_end_grace'), 'N\n', 'the grace is not over');
  t.true((resultOf(taken)?.audit?.graceLeft ?? 0) > 0, 'nor did it wait for as long as one takes');
  t.notRegex((await b.here(['status', floatingIp])).stdout, /audit/);
});

test('a client that could not be notified is named with its file, until somebody acknowledges it', async (t) => {
  const absent = '127.77.4.250';
  const { a, b, client, locks } = await stage(t, [absent]);
  await release(t, a);
  const taken = await takeover(
    b,
    (_, line) => {
      // One is reclaimed, and given back once it was seen; the other one never comes.
      if (line.waiting?.locks?.reclaimed === 0) {
        addClient(b, client.address);
        b.write('/proc/locks', locks.one);
      } else {
        b.write('/proc/locks', '');
        endGrace(b);
      }
    },
    ['--notify-deadline', '1'],
  );
  t.is(taken.exitCode, 6, taken.stderr);
  t.like(resultOf(taken), { result: 'lost', audit: { clients: { listed: 2, notified: 1, back: 1 } } });
  t.deepEqual(found(resultOf(taken)), [['lost', '/mnt/vol1/two', [absent]]]);

  const audit = await b.here(['audit', floatingIp]);
  t.is(audit.exitCode, 6);
  t.regex(audit.stdout, /^LOST +127\.77\.4\.250 +WRITE 0-EOF +\/mnt\/vol1\/two /m);
  t.regex((await b.here(['status', floatingIp])).stdout, /audit +\d LOST: nlm-failover audit 127\.77\.4\.1/);
  t.is((await a.here(['audit', floatingIp])).exitCode, 1, 'not where the record cannot be reached');
  t.is((await b.here(['audit', floatingIp, '--acknowledge'])).exitCode, 0);
  t.is((await b.here(['audit', floatingIp])).exitCode, 0);
  t.notRegex((await b.here(['status', floatingIp])).stdout, /audit/);
});

test('a lock that turns up after the grace while its holder is gone is somebody else’s', async (t) => {
  const { a, b, client, locks } = await stage(t);
  await release(t, a);
  const thief = () => {
    client.close(); // notified, and frozen
    endGrace(b);
    b.write('/proc/locks', locks.one + locks.two);
  };
  const taken = await takeover(b, thief);
  t.is(taken.exitCode, 6, taken.stdout);
  t.deepEqual(found(resultOf(taken))?.toSorted(), [
    ['lost', '/mnt/vol1/dir/one', [client.address]],
    ['lost', '/mnt/vol1/two', [client.address]],
  ]);
});

test('a client that answers is not accused of the lock that it has given back', async (t) => {
  const { a, b, client, locks } = await stage(t);
  // Of a file that is no more.
  a.write('/proc/locks', `${locks.one}1: POSIX  ADVISORY  WRITE 4194305 07:01:999999999 10 19\n`);
  await release(t, a);
  const taken = await takeover(b, () => {
    b.write('/proc/locks', locks.one);
    endGrace(b);
  });
  t.is(taken.exitCode, 0, taken.stderr);
  t.is(resultOf(taken)?.result, 'done');
  t.deepEqual(found(resultOf(taken)), [
    ['not-reclaimed', 'inode 999999999 on /mnt/vol1: no file has it any more', []],
  ]);
  t.notRegex(JSON.stringify(found(resultOf(taken))), new RegExp(client.address));
});

test('after a crash: who fell silent after it was notified is named, who answers and wants nothing as idle', async (t) => {
  const { a, b, client } = await stage(t);
  // One port for all: rpcbind's.
  const other = await startClient(t, client.port);
  const back = await startClient(t, client.port);
  for (const { address } of [other, back]) addClient(a, address);
  const taken = await takeover(b, () => {
    addClient(b, back.address);
    client.close();
    endGrace(b);
  }, ['--fenced']);
  t.is(taken.exitCode, 6, taken.stderr);
  t.is(resultOf(taken)?.audit?.locks, null, 'nobody knows what was held');
  t.deepEqual(found(resultOf(taken)), [
    ['silent', undefined, [client.address]],
    ['idle', undefined, [other.address]],
  ]);
  t.regex((await b.here(['status', floatingIp])).stdout, /audit +1 SILENT:/);
});

test('--no-wait returns at once; audit compares when the grace is over, and not again', async (t) => {
  const { a, b, locks } = await stage(t);
  await release(t, a);
  const taken = await takeover(b, never, ['--no-wait']);
  t.is(taken.exitCode, 0);
  t.deepEqual([resultOf(taken)?.result, resultOf(taken)?.audit], ['done', undefined]);
  const early = jsonLines((await b.here(['audit', floatingIp, '--json'])).stdout)[0];
  t.like(early?.audit, { state: 'in-grace', comparedAt: null });
  b.write('/proc/locks', locks.one);
  endGrace(b);
  const first = jsonLines((await b.here(['audit', floatingIp, '--json'])).stdout)[0];
  t.like(first?.audit, { state: 'compared', locks: { held: 2, reclaimed: 1 } });
  t.deepEqual(found(first), [['not-reclaimed', '/mnt/vol1/two', []]]);
  b.write('/proc/locks', '');
  const again = jsonLines((await b.here(['audit', floatingIp, '--json'])).stdout)[0];
  t.deepEqual(again, first, 'what clients do later is their own business');
  const repeated = await takeover(b, never);
  t.deepEqual(found(resultOf(repeated)), found(first));
});

test('--steps without B-3 waits for nothing, and leaves the grace alone: somebody else notifies the clients', async (t) => {
  const { a, b, locks } = await stage(t);
  await release(t, a);
  const waited: ReportLine[] = [];
  const taken = await takeover(b, (_, line) => waited.push(line), ['--steps', 'B-1,B-2,B-5,B-4']);
  t.is(taken.exitCode, 0, taken.stderr);
  t.deepEqual([resultOf(taken)?.audit, waited], [undefined, []]);
  t.is(b.read('/proc/fs/lockd/nlm_end_grace'), 'N\n');
  const meanwhile = jsonLines((await b.here(['audit', floatingIp, '--json'])).stdout)[0];
  t.like(meanwhile?.audit, { state: 'in-grace', comparedAt: null });
  const rest = await takeover(b, () => b.write('/proc/locks', locks.one + locks.two));
  t.like(resultOf(rest), { result: 'done', audit: { state: 'compared', locks: { held: 2, reclaimed: 2 } } });
});

test('what a release noted that was broken off and taken back says nothing of a later one', async (t) => {
  const { a, b, client, locks } = await stage(t);
  a.write('/umount-fails', 'target is busy');
  t.is((await a.here(['release', floatingIp])).exitCode, 1);
  t.is((await a.here(['takeover', floatingIp, '--no-wait'])).exitCode, 0);
  addClient(a, client.address);
  a.write('/proc/locks', locks.one);
  // And what is run twice forgets nothing: A-3 has dropped the lock when A-1 is done again.
  t.is((await a.here(['release', floatingIp])).exitCode, 1);
  t.is(a.read('/proc/locks'), '');
  a.remove('/umount-fails');
  t.is((await a.here(['release', floatingIp])).exitCode, 0);
  const taken = await takeover(b, () => b.write('/proc/locks', locks.one));
  t.deepEqual(resultOf(taken)?.audit?.locks, { held: 1, reclaimed: 1 });
});

test('a release while takeover waits ends the waiting, and nothing is compared', async (t) => {
  const { a, b } = await stage(t);
  await release(t, a);
  let releasing: Promise<{ exitCode: number }> | undefined;
  const taken = await takeover(b, () => {
    releasing ??= b.here(['release', floatingIp]);
  });
  t.is((await releasing)?.exitCode, 0);
  t.is(taken.exitCode, 0, taken.stderr);
  t.is(resultOf(taken)?.audit?.state, 'gone');
});

test('for people: how far it is, and what is lost, as sentences', async (t) => {
  const { a, b, client } = await stage(t);
  await release(t, a);
  // SIGINT ends the waiting, not what was done.
  const interrupted = await takeover(b, (kill) => kill('SIGINT'));
  t.is(interrupted.exitCode, 0, interrupted.stderr);
  t.like(resultOf(interrupted), { result: 'done', audit: { state: 'in-grace', comparedAt: null } });
  client.close();
  endGrace(b);
  const { stdout, exitCode } = await b.here(['takeover', floatingIp]);
  t.is(exitCode, 6);
  t.regex(stdout, /0 of 1 clients back, 0 of 2 locks reclaimed/);
  t.true(
    stdout.includes(
      `LOST: write lock on /mnt/vol1/dir/one was not reclaimed; most likely held by ${client.address}: `,
    ),
    stdout,
  );
});

test('what happens while B-3 is still at it counts: reclaimed and given back, or taken by somebody else', async (t) => {
  const absent = '127.77.4.251';
  const { a, b, client, locks } = await stage(t, [absent]);
  await release(t, a);
  const waited: ReportLine[] = [];
  const taking = takeover(b, (_, line) => waited.push(line), ['--notify-deadline', '60']);
  // The client reclaims one lock. B-3 goes on, as the other client is not there, and sees it.
  await until(taking, () => b.read('/proc/fs/lockd/nlm_end_grace') === 'N\n');
  b.write('/proc/locks', locks.one);
  const record = b.path(`/mnt/state1/sm_${floatingIp}`);
  await until(taking, () => {
    const opened = openRecord({ directory: record, node: 'B', create: false });
    try {
      return opened?.heldLocks().some(({ reclaimed }) => reclaimed) === true;
    } finally {
      opened?.close();
    }
  });
  // It gives it back, the grace ends, somebody else takes the other lock; only then the other client is notified, and freezes.
  b.write('/proc/locks', '');
  endGrace(b);
  b.write('/proc/locks', locks.two);
  const names = new Set<string>();
  const woken = await startLoopbackClient(absent, client.port, (name) => {
    if (names.add(name).size === 3) setImmediate(() => woken.close());
  });
  const taken = await taking;
  t.deepEqual(waited, [], 'all of it was seen in B-3, none while it waited');
  t.is(taken.exitCode, 6, taken.stdout);
  t.deepEqual(found(resultOf(taken)), [['lost', '/mnt/vol1/two', [absent]]]);
});

/** Looks until it is so. Throws when the takeover has ended, as then it never will be. */
async function until(taking: Promise<Ended>, isSo: () => boolean): Promise<void> {
  let ended: Ended | undefined;
  void taking.then((result) => (ended = result));
  while (!isSo()) {
    if (ended !== undefined) throw new Error(`ended: ${ended.stdout}${ended.stderr}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
