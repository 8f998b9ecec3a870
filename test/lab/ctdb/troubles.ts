import type { ExecutionContext } from 'ava';
import { inGuest } from '../project-root.js';
import { type Clients, moving } from './clients.js';
import {
  type CtdbLab,
  type CtdbNode,
  nodeOf,
  publicAddresses,
  untilAll,
  untilBalanced,
  untilMoved,
  untilSettled,
} from './cluster.js';

/** Who is who in a move. */
export interface Move {
  readonly from: CtdbNode;
  readonly to: CtdbNode;
  readonly generation: number;
}

/**
 * An address moves between two nodes; the third one hangs before its lock manager ends, as those of the others have ended: until `meanwhile` is over. Resolves
 * to the generation before that.
 */
export async function moveWhileOneHangs(
  lab: CtdbLab,
  hanging: CtdbNode,
  floor: number,
  meanwhile: (move: Move) => Promise<void>,
): Promise<number> {
  const others = lab.nodes.filter((node) => node !== hanging);
  const goOn = await hanging.hang();
  try {
    const { from, to } = await moveAmong(lab, others);
    const generation = await untilAll(lab, others, 'stopped', floor);
    await meanwhile({ from, to, generation });
    return generation - 1;
  } finally {
    await goOn();
  }
}

/** An address moves, to one of these nodes that has not got it. */
export async function moveAmong(
  lab: CtdbLab,
  nodes: readonly CtdbNode[] = lab.nodes,
): Promise<{ readonly from: CtdbNode; readonly to: CtdbNode }> {
  const from = await nodeOf(lab, moving);
  const to = nodes.find((node) => node !== from) ?? from;
  await from.ctdb('moveip', moving, String(to.number));
  return { from, to };
}

/**
 * A node dies with the locks of its clients. What runs before it is fenced has the others refuse; then the file system lets its locks go, long before CTDB
 * moves its addresses.
 */
export async function die(lab: CtdbLab, dead: CtdbNode): Promise<void> {
  const [asked] = lab.nodes.filter((node) => node !== dead);
  await dead.die();
  await asked?.run([inGuest('bin/nlm-failover'), 'join-grace', '--all', '--dead', dead.name], {
    timeoutSeconds: 300,
  });
  await dead.recovered();
}

/** After it has died: its addresses move, both locks come back, and it joins again while the others are in the grace of that. Resolves to the last generation. */
export async function comeBack(
  t: ExecutionContext,
  lab: CtdbLab,
  clients: Clients,
  dead: CtdbNode,
  floor: number,
): Promise<number> {
  const survivors = lab.nodes.filter((node) => node !== dead);
  const began = Date.now();
  for (const address of publicAddresses) await untilMoved(lab, address, dead);
  const moved = await untilAll(lab, survivors, 'started,idle', floor);
  t.true(await lab.a.untilLocked(lab.volume.device, 2, 300));
  t.log(`${dead.name} died: both locks are back ${Math.round((Date.now() - began) / 1000)} s later`);
  await clients.assertKept(t, 'a node dies');
  await dead.setUp();
  await dead.run(['ctdbd']);
  await untilBalanced(lab);
  const generation = await untilSettled(lab, lab.nodes, moved, 2);
  await clients.assertKept(t, 'it joins again');
  return generation;
}
