import type { Filesystem, FloatingIp, Volume } from '../config/config.js';
import { isManaged, mountOrder, othersKey, volumesOf } from '../config/floating-ip.js';
import { addressDown, addressUp } from '../host/actions/address.js';
import { announce } from '../host/actions/announce.js';
import {
  expectAddressDown,
  expectAddressUp,
  expectExported,
  expectMounted,
} from '../host/actions/managed.js';
import { cutConnections } from '../host/actions/connections.js';
import { mountFilesystem, unmountFilesystem } from '../host/actions/mount.js';
import type { Action } from '../host/action.js';
import { type StepName, type TakeoverOrder, takeoverOrders, type TakeoverStepName } from '../step-names.js';
import { inPlace, unlessGone } from '../lockmanager/in-place.js';
import type { LockManager, LockManagerAction } from '../lockmanager/port.js';
import type { FailoverContext } from './context.js';
import { notifyClients } from './steps/notify-clients.js';
import { restoreOtherExports } from './steps/other-addresses.js';
import { claimOwnership, handOver } from './steps/ownership.js';
import { refuseExposed } from './steps/exposed.js';
import { refuseMountedElsewhere } from './steps/mounted-elsewhere.js';
import { awaitEveryNode, callEveryNode, joinHere } from './sharing/barrier.js';
import { letGoOfLocks } from './sharing/let-go.js';
import { noteLaterLocks, noteLocks } from './steps/note-locks.js';
import {
  expectGivenFree,
  forgetVolumes,
  noteConfigured,
  noteVolumes,
  unmountNoted,
} from './steps/noted-mounts.js';
import { proveCallout, recordMissed } from './steps/recorded-clients.js';
import { prepareNotification, startRecording, stopRecording, thawRecord } from './steps/recording.js';
import { graceIsDone, nobodyToNotify } from './steps/rerun.js';
import type { Plan, Step } from './steps/steps.js';

/** for an address. */
export function planRelease(ip: FloatingIp, driver: LockManager): Plan {
  const { address, filesystems } = ip;
  const exports = filesystems.flatMap((filesystem) => filesystem.exports);
  const { first, others } = mountOrder(ip);
  const unmounts = (volumes: readonly Volume[]) =>
    isManaged(ip, 'mount') ? [] : volumes.toReversed().map((volume) => unmountFilesystem(volume));
  const served = servedIp(ip, driver);
  const there = (action: LockManagerAction) => unlessGone(driver, action);
  return {
    kind: 'release',
    address,
    steps: [
      {
        name: 'A-1',
        subject: `${address} on ${ip.interface}`,
        // The address first: a lock that a client still gets through it must be recorded.
        actions: [
          there(isManaged(ip, 'address') ? expectAddressDown(served) : addressDown(served)),
          stopRecording(ip, driver),
          there(cutConnections(ip, driver.leftConnections)),
          ...(ip.shared === undefined ? [noteLocks(ip, driver)] : []),
        ],
      },
      {
        name: 'A-2',
        subject: listed(exports.map(({ path }) => path)),
        ...(ip.shared === undefined
          ? isManaged(ip, 'export')
            ? { covered: leftToOthers }
            : {}
          : { covered: everyNodeExports }),
        actions: (isManaged(ip, 'export') ? [] : filesystems).flatMap((filesystem) =>
          filesystem.exports.map((one) => driver.exports.takeAway(one, filesystem, filesystems)),
        ),
      },
      ...filesystems.map((filesystem, index) => dropStep(ip, driver, filesystem, index)),
      {
        name: 'A-4',
        subject:
          ip.shared === undefined
            ? listed([...others, ...first].map(({ mountpoint }) => mountpoint))
            : sharedText,
        actions: [
          ...driver.beforeUnmount(filesystems),
          unmountNoted(ip, false),
          // Nothing of a record may be open when what it lies on is unmounted, last: it is handed over just before.
          ...unmounts(others),
          expectGivenFree(ip),
          handOver(ip),
          ...unmounts(first),
          ...(isManaged(ip, 'mount') ? [unmountNoted(ip, true)] : []),
          forgetVolumes(ip),
        ],
      },
    ],
  };
}

/** A-3 of one fsid. Of what every node exports, the locks of one address are dropped together, with every node in grace. */
function dropStep(ip: FloatingIp, driver: LockManager, filesystem: Filesystem, index: number): Step {
  const { shared } = ip;
  const step = onFsid('A-3', filesystem);
  if (shared === undefined)
    return {
      ...step,
      actions: [...(index === 0 ? [noteLaterLocks(ip)] : []), ...driver.dropLocks(filesystem)],
    };
  if (index > 0) return { ...step, actions: [], covered: `with those of fsid ${firstFsid(ip)}` };
  return {
    ...step,
    actions: [
      callEveryNode(ip, shared),
      joinHere(driver),
      awaitEveryNode(ip, shared, 'a takeover calls'),
      letGoOfLocks(ip, driver),
    ],
  };
}

export interface TakeoverPlanOptions {
  /** This node's name. */
  readonly node: string;
  readonly order: TakeoverOrder;
  /** What is asked before the claim: see asksOf. */
  readonly asks?: readonly string[];
}

/** B-1 to B-5 for an address, in the order asked for. */
export function planTakeover(ip: FloatingIp, driver: LockManager, options: TakeoverPlanOptions): Plan {
  const steps = takeoverSteps(ip, driver, options);
  const names = takeoverOrders[options.order];
  return { kind: 'takeover', address: ip.address, steps: names.flatMap((name) => steps[name]) };
}

function takeoverSteps(
  ip: FloatingIp,
  driver: LockManager,
  options: TakeoverPlanOptions,
): Record<TakeoverStepName, readonly Step[]> {
  const { address, filesystems } = ip;
  const { first, others } = mountOrder(ip);
  const exposed = ip.trustClients ? [] : [refuseExposed(ip, driver)];
  // Said once in a plan.
  const exposedAgain = exposed.map((action) => ({ ...action, commands: [] }));
  const served = servedIp(ip, driver);
  const there = (action: LockManagerAction) => inPlace(driver, action);
  return {
    'B-1': [
      {
        name: 'B-1',
        subject:
          ip.shared === undefined
            ? listed(
                [...first, ...others].map(({ device, mountpoint }) =>
                  device === '' ? mountpoint : `${device} on ${mountpoint}`,
                ),
              )
            : sharedText,
        // Whose the address is stands in the record: before it can be read nothing is touched but what it lies on.
        actions: [
          ...recordMounts(ip),
          ...exposed,
          claimOwnership(ip, options.asks),
          ...mounts(ip, others, true),
          ...exposedAgain,
        ],
      },
    ],
    'B-2': filesystems.map((filesystem, index) => graceStep(ip, driver, options.node, filesystem, index)),
    'B-3': [
      {
        name: 'B-3',
        subject: `SM_NOTIFY from ${address}`,
        skipReason: nobodyToNotify,
        mends: [thawRecord(ip, driver)],
        actions: [notifyClients(ip, driver), thawRecord(ip, driver)],
      },
    ],
    'B-4': [
      {
        name: 'B-4',
        subject: `${address} on ${ip.interface}`,
        actions: [...bringUp(ip).map((make) => there(make(served))), ...driver.afterAddressUp()],
      },
    ],
    'B-5': [
      {
        name: 'B-5',
        subject: listed(filesystems.flatMap((one) => one.exports.map(({ path }) => path))),
        actions: [
          // A restart of the server in B-2 has exported what /etc/exports has.
          ...exposedAgain,
          ...filesystems.flatMap((filesystem) =>
            filesystem.exports.map((one) =>
              isManaged(ip, 'export')
                ? (driver.exports.expect?.(one, filesystem) ?? expectExported(one.path, filesystem))
                : driver.exports.make(one, filesystem),
            ),
          ),
        ],
      },
    ],
  };
}

/** B-1, first: what will be mounted is noted, and what the record lies on is mounted, where that is a volume of the address. */
export function recordMounts(ip: FloatingIp): Action<FailoverContext>[] {
  return [
    noteConfigured(ip),
    ...(isManaged(ip, 'mount') ? [] : [noteVolumes(ip)]),
    ...mounts(ip, mountOrder(ip).first, false).map(closingRecord),
  ];
}

function mounts(
  ip: FloatingIp,
  volumes: readonly Volume[],
  ownerIsKnown: boolean,
): Action<FailoverContext>[] {
  if (isManaged(ip, 'mount')) return volumes.map((volume) => expectMounted(volume, othersKey(ip)));
  const places = volumesOf(ip).map(({ mountpoint }) => mountpoint);
  return volumes.flatMap((volume) => [
    refuseMountedElsewhere(ip, volume, ownerIsKnown),
    mountFilesystem(volume, places),
  ]);
}

/** Nothing of the record is open when what it lies on is unmounted again. */
function closingRecord(action: Action<FailoverContext>): Action<FailoverContext> {
  return {
    ...action,
    undo: async (context) => {
      context.session.close();
      await action.undo?.(context);
    },
  };
}

/** B-2 of one fsid: the list of whom to notify is made, and recording begins, with the first. */
function graceStep(
  ip: FloatingIp,
  driver: LockManager,
  node: string,
  filesystem: Filesystem,
  index: number,
): Step {
  if (index > 0 && !driver.gracePerFsid) {
    const covered = `in the same grace as fsid ${firstFsid(ip)}`;
    return { ...onFsid('B-2', filesystem), actions: [], covered };
  }
  return {
    ...onFsid('B-2', filesystem),
    skipReason: (context) => graceIsDone(context, filesystem.fsid),
    mends: index === 0 ? [...driver.mend(), recordMissed(ip), proveCallout(ip, driver)] : [],
    actions: [
      ...(index === 0 ? [prepareNotification(ip)] : []),
      ...(ip.shared === undefined ? [] : [callEveryNode(ip, ip.shared)]),
      ...driver.beforeGrace(filesystem),
      ...(index === 0 ? [startRecording(ip, node, driver)] : []),
      // Before the address is up, and anybody reclaims; and before the locks go of who has reclaimed already, where it is done again.
      ...(ip.shared === undefined ? [] : [joinHere(driver), awaitEveryNode(ip, ip.shared)]),
      ...driver.enterGrace(filesystem),
      ...(driver.graceTakesExports ? [restoreOtherExports(ip)] : []),
      ...(index === 0 ? [proveCallout(ip, driver)] : []),
    ],
  };
}

/** A-2 where somebody else exports: what is exported still, is not ours to take away. */
const leftToOthers = 'left to others (managed_by_others)';
const sharedText = 'what every node has mounted';
const everyNodeExports = 'every node exports it (shared_filesystem)';

function firstFsid({ filesystems }: FloatingIp): string {
  return filesystems[0]?.fsid ?? '';
}

function bringUp(ip: FloatingIp) {
  if (isManaged(ip, 'address')) return [expectAddressUp];
  // ARP can only be announced once the address is there; for IPv6 the kernel does it, if asked before.
  return ip.family === 4 ? [addressUp, announce] : [announce, addressUp];
}

/** The address on the interface where it is served. */
function servedIp(ip: FloatingIp, driver: LockManager): FloatingIp {
  return { ...ip, interface: driver.interface };
}

function onFsid(name: StepName, { fsid, mountpoint }: Filesystem): Pick<Step, 'name' | 'fsid' | 'subject'> {
  return { name, fsid, subject: `fsid ${fsid} (${mountpoint})` };
}

function listed(words: readonly string[]): string {
  return [...new Set(words)].join(', ');
}
