import { exitCodes, FailoverError } from '../../errors.js';
import type { RpcCall } from '../../rpc/rpc-call.js';
import { encodeStateChange, nsm } from './sm-notify-message.js';

/**
 * The SM_NOTIFY calls for one client: one for each name, in their order, all with the same state, since a
 * Linux client recovers again at each state that it has not seen.
 * Throws NSM_NOTIFICATION for what no statd would take: no name, an empty one, one over 1,024 bytes, or a
 * state that is not odd (an even one means "down") and a positive C int.
 */
export function notificationsOf(names: readonly string[], state: number): Omit<RpcCall, 'xid'>[] {
  if (!Number.isInteger(state) || state <= 0 || state > 0x7fff_ffff || state % 2 === 0) {
    throw invalid(`the NSM state ${state} is not an odd number from 1 to 2147483647`);
  }
  if (names.length === 0) throw invalid('SM_NOTIFY needs at least one name of the server');
  return [...new Set(names)].map((name) => {
    const bytes = Buffer.byteLength(name);
    if (bytes === 0 || bytes > nsm.maxNameBytes) throw invalid(`a server name of ${bytes} bytes`);
    return {
      program: nsm.program,
      version: nsm.version,
      procedure: nsm.procedures.notify,
      args: encodeStateChange({ name, state }),
    };
  });
}

function invalid(message: string): FailoverError {
  return new FailoverError(message, {
    code: 'NSM_NOTIFICATION',
    exitCode: exitCodes.stepFailed,
    operation: 'B-3 SM_NOTIFY',
  });
}
