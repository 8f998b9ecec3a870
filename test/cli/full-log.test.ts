// The disk that standard output or standard error goes to is full: every write to /dev/full fails with ENOSPC.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import test from 'ava';
import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';
import { projectRoot } from '../lab/project-root.js';

const address = '127.77.31.1';
const bin = path.join(projectRoot(), 'bin', 'nlm-failover');

interface Ended {
  readonly code: number;
  /** What the streams that are not full had. */
  readonly said: string;
}

async function withFull(full: readonly (1 | 2)[], node: RehearsalNode, ...args: string[]): Promise<Ended> {
  const fd = openSync('/dev/full', 'w');
  try {
    const child = spawn(process.execPath, [bin, ...args], {
      env: { ...process.env, NLM_FAILOVER_REHEARSAL: node.root, NLM_FAILOVER_CONFIG: node.config },
      stdio: ['ignore', full.includes(1) ? fd : 'pipe', full.includes(2) ? fd : 'pipe'],
      timeout: 60_000,
      killSignal: 'SIGKILL',
    });
    const closed = once(child, 'close') as Promise<[number]>;
    const heard = await Promise.all([textOf(child.stdout), textOf(child.stderr)]);
    const [code] = await closed;
    return { code, said: heard.join('') };
  } finally {
    closeSync(fd);
  }
}

async function textOf(stream: Readable | null): Promise<string> {
  return stream === null ? '' : text(stream);
}

const sentence =
  /^nlm-failover: standard output could not be written \(ENOSPC: [^\n]*\): [^\n]* It went on all the same; [^\n]*\n$/;

const isUp = (node: RehearsalNode) => node.read('/addresses.json').includes(address);
const unlessFull = existsSync('/dev/full') ? test : test.skip;

unlessFull(
  'takeover and release go on where standard output is full, and end with 1 and one sentence',
  async (t) => {
    const site = makeRehearsal({ address, rpcbindPort: 1 });
    t.teardown(() => site.remove());
    const { a } = site;
    const first = await withFull([1], a, 'takeover', '--steps', 'B-1', address);
    t.is(first.code, 1);
    t.regex(first.said, sentence);
    t.true(existsSync(a.path(`/mnt/state1/sm_${address}/monitors.db`)));
    const taken = await withFull([1], a, 'takeover', '--json', '--no-wait', address);
    t.is(taken.code, 1);
    t.regex(taken.said, sentence);
    t.true(isUp(a));
    const released = await withFull([1], a, 'release', address);
    t.is(released.code, 1);
    t.regex(released.said, sentence);
    t.false(isUp(a));
    t.is((await a.tool(['status', '--is-served', address])).exitCode, 7);
  },
);

unlessFull('nor do they stop where standard error is full, or both', async (t) => {
  const site = makeRehearsal({ address, rpcbindPort: 1 });
  t.teardown(() => site.remove());
  const { a } = site;
  // A log line for each effect.
  const taken = await withFull([2], a, 'takeover', '--log-level', 'info', '--no-wait', address);
  t.is(taken.code, 1);
  t.regex(taken.said, /takeover 127\.77\.31\.1: done/);
  t.is((await withFull([1, 2], a, 'release', '--log-level', 'info', address)).code, 1);
  t.false(isUp(a));
});

unlessFull('an exit code of its own is kept', async (t) => {
  const site = makeRehearsal({ address, rpcbindPort: 1 });
  t.teardown(() => site.remove());
  const { a, b } = site;
  t.is((await a.tool(['takeover', '--no-wait', address])).exitCode, 0);
  t.is((await withFull([1, 2], b, 'takeover', address)).code, 4);
  t.is((await withFull([1, 2], a, 'takeover', address, '--no-such-option')).code, 2);
});
