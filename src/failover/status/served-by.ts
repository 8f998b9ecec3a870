import type { FloatingIp } from '../../config/config.js';
import { driverHere } from '../../lockmanager/choose.js';
import { isRecording } from '../../rundir/serving.js';
import type { NodeReader } from '../access/with-record.js';

/** What the lock manager says of an address that it serves here; nothing where it is not served here, or cannot be known. */
export interface ServedBy {
  /** Whole seconds until the grace ends that runs; 0: none runs. */
  readonly graceLeft?: number | undefined;
  /** How many clients its rpc.statd monitors. */
  readonly monitored?: number | undefined;
}

/** Throws what the driver throws, FailoverError. */
export async function servedBy(reader: NodeReader, floatingIp: FloatingIp): Promise<ServedBy> {
  const driver = await driverHere(reader.drivers, { ...reader, floatingIp });
  if (driver === undefined || !isRecording(driver.run, floatingIp.address)) return {};
  if (driver.canBeEntered?.() === false) return {};
  const monitored = await driver.monitored();
  return {
    graceLeft: await driver.graceLeft(),
    monitored: monitored === undefined || monitored.unread !== undefined ? undefined : monitored.hosts.length,
  };
}
