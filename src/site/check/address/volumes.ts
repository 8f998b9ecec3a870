import type { FloatingIp, Volume } from '../../../config/config.js';
import { isManaged, othersKey, volumesOf } from '../../../config/floating-ip.js';
import { exitCodes, FailoverError } from '../../../errors.js';
import { lookAtActions } from '../../../failover/operations/preflight.js';
import { planTakeover } from '../../../failover/plan.js';
import { expectPlaces } from '../../../failover/steps/places.js';
import { isUnstableName, stableNames } from '../../../host/devices/stable-names.js';
import { findDevice, isTag } from '../../../host/devices/device-names.js';
import { deviceAt, isSameDevice } from '../../../host/devices/devices.js';
import type { Host } from '../../../host/host.js';
import { fstab, type FstabEntry, fstabEntries } from '../../../host/reading/fstab.js';
import { isMountOf, mountAt } from '../../../host/reading/mounts.js';
import { isTimeout } from '../../../host/running/deadline.js';
import {
  type AddressSite,
  type Check,
  failure,
  type Finding,
  ofError,
  ofObstacle,
  ok,
  orElse,
  warning,
} from '../check.js';

/** B-1 (mount): every device is here, under a name that stays, and nobody else mounts it. */
export const volumesCheck: Check<AddressSite> = {
  name: 'volumes',
  text: 'B-1 (mount): each device is there, and no other one, under a name that stays the same; nothing else is mounted in its place, and /etc/fstab does not mount it when the node starts',
  look: async (site) => {
    const { ip, reader } = site;
    const volumes = volumesOf(ip);
    const places = volumes.map(({ mountpoint }) => mountpoint).join(', ');
    if (volumes.length === 0) return [ok('none is mounted: NFS-Ganesha reaches them by itself')];
    if (isManaged(ip, 'mount'))
      return orElse(unmounted(site), `${places}, mounted by others (${othersKey(ip)})`);
    const found = [
      ...(await eachPlace(site)),
      ...(await ofMounts(site)),
      ...names(site),
      ...(await atBoot(reader.host, volumes)),
    ];
    const once = new Map(found.map((one) => [one.message, one]));
    return orElse([...once.values()], places);
  },
};

/** What others mount is looked at where it must be there: what is shared, on every node. */
function unmounted({ ip, reader: { host }, standing }: AddressSite): Finding[] {
  if (standing.where !== 'here' && ip.shared === undefined) return [];
  return volumesOf(ip)
    .filter(({ mountpoint, device }) => {
      const mount = mountAt(host, mountpoint);
      return mount === undefined || !isMountOf(host, mount, device);
    })
    .map(({ mountpoint }) =>
      failure(
        `${mountpoint} is not mounted, and nlm-failover does not mount it (${othersKey(ip)})`,
        'Have it mounted by whoever does.',
      ),
    );
}

async function eachPlace({ ip, reader }: AddressSite): Promise<Finding[]> {
  const { stateVolume, ...without } = ip;
  const alone: FloatingIp[] = [
    ...(stateVolume === undefined ? [] : [{ ...ip, filesystems: [] }]),
    ...ip.filesystems.map((one) => ({ ...without, filesystems: [one] })),
  ];
  const found: Finding[] = [];
  for (const floatingIp of alone) {
    try {
      await expectPlaces({ steps: [{ name: 'B-1', subject: '', actions: [] }] }, { ...reader, floatingIp });
    } catch (error) {
      if (isTimeout(error)) throw error;
      found.push(ofError(error));
    }
  }
  return found;
}

async function ofMounts({ ip, context, reader, standing }: AddressSite): Promise<Finding[]> {
  const plan = planTakeover(ip, context.driver, { node: reader.config.node, order: 'safe' });
  const actions = plan.steps.filter(({ name }) => name === 'B-1').flatMap((step) => step.actions);
  const obstacles = await lookAtActions(actions, context, { asksNames: false });
  return obstacles.flatMap((one): Finding[] => {
    // That another node has it is as it should be where that node owns the address.
    if (one.exitCode !== exitCodes.notOwner) return [ofObstacle(one)];
    return standing.where === 'nowhere' ? [ofObstacle({ ...one, isNote: false })] : [];
  });
}

/** As the file has them: what the kernel calls them is another matter. */
function names({ ip, reader }: AddressSite): Finding[] {
  const written = reader.written.floatingIps.find(({ address }) => address === ip.address) ?? ip;
  return volumesOf(written)
    .filter(({ device }) => isUnstableName(device))
    .map(({ device }) => {
      const [better] = stableNames(reader.host, device);
      return warning(
        `${device} may be another disk after the next start`,
        better === undefined
          ? 'Name it by UUID=, or by a link in /dev/disk/by-id.'
          : `Write device = "${better}", which is the same one.`,
      );
    });
}

/** A node that mounts it by itself, while another one has it, destroys it. */
async function atBoot(host: Host, volumes: readonly Volume[]): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const entry of fstabEntries(host.readText(fstab) ?? '')) {
    if (entry.options.includes('noauto')) continue;
    for (const volume of volumes) {
      if (!(await isOf(host, entry, volume))) continue;
      found.push(
        failure(
          `/etc/fstab mounts ${entry.source} on ${entry.mountpoint} when this node starts, also while another node has it`,
          'Take the line out, or add "noauto" to its options: nlm-failover mounts it.',
        ),
      );
    }
  }
  return found;
}

async function isOf(host: Host, { source, mountpoint }: FstabEntry, volume: Volume): Promise<boolean> {
  if (mountpoint === volume.mountpoint || source === volume.device) return true;
  const path = isTag(source) ? await pathOf(host, source) : source;
  return path !== undefined && isSameDevice(deviceAt(host, path), deviceAt(host, volume.device));
}

/** A file system of a network has a source that names no device. */
async function pathOf(host: Host, tag: string): Promise<string | undefined> {
  if (!/^[A-Z]+=/.test(tag) || host.kind === 'rehearsal') return undefined;
  try {
    const found = await findDevice(host, tag.replace(/"/g, ''));
    return 'path' in found ? found.path : undefined;
  } catch (error) {
    if (error instanceof FailoverError && !isTimeout(error)) return undefined;
    throw error;
  }
}
