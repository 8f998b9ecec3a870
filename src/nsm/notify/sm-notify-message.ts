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
