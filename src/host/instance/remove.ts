import { existsSync } from 'node:fs';
import { type Action, commandText, type HostContext, notSo, runOrFail } from '../action.js';
import type { Argv } from '../host.js';
import { mountAt } from '../mounts.js';
import { removeInstanceDirectories } from './directories.js';
import { instanceExists, instanceInterface, instancePlace } from './place.js';
import { endInstanceProcesses, instanceProcesses } from './processes.js';
import { stopUnits, systemdRuns } from './supervision.js';

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
      `${commandText(stopUnits(address))}   # where systemd runs`,
      `kill $(ip netns pids ${netns})`,
      commandText(deleteLink),
      commandText(['umount', mountNamespace]),
      commandText(['umount', directory]),
      commandText(deleteNamespace),
      `rm -r ${directory}`,
    ],
    check: ({ host }) => !instanceExists(host, address),
    act: async ({ host }) => {
      if (systemdRuns(host)) await runOrFail(host, stopUnits(address));
      if (!(await endInstanceProcesses(host, address))) {
        const left = instanceProcesses(host, address).map(({ name, pid }) => `${name} (pid ${pid})`);
        throw notSo(
          'A-4',
          `The instance of ${address} does not end: ${left.join(', ')} ignore SIGKILL`,
          'They wait in the kernel: see "dmesg".',
        );
      }
      if (existsSync(netnsFile)) await host.run(deleteLink);
      // The mount namespace goes with its last reference; so does its copy of the volume.
      for (const target of [mountNamespace, directory]) {
        while (mountAt(host, target) !== undefined) await runOrFail(host, ['umount', target]);
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
