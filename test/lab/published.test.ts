// Scenario 5: the order as published in 2006, to see what it does to a client under I/O.
import type { ExecutionContext } from 'ava';
import type { AppendLoop } from './append-loop.js';
import type { Lab } from './lab.js';
import { file, type Locked, lockThrough, prepareServers, scenario, startAddress } from './scenario.js';
import type { Server } from './server.js';
import { nlmFailover, stepTimes } from './site.js';

interface Moved {
  readonly lab: Lab;
  readonly locked: Pick<Locked, 'holder' | 'rival'>;
  readonly from: Server;
  readonly to: Server;
}

interface Seen {
  readonly errors: readonly string[];
  readonly refused: boolean;
  readonly failedReclaim: boolean;
  readonly lost: number;
}

/** A failover under I/O; `take` is the taking over on `to`. Logs what the client saw. */
async function underIo(
  t: ExecutionContext,
  { lab, locked: { holder, rival }, from, to }: Moved,
  what: string,
  take: (io: AppendLoop) => Promise<string>,
): Promise<Seen> {
  const { c, disks, moving, site } = lab;
  // What an earlier failover has lost is in the log still.
  await c.run(['dmesg', '--clear']);
  const lock = await holder.lock(file);
  const log = `log-${what.replaceAll(/\W/gu, '-')}`;
  const io = await holder.appendLoop(`/mnt/nfs/${log}`);
  await nlmFailover(from, ['release', moving.address]);
  t.log(`${what}: ${await take(io)}`);
  // Waits out the grace, which nobody needs any more once the reclaim has come, or failed.
  await decided(lab, to);
  await to.endGrace();
  const refused = !(await rival.tryLock(file).catch(() => false));
  const { appended, errors, longestGapMs } = await io.stop();
  const failedReclaim = await c.clientLogHas('failed to reclaim');
  const held = (await to.nfsLocks(disks.vol1.device)).length;
  t.log(
    `${what}: ${appended} appends, ${errors.length} errors seen by the application (${errors[0] ?? 'none'}), longest pause ${longestGapMs} ms, ` +
      `locks on ${to.name} ${held}, rival ${refused ? 'refused' : 'got the lock'}, failed reclaims in the client's log: ${failedReclaim ? 'yes' : 'no'}`,
  );
  // The shell does not look at what close(2) says, as many applications do not: then data is lost without a word.
  const lost = appended - (await to.read(`${site.exportPath('vol1')}/${log}`)).trimEnd().split('\n').length;
  t.log(`${what}: ${lost} appends that the application believes in are not in the file`);
  await lock.release();
  return { errors, refused, failedReclaim, lost };
}

/** Until the kernel's log has a text, of what it has said since that was cleared (SEEK_DATA; Linux kernel/printk/printk.c, devkmsg_llseek). */
const untilLogged = `open my $log, '<', '/dev/kmsg' and sysseek $log, 0, 3 or die "/dev/kmsg: $!\\n";
  alarm 30;
  until (index($line, $ARGV[0]) >= 0) { sysread $log, $line, 8192 }`;

/** Until the lock is on that server, or its reclaim has failed; or 30 s are over, which is as long as lockd's client tries. */
async function decided({ c, disks }: Lab, server: Server): Promise<void> {
  const isBack = server.untilLocked(disks.vol1.device, 1, 30);
  const failed = c.run(['perl', '-e', untilLogged, 'failed to reclaim'], { reject: false });
  await Promise.race([isBack, failed]);
}

scenario(
  'a client under I/O: in the safe order, in the published one, and in that with a pause between B-4 and B-5',
  async (t, lab) => {
    const { a, b, moving } = lab;
    await prepareServers(lab, [moving], { failback: true });
    await startAddress(a, moving);
    const { lock, ...locked } = await lockThrough(lab, moving);
    await lock.release();
    const there = { lab, locked, from: a, to: b };
    const back = { lab, locked, from: b, to: a };

    const orders = {
      safe: { moved: there, steps: ['B-1', 'B-2', 'B-5', 'B-4', 'B-3'] },
      published: { moved: back, steps: ['B-1', 'B-2', 'B-3', 'B-4', 'B-5'] },
    };
    for (const [order, { moved, steps }] of Object.entries(orders)) {
      const seen = await underIo(t, moved, order, async () => {
        const taken = await nlmFailover(moved.to, ['takeover', moving.address, '--order', order]);
        t.deepEqual(
          taken.lines.slice(0, -1).map((line) => line.step),
          steps,
        );
        return stepTimes(taken);
      });
      // The published order may lose; the safe one must not.
      if (order === 'safe') t.deepEqual(seen, { errors: [], refused: true, failedReclaim: false, lost: 0 });
    }

    // The application sees the pause: I/O reaches a server that does not export the file system yet.
    const { errors } = await underIo(t, there, 'published, 3 s or more between B-4 and B-5', async (io) => {
      const allButExport = ['takeover', moving.address, '--order', 'published', '--steps', 'B-1,B-2,B-3,B-4'];
      const taken = await nlmFailover(b, allButExport);
      await lab.c.run(['sleep', '3']);
      await io.failed();
      await nlmFailover(b, ['takeover', moving.address, '--steps', 'B-5']);
      return stepTimes(taken);
    });
    t.true(errors.length > 0, 'I/O reached a server that does not export the file system yet');
  },
);
