import { FailoverError } from '../../errors.js';
import { isMissing } from '../../host/running/command.js';
import type { Argv, Host } from '../../host/host.js';
import { instancePrefix } from './place.js';

/**
 * Whether an RPC program of an instance answers a call that asks nothing of it (procedure 0, rpcinfo(8)). One that hangs
 * is registered and its process is there, and clients wait for it all the same: of every address of the node where it is
 * rpc.statd, as lockd has one thread, which waits for its answer (fs/lockd/mon.c, nsm_monitor).
 * Undefined where it could not be asked. rpcinfo gives up after 10 s.
 */
export async function answersInside(
  host: Host,
  address: string,
  program: number,
  version: number,
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
