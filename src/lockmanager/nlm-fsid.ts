import { existsSync } from 'node:fs';
import { type RawFile, settingOf } from '../config/driver-settings.js';
import { isNumericFsid, readFsid } from '../config/fsid.js';
import { Wrong, type Problem } from '../config/problem.js';
import { mountAt } from '../host/reading/mounts.js';
import { kernelDefaults, nfsdKey, onSite } from './kernel.js';
import type { DriverModule } from './module.js';
import { locksOf, verifyLocksGone } from './lockd/locks-gone.js';
import { unfitFilesystems } from './unfit.js';
import type { LockManager, LockManagerAction, ServingPlace } from './port.js';

const name = 'nlm-fsid';

export const nlmFsidModule: DriverModule = {
  name,
  summary: 'kernels with the lock failover patches of 2006',
  servesFrom: 'node',
  keys: [nfsdKey],
  problems: uuidProblems,
  unsuited: ({ filesystems }) =>
    filesystems
      .filter(({ fsid }) => !isNumericFsid(fsid))
      .map(({ fsid }) => `fsid ${fsid} is a UUID, and nlm_unlock takes an integer`),
  lacks: async ({ host, config, floatingIp }, { takesOver }) => [
    ...['nlm_unlock', 'nlm_set_ip_grace']
      .map((file) => `${settingOf(config.lockManager, nfsdKey)}/${file}`)
      .filter((file) => !existsSync(host.path(file)))
      .map((file) => `no ${file}`),
    ...(takesOver ? unfitFilesystems(host, floatingIp) : []),
  ],
  make: (site) => nlmFsid(onSite(site), settingOf(site.config.lockManager, nfsdKey)),
};

function uuidProblems({ lockManager, filesystems }: RawFile): Problem[] {
  if (lockManager['driver'] !== name) return [];
  return filesystems
    .filter(({ row }) => {
      const fsid = readFsid(row['fsid']);
      return !(fsid instanceof Wrong) && !isNumericFsid(fsid);
    })
    .map(({ at }) => ({
      path: [...at, 'fsid'],
      message: `driver "${name}" needs an integer from 1 to 4294967295`,
    }));
}

/**
 * The kernel interface of the NLM lock failover patches of 2006: an fsid written to nlm_unlock
 * drops its locks, one written to nlm_set_ip_grace gives it a grace period of its own (B-2).
 * No other file system and no other client notices. In no mainline kernel.
 */
export function nlmFsid(place: ServingPlace, nfsd: string): LockManager {
  return {
    ...kernelDefaults(place, nfsd),
    name,
    gracePerFsid: true,
    graceTakesLocksOf: 'fsid',
    graceTakesExports: false,
    // lockd is not started anew.
    announcesAgain: false,
    dropLocks: (filesystem) => [
      {
        ...writeFsid(`${nfsd}/nlm_unlock`, filesystem.fsid),
        check: (context) => {
          locksOf(context, filesystem); // throws where another device is mounted: then no fsid is written
          return mountAt(context.host, filesystem.mountpoint) === undefined;
        },
        verify: (context) => verifyLocksGone(context, filesystem),
      },
    ],
    enterGrace: ({ fsid }) => [writeFsid(`${nfsd}/nlm_set_ip_grace`, fsid)],
    // The kernel tells of no grace but its own.
    inGrace: async () => undefined,
  };
}

/** One write per fsid: `echo 1234 > FILE`, newline included (nfsctl.c takes nothing without one). */
function writeFsid(file: string, fsid: string): LockManagerAction {
  return {
    commands: [`echo ${fsid} > ${file}`],
    check: () => false,
    act: async ({ host }) => {
      await host.writeKernel(file, `${fsid}\n`);
      return undefined;
    },
    verify: () => undefined,
  };
}
