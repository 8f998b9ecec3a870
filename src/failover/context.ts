import type { Config, FloatingIp } from '../config/config.js';
import type { Prover } from '../fencing/prover.js';
import type { LockManager, LockManagerContext } from '../lockmanager/port.js';
import type { Progress as NotifyProgress } from '../nsm/notify/report.js';
import type { GraceCall } from '../record/barrier.js';
import type { RecordSession } from './access/session.js';

/** What is worth logging besides the steps, structured for pino: (fields, sentence). */
export type Log = (
  level: 'info' | 'warn',
  fields: Readonly<Record<string, unknown>>,
  message: string,
) => void;

/** Who was notified in B-3, of the address and of each other one whose locks went in B-2. */
export interface Notified {
  readonly notified: number;
  readonly notNotified: readonly {
    readonly address: string;
    readonly client: string;
    readonly reason: string;
  }[];
  /** Sentences worth a person's attention. */
  readonly remarks: readonly string[];
}

/** B-3 where there is nobody to notify. */
export const nobody: Notified = { notified: 0, notNotified: [], remarks: [] };

/** What the steps of one command leave for those after them, and for its end. */
export class Collected {
  /** Undefined: B-3 had nothing to do, or has not come yet. */
  notified: Notified | undefined;
  /** When a look at the reclaims last saw the grace run, by performance.now(). */
  lastSeenInGrace = Number.NEGATIVE_INFINITY;
  /** How long after it the next one comes, where B-3 goes on meanwhile, ms. */
  nextLookMs = 500;
  /** Whether the looks went on without a gap until the grace was over; undefined: not over yet. */
  watchedToTheEnd: boolean | undefined;
  /** What could not be done and kept nothing else from being done; see HostContext. */
  readonly undone: string[] = [];
  /** The call that stands, to every node that exports the file systems, and when it was written, by performance.now(). */
  graceCall: { readonly call: GraceCall; readonly since: number } | undefined;
  /** Until when every node that joined in it is surely in grace, by performance.now(); undefined: this command has called none. */
  everywhereUntil: number | undefined;
  /** Nodes that did not enter grace with the others, each as a sentence. */
  readonly outOfGrace: string[] = [];
}

/** Everything that the steps of one release, takeover or notify may use. */
export interface FailoverContext extends LockManagerContext {
  readonly undone: NonNullable<LockManagerContext['undone']>;
  readonly config: Config;
  readonly floatingIp: FloatingIp;
  readonly driver: LockManager;
  /** The directory of serving links and marks. */
  readonly run: string;
  /** The record of the address that moves. */
  readonly session: RecordSession;
  /** Who says that a node is down which has the address and has not released it, or does not enter grace: the caller (--fenced), or who can prove it. Undefined: nobody. */
  readonly voucher: 'caller' | Prover | undefined;
  /** How long B-3 tries, ms; undefined: as long as the grace can help. */
  readonly notifyDeadlineMs: number | undefined;
  /** Port of the clients' rpcbind: 111 everywhere but in a rehearsal. */
  readonly rpcbindPort: number;
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly collected: Collected;
  readonly onNotifyProgress: (progress: NotifyProgress) => void;
}
