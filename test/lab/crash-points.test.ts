// Power cuts at chosen points of release and takeover, on real kernels: the command freezes itself right before one of its
// effects (test/fault/preload), then its node's power is cut, and the other node takes over from the dead. One lock is held
// all along, and a rival tries all along.
// Two cuts here; twelve with each driver: NLM_FULL=1 npx ava --serial --timeout=1h build/test/lab/crash-points.test.js
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { type Effect, type Fault, faultVariable } from '../fault/fault.js';
import { waitFor } from '../wire/wait-for.js';
import type { Lab } from './lab.js';
import { inGuest } from './project-root.js';
import { startRivalLoop } from './rival-loop.js';
import {
  file,
  lockThrough,
  prepareServer,
  prepareServers,
  reclaimed,
  scenario,
  startAddress,
} from './scenario.js';
import type { Server } from './server.js';
import { type Driver, nlmFailover, tool } from './site.js';

const full = process.env['NLM_FULL'] === '1';
const cutsOf = { release: full ? 6 : 1, takeover: full ? 6 : 1 };
const preload = inGuest('build/test/fault/preload.js');

type Operation = 'release' | 'takeover';

for (const driver of full ? (['lockd', 'lockd-netns'] as const) : (['lockd'] as const)) {
  scenario(
    `${driver}: power cuts in the middle of release and takeover`,
    async (t, lab) => cutEverywhere(t, lab, driver),
    { minutes: full ? 60 : 10 },
  );
}

async function cutEverywhere(t: ExecutionContext, lab: Lab, driver: Driver): Promise<void> {
  const { moving } = lab;
  const preparation = { driver, failback: true };
  await prepareServers(lab, [moving], preparation);
  await startAddress(lab.a, moving);
  const { rival } = await lockThrough(lab, moving);
  const rivalLoop = await startRivalLoop(rival, file);
  let [owner, other] = [lab.a, lab.b];
  const check = async (where: string) => {
    t.true(await reclaimed(owner, lab.disks.vol1.device), `${where}: reclaimed`);
    t.false(await lab.c.clientLogHas('failed to reclaim'), where);
  };

  // First without a fault, to learn the effects.
  const effects: Record<Operation, readonly Effect[]> = {
    release: await effectsOf(lab, owner, ['release', moving.address]),
    takeover: await effectsOf(lab, other, ['takeover', moving.address, '--no-wait']),
  };
  [owner, other] = [other, owner];
  await check('without a fault');

  for (const operation of ['release', 'takeover'] as const) {
    for (let cut = 0; cut < cutsOf[operation]; cut += 1) {
      const all = effects[operation];
      const strike = 1 + Math.floor(((cut + 0.5) * all.length) / cutsOf[operation]);
      const where = `${operation}, cut before effect ${strike} of ${all.length} (${all[strike - 1]?.kind})`;
      if (operation === 'takeover') await nlmFailover(owner, ['release', moving.address]);
      const struck = operation === 'release' ? owner : other;
      const survivor = struck === owner ? other : owner;
      const args =
        operation === 'release' ? ['release', moving.address] : ['takeover', moving.address, '--no-wait'];
      await freezeAt(lab, struck, args, strike);
      await struck.powerCut();
      const taken = await nlmFailover(survivor, ['takeover', moving.address, '--fenced']);
      [owner, other] = [survivor, struck];
      await check(where);
      t.true((taken.lines.at(-1)?.clients?.notified ?? 0) >= 1, where);
      t.log(where);
      // Nobody needs it after the last one.
      if (operation === 'takeover' && cut + 1 === cutsOf.takeover) break;
      await struck.boot();
      await prepareServer(lab, struck, [moving], preparation);
    }
  }
  t.is((await rivalLoop.stop()).stolen, 0);
}

/** What a command does, in order; it is done. */
async function effectsOf(lab: Lab, server: Server, args: readonly string[]): Promise<readonly Effect[]> {
  const log = join(lab.directory, 'effects');
  await server.run([tool, ...args], { env: faultEnvironment({ log }), timeoutSeconds: 120 });
  const text = await readFile(log, 'utf8');
  await rm(log);
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Effect);
}

/** Runs it until it stands still right before that effect. */
async function freezeAt(lab: Lab, server: Server, args: readonly string[], strike: number): Promise<void> {
  const marker = join(lab.directory, 'frozen');
  await rm(marker, { force: true });
  const env = faultEnvironment({ strike, side: 'before', how: 'freeze', marker });
  await server.start([tool, ...args], { env, timeoutSeconds: 300 });
  await waitFor(`effect ${strike}`, () =>
    readFile(marker, 'utf8').then(
      (text) => text === 'frozen',
      () => false,
    ),
  );
}

function faultEnvironment(fault: Fault): Record<string, string> {
  return { NODE_OPTIONS: `--import=${preload}`, [faultVariable]: JSON.stringify(fault) };
}
