import type { FloatingIp } from '../../config/config.js';
import { type Action, commandText } from '../../host/action.js';
import { bootClock } from '../../host/reading/boot.js';
import { isMissing } from '../../host/running/command.js';
import type { Host } from '../../host/host.js';
import {
  defaultRunDirectory,
  frozenLink,
  isFrozen,
  isServingCleared,
  servingLink,
  startServing,
  stopServing,
  syncedAddresses,
  thawServing,
} from '../../rundir/serving.js';
import type { LockManager } from '../../lockmanager/port.js';
import type { Monitored } from '../../host/reading/statd.js';
import { escapeBytes } from '../../names.js';
import { clearMark, makeMarks, marksDirectory, mountMarks, unsynced } from '../../rundir/marks.js';
import { journalPath } from '../../record/journal/journal-file.js';
import { recordDirectory } from '../../record/safe-files/layout.js';
import { beginServing } from '../../record/journal/serving-journal.js';
import type { FailoverContext } from '../context.js';
import { isNotOwner, letGo, type OtherAddress, withOthers } from './other-addresses.js';
import type { MonitorRecord } from '../../record/record.js';

type FailoverAction = Action<FailoverContext>;
type Place = Pick<LockManager, 'enter' | 'run'>;

/** The directory of serving links as the plan names it: an instance has its own. */
function shownRun({ enter, run }: Place): string {
  return enter.length === 0 ? defaultRunDirectory : run;
}

/**
 * the switch goes off before the storm of del-client in, which so cannot touch the record; and after
 * the address, so that whoever takes a lock until the last moment, or after a crash between the two, is recorded.
 */
export function stopRecording({ address }: FloatingIp, place: Place): FailoverAction {
  return {
    commands: [
      `rm -f ${servingLink(shownRun(place), address)}   # the callout stops recording for this address`,
    ],
    check: ({ run }) => isServingCleared(run, address),
    act: async ({ run, session }) => {
      stopServing(run, address);
      session.record?.fold();
      return undefined;
    },
    verify: () => undefined,
  };
}

/**
 * B-2, before anything drops a lock: a new NSM state and the list of whom it is owed to, durable.
 * Where the driver takes the locks of the other addresses served here, theirs too.
 */
export function prepareNotification({ address }: FloatingIp): FailoverAction {
  return {
    commands: [
      `# a new odd NSM state for ${address} (and for each address whose locks go too), and the list of clients to notify, in monitors.db`,
    ],
    byHand: [],
    check: () => false,
    act: async (context) => {
      const { host, session, driver } = context;
      const statd = await driver.monitored();
      return withOthers(context, ({ held, lost }) => {
        session.asOwner('listing whom to notify', (record) => {
          record.fold();
          // Nobody recorded for this address before: whom statd knows may hold locks through it already.
          if (session.epoch === 1) adoptMonitored(context, record, statd);
          record.beginGrace({ now: host.now() });
        });
        const others = held.map((other) => ({ ip: other.ip, to: listOther(context, other) }));
        const gone = [...lost, ...others].flatMap(({ ip, to }) => (to === undefined ? [] : [{ ip, to }]));
        const along = others.flatMap(({ ip, to }) => (to === undefined ? [ip.address] : []));
        const remarks = [
          ...(along.length === 0
            ? []
            : [`the locks of ${along.join(', ')} go too: those clients will be notified`]),
          ...gone.map((one) => letGo(context, one)),
        ];
        return remarks.length === 0 ? undefined : remarks.join('; ');
      });
    },
    verify: () => undefined,
  };
}

/** The list of another address, whether it is still this node's asked in the same transaction. Returns whose it is where it is not. */
function listOther({ host }: FailoverContext, { session }: OtherAddress): string | undefined {
  try {
    session.asOwner('listing whom to notify', (record) => {
      record.fold();
      record.beginGrace({ now: host.now() });
    });
    return undefined;
  } catch (error) {
    if (isNotOwner(error)) return error.message;
    throw error;
  }
}

/** B-2: from here on the callout records for this address, before the first reclaim can arrive. */
export function startRecording(ip: FloatingIp, node: string, place: Place): FailoverAction {
  const shown = shownRun(place);
  const planned = journalPath(recordDirectory(ip.stateDirectory, ip.address), node);
  return {
    commands: [
      `# ${planned} is made anew and begins with the record as it is; chattr +S where its file system knows that`,
      `${commandText(mountMarks(marksDirectory(shown)))}   # where statd's user leaves marks; unless it is mounted`,
      `ln -sfn ${planned} ${frozenLink(shown, ip.address)}   # until B-3 nobody leaves the record`,
      `ln -sfn ${planned} ${servingLink(shown, ip.address)}   # the callout records for this address`,
    ],
    byHand: [`# from here on nobody is recorded, until "nlm-failover adopt ${ip.address}" can be run`],
    check: () => false,
    act: async (context) => {
      const { host, session, run, config, driver } = context;
      const record = session.opened;
      const statd = await driver.monitored();
      const owner = statd ?? { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
      const serving = {
        directory: session.location.directory,
        node: config.node,
        epoch: session.epoch,
        fsids: ip.filesystems.map(({ fsid }) => fsid),
        uid: owner.uid,
        gid: owner.gid,
        now: host.now(),
        ...bootClock(host),
        makeSynchronous: (file: string) => makeSynchronous(host, file),
        assertOwner: () => session.assertStillOwner(),
      };
      const { journal, synchronous } = await session.withReserve(() => beginServing(record, serving));
      const bare = await makeMarks(host, run, owner);
      session.assertStillOwner();
      driver.noteServer?.();
      startServing(run, { address: ip.address, journal, synchronous });
      let refused: string[];
      try {
        // Asked anew: whom statd has begun to monitor before the link was there has not been recorded.
        const now = await driver.monitored();
        refused = session.asOwner('adopting clients', () => adoptMonitored(context, record, now));
      } catch (error) {
        // Lost while the links were made: this node is not to record for another one's address.
        if (session.hasLostOwnership) stopServing(run, ip.address);
        throw error;
      }
      const uncleared = clearMark(run, ip.address);
      // The journal has just been made anew, or synced, by this command; another address's has not.
      const isLast = syncedAddresses(run).every((address) => address === ip.address);
      // While no client can take the space: the volume is not exported yet.
      const lacking = record.keepReserve();
      const remarks = [
        bare,
        uncleared,
        isLast ? clearMark(run, unsynced) : undefined,
        statd?.unread,
        statd === undefined ? 'no state directory of rpc.statd here: is nfs-common installed?' : undefined,
        refused.length === 0 ? undefined : neverNotified(refused),
        lacking === 0 ? undefined : noReserve(session.location.directory, lacking),
      ].filter((remark) => remark !== undefined);
      return remarks.length === 0 ? undefined : remarks.join('; ');
    },
    verify: () => undefined,
  };
}

/** B-3, last: who goes is recorded again, now that everybody has been told who is to reclaim. */
export function thawRecord({ address }: FloatingIp, place: Place): FailoverAction {
  return {
    commands: [`rm -f ${frozenLink(shownRun(place), address)}   # the callout records who goes, too`],
    byHand: [],
    repeats: true,
    check: ({ run }) => !isFrozen(run, address),
    act: async ({ run }) => {
      thawServing(run, address);
      return undefined;
    },
    verify: () => undefined,
  };
}

/** Whether every write to the file is durable by itself from now on (chattr(1) +S; ext4, xfs, btrfs, gfs2, ocfs2). */
async function makeSynchronous(host: Host, file: string): Promise<boolean> {
  if (host.kind === 'rehearsal') return false;
  try {
    return (await host.run(['chattr', '+S', '--', file])).exitCode === 0;
  } catch (error) {
    if (isMissing(error)) return false; // no chattr here: the callout then syncs by itself
    throw error;
  }
}

/** What a failover needs is not there for the next one. */
function noReserve(directory: string, lacking: number): string {
  return `the disk of ${directory} is all but full: ${Math.ceil(lacking / 1024)} KiB are missing of the reserve for the next failover`;
}

/** What statd monitors under a name that cannot be one: the callout has refused it, and nobody can notify it. */
function neverNotified(names: readonly string[]): string {
  const shown = names.slice(0, 3).map((name) => escapeBytes(name, 40));
  const more = names.length > shown.length ? `, and ${names.length - shown.length} more` : '';
  return `rpc.statd monitors what is neither a host name nor an address; not recorded: ${shown.join(', ')}${more}`;
}

/**
 * statd announces a host once; those it monitors already would never be recorded for this address. Returns the names
 * that may not be recorded.
 */
function adoptMonitored(
  { host, config, floatingIp }: FailoverContext,
  record: MonitorRecord,
  statd: Monitored | undefined,
): string[] {
  return record.adopt({
    node: config.node,
    clients: statd?.hosts ?? [],
    fsids: floatingIp.filesystems.map(({ fsid }) => fsid),
    now: host.now(),
    myName: config.node,
  });
}
