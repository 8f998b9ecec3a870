import path from 'node:path';
import type { Config, FloatingIp } from '../../config/config.js';
import { exitCodes, FailoverError } from '../../errors.js';
import type { Host } from '../../host/host.js';
import { chooseDriver } from '../../lockmanager/choose.js';
import type { DriverModule } from '../../lockmanager/module.js';
import { servedAddresses } from '../../rundir/serving.js';
import { mountPoints } from './directories.js';
import type { SetupItem } from './item.js';
import { Ledger, ledgerFile, removeIfEmpty } from './ledger.js';
import { dropIn, nfsConf, nfsConfName } from './nfs-conf.js';
import { stateVolumes } from './state-volume.js';
import { reachableCallout, statdRestart } from './statd.js';
import { type Installation, reloadUnits, unitDisabled, unitEnabled, unitFile, unitOrder } from './units.js';
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
}

/**
 * What this node needs before its first takeover, in order. Throws FailoverError where no driver can serve an address, or --state-device
 * names no device of theirs.
 */
export async function setupItems(node: SetupNode, options: SetupOptions): Promise<SetupItem[]> {
  const { host, config, callout, installation } = node;
  const { floatingIps, stateDevice, alone, enable } = options;
  const place: SetupPlace = { host, ledger: new Ledger(host) };
  const onNode = await servedFromNode(node, floatingIps);
  return [
    reachableCallout(host, callout),
    ...(onNode.length === 0
      ? [notNeeded(floatingIps)]
      : [nfsConf(place, callout), statdRestart(host, callout, callout)]),
    mountPoints(place, floatingIps),
    ...stateVolumes(place, floatingIps, stateDevice),
    unitFile(place, installation, { config: path.resolve(config.file), alone }),
    ...(enable ? onNode.flatMap((ip) => unitOrder(place, ip, config.floatingIps)) : []),
    ...(enable ? floatingIps.map((ip) => unitEnabled(place, ip)) : []),
  ];
}

/**
 * Takes back what setup has made here, last first, and nothing else. Throws FailoverError NOT_READY where an address is served here: its
 * clients would not be recorded any more.
 */
export function undoItems({ host, run, callout }: SetupNode): SetupItem[] {
  const place: SetupPlace = { host, ledger: new Ledger(host) };
  const { files, directories, units, filesystems } = place.ledger.entries;
  const served = servedAddresses(run);
  if (served.length > 0) {
    throw new FailoverError(`${served.join(', ')} is served here, and needs what setup has made`, {
      code: 'NOT_READY',
      exitCode: exitCodes.configuration,
      operation: 'looking ahead of setup --undo',
      hint: `Release it first: systemctl stop nlm-failover@${served[0] ?? ''}, or nlm-failover release ${served[0] ?? ''}`,
    });
  }
  const written = Object.keys(files);
  return [
    ...units.map((unit) => unitDisabled(place, unit)),
    ...written.map((file) => fileTakenBack(place, file)),
    ...(written.includes(dropIn) ? [statdRestart(host, callout, undefined)] : []),
    ...directories.toReversed().map((directory) => directoryTakenBack(place, directory)),
    ...filesystems.map((device) => filesystemLeft(place, device)),
  ];
}

/** Those that a driver serves from the node itself, whose rpc.statd then records their clients. */
async function servedFromNode(
  { drivers, ...node }: SetupNode,
  floatingIps: readonly FloatingIp[],
): Promise<FloatingIp[]> {
  const found: FloatingIp[] = [];
  for (const floatingIp of floatingIps) {
    const { driver } = await chooseDriver(drivers, { ...node, floatingIp }, { takesOver: true });
    const module = drivers.find(({ name }) => name === driver.name);
    if (module?.servesFrom === 'node') found.push(floatingIp);
  }
  return found;
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
  return {
    name: file === dropIn ? nfsConfName : 'unit file',
    look: () => lookAtWritten(place, file),
    act: async () => {
      removeFile(place, file);
      if (file !== dropIn) await reloadUnits(place.host);
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
