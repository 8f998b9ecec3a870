import {
  type DriverKey,
  ofString,
  type RawFile,
  settingOf,
  wholeNumber,
} from '../../config/driver-settings.js';
import { readPath } from '../../config/paths.js';
import { type Problem, Wrong } from '../../config/problem.js';
import type { Host } from '../../host/host.js';
import { isInstalled } from '../../host/running/command.js';
import { onSite } from '../kernel.js';
import type { DriverModule, Site } from '../module.js';
import { blockLacks } from './block.js';
import { coreParam, gracePeriodOf } from './conf.js';
import { ask, type Bus, faultClause } from './bus.js';
import { ganesha } from './ganesha.js';
import { getGrace, showExports } from './methods.js';
import { isItsOwnStatd } from './process.js';

const name = 'ganesha';

const busWanted = 'an address of D-Bus, such as "unix:path=/run/dbus/system_bus_socket"';
const busKey: DriverKey<string | undefined> = {
  name: 'ganesha_bus',
  wanted: busWanted,
  text: 'the D-Bus that NFS-Ganesha is on',
  default: undefined,
  defaultText: "the system's bus",
  read: ofString(busWanted, (text) =>
    /^[a-z]+:[\w=,/.%:-]+$/.test(text) ? text : new Wrong(`write ${busWanted}`),
  ),
};

const confWanted = 'an absolute path, such as "/etc/ganesha/ganesha.conf"';
const confKey: DriverKey<string> = {
  name: 'ganesha_conf',
  wanted: confWanted,
  text: "NFS-Ganesha's configuration, in which Grace_Period of its block NFSv4 is read; what it includes is not",
  default: '/etc/ganesha/ganesha.conf',
  read: ofString(confWanted, readPath),
};

/** Ganesha takes 0 to 180 (nfs_read_conf.c); below 10 clients that were notified at once have no time to reclaim. */
const graceKey: DriverKey<number | undefined> = {
  name: 'ganesha_grace',
  ...wholeNumber('whole seconds from 10 to 180', 10n, 180n),
  text: 'how long the grace period of NFS-Ganesha is, in seconds. It is not set by this: it is for where `ganesha_conf` does not say it',
  default: undefined,
  defaultText: 'what Grace_Period in ganesha_conf says, else 90',
};

const directoryWanted = 'an absolute path, such as "/run/nlm-failover/ganesha"';
const directoryKey: DriverKey<string> = {
  name: 'ganesha_exports',
  wanted: directoryWanted,
  text: "where the EXPORT blocks are written that B-5 has NFS-Ganesha read, a file for each Export_Id. Not where ganesha.conf includes what it finds: what it then exports at its start is not this node's to export",
  default: '/run/nlm-failover/ganesha',
  read: ofString(directoryWanted, readPath),
};

/** Ganesha's own default (nfs_read_conf.c, Grace_Period). */
const defaultGrace = 90;

export const ganeshaModule: DriverModule = {
  name,
  summary: 'NFS-Ganesha, over D-Bus',
  servesFrom: 'node',
  isOnlyNamed: true,
  servesShared: true,
  remedy:
    'Have NFS-Ganesha run, on the D-Bus that ganesha_bus says, and let it answer root: see NFS-GANESHA in nlm-failover(8).',
  nodeAgent: ({ lockManager }) => {
    const address = settingOf(lockManager, busKey);
    return { type: name, parameters: address === undefined ? [] : [['bus', address]] };
  },
  keys: [busKey, confKey, graceKey, directoryKey],
  problems: exportIdProblems,
  unsuited: ({ filesystems }) =>
    filesystems.flatMap((filesystem) => [
      ...(filesystem.exportId === undefined ? [`${filesystem.mountpoint} has no export_id`] : []),
      ...blockLacks(filesystem),
    ]),
  ports: ({ host, config }) => {
    const text = host.readText(settingOf(config.lockManager, confKey)) ?? '';
    const port = (key: string, usual?: number) => {
      const said = Number(coreParam(text, key));
      return { port: said > 0 ? said : usual, key: `${key} under NFS_Core_Param` };
    };
    return {
      file: settingOf(config.lockManager, confKey),
      nfsd: port('NFS_Port', 2049),
      mountd: port('MNT_Port'),
      lockd: port('NLM_Port'),
    };
  },
  // A release, and a takeover of a part, go on with what is here.
  lacks: async (site, { takesOver }) => (takesOver ? serverLacks(busOf(site)) : []),
  make: (site) => {
    const { config, host, floatingIp } = site;
    return ganesha(onSite(site), {
      address: floatingIp.address,
      filesystems: floatingIp.filesystems,
      isShared: floatingIp.shared !== undefined,
      floatingIps: config.floatingIps,
      bus: settingOf(config.lockManager, busKey),
      directory: settingOf(config.lockManager, directoryKey),
      grace: () => graceOf(host, site),
      settings: () => ({
        file: settingOf(config.lockManager, confKey),
        text: host.readText(settingOf(config.lockManager, confKey)),
        isGraceSaid: settingOf(config.lockManager, graceKey) !== undefined,
      }),
    });
  },
};

function busOf({ host, config }: Pick<Site, 'host' | 'config'>): Bus {
  return { host, address: settingOf(config.lockManager, busKey) };
}

function graceOf(host: Host, { config: { lockManager } }: Pick<Site, 'config'>): number {
  const said = settingOf(lockManager, graceKey);
  if (said !== undefined) return said;
  return gracePeriodOf(host.readText(settingOf(lockManager, confKey)) ?? '') ?? defaultGrace;
}

/** Another Export_Id than before is a stale file handle for every client, so it is never made up. */
function exportIdProblems({ lockManager, filesystems, shared }: RawFile): Problem[] {
  const isNamed = lockManager['driver'] === name;
  return [...filesystems, ...shared].flatMap(({ at, row }): Problem[] => {
    const isExported = row['export'] !== undefined || at[0] === 'shared_filesystem';
    if (isNamed && isExported && row['export_id'] === undefined)
      return [
        {
          path: [...at, 'export_id'],
          message: `driver "${name}" needs the Export_Id of NFS-Ganesha, the same on every node: write an integer from 1 to 65535`,
        },
      ];
    const [key] = ['export_id', 'export_block'].filter((one) => row[one] !== undefined);
    if (key === undefined || (isNamed && isExported)) return [];
    const message = isNamed
      ? 'nothing is exported of this file system: leave it out'
      : `only driver "${name}" exports with it: write driver = "${name}" in [lock_manager], or leave it out`;
    return [{ path: [...at, key], message }];
  });
}

/** What keeps NFS-Ganesha from serving an address here, each as a clause. */
async function serverLacks(bus: Bus): Promise<string[]> {
  const { host } = bus;
  const isReal = host.kind === 'real';
  const missing = isReal ? ['busctl', 'ss'].filter((program) => !isInstalled(program)) : [];
  if (missing.length > 0) return missing.map((program) => `${program} not installed`);
  // A policy may let root ask one of the two only.
  for (const call of [getGrace, showExports]) {
    const answer = await ask(bus, call);
    if ('fault' in answer) return [faultClause(answer.fault, call, bus.address)];
  }
  return isReal && (await isItsOwnStatd(host))
    ? [
        'NFS-Ganesha is its own statd (it has registered program 100024) and runs no callout, so that no client would be recorded: let it use rpc.statd',
      ]
    : [];
}
