// Scenario 5: the order as published in 2006, to see what it does to a client under I/O.
import type { ExecutionContext } from 'ava';
import type { AppendLoop } from './append-loop.js';
import type { Lab } from './lab.js';
import { lockThrough, prepareServers, scenario, startAddress } from './scenario.js';
import { nlmFailover, stepTimes } from './site.js';

interface Seen {
  readonly errors: readonly string[];
  readonly refused: boolean;
  readonly failedReclaim: boolean;
  readonly lost: number;
}

/** A failover under I/O; `take` is the taking over on B. Logs what the client saw. */
async function underIo(
  t: ExecutionContext,
  lab: Lab,
  what: string,
  take: (io: AppendLoop) => Promise<string>,
): Promise<Seen> {
  const { a, b, c, disks, moving, site } = lab;
  await prepareServers(lab);
  await startAddress(a, moving);
  const { holder, rival } = await lockThrough(lab, moving);
  const io = await holder.appendLoop('/mnt/nfs/log');
  await nlmFailover(a, ['release', moving.address]);
  t.log(`${what}: ${await take(io)}`);
  // Waits out the grace, which nobody needs any more once the reclaim has come, or failed.
  await decided(lab);
  await b.endGrace();
  const refused = !(await rival.tryLock('/mnt/nfs/file').catch(() => false));
  const { appended, errors, longestGapMs } = await io.stop();
  const failedReclaim = await c.clientLogHas('failed to reclaim');
  const held = (await b.nfsLocks(disks.vol1.device)).length;
  t.log(
    `${what}: ${appended} appends, ${errors.length} errors seen by the application (${errors[0] ?? 'none'}), longest pause ${longestGapMs} ms, ` +
      `locks on B ${held}, rival ${refused ? 'refused' : 'got the lock'}, failed reclaims in the client's log: ${failedReclaim ? 'yes' : 'no'}`,
  );
  // The shell does not look at what close(2) says, as many applications do not: then data is lost without a word.
  const lost = appended - (await b.read(`${site.exportPath('vol1')}/log`)).trimEnd().split('\n').length;
  t.log(`${what}: ${lost} appends that the application believes in are not in the file`);
  return { errors, refused, failedReclaim, lost };
}

/** Until the lock is on B, or its reclaim has failed; or 30 s are over, which is as long as lockd's client tries. */
async function decided({ b, c, disks }: Lab): Promise<void> {
  const onB = b.untilLocked(disks.vol1.device, 1, 30);
  const failed = c.run(['timeout', '30', 'grep', '-q', '-m', '1', 'failed to reclaim', '/dev/kmsg'], {
    reject: false,
  });
  await Promise.race([onB, failed]);
}

for (const order of ['published', 'safe'] as const) {
  scenario(`the order ${order}, with a client under I/O`, async (t, lab) => {
    const seen = await underIo(t, lab, order, async () => {
      const taken = await nlmFailover(lab.b, ['takeover', lab.moving.address, '--order', order]);
      const steps = taken.lines.slice(0, -1).map((line) => line.step);
      t.deepEqual(
        steps,
        order === 'safe' ? ['B-1', 'B-2', 'B-5', 'B-4', 'B-3'] : ['B-1', 'B-2', 'B-3', 'B-4', 'B-5'],
      );
      return stepTimes(taken);
    });
    // The published order may lose; the safe one must not.
    if (order === 'safe') t.deepEqual(seen, { errors: [], refused: true, failedReclaim: false, lost: 0 });
  });
}

scenario(
  'a pause between B-4 and B-5, as the published order has one: the application sees it',
  async (t, lab) => {
    const { errors } = await underIo(t, lab, 'published, 3 s or more between B-4 and B-5', async (io) => {
      const allButExport = [
        'takeover',
        lab.moving.address,
        '--order',
        'published',
        '--steps',
        'B-1,B-2,B-3,B-4',
      ];
      const taken = await nlmFailover(lab.b, allButExport);
      await lab.c.run(['sleep', '3']);
      await io.failed();
      await nlmFailover(lab.b, ['takeover', lab.moving.address, '--steps', 'B-5']);
      return stepTimes(taken);
    });
    t.true(errors.length > 0, 'I/O reached a server that does not export the file system yet');
  },
);
