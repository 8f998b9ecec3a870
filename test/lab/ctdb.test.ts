// A CTDB cluster whose addresses move while locks are held through two of them, on the kernel's own lock manager.
import test, { type ExecutionContext } from 'ava';
import { Clients, moving, other, rivals } from './ctdb/clients.js';
import {
  bootCtdbLab,
  ctdbCommands,
  type CtdbLab,
  type CtdbNode,
  nodeOf,
  publicAddresses,
  startCtdbd,
  untilAll,
  untilHealthy,
  untilMoved,
  untilSettled,
} from './ctdb/cluster.js';
import { labUnavailable } from './lab.js';
import { inGuest } from './project-root.js';
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
  const clients = new Clients(lab);
  await Promise.all([startCtdbd(lab), clients.setUp()]);
  let generation = await untilSettled(lab, nodes, 0, 0);
  await clients.mount();
  await clients.lock();
  await clients.startRivals();

  for (let number = 0; number < moves; number += 1) {
    const { name, begin } = kinds[number % kinds.length] ?? kinds[0];
    const began = Date.now();
    await begin(lab);
    generation = await untilSettled(lab, nodes, generation, 2);
    t.log(`${name}: generation ${generation} is over ${Math.round((Date.now() - began) / 1000)} s later`);
    await clients.assertKept(t, name);
  }
  generation = await dieAndComeBack(t, lab, clients, generation);
  const { generation: after } = await moveWhileOneHangs(lab, generation, async () => undefined);
  generation = await untilSettled(lab, nodes, after, 2);
  await clients.assertKept(t, 'a node hangs that grants no more');
  const { tries, stolen } = await clients.stopRivals();
  t.log(`the rival asked ${tries} times`);
  t.true(tries > 0);
  t.is(stolen, 0);

  for (const node of nodes) await node.blind(true);
  await clients.startRivals();
  await moveWhileOneHangs(lab, generation, async () => clients.untilGot());
  await clients.stopRivals();
  t.true(clients.got.length > 0, 'a node hangs that grants still: the rival has it');
}

/**
 * The node that has an address dies with the locks of its clients. What runs before it is fenced has the others refuse; then the file system lets its
 * locks go, long before CTDB moves its addresses. It joins again while the others are in the grace of that.
 */
async function dieAndComeBack(
  t: ExecutionContext,
  lab: CtdbLab,
  clients: Clients,
  floor: number,
): Promise<number> {
  const asked = await nodeOf(lab, rivals);
  const dead = (await nodeOf(lab, moving)) === asked ? await nodeOf(lab, other) : await nodeOf(lab, moving);
  const survivors = lab.nodes.filter((node) => node !== dead);
  const began = Date.now();
  await dead.die();
  await asked.run([inGuest('bin/nlm-failover'), 'join-grace', '--all', '--dead', dead.name], {
    timeoutSeconds: 300,
  });
  await dead.recovered();
  for (const address of publicAddresses) await untilMoved(lab, address, dead);
  const moved = await untilAll(lab, survivors, 'started,idle', floor);
  t.true(await lab.a.untilLocked(lab.volume.device, 2, 300));
  t.log(`${dead.name} died: both locks are back ${Math.round((Date.now() - began) / 1000)} s later`);
  await clients.assertKept(t, 'a node dies');
  await dead.setUp();
  await dead.run(['ctdbd']);
  await untilHealthy(lab.nodes);
  const generation = await untilSettled(lab, lab.nodes, moved, 2);
  await clients.assertKept(t, 'it joins again');
  return generation;
}

/** An address moves between two nodes; the third one, the rivals', hangs before its lock manager ends, as those of the others have ended: until `meanwhile` is over. */
async function moveWhileOneHangs(lab: CtdbLab, floor: number, meanwhile: () => Promise<void>) {
  const hanging = await nodeOf(lab, rivals);
  const others = lab.nodes.filter((node) => node !== hanging);
  const from = await nodeOf(lab, moving);
  const to = others.find((node) => node !== from) ?? from;
  const goOn = await hanging.hang();
  try {
    await from.ctdb('moveip', moving, String(to.number));
    const generation = (await untilAll(lab, others, 'stopped', floor)) - 1;
    await meanwhile();
    return { generation };
  } finally {
    await goOn();
  }
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
  begin: async ({ nodes }) => {
    await leaving?.ctdb(command);
    leaving = undefined;
    await untilHealthy(nodes);
  },
});

const kinds: readonly [Kind, ...Kind[]] = [
  {
    name: 'ctdb moveip',
    begin: async (lab) => {
      const from = await nodeOf(lab, moving);
      const to = lab.nodes.find((node) => node !== from) ?? from;
      await from.ctdb('moveip', moving, String(to.number));
      await untilMoved(lab, moving, from);
    },
  },
  leave('disable', other),
  back('enable'),
  leave('stop', moving),
  back('continue'),
];
