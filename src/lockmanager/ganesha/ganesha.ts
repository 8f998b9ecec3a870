import type { Config, Filesystem } from '../../config/config.js';
import { type Obstacle, onlyWhere } from '../../host/action.js';
import { cutConnections } from '../../host/actions/connections.js';
import { findAddress } from '../../host/reading/addresses.js';
import { monitored, statdProcess } from '../../host/reading/statd.js';
import { waitUntil } from '../../host/running/wait.js';
import { servedAddresses } from '../../rundir/serving.js';
import { calloutFault } from '../callout-proof.js';
import type {
  DaemonState,
  Health,
  LockedFilesystem,
  LockManager,
  LockManagerAction,
  LockManagerContext,
  ServingPlace,
} from '../port.js';
import { readOwnBlock } from './block.js';
import type { Bus } from './bus.js';
import { ganeshaExports, idOf, removal } from './exports.js';
import { ganeshaLocks, refuseLocksLeft } from './locks.js';
import { graceByCall } from './grace.js';
import { askGrace, exportsIfAny, graceFor } from './methods.js';
import { sharedLocks } from './shared.js';
import { ganeshaProcess, nlmRegistrant } from './process.js';
import { type Settings, settingsAmiss } from './settings.js';
import { forgetProcess, isAnotherProcess, noteProcess, type ServedBy } from './served-by.js';

export interface GaneshaConfig {
  readonly address: string;
  readonly filesystems: readonly Filesystem[];
  /** Every node exports them, always. */
  readonly isShared: boolean;
  readonly floatingIps: Config['floatingIps'];
  /** D-Bus address; undefined: the system's bus. */
  readonly bus: string | undefined;
  /** Where EXPORT blocks go. */
  readonly directory: string;
  /** The grace period that the server is configured with, seconds. */
  readonly grace: () => number;
  /** What it is configured with. */
  readonly settings: () => Omit<Settings, 'moving'>;
}

/** Of connections that the kernel could not cut. */
const leftConnections =
  'NFS-Ganesha keeps them, and a client whose address comes back to this node while they last hangs for minutes: TCP_KEEPIDLE in its configuration ends them soon (NFS-GANESHA in nlm-failover(8)), or a new start of it, where it serves nothing else';

/** Its reaper ends a grace when it looks, which it does every few seconds: up to so much later than configured (seen: 10 s). */
const reaperSeconds = 10;

/**
 * NFS-Ganesha. are RemoveExport; B-2 is the grace of its whole server, which takes nobody's locks: whoever else it serves
 * waits for new ones.
 */
export function ganesha(place: ServingPlace, config: GaneshaConfig): LockManager {
  const { host } = place;
  const bus: Bus = { host, address: config.bus };
  const own = (filesystem: LockedFilesystem) => ownOf(config, filesystem);
  /** Undefined: it does not say. */
  const inGrace = async () => {
    const answer = await askGrace(bus);
    if (typeof answer === 'boolean') return answer;
    return 'fault' in answer && answer.fault.kind === 'silent' ? undefined : false;
  };
  const served = { host, run: place.run, address: config.address };
  const waiting = () => bystanders(bus, place.run, config);
  return {
    ...place,
    name: 'ganesha',
    gracePerFsid: false,
    graceTakesLocksOf: 'address',
    graceTakesExports: false,
    // The server is not started anew: who has a lock through another address is known to its statd already.
    announcesAgain: false,
    exports: ganeshaExports({ ...config, bus }),
    leftConnections,
    shared: sharedLocks(bus, config.address),
    dropLocks: (filesystem) => [dropLocks(bus, own(filesystem))],
    beforeUnmount: () => [forgetProcess(served)],
    beforeGrace: () => [cutLeft(config.address)],
    noteServer: () => noteProcess(served),
    enterGrace: () => [
      { ...enterGrace(bus, config.address, waiting), look: (context) => amiss(context, config) },
    ],
    afterAddressUp: () => [],
    endGrace: undefined,
    inGrace,
    isUp: async () => typeof (await askGrace(bus)) === 'boolean' && !isAnotherProcess(served),
    mend: () => [],
    graceSeconds: () => config.grace() + reaperSeconds,
    heldLocksText: 'the locks of NFS-Ganesha in /proc/locks (OFDLCK)',
    graceLeft: async () => ((await inGrace()) === false ? 0 : undefined),
    heldLocks: async (filesystem) =>
      showsLocks(bus, own(filesystem)) ? ganeshaLocks({ host }, filesystem) : undefined,
    monitored: async () => monitored(host),
    calloutFault: async (address) => calloutFault(host, '/proc/self/ns/net', address),
    statdRuns: () => host.kind === 'rehearsal' || statdProcess(host, '/proc/self/ns/net') !== undefined,
    health: (context) => healthOf(context, bus, served, waiting),
  };
}

/** What stands in the way of every lock, and can be known beforehand. */
async function amiss(
  { host }: LockManagerContext,
  { settings, filesystems, isShared }: GaneshaConfig,
): Promise<Obstacle[]> {
  const found = settingsAmiss({ ...settings(), moving: isShared ? [] : filesystems });
  const registrant = host.kind === 'rehearsal' ? 'ganesha' : await nlmRegistrant(host);
  if (registrant === 'nobody')
    found.push({
      message: 'NFS-Ganesha has not registered NLM (program 100021) with rpcbind: no client can lock',
      hint: 'Start it anew where rpcbind was; else its log says why.',
    });
  if (registrant === 'another')
    found.push({
      message:
        'Another program than NFS-Ganesha has registered NLM (program 100021) with rpcbind, such as lockd of the kernel: clients would lock there',
      hint: 'Unmount what this node itself has mounted over NFSv3, stop nfs-server, and start NFS-Ganesha anew.',
    });
  return found;
}

function ownOf({ filesystems }: GaneshaConfig, { fsid }: LockedFilesystem): Filesystem {
  const found = filesystems.find((one) => one.fsid === fsid);
  if (found === undefined) throw new Error(`no file system has fsid ${fsid}`);
  return found;
}

/** Only those of its VFS back ends are the kernel's too; what another one holds, is its storage's. */
function showsLocks({ host }: Bus, filesystem: Filesystem): boolean {
  const { exportBlock } = filesystem;
  if (exportBlock === undefined) return true;
  const { fsal } = readOwnBlock(host.readText(exportBlock) ?? '', idOf(filesystem));
  return fsal !== undefined && /^(?:vfs|xfs)$/i.test(fsal);
}

/** RemoveExport, where A-2 has not done it, and the proof that the locks are gone. */
function dropLocks(bus: Bus, filesystem: Filesystem): LockManagerAction {
  const remove = removal({ bus }, filesystem, 'A-3');
  const isSeen = () => showsLocks(bus, filesystem);
  const left = (context: LockManagerContext) => ganeshaLocks(context, filesystem)?.length;
  return {
    ...remove,
    commands: remove.commands.map(
      (line) =>
        `${line}   # unless it is gone; then see in /proc/locks that no OFDLCK lock of ${filesystem.device} is left`,
    ),
    check: async (context) => (await remove.check(context)) && (!isSeen() || left(context) === 0),
    act: async (context) => {
      if (!(await remove.check(context))) await remove.act(context);
      if (!isSeen()) return 'its back end keeps the locks: whether they are gone cannot be seen here';
      // Older releases answer before they are gone.
      await waitUntil(context.host, 'NFS-Ganesha to let its locks go', () => left(context) === 0);
      return undefined;
    },
    verify: async (context) => {
      await remove.verify(context);
      if (isSeen()) refuseLocksLeft(context, filesystem);
    },
  };
}

/**
 * B-2, before: what is left of connections where the address went without A-1, as from a node that was cut off and is back. A client that
 * goes on with its new one runs into its old one.
 */
function cutLeft(address: string): LockManagerAction {
  const cut = cutConnections({ address, family: address.includes(':') ? 6 : 4 }, leftConnections);
  return onlyWhere('connections of an earlier time are left', {
    ...cut,
    check: async (context) =>
      (await findAddress(context.host, address)) !== undefined || (await cut.check(context)),
  });
}

/** B-2. */
function enterGrace(bus: Bus, address: string, waiting: () => Promise<string[]>): LockManagerAction {
  const enter = graceByCall(bus, graceFor(address), 'B-2');
  return {
    ...enter,
    act: async (context) => {
      await enter.act(context);
      const others = await waiting();
      return others.length === 0
        ? undefined
        : `the whole server is in grace: new locks of ${others.join(', ')} wait too`;
    },
  };
}

/** Who else the server serves: other floating IPs of this node, and exports that are of none. */
async function bystanders(bus: Bus, run: string, config: GaneshaConfig): Promise<string[]> {
  const others = servedAddresses(run).filter((address) => address !== config.address);
  const known = new Set(
    [config.address, ...others].flatMap((address) =>
      config.floatingIps
        .filter((ip) => ip.address === address)
        .flatMap((ip) => ip.filesystems.map(({ exportId }) => exportId)),
    ),
  );
  const strange = (await exportsIfAny(bus)).filter(({ id }) => !known.has(id));
  return [...others, ...strange.map(({ path }) => path)];
}

async function healthOf(
  context: LockManagerContext,
  bus: Bus,
  served: ServedBy,
  waiting: () => Promise<string[]>,
): Promise<Health> {
  const { host } = bus;
  const answer = await askGrace(bus);
  const server = await serverState(context, served, answer);
  const statd = statdProcess(host, '/proc/self/ns/net');
  const isIn = answer === true;
  return {
    daemons: {
      'ganesha.nfsd': server,
      'rpc.statd': statd === undefined ? 'dead' : statd.isStopped ? 'silent' : 'running',
    },
    inGrace: isIn,
    ...(isIn ? { waiting: await waiting() } : { graceLeft: 0 }),
    clients: monitored(host)?.hosts.length ?? 0,
    counts: { exports: typeof answer === 'boolean' ? (await exportsIfAny(bus)).length : 0 },
  };
}

async function serverState(
  { nlmRegistered }: LockManagerContext,
  served: ServedBy,
  answer: Awaited<ReturnType<typeof askGrace>>,
): Promise<DaemonState> {
  if (typeof answer !== 'boolean') {
    if ('fault' in answer && answer.fault.kind === 'lost') return 'deaf';
    return ganeshaProcess(served.host) === undefined ? 'dead' : 'silent';
  }
  if (isAnotherProcess(served)) return 'anew';
  return (await nlmRegistered()) === false ? 'unregistered' : 'running';
}
