import type { Volume } from '../../config/config.js';
import { isManaged, volumesOf } from '../../config/floating-ip.js';
import { exitCodes, FailoverError } from '../../errors.js';
import { refuseForeignMount } from '../../host/actions/mount.js';
import type { Host } from '../../host/host.js';
import { findDevice, isTag, noneThere, unknownDevice } from '../../host/devices/device-names.js';
import { deviceAt, isSameDevice } from '../../host/devices/devices.js';
import { mountOfDevice } from '../../host/reading/mounts.js';
import type { FailoverContext } from '../context.js';
import type { Plan } from './steps.js';

type PlaceContext = Pick<FailoverContext, 'host' | 'config' | 'floatingIp'>;

/**
 * Before anything is touched: the device of every file system that the plan mounts is known, and of no other one; where it mounts, and
 * unmounts, nothing else is mounted. Throws FailoverError DEVICE_UNKNOWN, NOT_VERIFIED.
 */
export async function expectPlaces({ steps }: Pick<Plan, 'steps'>, context: PlaceContext): Promise<void> {
  const { host, floatingIp } = context;
  const names = steps.map(({ name }) => name);
  const mounts = names.includes('B-1');
  const unmounts = names.includes('A-4');
  // What others mount is looked at in B-1 itself: it may be no device.
  for (const volume of isManaged(floatingIp, 'mount') ? [] : volumesOf(floatingIp)) {
    if (mounts) await expectDevice(context, volume);
    if (mounts || unmounts) refuseForeignMount(host, volume, mounts ? 'B-1' : 'A-4');
  }
}

async function expectDevice({ host, config }: PlaceContext, volume: Volume): Promise<void> {
  const { device, mountpoint } = volume;
  if (mountOfDevice(host, volume) !== undefined) return;
  const why = await whyUnknown(host, device);
  if (why !== undefined) {
    throw unknown(volume, unknownDevice(device, why));
  }
  const known = deviceAt(host, device);
  const others = config.floatingIps.flatMap(volumesOf);
  const twin = others.find(
    (other) => other.mountpoint !== mountpoint && isSameDevice(known, deviceAt(host, other.device)),
  );
  if (twin === undefined) return;
  throw unknown(
    volume,
    `${device} of ${mountpoint} and ${twin.device} of ${twin.mountpoint} are one device on this node`,
  );
}

async function whyUnknown(host: Host, device: string): Promise<string | undefined> {
  if (isTag(device)) {
    const found = await findDevice(host, device);
    return 'why' in found ? found.why : undefined;
  }
  // A rehearsed device is a directory.
  if (host.kind === 'rehearsal' || deviceAt(host, device) !== undefined) return undefined;
  return noneThere;
}

function unknown({ mountpoint }: Volume, message: string): FailoverError {
  return new FailoverError(message, {
    code: 'DEVICE_UNKNOWN',
    exitCode: exitCodes.stepFailed,
    operation: `B-1 mount on ${mountpoint}`,
    hint: 'Nothing was touched. "blkid" and "lsblk" show what is here. Connect the device, or correct "device" in the configuration.',
  });
}
