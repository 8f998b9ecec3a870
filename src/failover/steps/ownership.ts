import type { Filesystem, FloatingIp } from '../../config/config.js';
import { exitCodes, FailoverError } from '../../errors.js';
import type { Action } from '../../host/action.js';
import { superblockState } from '../../host/reading/superblock.js';
import { isMountOf, mountAt } from '../../host/reading/mounts.js';
import { largeJournalText } from '../../record/record.js';
import { databasePath, recordDirectory } from '../../record/safe-files/layout.js';
import type { FailoverContext } from '../context.js';

type FailoverAction = Action<FailoverContext>;

/** takeover: this node becomes the owner, one epoch up, in one transaction of the record. */
export function claimOwnership({ address, stateDirectory }: FloatingIp): FailoverAction {
  return {
    commands: [
      `# this node becomes the owner of ${address} in ${databasePath(recordDirectory(stateDirectory, address))}, one epoch up`,
    ],
    check: ({ session, fenced }) => {
      if (!session.holds(session.open({ create: false })?.ownership())) return false;
      session.claim(fenced); // keeps the epoch, and learns it
      return session.holds(session.previous);
    },
    act: async ({ session, fenced }) => {
      session.open({ create: true });
      const epoch = session.claim(fenced);
      const { owner, released } = session.previous ?? { owner: undefined, released: true };
      const claimed =
        owner === undefined
          ? `new record in ${session.location.directory}, epoch ${epoch}`
          : `epoch ${epoch}, after ${owner}${released ? '' : ', which had not released it'}`;
      return [claimed, ...session.opened.largeJournals().map(largeJournalText)].join('; ');
    },
    verify: ({ session }) => session.assertStillOwner(),
  };
}

/** release: from here on another node may take the address over without --fenced. */
export function handOver({ address, stateDirectory }: FloatingIp): FailoverAction {
  return {
    commands: [`# ${databasePath(recordDirectory(stateDirectory, address))}: released; the record is closed`],
    check: ({ session }) => {
      if (session.record === undefined) return true;
      return session.location.onVolume === undefined && session.record.ownership().released;
    },
    act: async ({ session, config }) => {
      const record = session.opened;
      const ownership = record.ownership();
      record.fold();
      if (session.owns(ownership)) record.setReleased(config.node, ownership.epoch, true);
      session.handedOver();
      return undefined;
    },
    verify: () => undefined,
  };
}

/**
 * B-1: a file system that another node may still have mounted is not mounted a second time, which
 * would destroy it. Only the caller's word (--fenced), or this node's own unreleased ownership
 * after a crash, lets a device through that was not cleanly unmounted.
 */
export function refuseMountedElsewhere(
  { address }: FloatingIp,
  { device, mountpoint, type }: Filesystem,
): FailoverAction {
  return {
    commands: type.startsWith('ext')
      ? [
          `dumpe2fs -h ${device} | grep needs_recovery   # there: mounted elsewhere or crashed; go on only if the other node is dead`,
        ]
      : [],
    check: async ({ host, fenced, session }) => {
      const mount = mountAt(host, mountpoint);
      if (
        fenced ||
        session.holds(session.previous) ||
        (mount !== undefined && isMountOf(host, mount, device))
      )
        return true;
      if ((await superblockState(host, device)) === 'dirty') {
        throw new FailoverError(
          `${device} was not unmounted cleanly: another node has it mounted, or crashed`,
          {
            code: 'DEVICE_IN_USE',
            exitCode: exitCodes.notOwner,
            operation: `B-1 mount ${device} on ${mountpoint}`,
            hint: `Run "nlm-failover release ${address}" on the node that has it. If that node is dead for certain, or it was this node that crashed, add --fenced.`,
          },
        );
      }
      return true;
    },
    act: async () => undefined,
    verify: () => undefined,
  };
}
