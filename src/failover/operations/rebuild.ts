import type { FloatingIp } from '../../config/config.js';
import { driverHere } from '../../lockmanager/choose.js';
import { lockOperation } from '../../rundir/operation-lock.js';
import { isRecording } from '../../rundir/serving.js';
import { rebuildRecord, type Rebuilt } from '../../record/rebuild/rebuild.js';
import type { NodeReader } from '../access/with-record.js';
import { recordLocation, recordReachable, unreachable } from '../access/location.js';

export interface RebuildResult extends Rebuilt {
  readonly address: string;
  /** sm_<address>, as this host names it. */
  readonly directory: string;
  /** Whether this node's callout records for the address, to a journal that was read and stays in use. */
  readonly recordingHere: boolean;
}

/**
 * `nlm-failover rebuild`: the record of an address made anew from its journals. One operation of the address at a time on
 * this node, as for release and takeover; a command of another node that has the old record open stops (RECORD_REPLACED).
 *
 * A node that serves the address meanwhile goes on: its callout writes to the journal, which is not touched, and what comes
 * later is folded into the new database from where this has read it.
 */
export async function rebuild(reader: NodeReader, ip: FloatingIp, force: boolean): Promise<RebuildResult> {
  const { host, run, config } = reader;
  const lock = lockOperation(run, ip.address, 'rebuild');
  try {
    if (!recordReachable(host, ip)) throw unreachable(host, ip);
    const { directory } = recordLocation(host, ip);
    const rebuilt = rebuildRecord({
      directory,
      force,
      fsids: ip.filesystems.map(({ fsid }) => fsid),
      now: host.now(),
      busyTimeout: config.timeouts.record * 1000,
    });
    const driver = await driverHere(reader.drivers, { ...reader, floatingIp: ip });
    const links = driver?.run ?? run;
    return { address: ip.address, directory, recordingHere: isRecording(links, ip.address), ...rebuilt };
  } finally {
    lock.release();
  }
}
