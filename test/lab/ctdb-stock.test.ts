// CTDB's own script for NFS beside ours, the same moves in one run: what becomes of a lock, and how long clients wait.
import { setTimeout as delay } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { moving, rivals } from './ctdb/clients.js';
import {
  bootCtdbLab,
  ctdbCommands,
  type CtdbLab,
  endGraces,
  nodeOf,
  type Stock,
  startCtdbd,
  untilHealthy,
  untilMoved,
  untilSettled,
  volume,
} from './ctdb/cluster.js';
import { labUnavailable } from './lab.js';
import { startLockLoop, summary } from './lock-loop.js';
import { startRivalLoop } from './rival-loop.js';
import { useLab } from './use-lab.js';

const moves = Number(process.env['LAB_FAILOVERS'] ?? 4);
/** Longer than two of CTDB's graces, 10 s each, and all that goes before them. */
const stockSeconds = 60;

const reason = labUnavailable(ctdbCommands);
const title =
  'CTDB: its own script for NFS as packaged, with nfsd for its lock manager, and ours: which moves lose a lock';
if (reason !== undefined) test.serial.skip(`${title} (${reason})`, () => undefined);
else
  test.serial(title, async (t) => {
    const rows = new Map<Stock | 'ours', Row>();
    for (const stock of ['packaged', 'lockd', undefined] as const)
      await useLab(
        t,
        30,
        () => bootCtdbLab(stock),
        async (lab) => void rows.set(stock ?? 'ours', await measure(lab, stock)),
      );
    for (const [name, row] of rows) t.log(`${name}: ${JSON.stringify(row)}`);
    judge(t, rows);
  });

interface Row {
  readonly moves: number;
  /** The rival had the lock; or the servers do not hold it for its client any more; or they hold it still, for ever, when its client has given it back. */
  readonly stolen: number;
  readonly gone: number;
  readonly stuck: number;
  /** The longest between two writes through the address that moves, s. */
  readonly writes: number;
  /** The longest that a client of an address that stays waited for a lock of its own, s. */
  readonly locks: number;
}

function judge(t: ExecutionContext, rows: ReadonlyMap<Stock | 'ours', Row>): void {
  const ours = rows.get('ours');
  t.is(ours?.stolen, 0);
  t.is(ours?.gone, 0);
  t.is(ours?.stuck, 0);
  for (const stock of ['packaged', 'lockd'] as const) {
    const row = rows.get(stock);
    const { stolen = 0, gone = 0, stuck = 0 } = row ?? {};
    t.true(stolen + gone + stuck > 0, `${stock}: ${JSON.stringify(row)}`);
  }
}

async function measure(lab: CtdbLab, stock: Stock | undefined): Promise<Row> {
  const { a, c, nodes } = lab;
  const [holder, rival, bystander] = [c.client('holder'), c.client('rival'), c.client('other')];
  await Promise.all([startCtdbd(lab), ...[holder, rival, bystander].map((client) => client.setUp())]);
  for (const address of [moving, rivals]) await nodeOf(lab, address);
  let generation = 0;
  const settle = async (locks: number, inode?: string) => {
    if (stock === undefined) generation = await untilSettled(lab, nodes, generation, locks, inode);
    else await delay(stockSeconds * 1000);
    await endGraces(nodes);
  };
  await settle(0);
  await holder.mount({ server: moving, path: volume, options: 'noac' });
  for (const client of [rival, bystander])
    await client.mount({ server: rivals, path: volume, options: 'noac' });
  await holder.write('/mnt/nfs/data', '');

  const rows: Row[] = [];
  for (let number = 0; number < moves; number += 1) {
    // Another one each time: a lock that no node lets go is in the way of no other move.
    const file = `/mnt/nfs/file${number}`;
    await holder.write(file, '');
    const inode = (await holder.run(['stat', '-c', '%i', file])).stdout.trim();
    const lock = await holder.lock(file, 300);
    const from = await nodeOf(lab, moving);
    const asking = await startRivalLoop(rival, file, 0.05);
    const writing = await holder.appendLoop('/mnt/nfs/data');
    const locking = await startLockLoop(bystander, '/mnt/nfs/free');
    await from.ctdb('disable');
    await untilMoved(lab, moving, from);
    await settle(1, inode);
    const { stolen } = await asking.stop();
    const { longestGapMs } = await writing.stop();
    const { longest } = summary(await locking.stop());
    const locked = await a.nfsLocks(lab.volume.device);
    const isThere = locked.some((one) => one.file.endsWith(`:${inode}`));
    await lock.release();
    await from.ctdb('enable');
    await untilHealthy(nodes);
    await settle(0);
    const isFree = await rival.tryLock(file, 300);
    rows.push({
      moves: 1,
      stolen: stolen > 0 ? 1 : 0,
      gone: stolen === 0 && !isThere ? 1 : 0,
      stuck: isFree ? 0 : 1,
      writes: longestGapMs / 1000,
      locks: longest / 1000,
    });
  }
  const sum = (of: 'moves' | 'stolen' | 'gone' | 'stuck') => rows.reduce((total, row) => total + row[of], 0);
  const most = (of: 'writes' | 'locks') => Math.max(...rows.map((row) => row[of]));
  return {
    moves: sum('moves'),
    stolen: sum('stolen'),
    gone: sum('gone'),
    stuck: sum('stuck'),
    writes: most('writes'),
    locks: most('locks'),
  };
}
