// What may come upon a CTDB cluster while locks are held through two of its addresses, beside moves: see ctdb.test.ts.
import test, { type ExecutionContext } from 'ava';
import { type Clients, holdAll, moving, other, rivals } from './ctdb/clients.js';
import {
  bootCtdbLab,
  ctdbCommands,
  type CtdbLab,
  leaderOf,
  nodeOf,
  publicAddresses,
  untilAll,
  untilBalanced,
  untilMoved,
  untilSettled,
} from './ctdb/cluster.js';
import { comeBack, die, moveAmong, moveWhileOneHangs } from './ctdb/troubles.js';
import { labUnavailable } from './lab.js';
import { useLab } from './use-lab.js';

const reason = labUnavailable(ctdbCommands);
const title =
  'CTDB: ctdbd killed, a partition, all addresses on one node, a node that dies in each phase of the barrier: both locks are kept and no rival gets one';
if (reason !== undefined) test.serial.skip(`${title} (${reason})`, () => undefined);
else test.serial(title, (t) => useLab(t, 50, bootCtdbLab, (lab) => prove(t, lab)));

interface Trouble {
  readonly t: ExecutionContext;
  readonly lab: CtdbLab;
  readonly clients: Clients;
  /** The last one before it. */
  readonly floor: number;
}

async function prove(t: ExecutionContext, lab: CtdbLab): Promise<void> {
  const { clients, generation: first } = await holdAll(lab);
  let floor = first;
  for (const [name, come] of Object.entries(troubles)) {
    const began = Date.now();
    floor = await come({ t, lab, clients, floor });
    t.log(`${name}: generation ${floor} is over ${Math.round((Date.now() - began) / 1000)} s later`);
    await clients.assertKept(t, name);
  }
  await clients.assertNoneStolen(t);
}

/** Each resolves to the generation that it ends with. */
const troubles: Readonly<Record<string, (trouble: Trouble) => Promise<number>>> = {
  'ctdbd is killed': async ({ t, lab, clients, floor }) => {
    const node = await nodeOf(lab, moving);
    await node.killCtdbd();
    await untilMoved(lab, moving, node);
    const moved = await untilSettled(lab, lab.nodes, floor, 2);
    await clients.assertKept(t, 'ctdbd is killed, and its node has the address still');
    await node.run(['ctdbd']);
    await untilBalanced(lab);
    return untilSettled(lab, lab.nodes, moved, 2);
  },

  'a partition': async ({ t, lab, clients, floor }) => {
    // The leader has the cluster lock, and a real file system would take it from a node that is alone.
    const leader = await leaderOf(lab);
    const owners = [await nodeOf(lab, moving), await nodeOf(lab, other)];
    const parted = owners.find((node) => node !== leader);
    if (parted === undefined) throw new Error(`the leader, ${leader.name}, has both addresses`);
    await parted.cable('down');
    for (const address of publicAddresses) await untilMoved(lab, address, parted);
    const others = lab.nodes.filter((node) => node !== parted);
    const moved = await untilSettled(lab, others, floor, 2);
    await clients.assertKept(t, 'a node is alone');
    await parted.cable('up');
    await untilBalanced(lab);
    return untilSettled(lab, lab.nodes, moved, 2);
  },

  'all addresses on one node': async ({ t, lab, clients, floor }) => {
    const stays = await nodeOf(lab, rivals);
    const leaving = lab.nodes.filter((node) => node !== stays);
    for (const node of leaving) await node.ctdb('disable');
    for (const node of leaving) for (const address of publicAddresses) await untilMoved(lab, address, node);
    const moved = await untilSettled(lab, lab.nodes, floor, 2);
    await clients.assertKept(t, 'all addresses are on one node');
    for (const node of leaving) await node.ctdb('enable');
    await untilBalanced(lab);
    return untilSettled(lab, lab.nodes, moved, 2);
  },

  'a node dies that refuses': async ({ t, lab, clients, floor }) => {
    const dead = await nodeOf(lab, other);
    const before = await moveWhileOneHangs(lab, dead, floor, () => die(lab, dead));
    return comeBack(t, lab, clients, dead, before);
  },

  'a node dies that has stopped': async ({ t, lab, clients, floor }) => {
    // Another than has the lock that does not move: that one is held by whoever hangs, and goes after this death.
    const hanging = await nodeOf(lab, other);
    let dead = hanging;
    const before = await moveWhileOneHangs(lab, hanging, floor, ({ to }) => {
      dead = to;
      return die(lab, to);
    });
    return comeBack(t, lab, clients, dead, before);
  },

  'a node dies that has started': async ({ t, lab, clients, floor }) => {
    const { to } = await moveAmong(lab);
    const started = await untilAll(lab, lab.nodes, 'started', floor);
    await die(lab, to);
    return comeBack(t, lab, clients, to, started);
  },
};
