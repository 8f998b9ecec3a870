import { exitCodes, FailoverError } from '../../errors.js';
import type { RpcCall } from '../../rpc/rpc-call.js';
import { XdrReader, XdrWriter } from '../../rpc/xdr.js';

/** The Network Status Monitor: X/Open XNFS chapter 11, Linux include/linux/lockd/ and nfs-utils sm_inter.x. */
export const nsm = {
  program: 100024,
  version: 1,
  procedures: { stat: 1, mon: 2, unmon: 3, unmonAll: 4, simuCrash: 5, notify: 6 },
  /** SM_MAXSTRLEN: the longest name that a statd takes, in bytes. */
  maxNameBytes: 1024,
} as const;

/** `struct stat_chge`: who restarted, and its state number, odd while it is up. */
export interface StateChange {
  readonly name: string;
  /** A C int. */
  readonly state: number;
}

/** The arguments of SM_NOTIFY. Throws XDR_TOO_LONG for a name over 1,024 bytes. */
export function encodeStateChange(change: StateChange): Buffer {
  return new XdrWriter().opaque(change.name, nsm.maxNameBytes).int32(change.state).toBuffer();
}

/** The reverse, for whoever stands in for a client's statd. Throws XDR_MALFORMED. */
export function decodeStateChange(args: Uint8Array): StateChange {
  const reader = new XdrReader(args);
  const change = { name: reader.string(nsm.maxNameBytes, 'mon_name'), state: reader.int32('state') };
  reader.end('the state change');
  return change;
}

/** A call of SM_NOTIFY, before it has an xid. */
export type Notification = Omit<RpcCall, 'xid'>;

/**
 * The SM_NOTIFY calls for one client: one for each name, in their order, all with the same state, since a
 * Linux client recovers again at each state that it has not seen. `pair`: before these as many with the even state
 * below it, "down", for clients that take nothing for a reboot that did not go down. What is later in the list is sent when all before it
 * are accepted.
 * Throws NSM_NOTIFICATION for what no statd would take: no name, an empty one, one over 1,024 bytes, or a
 * state that is not odd (an even one means "down") and a positive C int.
 */
export function notificationsOf(
  names: readonly string[],
  state: number,
  { pair = false }: { readonly pair?: boolean | undefined } = {},
): readonly (readonly Notification[])[] {
  if (!Number.isInteger(state) || state <= 0 || state > 0x7fff_ffff || state % 2 === 0) {
    throw invalid(`the NSM state ${state} is not an odd number from 1 to 2147483647`);
  }
  if (names.length === 0) throw invalid('SM_NOTIFY needs at least one name of the server');
  const all = [...new Set(names)];
  for (const name of all) {
    const bytes = Buffer.byteLength(name);
    if (bytes === 0 || bytes > nsm.maxNameBytes) throw invalid(`a server name of ${bytes} bytes`);
  }
  const states = pair ? [state - 1, state] : [state];
  return states.map((one) =>
    all.map((name) => ({
      program: nsm.program,
      version: nsm.version,
      procedure: nsm.procedures.notify,
      args: encodeStateChange({ name, state: one }),
    })),
  );
}

function invalid(message: string): FailoverError {
  return new FailoverError(message, {
    code: 'NSM_NOTIFICATION',
    exitCode: exitCodes.stepFailed,
    operation: 'B-3 SM_NOTIFY',
  });
}
