import { spawn } from 'node:child_process';
import { type Action, commandText, type HostContext, notSo } from '../action.js';
import type { Argv, Host } from '../host.js';
import { waitUntil } from '../wait.js';
import { insideInstance } from './inside.js';
import { instancePrefix } from './place.js';
import { instanceProcesses } from './processes.js';

/** How long a daemon may take to register with the instance's rpcbind; seen: under 0.3 s. */
const registrationTimeoutMs = 15_000;

export interface Daemon {
  /** As it runs in the foreground. */
  readonly argv: Argv;
  /** The process's name in /proc/PID/comm. */
  readonly name: string;
  /** The RPC program it registers. */
  readonly program: number;
}

/** RPC program numbers (rpc(5)). */
const programs = { rpcbind: 100000, nfsd: 100003, mountd: 100005, statd: 100024 };

/** The names of the daemons' processes. */
export const daemonNames = ['rpcbind', 'rpc.statd', 'rpc.mountd'] as const;

export interface DaemonPorts {
  readonly mountd?: number | undefined;
  readonly statd?: number | undefined;
}

/** The daemons of an instance, in the order in which they need each other. */
export function instanceDaemons(
  callout: string,
  { mountd, statd }: DaemonPorts,
): Record<'rpcbind' | 'statd' | 'mountd', Daemon> {
  const port = (number: number | undefined) => (number === undefined ? [] : ['-p', String(number)]);
  return {
    rpcbind: { argv: ['rpcbind', '-f', '-w'], name: 'rpcbind', program: programs.rpcbind },
    statd: {
      argv: ['rpc.statd', '-F', '--no-notify', '-H', callout, ...port(statd)],
      name: 'rpc.statd',
      program: programs.statd,
    },
    // Version 4 needs nfsdcld to survive a failover, and has no NLM locks: off.
    mountd: {
      argv: ['rpc.mountd', '-F', '-N', '4', ...port(mountd)],
      name: 'rpc.mountd',
      program: programs.mountd,
    },
  };
}

/** B-2: one daemon of an instance runs, and is registered. */
export function startDaemon(address: string, { argv, name, program }: Daemon): Action<HostContext> {
  const prefix = instancePrefix(address);
  const isUp = async (host: Host) => isRunning(host, address, name) && (await isRegistered(address, program));
  return {
    commands: [`${commandText([...prefix, ...argv])} &`],
    check: ({ host }) => isUp(host),
    act: async ({ host }) => {
      const [command, ...args] = [...prefix, ...argv];
      // In a session of its own, so that it outlives this command; what it has to say goes to syslog.
      spawn(command, args, { detached: true, stdio: 'ignore', cwd: '/' }).unref();
      await waitUntil(host, () => isUp(host), { timeoutMs: registrationTimeoutMs, intervalMs: 50 });
      return undefined;
    },
    verify: async ({ host }) => {
      if (!isRunning(host, address, name)) {
        throw notSo(
          'B-2',
          `${name} does not run in the instance of ${address}`,
          `Run it by hand: ${commandText([...prefix, ...argv])}`,
        );
      }
      if (!(await isRegistered(address, program))) {
        throw notSo('B-2', `${name} is not registered with the rpcbind of the instance of ${address}`);
      }
    },
  };
}

function isRunning(host: Host, address: string, name: string): boolean {
  return instanceProcesses(host, address).some((one) => one.name === name);
}

/** Whether an RPC program is registered in an instance, from `rpcinfo -p` inside. */
export async function isRegistered(address: string, program: number): Promise<boolean> {
  const { exitCode, stdout } = await insideInstance(address).run(['rpcinfo', '-p'], { timeoutMs: 10_000 });
  return exitCode === 0 && stdout.split('\n').some((line) => line.trim().startsWith(`${program} `));
}
