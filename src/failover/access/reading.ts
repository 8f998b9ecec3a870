import type { Config, FloatingIp } from '../../config/config.js';
import type { Host } from '../../host/host.js';
import type { FoldReport, MonitorRecord } from '../../record/record.js';
import { RecordSession } from './session.js';

export interface Reader {
  readonly host: Host;
  readonly config: Config;
}

/**
 * Reads the record of an address, folded first, so that nothing the callouts wrote is missing.
 * Undefined where this node cannot reach it (its volume is mounted elsewhere) or there is none yet.
 */
export function readRecord<T>(
  { host, config }: Reader,
  ip: FloatingIp,
  use: (record: MonitorRecord, folded: FoldReport) => T,
): T | undefined {
  const session = new RecordSession(host, ip, config);
  try {
    const record = session.open({ create: false });
    return record === undefined ? undefined : use(record, record.fold());
  } finally {
    session.close();
  }
}
