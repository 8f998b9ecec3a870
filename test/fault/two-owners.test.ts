// A node that was taken for dead comes back in the middle of its own command: it is stopped (SIGSTOP) after an effect, the
// other node takes over, and it goes on (SIGCONT). From there on it may change nothing, neither on its machine nor in the record.
// Here some points; all: NLM_FULL=1 npx ava --timeout=2h build/test/fault/two-owners.test.js
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openRecord } from '../../src/record/record.js';
import { type LoopbackClient, startLoopbackClient } from '../demo/loopback-client.js';
import { makeRehearsal, type RehearsalSite } from '../helpers/rehearsal-site.js';
import { addClient } from '../helpers/rehearsal-steps.js';
import { waitFor } from '../wire/wait-for.js';
import { copySite, readState, removeSite, runHere, type SiteState } from './site.js';
import { runStruck, startStruck, type Struck } from './strike.js';

const full = process.env['NLM_FULL'] === '1';
const sampled = 6;
const shared = '/shared_storage';
const address = '127.77.8.1';
const lock = '1: POSIX  ADVISORY  WRITE 999999999 07:01:12 0 EOF\n';

async function makeSite(
  t: ExecutionContext,
  number: number,
): Promise<{ site: RehearsalSite; client: LoopbackClient }> {
  const client = await startLoopbackClient(`127.77.8.${number}`, 0, () => undefined);
  const site = makeRehearsal({ address, rpcbindPort: client.port, stateDirectory: shared });
  t.teardown(() => {
    client.close();
    site.remove();
  });
  mkdirSync(path.join(site.directory, shared));
  for (const node of [site.a, site.b]) node.link(shared, path.join(site.directory, shared));
  return { site, client };
}

/** The record, as far as it concerns whoever serves: a stale node's own unfinished operation is not part of it. */
function recordOf(directory: string): unknown {
  const record = openRecord({
    directory: path.join(directory, shared, `sm_${address}`),
    node: 'observer',
    create: false,
  });
  if (record === undefined) throw new Error('there is no record');
  try {
    record.fold();
    return {
      ownership: record.ownership(),
      clients: record.clients(),
      notNotified: record.toNotify(),
      nsmState: record.nsmState(),
      operation: record.lastOperation(),
    };
  } finally {
    record.close();
  }
}

/** Its serving links are compared apart: that it ceases to record is its own affair, and one action with what was struck. */
function machineOf({ nodes }: SiteState): unknown {
  const { mounts, exports, addresses, locks } = nodes.A;
  return { mounts, exports, addresses, locks };
}

for (const [number, operation] of (['release', 'takeover', 'first takeover'] as const).entries()) {
  test.serial(
    `${operation}: a node that comes back after another one took over touches nothing more`,
    async (t) => {
      t.timeout(full ? 7_200_000 : 300_000);
      const { site, client } = await makeSite(t, 20 + number);
      if (operation === 'first takeover') {
        // A's statd monitors the client already, so that it is adopted.
        site.a.write(`/var/lib/nfs/sm/${client.address}`, '');
      } else {
        await succeed(site.directory, 'A', ['takeover', address]);
        addClient(site.a, client.address);
        site.a.write('/proc/locks', lock);
      }
      if (operation === 'takeover') await succeed(site.directory, 'A', ['release', address]);
      const args = operation === 'release' ? ['release', address] : ['takeover', address, '--no-wait'];
      const whole = copySite(site.directory);
      const unharmed = await runStruck(whole, 'A', args, {});
      t.is(unharmed.exitCode, 0, unharmed.stderr);
      const { effects } = unharmed;
      removeSite(whole);
      const points = effects.map(({ number: point }) => point);
      const chosen = full
        ? points
        : points.filter((_, index) => index % Math.ceil(points.length / sampled) === 2);
      const exits: number[] = [];
      for (const point of chosen) {
        const where = `${operation}, stopped after effect ${point} (${effects[point - 1]?.kind} ${effects[point - 1]?.what})`;
        const directory = copySite(site.directory);
        t.teardown(() => removeSite(directory));
        exits.push((await comeBack(t, site, directory, args, point, where)) ?? -1);
      }
      t.true(exits.every((code) => code === 4 || code === 0));
      t.true(exits.includes(4), exits.join());
      t.log(`${chosen.length} of ${points.length} points: exit codes ${exits.join(' ')}`);
    },
  );
}

async function comeBack(
  t: ExecutionContext,
  site: RehearsalSite,
  directory: string,
  args: readonly string[],
  strike: number,
  where: string,
): Promise<number | null> {
  const marker = path.join(directory, 'stopped');
  rmSync(marker, { force: true });
  let over = false;
  const { pid, ended } = startStruck(directory, 'A', args, { how: 'stop', side: 'after', strike, marker });
  void ended.then(() => (over = true));
  try {
    await waitFor(where, async () => over || readIfThere(marker) === 'frozen');
    if (over) throw new Error(`${where}: it ended before: ${(await ended).stderr}`);
    const taken = await runHere(directory, 'B', ['takeover', address, '--fenced', '--no-wait']);
    if (taken.exitCode === 1 && taken.output.includes('RECORD_BUSY')) {
      // It was stopped within a transaction, and its lock keeps everybody out until it is dead for certain: the way on works.
      process.kill(pid, 'SIGKILL');
      await ended;
      over = true;
      await succeed(directory, 'B', ['takeover', address, '--fenced', '--no-wait']);
      return 0;
    }
    t.is(taken.exitCode, 0, `${where}: ${taken.output}`);
    const stopped = readState(directory, site, shared);
    const before = { machine: machineOf(stopped), record: recordOf(directory) };
    process.kill(pid, 'SIGCONT');
    const { exitCode, stderr } = await ended;
    const end = readState(directory, site, shared);
    t.deepEqual(machineOf(end), before.machine, where);
    const begun = end.nodes.A.links.filter((link) => !stopped.nodes.A.links.includes(link));
    t.deepEqual(begun, [], `${where}: A began to record`);
    t.deepEqual(recordOf(directory), before.record, where);
    if (exitCode === 4) t.regex(stderr, /node B (has taken|owns) the address/, where);
    return exitCode;
  } finally {
    if (!over) process.kill(pid, 'SIGKILL');
    await ended;
  }
}

test.serial('a late del-client on the old node changes nothing for the new one', async (t) => {
  const { site, client } = await makeSite(t, 30);
  await succeed(site.directory, 'A', ['takeover', address]);
  addClient(site.a, client.address);
  const journal = path.join(site.directory, shared, `sm_${address}`, 'journal.A');
  await succeed(site.directory, 'B', ['takeover', address, '--fenced', '--no-wait']);
  const before = recordOf(site.directory);
  // A was not dead: its serving link is still there, and days later its lockd forgets the client.
  addClient(site.a, client.address, 'del-client');
  t.regex(readFileSync(journal, 'utf8'), /del-client/);
  t.deepEqual(recordOf(site.directory), before);
});

test.serial('two takeovers at once on two nodes: one wins, the other has touched nothing', async (t) => {
  const { site } = await makeSite(t, 40);
  await succeed(site.directory, 'A', ['takeover', address]);
  await succeed(site.directory, 'A', ['release', address]);
  for (let round = 0; round < (full ? 50 : 4); round += 1) {
    const directory = copySite(site.directory);
    t.teardown(() => removeSite(directory));
    const args = ['takeover', address, '--no-wait'];
    const both: readonly Struck[] = await Promise.all([
      runStruck(directory, 'A', args, {}),
      runStruck(directory, 'B', args, {}),
    ]);
    t.deepEqual(
      both.map(({ exitCode }) => exitCode).toSorted(),
      [0, 4],
      both.map(({ stderr }) => stderr).join(),
    );
    const { nodes, owner } = readState(directory, site, shared);
    const [winner, loser] = owner === 'A' ? [nodes.A, nodes.B] : [nodes.B, nodes.A];
    t.deepEqual(
      [winner.addresses, loser.addresses, loser.mounts, loser.exports, loser.links],
      [[address], [], [], [], []],
    );
  }
});

async function succeed(directory: string, node: 'A' | 'B', args: readonly string[]): Promise<void> {
  const { exitCode, output } = await runHere(directory, node, args);
  if (exitCode !== 0) throw new Error(`${args.join(' ')} on ${node}: ${output}`);
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
