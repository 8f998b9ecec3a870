// A CTDB cluster whose addresses move while locks are held through two of them, on the kernel's own lock manager.
import test, { type ExecutionContext } from 'ava';
import { type Clients, holdAll, moving, other, rivals } from './ctdb/clients.js';
import {
  bootCtdbLab,
  ctdbCommands,
  type CtdbLab,
  type CtdbNode,
  nodeOf,
  untilBalanced,
  untilMoved,
  untilSettled,
} from './ctdb/cluster.js';
import { comeBack, die, moveAmong, moveWhileOneHangs } from './ctdb/troubles.js';
import { labUnavailable } from './lab.js';
import { useLab } from './use-lab.js';

const reason = labUnavailable(ctdbCommands);
const title =
  'CTDB: addresses move between three nodes, both locks are kept and no rival gets one; without the refusal one does';
if (reason !== undefined) test.serial.skip(`${title} (${reason})`, () => undefined);
else test.serial(title, (t) => useLab(t, 25, bootCtdbLab, (lab) => prove(t, lab)));

/** The full run: LAB_FAILOVERS=20 npm test -- lab */
const moves = Number(process.env['LAB_FAILOVERS'] ?? 3);

async function prove(t: ExecutionContext, lab: CtdbLab): Promise<void> {
  const { nodes } = lab;
  const { clients, generation: first } = await holdAll(lab);
  let generation = first;

  for (let number = 0; number < moves; number += 1) {
    const { name, begin } = kinds[number % kinds.length] ?? kinds[0];
    const began = Date.now();
    await begin(lab);
    generation = await untilSettled(lab, nodes, generation, 2);
    t.log(`${name}: generation ${generation} is over ${Math.round((Date.now() - began) / 1000)} s later`);
    await clients.assertKept(t, name);
  }
  generation = await dieAndComeBack(t, lab, clients, generation);
  const after = await moveWhileOneHangs(lab, await nodeOf(lab, rivals), generation, async () => undefined);
  generation = await untilSettled(lab, nodes, after, 2);
  await clients.assertKept(t, 'a node hangs that grants no more');
  await clients.assertNoneStolen(t);

  for (const node of nodes) await node.blind(true);
  await clients.startRivals();
  await moveWhileOneHangs(lab, await nodeOf(lab, rivals), generation, async () => clients.untilGot());
  await clients.stopRivals();
  t.true(clients.got.length > 0, 'a node hangs that grants still: the rival has it');
}

/** The node that has an address, and not the rivals', dies. */
async function dieAndComeBack(
  t: ExecutionContext,
  lab: CtdbLab,
  clients: Clients,
  floor: number,
): Promise<number> {
  const asked = await nodeOf(lab, rivals);
  const dead = (await nodeOf(lab, moving)) === asked ? await nodeOf(lab, other) : await nodeOf(lab, moving);
  await die(lab, dead);
  return comeBack(t, lab, clients, dead, floor);
}

interface Kind {
  readonly name: string;
  readonly begin: (lab: CtdbLab) => Promise<void>;
}

/** It takes no part. */
let leaving: CtdbNode | undefined;

const leave = (command: 'disable' | 'stop', address: string): Kind => ({
  name: `ctdb ${command}`,
  begin: async (lab) => {
    leaving = await nodeOf(lab, address);
    await leaving.ctdb(command);
    await untilMoved(lab, address, leaving);
  },
});

const back = (command: 'enable' | 'continue'): Kind => ({
  name: `ctdb ${command}`,
  begin: async (lab) => {
    await leaving?.ctdb(command);
    leaving = undefined;
    await untilBalanced(lab);
  },
});

const kinds: readonly [Kind, ...Kind[]] = [
  {
    name: 'ctdb moveip',
    begin: async (lab) => {
      const { from } = await moveAmong(lab);
      await untilMoved(lab, moving, from);
    },
  },
  leave('disable', other),
  back('enable'),
  leave('stop', moving),
  back('continue'),
];
