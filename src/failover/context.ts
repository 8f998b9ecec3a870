import type { Config, FloatingIp } from '../config/config.js';
import type { LockManager, LockManagerContext } from '../lockmanager/port.js';
import type { Progress as NotifyProgress } from '../nsm/notify/report.js';
import type { RecordSession } from './access/session.js';

/** What is worth telling besides the steps, structured for pino: (fields, sentence). */
export type Log = (
  level: 'info' | 'warn',
  fields: Readonly<Record<string, unknown>>,
  message: string,
) => void;

/** Everything that the steps of one release, takeover or notify may use. */
export interface FailoverContext extends LockManagerContext {
  readonly config: Config;
  readonly floatingIp: FloatingIp;
  readonly driver: LockManager;
  /** The directory of serving links and marks. */
  readonly run: string;
  /** The record of the address that moves. */
  readonly session: RecordSession;
  /** Whether the caller vouches that the other node is dead. */
  readonly fenced: boolean;
  /** How long B-3 tries, ms; undefined: as long as the grace can help. */
  readonly notifyDeadlineMs: number | undefined;
  /** Port of the clients' rpcbind: 111 everywhere but in a rehearsal. */
  readonly rpcbindPort: number;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly onNotifyProgress: (progress: NotifyProgress) => void;
}
