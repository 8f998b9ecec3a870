import { messageOf } from '../../errors.js';
import type { MonitorRecord, OperationEnd, OperationKind } from '../../record/record.js';
import { lockOperation } from '../../rundir/operation-lock.js';
import { runDirectory } from '../../rundir/serving.js';
import { sharedKeys } from '../access/shared-keys.js';
import { expectRecord } from '../access/with-record.js';
import type { FailoverContext, Notified } from '../context.js';
import { withdrawLeft } from '../sharing/barrier.js';
import type { StepName } from '../../step-names.js';
import type { StepReport } from './runner.js';
import { vouchedBy } from './vouched.js';

export interface OperationResult {
  /** `incomplete`: see `undone`. */
  readonly outcome: 'done' | 'not-notified' | 'incomplete';
  readonly clients: { readonly notified: number; readonly notNotified: number };
  readonly notNotified: Notified['notNotified'];
  /** What could not be done, as sentences, while everything else was. */
  readonly undone: readonly string[];
  /** Sentences worth a person's attention, as about how the clients were notified. */
  readonly remarks: readonly string[];
  /** takeover: by whom it was proved that the owner was down, which had not released the address; absent: nobody had to. */
  readonly fencing?: string;
}

/**
 * Runs one operation of an address: its record can be opened, what is done is kept there, and nothing of it stays open.
 * `failed`: what must be put right in the record first. Throws what `work` throws.
 */
export async function operate(
  context: FailoverContext,
  kind: OperationKind,
  work: (log: OperationLog) => Promise<OperationResult>,
  failed: () => void = () => undefined,
): Promise<OperationResult> {
  const log = new OperationLog(context, kind);
  try {
    await expectRecord(context);
    const result = await work(log);
    return { ...result, remarks: [...result.remarks, ...log.remarks] };
  } catch (error) {
    failed();
    log.end('failed', messageOf(error));
    throw error;
  } finally {
    withdrawLeft(context);
    context.session.close();
  }
}

/** Runs an operation that changes this node: only one for each address runs at a time. */
export async function operateAlone(
  context: FailoverContext,
  kind: OperationKind,
  work: (log: OperationLog) => Promise<OperationResult>,
  failed?: () => void,
): Promise<OperationResult> {
  const lock = lockOperation(runDirectory(context.host), context.floatingIp.address, kind);
  try {
    return await operate(context, kind, work, failed);
  } finally {
    lock.release();
  }
}

/** What B-2, B-3 and the next run ask for: see rerun.ts. */
const decidesReruns: ReadonlySet<string> = new Set<StepName>(['B-2', 'B-3']);

/** Keeps in the record what an operation did, as far as the record can be reached at that moment. */
export class OperationLog {
  readonly #context: FailoverContext;
  readonly #kind: OperationKind;
  #id: number | undefined;
  /** Whether the last of it found no space. */
  #isFull = false;
  /** Steps that ended before the record could be opened (B-1 of a record on the moving volume). */
  #waiting: { readonly report: StepReport; readonly at: number }[] = [];

  constructor(context: FailoverContext, kind: OperationKind) {
    this.#context = context;
    this.#kind = kind;
  }

  /** What a person must know of it. */
  get remarks(): readonly string[] {
    const { directory } = this.#context.session.location;
    return this.#isFull
      ? [
          `the disk of ${directory} is full: not all of this ${this.#kind} is in the record, and the callout may not be able to record`,
        ]
      : [];
  }

  begin(isNeeded = false): void {
    const { session, host, config, floatingIp } = this.#context;
    if (this.#id !== undefined) return;
    // A release may be of the address as it was taken over.
    const configured = config.floatingIps.find(({ address }) => address === floatingIp.address);
    const start = {
      kind: this.#kind,
      node: config.node,
      epoch: session.epoch,
      now: host.now(),
      forced: vouchedBy(this.#context),
    };
    this.#id = this.#write(
      'beginning an operation',
      (record) => {
        record.noteConfiguration({
          node: config.node,
          at: start.now,
          keys: sharedKeys(config, configured ?? floatingIp),
        });
        return record.beginOperation(start);
      },
      isNeeded,
    )?.written;
  }

  step(report: StepReport): void {
    this.#waiting.push({ report, at: this.#context.host.now() });
    if (this.#context.session.record === undefined) return;
    const isNeeded = this.#waiting.some(({ report: ended }) => decidesReruns.has(ended.step));
    this.begin(isNeeded);
    const id = this.#id;
    if (id === undefined) return;
    const done = this.#write(
      'writing a step',
      (record) => {
        for (const { report: ended, at } of this.#waiting) {
          const { step, fsid, state, ms, detail } = ended;
          record.recordStep(id, { step, ...(fsid === undefined ? {} : { fsid }), state, ms, detail, at });
        }
      },
      isNeeded,
    );
    if (done !== undefined) this.#waiting = [];
  }

  end(outcome: OperationEnd['outcome'], detail: string, clients?: OperationEnd['clients']): void {
    const id = this.#id;
    if (id === undefined) return;
    const now = this.#context.host.now();
    this.#write(
      'ending an operation',
      (record) => record.endOperation(id, { outcome, now, detail, clients }),
      false,
    );
  }

  /**
   * In one transaction with the question whose the address is: else the last operation that status shows could be that of a
   * node that has lost it.
   */
  #write<T>(
    what: string,
    write: (record: MonitorRecord) => T,
    isNeeded: boolean,
  ): { readonly written: T | undefined } | undefined {
    const { session } = this.#context;
    const { record } = session;
    if (record === undefined) return undefined;
    // Where there is no space it is not worth a failover.
    const asked = () => (session.hasLostOwnership ? undefined : write(record));
    const done = record.ifThereIsSpace(what, asked, isNeeded);
    this.#isFull = done === undefined;
    return done;
  }
}
