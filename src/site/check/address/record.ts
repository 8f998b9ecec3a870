import { statfsSync } from 'node:fs';
import type { Volume } from '../../../config/config.js';
import { isManaged, recordVolume } from '../../../config/floating-ip.js';
import { exposures } from '../../../failover/access/exposure.js';
import type { Host } from '../../../host/host.js';
import { machineIfKnown } from '../../../host/reading/machine-id.js';
import { isExt, mountOfDevice } from '../../../host/reading/mounts.js';
import { readSuperblock } from '../../../host/reading/superblock.js';
import { isNamesake } from '../../../record/record.js';
import { ofTrials } from '../../storage/tried.js';
import { type AddressSite, type Check, failure, type Finding, orElse, warning } from '../check.js';

const MiB = 2 ** 20;
/** A record has two reserves of 512 KiB at the least, a database and a journal for each node, beside ext4's own. */
const leastVolume = 16 * MiB;
const leastFree = 4 * MiB;

/** Where the record lies, and that it can be trusted. */
export const recordCheck: Check<AddressSite> = {
  name: 'record',
  text: 'where the record lies: reachable, out of the reach of NFS clients, on a state volume that is large enough and has multiple mount protection; on shared storage what `try-storage` has shown; who owns the address',
  look: async (site) => {
    const { reader, ip, context, standing } = site;
    const { host, config } = reader;
    const volume = recordVolume(ip);
    const exposed = await exposures({ host, config, floatingIp: ip, driver: context.driver });
    const ownership = standing.record?.ownership;
    const me = { node: config.node, machine: machineIfKnown(host) };
    const found = [
      ...(standing.error === undefined ? [] : [failure(standing.error.message, standing.error.hint)]),
      ...(volume === undefined && standing.unreachable !== undefined
        ? [
            failure(
              `the record cannot be reached: ${standing.unreachable}`,
              `Mount the shared storage. Only where it is mounted: make ${ip.stateDirectory} on it, once (mode 0755, owner root).`,
            ),
          ]
        : []),
      ...(me.machine === undefined
        ? [
            failure(
              '/etc/machine-id is no id, so that this machine cannot be told from others',
              'Run systemd-machine-id-setup.',
            ),
          ]
        : []),
      ...(ownership !== undefined && isNamesake(ownership, me)
        ? [
            failure(
              `another machine that is called ${config.node} too owns the address`,
              'Give each node a name of its own ("node" in the configuration).',
            ),
          ]
        : []),
      ...exposed.map((one) =>
        failure(
          `clients with AUTH_SYS or an anonuid reach the record through the export of ${one}, and could erase it`,
          'Let state_directory lie on a state volume, or end that export.',
        ),
      ),
      ...(volume === undefined && standing.unreachable === undefined ? ofTrials(host, config, ip) : []),
      ...(volume === undefined || isManaged(ip, 'mount') ? [] : await volumeFindings(host, volume)),
    ];
    const where =
      volume === undefined ? ip.stateDirectory : `${ip.stateDirectory}, which moves with the address`;
    return orElse(found, `${where}; ${standing.because}`);
  },
};

async function volumeFindings(host: Host, volume: Volume): Promise<Finding[]> {
  const { device, mountpoint, type } = volume;
  if (!isExt(type)) {
    return [
      warning(
        `${device} of the record is ${type}, which does not show whether another node has it mounted: every takeover wants --fenced`,
        'A state volume of type ext4, made with "mke2fs -t ext4 -O mmp -E mmp_update_interval=1", does.',
      ),
    ];
  }
  const superblock = await readSuperblock(host, device);
  const isMounted = mountOfDevice(host, volume) !== undefined;
  const free = isMounted && host.kind === 'real' ? freeBytes(host.path(mountpoint)) : undefined;
  return [
    ...(superblock === undefined || superblock.hasMmp
      ? []
      : [
          warning(
            `${device} of the record has no multiple mount protection: two nodes could have it at once`,
            `While it is mounted nowhere: tune2fs -O mmp -E mmp_update_interval=1 ${device}`,
          ),
        ]),
    ...(superblock === undefined || superblock.bytes >= leastVolume
      ? []
      : [
          warning(
            `${device} of the record has ${Math.floor(superblock.bytes / MiB)} MiB, which may not be enough`,
            'Make a state volume of 64 MiB.',
          ),
        ]),
    ...(free === undefined || free >= leastFree
      ? []
      : [
          warning(
            `${mountpoint} of the record has ${Math.floor(free / 1024)} KiB left`,
            'Free some: without space the callout cannot record.',
          ),
        ]),
  ];
}

function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}
