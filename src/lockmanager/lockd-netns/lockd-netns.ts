import {
  type Action,
  enteringText,
  type HostContext,
  notSo,
  type Obstacle,
  onlyWhere,
  runOrFail,
} from '../../host/action.js';
import { monitored } from '../../host/reading/statd.js';
import { calloutFault, tryCallout } from '../callout-proof.js';
import type { Argv, Host } from '../../host/host.js';
import { buildInstance, type InstanceLink } from './build.js';
import { type DaemonPorts, instanceDaemons, startDaemon } from './daemons.js';
import { mendDaemons } from './mend.js';
import {
  endLockdGrace,
  graceLeft,
  isInGrace,
  lockdPartRuns,
  nfsdGrace,
  noteGrace,
  wholeGrace,
} from './grace.js';
import { insideInstance, servingPlace } from './inside.js';
import { instanceHealth } from './health.js';
import { instanceExists, instancePlace, instancePrefix } from './place.js';
import { copyDefaultRoute } from './routes.js';
import { endDaemons, removeInstance } from './remove.js';
import {
  lockdGraceSeconds,
  lockdInGrace,
  nfsdGraceSeconds,
  nfsdInGrace,
  nfsdThreads,
  nlmProgram,
} from '../../host/reading/nfsd.js';
import { settleText, waitUntil } from '../../host/running/wait.js';
import { servesNothing } from '../in-place.js';
import { kernelDefaults } from '../kernel.js';
import { locksOf } from '../lockd/locks-gone.js';
import { unlockFilesystem } from '../lockd/unlock-filesystem.js';
import type { LockedFilesystem, LockManager, LockManagerContext } from '../port.js';

export interface InstanceConfig {
  readonly address: string;
  readonly link: InstanceLink;
  readonly nfsd: string;
  readonly threads: number;
  readonly manageGids: boolean;
  /** Of lockd, seconds; undefined: the host's own. */
  readonly grace?: number | undefined;
  readonly ports: DaemonPorts & { readonly lockd?: number | undefined };
  /** Path of the callout for rpc.statd -H. */
  readonly callout: string;
  readonly foreignMountpoints: readonly string[];
  readonly filesystems: readonly LockedFilesystem[];
}

/**
 * Stock kernels, with a grace period for one address alone: lockd and nfsd keep locks, grace and clients per network
 * namespace (fs/lockd/netns.h, fs/nfsd/netns.h), so each floating IP gets one, with nfsd, lockd, statd, mountd and
 * rpcbind of its own. B-2 is its start; A-3 unlocks its file systems, A-4 ends it; no other client notices.
 */
export function lockdNetns(host: Host, config: InstanceConfig): LockManager {
  const { address, nfsd } = config;
  const inside = insideInstance(address);
  const daemons = instanceDaemons(config.callout, config.ports);
  const unlockInside = (filesystem: LockedFilesystem) =>
    insideOrGone(config, unlockFilesystem(nfsd, filesystem));
  const stillThere = `an earlier instance of ${address} is still there`;
  const leftovers = [
    ...config.filesystems.map((filesystem) => unlockInside(filesystem)),
    endDaemons(address),
    stopNfsd(config),
  ];
  return {
    ...kernelDefaults(servingPlace(host, address), nfsd),
    name: 'lockd-netns',
    gracePerFsid: false,
    graceTakesLocksOf: 'address',
    graceTakesExports: false,
    announcesAgain: true,
    dropLocks: (filesystem) => [reviveNfsd(config, filesystem), unlockInside(filesystem)],
    beforeUnmount: () => [endDaemons(address), stopNfsd(config), removeInstance(address)],
    beforeGrace: () => [
      ...leftovers.map((action) => onlyWhere(stillThere, action)),
      { ...onlyWhere(stillThere, clearLeftovers(address)), byHand: clearFirst },
      buildInstance({
        address,
        link: config.link,
        foreignMountpoints: config.foreignMountpoints,
        nfsConf: config,
      }),
      // All before nfsd, as distributions order them, so that as much as can be is done before the grace begins to run.
      ...daemons.map((daemon) => startDaemon(address, daemon)),
    ],
    enterGrace: () => [
      startNfsd(config),
      // Whatever a crash left locked of these file systems: nobody can have taken a lock here yet.
      ...config.filesystems.map((filesystem) => unlockInside(filesystem)),
    ],
    afterAddressUp: () => [copyDefaultRoute({ address, parent: config.link.parent })],
    endGrace: () => endLockdGrace(address),
    inGrace: () => isInGrace(inside, nfsd),
    isUp: (context) => serves(config, context),
    mend: () => [mendDaemons(config, daemons)],
    calloutFault: (servedAddress) => instanceCalloutFault(host, config, servedAddress),
    graceSeconds: () => wholeGrace(host, address, config.grace),
    graceLeft: async () =>
      graceLeft(host, address, {
        lockd: (await lockdPartRuns(inside)) === true,
        nfsd: nfsdInGrace(inside, nfsd) === true,
      }),
    health: ({ registeredAt }) => instanceHealth(host, address, nfsd, registeredAt),
  };
}

const clearFirst = [
  '# where an earlier instance is there still ("ip netns list"), first A-3 and A-4 of a release, but for the file systems',
];

/** What a crash left of this address's own instance goes first: a half-built one is never exported. */
function clearLeftovers(address: string): Action<HostContext> {
  const remove = removeInstance(address);
  return {
    ...remove,
    check: ({ host }) => !instanceExists(host, address),
    act: async (context) => {
      await remove.act(context);
      return 'cleared what was left of an earlier instance';
    },
  };
}

/**
 * nfsd that has died leaves its locks (see stopNfsd), and only a running one may be asked to drop them. One thread
 * is enough; nobody reaches it, as the address is down.
 */
function reviveNfsd(config: InstanceConfig, filesystem: LockedFilesystem): Action<LockManagerContext> {
  const { address, nfsd } = config;
  const inside = insideInstance(address);
  const argv: Argv = [...instancePrefix(address), 'rpc.nfsd', '-V', '3', '-N', '4', '1'];
  return {
    commands: [`${argv.join(' ')}   # only where nfsd has died and left its locks`],
    byHand: [],
    check: ({ host }) =>
      servesNothing(servingPlace(host, address)) ||
      nfsdThreads(inside, nfsd) > 0 ||
      locksOf({ host: inside }, filesystem)?.length === 0,
    act: async ({ host }) => {
      await runOrFail(host, argv);
      return 'nfsd had died: started anew to drop its locks';
    },
    verify: () => undefined,
  };
}

/**
 * The end of nfsd and lockd in the instance. It does not drop its locks: while lockd has another network namespace, the
 * host's own, Linux 6.1 leaves them and says "lockd: couldn't shutdown host module for net" (fs/lockd/host.c,
 * nlm_shutdown_hosts_net; nlmsvc_invalidate_all is for lockd's last user). So each fsid is unlocked before.
 */
function stopNfsd({ address, nfsd }: InstanceConfig): Action<LockManagerContext> {
  const argv: Argv = [...instancePrefix(address), 'rpc.nfsd', '0'];
  const inside = insideInstance(address);
  return {
    commands: [argv.join(' ')],
    check: () => nfsdThreads(inside, nfsd) === 0,
    act: async ({ host }) => {
      await runOrFail(host, argv);
      return undefined;
    },
    verify: () => {
      if (nfsdThreads(inside, nfsd) > 0)
        throw notSo('A-4', `nfsd of ${address} still has threads after "rpc.nfsd 0"`);
    },
  };
}

/** An action as seen from inside; nothing to do where there is no instance, or none that is whole. */
function insideOrGone(
  { address }: InstanceConfig,
  action: Action<LockManagerContext>,
): Action<LockManagerContext> {
  const host = insideInstance(address);
  return {
    ...action,
    commands: action.commands.map((line) => enteringText(instancePrefix(address), line)),
    check: (context) =>
      servesNothing(servingPlace(context.host, address)) || action.check({ ...context, host }),
    act: (context) => action.act({ ...context, host }),
    verify: (context) => action.verify({ ...context, host }),
  };
}

/** nfsd's start is lockd's, and lockd's start is the grace. */
function startNfsd({ address, nfsd, threads, grace, ports }: InstanceConfig): Action<LockManagerContext> {
  const prefix = instancePrefix(address);
  const start: Argv = ['rpc.nfsd', '-V', '3', '-N', '4', String(threads)];
  // The lock manager's sysctls are the whole kernel's; read when lockd starts (fs/lockd/svc.c).
  const sysctls: [string, number][] = [
    ...(grace === undefined ? [] : ([['/proc/sys/fs/nfs/nlm_grace_period', grace]] as [string, number][])),
    ...(ports.lockd === undefined
      ? []
      : ([
          ['/proc/sys/fs/nfs/nlm_tcpport', ports.lockd],
          ['/proc/sys/fs/nfs/nlm_udpport', ports.lockd],
        ] as [string, number][])),
  ];
  const graceFiles = [`${nfsd}/nfsv4leasetime`, `${nfsd}/nfsv4gracetime`];
  const inside = insideInstance(address);
  const { rpcbindSocket } = instancePlace(address);
  return {
    commands: [
      ...sysctls.map(([file, value]) => `echo ${value} > ${file}`),
      ...graceFiles.map((file) => `${prefix.join(' ')} sh -c 'echo ${nfsdGrace} > ${file}'`),
      [...prefix, ...start].join(' '),
    ],
    programs: ['rpc.nfsd'],
    check: () => false,
    act: async ({ host, registeredAt }) => {
      for (const [file, value] of sysctls) await host.writeKernel(file, `${value}\n`);
      // A kernel without NFSv4 has neither the files nor the grace.
      const present = graceFiles.filter((file) => inside.readText(file) !== undefined);
      for (const file of present) await inside.writeKernel(file, `${nfsdGrace}\n`);
      noteGrace(host, address, { lockd: lockdGraceSeconds(host), nfsd: nfsdGraceSeconds(inside, nfsd) });
      await runOrFail(host, [...prefix, ...start]);
      await waitUntil(
        host,
        `lockd to register with the rpcbind of the instance of ${address}`,
        () => registeredAt(rpcbindSocket, nlmProgram),
        { intervalMs: 50 },
      );
      return servesVersion4(host, nfsd)
        ? 'NFSv4 is off in the instance: where clients mount this address with it, set driver = "lockd"'
        : undefined;
    },
    verify: async ({ registeredAt }) => {
      if (nfsdThreads(inside, nfsd) === 0)
        throw notSo('B-2', `nfsd has no threads in the instance of ${address}`);
      if (!(await registeredAt(rpcbindSocket, nlmProgram))) {
        throw notSo(
          'B-2',
          `lockd is not registered with the rpcbind of the instance of ${address}, ${settleText()} after nfsd was started`,
        );
      }
      if (lockdInGrace(inside) === false) {
        throw notSo(
          'B-2',
          `lockd of ${address} runs, but is not in its grace period: reclaims would be refused`,
        );
      }
    },
  };
}

/**
 * Whether clients find lockd. One that a new rpcbind does not know, and nfsd that has died, come back with a new instance alone: only
 * their start registers them. rpcbind is given its time to answer: to clear an instance away that is only slow would cost every lock.
 */
async function serves({ address, nfsd }: InstanceConfig, { host, registeredAt }: LockManagerContext) {
  if (!instanceExists(host, address) || nfsdThreads(insideInstance(address), nfsd) === 0) return false;
  const { rpcbindSocket } = instancePlace(address);
  return waitUntil(host, `rpcbind of the instance of ${address}`, () =>
    registeredAt(rpcbindSocket, nlmProgram),
  );
}

/** Before there is an instance: whether the user that the host's rpc.statd has can run the callout that the instance's will be given. */
async function instanceCalloutFault(
  host: Host,
  { address, callout }: InstanceConfig,
  servedAddress: string | undefined,
): Promise<Obstacle | undefined> {
  const { netnsFile, mountNamespace } = instancePlace(address);
  if (instanceExists(host, address)) return calloutFault(host, netnsFile, servedAddress, mountNamespace);
  const user = monitored(host);
  if (host.kind === 'rehearsal' || user === undefined) return undefined;
  const { uid, gid } = user;
  return tryCallout(host, { uid, gid, groups: [], run: undefined, enter: [], callout }, undefined);
}

/** Whether the host's own nfsd serves NFSv4, as `+4` in nfsd's file of versions (nfsctl.c, __write_versions). */
function servesVersion4(host: Host, nfsd: string): boolean {
  return /(?:^|\s)\+4(?:\s|$)/.test(host.readText(`${nfsd}/versions`) ?? '');
}
