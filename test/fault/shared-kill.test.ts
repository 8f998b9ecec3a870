// kill -9 before and after each effect of a takeover and of a release of an address whose file systems every node exports: at no moment is the
// address up, or are its locks gone, where the other node is not in grace; and the same command again ends as without the crash.
// Here a sample; every point: NLM_FULL=1 npx ava build/test/fault/shared-kill.test.js
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { address, endGrace, sharedSite, type SharedSite, watch } from '../helpers/shared-site.js';
import { projectRoot } from '../lab/project-root.js';
import { waitFor } from '../wire/wait-for.js';
import { copySite, type NodeName, readState, removeSite } from './site.js';
import { runStruck } from './strike.js';

const full = process.env['NLM_FULL'] === '1';
/** Of the effects of each command, so many. */
const sampled = 3;
const takeover = ['takeover', address, '--no-wait', '--notify-deadline', '1'];
const release = ['release', address];
const nodes = ['A', 'B'] as const;
const bin = path.join(projectRoot(), 'bin/nlm-failover');

function environment(directory: string, node: NodeName): NodeJS.ProcessEnv {
  const { NLM_FAILOVER_RUN: _, ...inherited } = process.env;
  const root = path.join(directory, node);
  return {
    ...inherited,
    NLM_FAILOVER_REHEARSAL: root,
    NLM_FAILOVER_CONFIG: path.join(root, 'etc/nlm-failover.toml'),
  };
}

/** Both nodes of a copy answer calls, until the function that this returns is called. */
async function watchBoth(t: ExecutionContext, directory: string): Promise<() => Promise<void>> {
  const looked = nodes.map((node) => path.join(directory, node, 'run/nlm-failover/locks/join-grace.looked'));
  for (const file of looked) rmSync(file, { force: true });
  const watchers = nodes.map((node) => {
    const child = spawn(process.execPath, [bin, 'join-grace', '--watch'], {
      env: environment(directory, node),
      stdio: 'ignore',
    });
    t.teardown(() => child.kill('SIGKILL'));
    return { child, ended: once(child, 'exit') };
  });
  await waitFor('both look', async () => looked.every((file) => existsSync(file)));
  return async () => {
    t.true(
      watchers.every(({ child }) => child.exitCode === null),
      'both look still',
    );
    for (const { child } of watchers) child.kill('SIGKILL');
    await Promise.all(watchers.map(({ ended }) => ended));
  };
}

interface Bus {
  readonly inGrace: boolean;
  /** What it was told last. */
  readonly grace?: string;
}

function busOf(directory: string, node: NodeName): Bus {
  return JSON.parse(readFileSync(path.join(directory, node, 'dbus.json'), 'utf8')) as Bus;
}

/** Of a site in which no grace ran when the command began. */
function brokenPromise(directory: string): string | undefined {
  for (const [node, other] of [
    ['A', 'B'],
    ['B', 'A'],
  ] as const) {
    const addresses = readFileSync(path.join(directory, node, 'addresses.json'), 'utf8');
    const everywhere = busOf(directory, 'A').inGrace && busOf(directory, 'B').inGrace;
    if (node === 'B' && addresses.includes(address) && !everywhere)
      return `${address} is up on ${node}, and not every node is in grace`;
    if (busOf(directory, node).grace === `2:${address}` && !busOf(directory, other).inGrace)
      return `its locks are gone on ${node}, and ${other} is not in grace`;
  }
  return undefined;
}

/** What is to be the same with and without a crash. */
function endOf(directory: string, site: SharedSite): unknown {
  const { nodes: seen, owner, released, record } = readState(directory, site, 'shared');
  const files = record.filter((name) => !/^\.?(?:journal|barrier|looks)\b/.test(name));
  return { owner, released, files, served: nodes.map((node) => [seen[node].addresses, seen[node].links]) };
}

for (const [name, node, prepared, command] of [
  ['takeover', 'B', [takeover, release], takeover],
  ['release', 'A', [takeover], release],
] as const)
  test.serial(`kill -9 at every effect of a ${name} on shared file systems`, async (t) => {
    const site = sharedSite(t, 'barrier = 60');
    t.timeout(full ? 7_200_000 : 300_000);
    const watchers = [watch(t, site.a), watch(t, site.b)];
    for (const args of prepared) t.is((await site.a.tool([...args])).exitCode, 0);
    await Promise.all(watchers.map((one) => one.end()));
    endGrace(site.a, site.b);
    const run = async (strike: Parameters<typeof runStruck>[3]) => {
      const directory = copySite(site.directory);
      t.teardown(() => removeSite(directory));
      const unwatch = await watchBoth(t, directory);
      return { directory, unwatch, struck: await runStruck(directory, node, command, strike) };
    };
    const whole = await run({});
    await whole.unwatch();
    t.is(whole.struck.exitCode, 0, whole.struck.stderr);
    const goal = endOf(whole.directory, site);
    const { effects } = whole.struck;
    // Of a sample too: right after the address is up, and after the locks are gone.
    const telling = effects.filter(({ what }) => /\/(?:addresses|dbus)\.json$/.test(what)).slice(-2);
    const step = full ? 1 : Math.ceil(effects.length / sampled);
    const chosen = effects.filter((effect, index) => (index + 2) % step === 0 || telling.includes(effect));
    for (const effect of chosen)
      for (const side of full ? (['before', 'after'] as const) : (['after'] as const)) {
        const where = `${name}, killed ${side} ${effect.number} (${effect.kind} ${effect.what})`;
        const { directory, unwatch, struck } = await run({ how: 'kill', side, strike: effect.number });
        t.is(struck.signal, 'SIGKILL', where);
        t.is(brokenPromise(directory), undefined, where);
        const again = await promisify(execFile)(process.execPath, [bin, ...command], {
          env: environment(directory, node),
        }).catch((error: unknown) => error as { stdout: string; stderr: string; code: number });
        t.false('code' in again, `${where}: ${again.stdout}${again.stderr}`);
        t.is(brokenPromise(directory), undefined, `${where}, and again`);
        t.deepEqual(endOf(directory, site), goal, where);
        await unwatch();
        removeSite(directory);
      }
    t.log(`${effects.length} effects`);
  });
