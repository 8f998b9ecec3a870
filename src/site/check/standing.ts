import type { FloatingIp } from '../../config/config.js';
import { recordVolume } from '../../config/floating-ip.js';
import { FailoverError } from '../../errors.js';
import { whyUnreachable } from '../../failover/access/location.js';
import { type NodeReader, withRecord } from '../../failover/access/with-record.js';
import { machineIfKnown } from '../../host/reading/machine-id.js';
import { mountedAt } from '../../host/reading/device-users.js';
import { mountAt } from '../../host/reading/mounts.js';
import { superblockState } from '../../host/reading/superblock.js';
import { isOwnedBy, type NotedConfiguration, type Operation, type Ownership } from '../../record/record.js';

/** Who has an address now, as far as it can be seen from here. */
export interface Standing {
  /** `unknown`: neither the record nor the disk that it lies on tells. */
  readonly where: 'here' | 'elsewhere' | 'nowhere' | 'unknown';
  /** Why that is thought, as a clause. */
  readonly because: string;
  readonly record?: RecordSeen;
  /** Why the record cannot be read now, as a clause; there may be none yet. */
  readonly unreachable?: string;
  /** Why it cannot be used, though it is there. */
  readonly error?: FailoverError;
}

export interface RecordSeen {
  readonly ownership: Ownership;
  readonly last: Operation | undefined;
  /** What each node noted of its configuration. */
  readonly configurations: readonly NotedConfiguration[];
}

/**
 * Looks: by the record where it can be read, else by the superblock of what it lies on (ext2/3/4). Nothing is folded or mounted. Throws
 * FailoverError STEP_TIMEOUT, COMMAND_TIMEOUT.
 */
export async function standingOf(reader: NodeReader, ip: FloatingIp): Promise<Standing> {
  const unreachable = whyUnreachable(reader.host, ip);
  if (unreachable !== undefined) return { ...(await byDisk(reader, ip)), unreachable };
  try {
    const record = withRecord(reader, ip, (opened) =>
      opened.atOneMoment('reading the owner', () => ({
        ownership: opened.ownership(),
        last: opened.lastOperation(),
        configurations: opened.configurations(),
      })),
    );
    if (record === undefined) return { where: 'nowhere', because: 'there is no record yet' };
    return { ...byOwner(reader, record.ownership), record };
  } catch (error) {
    if (!(error instanceof FailoverError)) throw error;
    return { where: 'unknown', because: 'its record cannot be used', error };
  }
}

function byOwner({ host, config }: NodeReader, ownership: Ownership): Pick<Standing, 'where' | 'because'> {
  const { owner, released, epoch } = ownership;
  if (owner === undefined) return { where: 'nowhere', because: 'nobody has owned it yet' };
  if (released) return { where: 'nowhere', because: `${owner} has released it (epoch ${epoch})` };
  const isOurs = isOwnedBy(ownership, { node: config.node, machine: machineIfKnown(host) });
  return {
    where: isOurs ? 'here' : 'elsewhere',
    because: isOurs ? `this node owns it (epoch ${epoch})` : `${owner} owns it (epoch ${epoch})`,
  };
}

async function byDisk({ host }: NodeReader, ip: FloatingIp): Promise<Pick<Standing, 'where' | 'because'>> {
  const volume = recordVolume(ip);
  if (volume === undefined || volume.device === '' || mountAt(host, volume.mountpoint) !== undefined)
    return { where: 'unknown', because: 'its record cannot be reached' };
  const { device } = volume;
  if (mountedAt(host, device).length > 0)
    return { where: 'unknown', because: `${device} is mounted on this node in another place` };
  switch (await superblockState(host, device)) {
    case 'dirty':
      return { where: 'elsewhere', because: `${device} is mounted elsewhere, or its node crashed` };
    case 'clean':
      return { where: 'nowhere', because: `${device} is mounted nowhere` };
    case 'unknown':
      return { where: 'unknown', because: `${device} does not tell whether it is mounted elsewhere` };
  }
}
