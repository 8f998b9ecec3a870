import { existsSync } from 'node:fs';
import { type Action, commandText, type HostContext, notSo, runOrFail } from '../../host/action.js';
import type { Argv } from '../../host/host.js';
import { mountAt } from '../../host/reading/mounts.js';
import { settleText } from '../../host/running/wait.js';
import { removeInstanceDirectories } from './directories.js';
import { instanceExists, instanceInterface, instancePlace } from './place.js';
import { endInstanceProcesses, instanceProcesses } from './processes.js';
import { systemdRuns } from '../../host/reading/boot.js';
import { stopUnits } from './supervision.js';

/**
 * The end of an instance's processes, before that of its nfsd: lockd then tells nobody's statd that it monitors nobody
 * any more. Asked, a statd takes seconds for a hundred clients, and one that is dead takes 9 s for each, and 60 s on Linux
 * 7.2 (net/sunrpc/clnt.c waits for a service that rpcbind does not know); no rpcbind at all is an answer at once.
 */
export function endDaemons(address: string): Action<HostContext> {
  return {
    commands: [
      `${commandText(stopUnits(address))}   # where systemd runs`,
      `kill $(ip netns pids ${instancePlace(address).netns})`,
    ],
    check: ({ host }) => instanceProcesses(host, address).length === 0,
    act: async ({ host }) => {
      if (systemdRuns(host)) await runOrFail(host, stopUnits(address));
      if (!(await endInstanceProcesses(host, address))) {
        const left = instanceProcesses(host, address).map(({ name, pid }) => `${name} (pid ${pid})`);
        throw notSo(
          'A-4',
          `The instance of ${address} does not end: ${left.join(', ')} ignored SIGKILL for ${settleText()}`,
          'They wait in the kernel: see "dmesg".',
        );
      }
      return undefined;
    },
    verify: () => undefined,
  };
}

/**
 * The end of an instance, whole or half-built: its processes, its link, its mount namespace, its network
 * namespace, its directory. Only what bears this address's name, and processes that are in its namespace, is touched.
 */
export function removeInstance(address: string): Action<HostContext> {
  const { netns, netnsFile, directory, mountNamespace } = instancePlace(address);
  const deleteLink: Argv = ['ip', '-n', netns, 'link', 'del', instanceInterface];
  const deleteNamespace: Argv = ['ip', 'netns', 'del', netns];
  return {
    commands: [
      commandText(deleteLink),
      commandText(unmount(mountNamespace)),
      commandText(unmount(directory)),
      commandText(deleteNamespace),
      `rmdir ${directory}`,
    ],
    check: ({ host }) => !instanceExists(host, address),
    act: async ({ host }) => {
      // Processes that came after the daemons ended: an `nlm-failover exec`.
      const end = endDaemons(address);
      if (!(await end.check({ host }))) await end.act({ host });
      if (existsSync(netnsFile)) await host.run(deleteLink);
      // The mount namespace goes with its last reference; so does its copy of the volume.
      for (const target of [mountNamespace, directory]) {
        while (mountAt(host, target) !== undefined) await runOrFail(host, unmount(target));
      }
      if (existsSync(netnsFile)) await runOrFail(host, deleteNamespace);
      removeInstanceDirectories(address);
      return undefined;
    },
    verify: ({ host }) => {
      if (instanceExists(host, address)) {
        throw notSo('A-4', `The instance of ${address} is not gone: see ${directory} and "ip netns list"`);
      }
    },
  };
}

/** With what is mounted below, and also where somebody has a file open there: it goes when he does. */
function unmount(target: string): Argv {
  return ['umount', '--lazy', target];
}
