import { type DriverKey, settingOf } from '../../config/driver-settings.js';
import { Wrong } from '../../config/problem.js';
import type { Argv, Host } from '../../host/host.js';
import { hasNfsd } from '../../host/reading/nfsd.js';
import { isInstalled } from '../../host/running/command.js';
import { nfsdKey, onSite } from '../kernel.js';
import type { DriverModule } from '../module.js';
import { unfitFilesystems } from '../unfit.js';
import { lockd } from './lockd.js';

const restartKey: DriverKey<Argv> = {
  name: 'restart',
  wanted: 'a command and its arguments, as an array of strings',
  text: 'how this host starts nfsd and lockd, as a list of words',
  default: ['systemctl', 'restart', 'nfs-server'],
  read: readRestart,
};

export const lockdModule: DriverModule = {
  name: 'lockd',
  summary: 'stock kernels',
  servesFrom: 'node',
  startsTogether: true,
  keys: [nfsdKey, restartKey],
  unsuited: () => [],
  // A release, and a takeover of a part, go on with what is here.
  lacks: async ({ host, config, floatingIp }, { takesOver }) =>
    takesOver
      ? [
          ...unfitFilesystems(host, floatingIp),
          ...(await serverLacks(host, settingOf(config.lockManager, restartKey))),
        ]
      : [],
  make: (site) => {
    const { lockManager } = site.config;
    return lockd(onSite(site), {
      nfsd: settingOf(lockManager, nfsdKey),
      restart: settingOf(lockManager, restartKey),
    });
  },
};

/** What the server of a host lacks to be started anew: everything, each as a clause. */
async function serverLacks(host: Host, [program]: Argv): Promise<string[]> {
  if (host.kind === 'rehearsal') return [];
  return [
    ...((await hasNfsd(host)) ? [] : ['no nfsd in this kernel']),
    ...(isInstalled(program) ? [] : [`${program} (restart in [lock_manager]) not installed`]),
  ];
}

function readRestart(input: unknown): Argv | Wrong {
  const wanted = 'a command and its arguments, such as ["systemctl", "restart", "nfs-server"]';
  if (!Array.isArray(input)) return new Wrong(`write an array of strings: ${wanted}`);
  const words = input.filter((word): word is string => typeof word === 'string' && /^[^\0]+$/.test(word));
  const [command, ...rest] = words;
  if (command === undefined || words.length < input.length) {
    return new Wrong(`write an array of strings, none of them empty: ${wanted}`);
  }
  if (command.startsWith('-') || (command.includes('/') && !command.startsWith('/'))) {
    return new Wrong('the command is a name to be found in PATH, or an absolute path');
  }
  return [command, ...rest];
}
