import { type DriverKey, settingOf } from '../../config/driver-settings.js';
import { Wrong } from '../../config/problem.js';
import type { Argv } from '../../host/host.js';
import { nfsdKey, onSite } from '../kernel.js';
import type { DriverModule } from '../module.js';
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
  keys: [nfsdKey, restartKey],
  unsuited: () => [],
  lacks: async () => [],
  make: (site) => {
    const { lockManager } = site.config;
    return lockd(onSite(site), {
      nfsd: settingOf(lockManager, nfsdKey),
      restart: settingOf(lockManager, restartKey),
    });
  },
};

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
