import { realpathSync } from 'node:fs';
import type { FloatingIp, Volume } from '../../config/config.js';
import { isManaged } from '../../config/floating-ip.js';
import { exitCodes, FailoverError } from '../../errors.js';
import { commandText, runOrFail } from '../../host/action.js';
import { isTag } from '../../host/devices/device-names.js';
import { deviceAt, isSameDevice } from '../../host/devices/devices.js';
import type { Argv, Host } from '../../host/host.js';
import { isMountOf, mountAt } from '../../host/reading/mounts.js';
import { expectEmpty } from './empty-device.js';
import type { Finding, SetupItem } from './item.js';
import type { SetupPlace } from './written-file.js';

/** An address whose record has a volume of its own. */
type WithVolume = FloatingIp & { readonly stateVolume: Volume };

/**
 * The state volume of each address: whether its file system is there. `device`: where one may be made (--state-device); it must be that of
 * the configuration, and empty. Throws FailoverError CONFIG_INVALID where it is not.
 */
export function stateVolumes(
  place: SetupPlace,
  floatingIps: readonly FloatingIp[],
  device: string | undefined,
): SetupItem[] {
  const all = floatingIps.filter((ip): ip is WithVolume => ip.stateVolume !== undefined);
  const given = device === undefined ? undefined : givenDevice(place.host, all, device);
  return all.map((ip) => stateVolume(place, ip, given?.ip === ip ? given.path : undefined));
}

function stateVolume(place: SetupPlace, ip: WithVolume, given: string | undefined): SetupItem {
  const { host, ledger } = place;
  const { device, mountpoint, type } = ip.stateVolume;
  const path = given ?? (isTag(device) ? undefined : device);
  const make = makeCommand(device, path ?? 'DEVICE');
  const line = commandText(make);
  return {
    name: 'state volume',
    look: async (): Promise<Finding> => {
      if (isManaged(ip, 'mount'))
        return {
          state: 'unchanged',
          detail: `${mountpoint} of ${ip.address} is left to others (managed_by_others)`,
        };
      const mount = mountAt(host, mountpoint);
      if (mount !== undefined && isMountOf(host, mount, device))
        return { state: 'unchanged', detail: `${device} is mounted on ${mountpoint}` };
      const found = path === undefined ? undefined : await typeOf(host, path);
      if (found !== undefined && found !== '') {
        const protection =
          found === 'ext4' && !(await hasMultipleMountProtection(host, path ?? ''))
            ? ', without multiple mount protection: while it is mounted nowhere, "tune2fs -O mmp" gives it that'
            : '';
        if (found === type)
          return { state: 'unchanged', detail: `${path ?? ''} of ${ip.address} has ${found}${protection}` };
        return {
          state: 'by hand',
          detail: `${path ?? ''} has ${found}, and the configuration says ${type} for the state volume of ${ip.address}`,
        };
      }
      if (given !== undefined) {
        refuseOtherType(ip.address, type);
        await expectEmpty(host, given, line);
        return {
          state: 'to do',
          detail: `ext4 on ${given}, for the record of ${ip.address}`,
          commands: [line],
        };
      }
      const absent = path === undefined || deviceAt(host, path) === undefined;
      const why = absent
        ? `${device} is not there on this node`
        : `${device} has no file system that blkid knows`;
      return {
        state: 'by hand',
        detail: `${why}: once, on one node, make that of the record of ${ip.address}; --state-device does it on an empty device`,
        commands: [line],
      };
    },
    act: async () => {
      if (given === undefined) throw new Error('there is no device to make a file system on');
      ledger.add('filesystems', given);
      await runOrFail(host, make, `See "dmesg", and "wipefs ${given}".`);
      const now = await typeOf(host, given);
      if (now !== 'ext4' || !(await hasMultipleMountProtection(host, given)))
        throw new FailoverError(`${given} has no ext4 with multiple mount protection after "${line}"`, {
          code: 'NOT_VERIFIED',
          exitCode: exitCodes.stepFailed,
          operation: line,
          hint: 'See "dumpe2fs -h" of it.',
        });
      return { state: 'done', detail: `ext4 on ${given}, for the record of ${ip.address}` };
    },
  };
}

/** Smallest interval, so that a mount after a crash waits least: see WHERE THE RECORD LIES. It gets the name that the configuration has for it. */
function makeCommand(device: string, path: string): Argv {
  const [, tag = '', value = ''] = /^(LABEL|UUID)=(.*)$/s.exec(device) ?? [];
  const name = tag === 'LABEL' ? ['-L', value] : tag === 'UUID' ? ['-U', value] : [];
  return ['mke2fs', '-q', '-t', 'ext4', '-O', 'mmp', '-E', 'mmp_update_interval=1', ...name, path];
}

/** Which address it is for: whose state volume it is by any of its names, or the only one whose LABEL= or UUID= nothing has yet. */
function givenDevice(
  host: Host,
  all: readonly WithVolume[],
  device: string,
): { ip: WithVolume; path: string } {
  const found = deviceAt(host, device);
  if (found?.kind !== 'block') throw notTheirs(`${device} is no block device of this node`);
  // From here on by its own name: a link may be changed meanwhile.
  const path = realpathSync(host.path(device));
  const same = all.filter(
    ({ stateVolume: { device: one } }) => !isTag(one) && isSameDevice(deviceAt(host, one), found),
  );
  const unnamed = all.filter(({ stateVolume: { device: one } }) => /^(?:LABEL|UUID)=/.test(one));
  const [ip, other] = same.length > 0 ? same : unnamed;
  if (ip === undefined)
    throw notTheirs(`${device} is the state volume of no address that setup was asked for`);
  if (other !== undefined)
    throw notTheirs(`${device} may be that of ${ip.address} or ${other.address}: name the address`);
  return { ip, path };
}

function notTheirs(message: string): FailoverError {
  return new FailoverError(`--state-device: ${message}`, {
    code: 'CONFIG_INVALID',
    exitCode: exitCodes.configuration,
    operation: 'looking at --state-device',
    hint: 'Name the block device that is `device` of the [[floating_ip.filesystem]] without exports, and the address where there are several.',
  });
}

function refuseOtherType(address: string, type: string): void {
  if (type === 'ext4') return;
  throw notTheirs(
    `the configuration says ${type} for the state volume of ${address}, and only ext4 has multiple mount protection`,
  );
}

/** Empty: blkid(8) finds nothing; undefined: it is not there. */
async function typeOf(host: Host, path: string): Promise<string | undefined> {
  if (deviceAt(host, path) === undefined) return undefined;
  const { exitCode, stdout } = await host.run(['blkid', '-c', '/dev/null', '-p', '-o', 'export', path], {
    short: true,
  });
  if (exitCode !== 0) return exitCode === 2 ? '' : 'what blkid cannot name';
  return /^TYPE=(.*)$/m.exec(stdout)?.[1] ?? 'no file system, but a partition table';
}

async function hasMultipleMountProtection(host: Host, path: string): Promise<boolean> {
  const { stdout } = await host.run(['dumpe2fs', '-h', path], { short: true });
  return /^Filesystem features:.*\bmmp\b/m.test(stdout);
}
