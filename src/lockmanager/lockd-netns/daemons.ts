import { FailoverError } from '../../errors.js';
import { commandText, notSo } from '../../host/action.js';
import type { Argv, Host } from '../../host/host.js';
import { isMissing } from '../../host/running/command.js';
import { settleText, waitUntil } from '../../host/running/wait.js';
import { instancePlace, instancePrefix, statdDirectory } from './place.js';
import { instanceProcesses } from './processes.js';
import type { LockManagerAction, LockManagerContext } from '../port.js';
import { startCommand, startSupervised } from './supervision.js';

export interface Daemon {
  /** As it runs in the foreground. */
  readonly argv: Argv;
  /** The process's name in /proc/PID/comm. */
  readonly name: string;
  /** The RPC program it registers. */
  readonly program: number;
  /** One that it serves. */
  readonly version: number;
  /**
   * Whether a service manager may start it anew by itself. Not rpcbind: what the others had registered with it is gone,
   * so that a new one would only hide that it died.
   */
  readonly restarts: boolean;
}

export type RpcService = Pick<Daemon, 'name' | 'program' | 'version'>;

export interface DaemonPorts {
  readonly mountd?: number | undefined;
  readonly statd?: number | undefined;
}

/** The daemons of an instance, in the order in which they need each other. Program numbers: rpc(5). */
export function instanceDaemons(callout: string, { mountd, statd }: DaemonPorts = {}): readonly Daemon[] {
  const port = (number: number | undefined) => (number === undefined ? [] : ['-p', String(number)]);
  return [
    { argv: ['rpcbind', '-f', '-w'], name: 'rpcbind', program: 100000, version: 2, restarts: false },
    {
      argv: ['rpc.statd', '-F', '--no-notify', '-P', statdDirectory, '-H', callout, ...port(statd)],
      name: 'rpc.statd',
      program: 100024,
      version: 1,
      restarts: true,
    },
    // Version 4 needs nfsdcld to survive a failover, and has no NLM locks: off.
    {
      argv: ['rpc.mountd', '-F', '-N', '4', ...port(mountd)],
      name: 'rpc.mountd',
      program: 100005,
      version: 3,
      restarts: true,
    },
  ];
}

/** B-2: one daemon of an instance runs, and is registered. */
export function startDaemon(address: string, daemon: Daemon): LockManagerAction {
  const { argv, name, program, restarts } = daemon;
  const { rpcbindSocket } = instancePlace(address);
  const supervised = { address, name, argv, restarts };
  const byHand = commandText([...instancePrefix(address), ...argv]);
  const isUp = async ({ host, registeredAt }: LockManagerContext) =>
    isRunning(host, address, name) && (await registeredAt(rpcbindSocket, program));
  // What one that was killed had registered is there still, until the new one has taken it back and registers itself: seen, by a look
  // between the two. Only the new one answers, and only once it has registered (svc_run(3)).
  let isFollower = false;
  const answers = async ({ host }: LockManagerContext) =>
    !isFollower || (await answersInside(host, address, daemon)) !== false;
  return {
    commands: [`${byHand} &   # where systemd runs: systemd-run ... ${byHand}`],
    // Without -f and -F they go into the background by themselves.
    byHand: [
      commandText([...instancePrefix(address), ...argv.filter((word) => word !== '-f' && word !== '-F')]),
    ],
    programs: [argv[0]],
    check: isUp,
    act: async (context) => {
      isFollower = await context.registeredAt(rpcbindSocket, program);
      await startSupervised(context.host, supervised);
      // Seen: under 0.3 s.
      await waitUntil(
        context.host,
        `${name} to register with the rpcbind of the instance`,
        async () => (await isUp(context)) && (await answers(context)),
        { intervalMs: 50 },
      );
      return undefined;
    },
    verify: async (context) => {
      const { host, registeredAt } = context;
      if (!isRunning(host, address, name)) {
        throw notSo(
          'B-2',
          `${name} does not run in the instance of ${address}`,
          `Run it by hand to see what it says: ${byHand}`,
        );
      }
      const startedAs = `It was started as: ${commandText(startCommand(host, supervised))}`;
      if (!(await registeredAt(rpcbindSocket, program))) {
        throw notSo(
          'B-2',
          `${name} is not registered with the rpcbind of the instance of ${address} ${settleText()} after it was started`,
          startedAs,
        );
      }
      if (!(await answers(context))) {
        throw notSo(
          'B-2',
          `${name} of the instance of ${address} does not answer ${settleText()} after it was started`,
          startedAs,
        );
      }
    },
  };
}

function isRunning(host: Host, address: string, name: string): boolean {
  return instanceProcesses(host, address).some((one) => one.name === name);
}

/**
 * Whether an RPC program of an instance answers a call that asks nothing of it (procedure 0, rpcinfo(8)). One that hangs
 * is registered and its process is there, and clients wait for it all the same: of every address of the node where it is
 * rpc.statd, as lockd has one thread, which waits for its answer (fs/lockd/mon.c, nsm_monitor).
 * Undefined where it could not be asked. rpcinfo gives up after 10 s.
 */
export async function answersInside(
  host: Host,
  address: string,
  { program, version }: RpcService,
): Promise<boolean | undefined> {
  const question: Argv = ['rpcinfo', '-T', 'tcp', '127.0.0.1', String(program), String(version)];
  try {
    const { exitCode, stderr } = await host.run([...instancePrefix(address), ...question], { short: true });
    if (exitCode === 0) return true;
    return /^rpcinfo: RPC: /m.test(stderr) ? false : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    if (error instanceof FailoverError && error.code === 'COMMAND_TIMEOUT') return false;
    throw error;
  }
}
