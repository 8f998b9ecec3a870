import path from 'node:path';
import type { Config, FloatingIp } from '../../config/config.js';
import { volumesOf } from '../../config/floating-ip.js';
import { exitCodes, FailoverError } from '../../errors.js';
import type { Host } from '../../host/host.js';
import { isInstalled } from '../../host/running/command.js';
import { chooseDriver } from '../../lockmanager/choose.js';
import type { DriverModule } from '../../lockmanager/module.js';
import { servedHere } from '../../lockmanager/served-here.js';
import { isAtOrBelow } from '../../paths.js';
import { unitDropIns, unitOf, unitTemplate, watchUnit } from '../unit/names.js';
import { barrierEnded, ctdbItems, ctdbLinkName, isWithCtdb, stockTakenBack } from './ctdb.js';
import { mountPoints } from './directories.js';
import type { SetupItem } from './item.js';
import {
  isWithKeepalived,
  keepalivedItems,
  type KeepalivedOptions,
  removeAway,
  unitLeftToKeepalived,
} from './keepalived.js';
import { addressOfInstance, instanceFile } from './keepalived-text.js';
import { Ledger, ledgerFile, removeIfEmpty } from './ledger.js';
import { dropIn, nfsConf, nfsConfName } from './nfs-conf.js';
import { linkTakenBack } from './links.js';
import { agentsLinked } from './pacemaker.js';
import { stateVolumes } from './state-volume.js';
import { reachableCallout, statdRestart } from './statd.js';
import {
  type Installation,
  reloadUnits,
  unitAlone,
  unitDisabled,
  unitEnabled,
  unitFile,
  unitAlways,
  unitOrder,
  watchAlways,
} from './units.js';
import { lookAtWritten, removeFile, type SetupPlace } from './written-file.js';

/** The node that is set up, and the installation that it is set up for. */
export interface SetupNode {
  readonly host: Host;
  readonly config: Config;
  readonly drivers: readonly DriverModule[];
  /** Its directory of serving links. */
  readonly run: string;
  /** Path of this installation's callout for rpc.statd. */
  readonly callout: string;
  readonly installation: Installation;
}

export interface SetupOptions {
  /** Of the configuration; with what is theirs alone: mount points, state volumes, units. */
  readonly floatingIps: readonly FloatingIp[];
  /** Where the file system of a state volume may be made. */
  readonly stateDevice?: string | undefined;
  /** Whether no other node reaches the devices. */
  readonly alone: boolean;
  /** Whether systemd is to take the addresses over at boot. */
  readonly enable: boolean;
  /** Whether Pacemaker is to, by the OCF agents: then systemd is not. */
  readonly pacemaker: boolean;
  /** Whether CTDB moves the addresses: then there is nothing to take over, and what its events ask for is done by one process of the node. */
  readonly ctdb: boolean;
  /** Where keepalived is to decide who has them. */
  readonly keepalived?: KeepalivedOptions | undefined;
}

/**
 * What this node needs before its first takeover, in order. Throws FailoverError where an address is served by another driver than the
 * configuration says, or --state-device names no device of theirs.
 */
export async function setupItems(node: SetupNode, options: SetupOptions): Promise<SetupItem[]> {
  const { host, config, callout, installation } = node;
  const { floatingIps, stateDevice, alone, pacemaker, keepalived } = options;
  const place: SetupPlace = { host, ledger: await Ledger.open(host) };
  const ctdb = options.ctdb || isWithCtdb(place);
  const enable = options.enable && !pacemaker && !ctdb;
  const isElected = (ip: FloatingIp) => keepalived !== undefined || isWithKeepalived(place, ip);
  const file = path.resolve(config.file);
  const { onNode, unserved } = await servedFromNode(node, floatingIps, ctdb);
  return [
    ...unserved,
    reachableCallout(host, callout),
    ...(onNode.length === 0
      ? [notNeeded(floatingIps)]
      : [nfsConf(place, callout), statdRestart(host, callout, callout)]),
    mountPoints(place, floatingIps),
    ...stateVolumes(place, floatingIps, stateDevice),
    ...(ctdb ? [] : [unitFile(place, installation, { config: file, unit: unitTemplate })]),
    ...(isCalled(config) && !ctdb
      ? [
          unitFile(place, installation, { config: file, unit: watchUnit }),
          ...(options.enable ? [unitAlways(place, watchAlways)] : []),
        ]
      : []),
    ...onNode
      .filter((ip) => enable || isElected(ip))
      .flatMap((ip) => unitOrder(place, ip, config.floatingIps)),
    ...(ctdb ? await ctdbItems(place, node) : []),
    ...(ctdb && place.ledger.entries.units.includes(watchUnit) ? [unitDisabled(place, watchUnit)] : []),
    ...floatingIps.flatMap((ip) => unitAlone(place, ip, alone) ?? []),
    ...(keepalived === undefined
      ? []
      : await keepalivedItems(
          place,
          {
            callouts: installation.callouts,
            config: file,
            addresses: config.floatingIps.map(({ address }) => address),
          },
          floatingIps,
          keepalived,
        )),
    ...floatingIps.flatMap((ip) => {
      if (isElected(ip)) return [unitLeftToKeepalived(place, ip)];
      return enable ? [unitEnabled(place, ip, config.fencing.command !== undefined)] : [];
    }),
    ...(pacemaker && isInstalled('systemctl')
      ? floatingIps.map(({ address }) => unitDisabled(place, unitOf(address)))
      : []),
    ...(pacemaker ? [agentsLinked(place, installation)] : []),
  ];
}

/**
 * Takes back what setup has made here, last first, and nothing else; with `only`, what it made for that address and no other one needs: its unit,
 * --alone, mount points. Throws FailoverError NOT_READY where an address that needs it is served here, or has an
 * instance: its clients would not be recorded any more, and no shutdown would release it.
 */
export async function undoItems(
  { host, run, callout, config, drivers }: SetupNode,
  only: FloatingIp | undefined,
): Promise<SetupItem[]> {
  const place: SetupPlace = { host, ledger: await Ledger.open(host) };
  const { files, links, aside, directories, units, filesystems } = place.ledger.entries;
  const [served] = servedHere(host, run, drivers).filter(
    ({ address }) => only === undefined || address === only.address,
  );
  if (served !== undefined) {
    const { address, isInstance } = served;
    const what = isInstance ? `An instance of ${address} is here` : `${address} is served here`;
    throw new FailoverError(`${what}, and needs what setup has made`, {
      code: 'NOT_READY',
      exitCode: exitCodes.configuration,
      operation: 'looking ahead of setup --undo',
      hint: isWithCtdb(place)
        ? 'Stop ctdbd, or have CTDB move its addresses away first: "ctdb disable".'
        : `Release it first: systemctl stop nlm-failover@${address}, or nlm-failover release ${address}`,
    });
  }
  const isTheirs = only === undefined ? madeForAny : madeFor(config, only);
  const written = Object.keys(files).filter(isTheirs);
  return [
    ...units.filter(isTheirs).map((unit) => unitDisabled(place, unit)),
    ...Object.keys(links)
      .filter(isTheirs)
      .map((link) => linkTakenBack(place, ctdbLinkName(link) ?? 'ocf agents', link)),
    ...(only === undefined && isWithCtdb(place) ? [barrierEnded(host, run)] : []),
    ...Object.entries(aside)
      .filter(([file]) => isTheirs(file))
      .map(([file, how]) => stockTakenBack(place, file, how)),
    ...written.map((file) => fileTakenBack(place, file)),
    ...(written.includes(dropIn) ? [statdRestart(host, callout, undefined)] : []),
    ...directories
      .filter(isTheirs)
      .toReversed()
      .map((directory) => directoryTakenBack(place, directory)),
    ...filesystems.filter(isTheirs).map((device) => filesystemLeft(place, device)),
  ];
}

/** Whether another node calls this one into grace, as whyUnheard has it. */
function isCalled({ floatingIps }: Config): boolean {
  return floatingIps.some(({ shared }) => shared !== undefined && shared.nodes.length > 1);
}

const madeForAny = () => true;

/** Whether a unit, file, directory or device is of this address, and of none of the others of the configuration. */
function madeFor({ floatingIps }: Config, { address }: FloatingIp): (made: string) => boolean {
  const isOf = (ip: FloatingIp, made: string) =>
    made === unitOf(ip.address) ||
    isAtOrBelow(made, unitDropIns(ip.address)) ||
    made === instanceFile(ip.address) ||
    volumesOf(ip).some(({ device, mountpoint }) => made === device || isAtOrBelow(mountpoint, made));
  return (made) =>
    floatingIps.filter((ip) => isOf(ip, made)).every((ip) => ip.address === address) &&
    floatingIps.some((ip) => isOf(ip, made));
}

/**
 * Those that a driver serves from the node itself, whose rpc.statd then records their clients; and what is said of each that none can serve as
 * this host is now: before nfsd is loaded, all the rest can be made ready. Where nobody can know, it counts as served from the node.
 */
async function servedFromNode(
  { drivers, ...node }: SetupNode,
  floatingIps: readonly FloatingIp[],
  leavesAlone: boolean,
): Promise<{ readonly onNode: readonly FloatingIp[]; readonly unserved: readonly SetupItem[] }> {
  const onNode: FloatingIp[] = [];
  const unserved: SetupItem[] = [];
  const moduleOf = (name: string) => drivers.find((one) => one.name === name);
  for (const floatingIp of floatingIps) {
    try {
      const { driver } = await chooseDriver(
        drivers,
        { ...node, floatingIp },
        { takesOver: true, leavesAlone },
      );
      if (moduleOf(driver.name)?.servesFrom === 'node') onNode.push(floatingIp);
    } catch (error) {
      if (!(error instanceof FailoverError) || !noDriver.has(error.code)) throw error;
      if ((moduleOf(node.config.lockManager.driver)?.servesFrom ?? 'node') === 'node')
        onNode.push(floatingIp);
      unserved.push(withoutDriver(error));
    }
  }
  return { onNode, unserved };
}

const noDriver: ReadonlySet<string> = new Set(['NO_DRIVER', 'DRIVER_UNSUITED']);

function withoutDriver({ message, hint = '' }: FailoverError): SetupItem {
  const finding = { state: 'by hand', detail: `${message}. ${hint} Then run setup again.` } as const;
  return { name: 'driver', look: () => finding, act: async () => finding };
}

function notNeeded(floatingIps: readonly FloatingIp[]): SetupItem {
  const detail = `not needed: each instance of ${floatingIps.map(({ address }) => address).join(', ')} has an nfs.conf and an rpc.statd of its own`;
  return {
    name: nfsConfName,
    look: () => ({ state: 'unchanged', detail }),
    act: async () => ({ state: 'unchanged', detail }),
  };
}

function fileTakenBack(place: SetupPlace, file: string): SetupItem {
  const ofKeepalived = file.startsWith('/etc/keepalived/');
  return {
    name: file === dropIn ? nfsConfName : ofKeepalived ? 'keepalived' : 'unit file',
    look: () => lookAtWritten(place, file),
    act: async () => {
      removeFile(place, file);
      const address = addressOfInstance(file);
      if (address !== undefined) removeAway(place.host, address);
      if (file !== dropIn && !ofKeepalived) await reloadUnits(place.host);
      return { state: 'done', detail: `${file} is gone` };
    },
  };
}

function directoryTakenBack({ host, ledger }: SetupPlace, directory: string): SetupItem {
  return {
    name: 'directory',
    look: () => ({
      state: 'to do',
      detail: directory,
      commands: [`rmdir ${directory}   # only where it is empty`],
    }),
    act: async () => {
      const isGone = removeIfEmpty(host.path(directory));
      if (!isGone)
        return { state: 'left', detail: `${directory} is not empty, or something is mounted there` };
      ledger.remove('directories', directory);
      return { state: 'done', detail: `${directory} is gone` };
    },
  };
}

/** It has the record: nobody but the administrator ends that. */
function filesystemLeft({ ledger }: SetupPlace, device: string): SetupItem {
  const detail = `${device} keeps its file system, with the record; ${ledgerFile} forgets it`;
  return {
    name: 'state volume',
    look: () => ({ state: 'to do', detail }),
    act: async () => {
      ledger.remove('filesystems', device);
      return { state: 'left', detail };
    },
  };
}
