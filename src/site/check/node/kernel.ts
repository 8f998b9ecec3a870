import type { Host } from '../../../host/host.js';
import { lockdGraceSeconds } from '../../../host/reading/nfsd.js';
import { type Check, type Finding, type NodeSite, orElse, warning } from '../check.js';

type Version = readonly [major: number, minor: number];

/** What is known of some kernels, and matters to who works on a node by hand, too. */
interface Defect {
  readonly from: Version;
  /** The first that has it no more. */
  readonly before: Version;
  readonly says: string;
}

const defects: readonly Defect[] = [
  {
    // fs/nfsd/nfsctl.c, write_unlock_fs: from 6.9 on it takes nfsd's state apart, also where there is none (read in 6.12.107); unlock-filesystem.ts.
    from: [6, 9],
    before: [6, 19],
    says: 'it crashes where /proc/fs/nfsd/unlock_filesystem is written by hand while nfsd is down',
  },
];

/** Linux: what release it is, what is known of that, and how lockd is set. */
export const kernelCheck: Check<NodeSite> = {
  name: 'kernel',
  text: "the kernel's release, what is known of it, and how its lockd is set: the length of the grace, and by which names clients are recorded",
  look: async ({ reader: { host } }) => {
    const release = host.readText('/proc/sys/kernel/osrelease')?.trim() ?? '';
    const known = ['', ...knownOf(release)].join('; known of it: ');
    return orElse(
      settingsOf(host),
      `Linux ${release || 'of unknown release'}, ${lockdGraceSeconds(host)} s of grace${known}`,
    );
  },
};

function knownOf(release: string): string[] {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  if (major === undefined || minor === undefined) return [];
  const version: Version = [Number(major), Number(minor)];
  return defects
    .filter(({ from, before }) => !isLess(version, from) && isLess(version, before))
    .map(({ says }) => says);
}

function isLess([a, b]: Version, [c, d]: Version): boolean {
  return a < c || (a === c && b < d);
}

function settingsOf(host: Host): Finding[] {
  // Linux fs/lockd/mon.c, nsm_use_hostnames: 1 or Y.
  const usesNames = /^[1Yy]/.test(host.readText('/proc/sys/fs/nfs/nsm_use_hostnames') ?? '');
  const period = Number.parseInt(host.readText('/proc/sys/fs/nfs/nlm_grace_period') ?? '0', 10);
  return [
    ...(usesNames
      ? [
          warning(
            'fs.nfs.nsm_use_hostnames is set: lockd records clients by the names that they give themselves, and one that does not resolve here is not notified',
            'sysctl fs.nfs.nsm_use_hostnames=0, on every node, before the addresses are served.',
          ),
        ]
      : []),
    ...(period > 0 && period < 10
      ? [
          warning(
            `fs.nfs.nlm_grace_period is ${period} s: clients that are all notified at once have hardly time to reclaim`,
            'Set it to 50 or more, or to 0, the default.',
          ),
        ]
      : []),
  ];
}
