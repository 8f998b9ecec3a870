import type { FloatingIp, Volume } from '../../config/config.js';
import { isManaged } from '../../config/floating-ip.js';
import { FailoverError } from '../../errors.js';
import type { FailoverContext } from '../../failover/context.js';
import type { Action, Obstacle } from '../../host/action.js';
import { expectOnFilesystem } from '../../host/actions/exports.js';
import { localAddresses } from '../../host/reading/addresses.js';
import type { Host } from '../../host/host.js';
import { isExt, isMountOf, isReadOnlyUnasked, mountAt, mountOfDevice } from '../../host/reading/mounts.js';
import { statdProcess } from '../../host/reading/statd.js';
import { isTimeout } from '../../host/running/deadline.js';
import { exportsBeside } from './exports-beside.js';

/**
 * adopt, before anything is touched: the address is served here as the configuration says. What a failover would change for clients is
 * found by `look`, each difference with what to do; those that keep the locks are notes. It does nothing.
 */
export function expectServed(ip: FloatingIp): Action<FailoverContext> {
  const look = async (context: FailoverContext) => [
    ...(await addressBeside(context, ip)),
    ...ip.filesystems
      .filter(({ isUnmounted }) => isUnmounted !== true)
      .flatMap((volume) => mountBeside(context.host, volume, isManaged(ip, 'mount'))),
    ...(await exportsOf(context, ip)),
    ...(await daemonsMissing(context)),
  ];
  return {
    commands: [
      `# ${ip.address} is up, its file systems are mounted and exported, and nfsd and rpc.statd run: looked at, and left as it is`,
    ],
    repeats: true,
    look,
    check: () => true,
    act: async () => undefined,
    verify: () => undefined,
  };
}

async function addressBeside({ driver }: FailoverContext, ip: FloatingIp): Promise<Obstacle[]> {
  const { address } = ip;
  const all = await localAddresses(driver.host);
  const places = all.filter((local) => local.address === address);
  const there = places.find((place) => place.interface === driver.interface);
  const [first] = places;
  if (first === undefined) {
    return [
      {
        message: `${address} is not up on this node`,
        hint: `Run adopt on the node that serves it. Where none does, "nlm-failover takeover ${address}" starts it.`,
      },
    ];
  }
  if (there === undefined) {
    return [
      {
        message: `${address} is up on ${first.interface}, and the configuration says ${driver.interface}`,
        hint: 'Correct "interface" in the configuration.',
      },
    ];
  }
  if (there.prefix !== ip.prefix && !isManaged(ip, 'address')) {
    return [
      {
        message: `${address} is up with prefix length ${there.prefix}, and the configuration says ${ip.prefix}`,
        hint: 'Correct the prefix length of "address" in the configuration.',
      },
    ];
  }
  const others = all.filter(
    (local) =>
      local.address !== address &&
      local.address.includes(':') === (ip.family === 6) &&
      !/^(?:127\.|::1$|fe80:)/i.test(local.address),
  );
  return others.length > 0 || driver.enter.length > 0
    ? []
    : [
        {
          message: `${address} is the only address that this node has: a release takes it off the network`,
          hint: 'Give the node an address of its own, which stays.',
          isNote: true,
        },
      ];
}

function mountBeside(host: Host, volume: Volume, isManagedMount: boolean): Obstacle[] {
  const { device, mountpoint, type, options } = volume;
  const mount = mountAt(host, mountpoint);
  if (mount === undefined) {
    return [
      {
        message: `Nothing is mounted on ${mountpoint}`,
        hint: 'adopt takes what is served already: correct "mountpoint", or start the address with takeover.',
      },
    ];
  }
  if (!isMountOf(host, mount, device)) {
    return [
      {
        message: `${mountpoint} has ${mount.root === '/' ? '' : `${mount.root} of `}${mount.source} mounted, and the configuration says ${device}`,
        hint: 'Correct "device" or "mountpoint" in the configuration.',
      },
    ];
  }
  if (isManagedMount) return [];
  return [
    ...(isReadOnlyUnasked(mount, options)
      ? [
          {
            message: `${device} is mounted read-only on ${mountpoint}, and the configuration does not say "ro"`,
            hint: 'See "dmesg": an error may have made it so. Else add "ro" to "options".',
          },
        ]
      : []),
    ...(isOfType(mount.type, type)
      ? []
      : [
          {
            message: `${mountpoint} is a file system of type ${mount.type}, and the configuration says ${type}: another node could not mount it`,
            hint: 'Correct "type" in the configuration.',
          },
        ]),
  ];
}

/** A list, and "auto", leave it to mount(8). */
function isOfType(mounted: string, configured: string): boolean {
  return (
    mounted === configured ||
    (isExt(mounted) && isExt(configured)) ||
    configured.split(',').some((one) => one === mounted || one === 'auto' || one.startsWith('no'))
  );
}

async function exportsOf(context: FailoverContext, ip: FloatingIp): Promise<Obstacle[]> {
  const { host, driver } = context;
  const entries = await driver.exports.current();
  const found: Obstacle[] = [];
  for (const filesystem of ip.filesystems) {
    // What is not mounted has been said.
    if (filesystem.isUnmounted !== true && mountOfDevice(host, filesystem) === undefined) continue;
    found.push(...(await exportsBeside(context, filesystem, entries, isManaged(ip, 'export'))));
    for (const path of new Set(filesystem.exports.map((one) => one.path))) {
      if (filesystem.isUnmounted === true) continue;
      try {
        expectOnFilesystem(host, path, filesystem);
      } catch (error) {
        if (!(error instanceof FailoverError) || isTimeout(error)) throw error;
        found.push({ message: error.message, hint: error.hint });
      }
    }
  }
  return found;
}

/** Without nfsd no client has a lock; without rpc.statd nobody says who has one. */
async function daemonsMissing(context: FailoverContext): Promise<Obstacle[]> {
  const { host, driver } = context;
  const found: Obstacle[] = [];
  if (!(await driver.isUp(context)))
    found.push({ message: 'nfsd does not run on this node', hint: 'adopt takes what is served already.' });
  const health = await driver.health(context);
  const where = driver.enter.length > 0 ? ' in the instance' : '';
  const ill = Object.entries(health?.daemons ?? {}).filter(([, state]) => state !== 'running');
  found.push(...ill.map(([name]) => ({ message: `${name} does not run as it should${where}` })));
  const runs =
    host.kind === 'rehearsal' ||
    health !== undefined ||
    statdProcess(host, '/proc/self/ns/net') !== undefined;
  if (!runs || (await driver.monitored()) === undefined) {
    found.push({
      message: 'rpc.statd does not run on this node, so that nobody knows which clients hold locks',
      hint: 'Start it (systemctl start rpc-statd). It comes up with the list that it had.',
    });
  }
  return found;
}
