import type { Config, FloatingIp } from '../../config/config.js';
import type { DriverModule, NodeView } from '../../lockmanager/module.js';
import type { LockManagerContext } from '../../lockmanager/port.js';
import type { Host } from '../../host/host.js';
import { FailoverError } from '../../errors.js';
import { isUnwritable, type MonitorRecord } from '../../record/record.js';
import { within } from '../../host/running/deadline.js';
import { expectAnswer } from '../../host/reading/storage.js';
import { databasePath, recordDirectory } from '../../record/safe-files/layout.js';
import type { FailoverContext } from '../context.js';
import { limitOf } from '../limits.js';
import { whyUnreachable } from './location.js';
import { RecordSession } from './session.js';

export interface Reader {
  readonly host: Host;
  readonly config: Config;
}

/** What it takes to see also how an address is served here. */
export interface NodeReader extends Reader, Omit<NodeView, keyof Reader>, LockManagerContext {
  /** Every lock manager driver that there is. */
  readonly drivers: readonly DriverModule[];
}

/**
 * Opens the record of an address for one use. Undefined where this node cannot reach it (its volume is mounted elsewhere) or
 * there is none yet. `isChecked`: this process has opened it before, and checked it as a whole.
 */
export function withRecord<T>(
  { host, config }: Reader,
  ip: FloatingIp,
  use: (record: MonitorRecord) => T,
  isChecked = false,
): T | undefined {
  const session = new RecordSession(host, ip, config);
  try {
    const record = session.open({ create: false, isChecked });
    return record === undefined ? undefined : use(record);
  } finally {
    session.close();
  }
}

/** The same, folded first, so that nothing the callouts wrote is missing. */
export function withFoldedRecord<T>(
  reader: Reader,
  ip: FloatingIp,
  use: (record: MonitorRecord) => T,
): T | undefined {
  return withRecord(reader, ip, (record) => {
    record.fold();
    return use(record);
  });
}

/**
 * Before the record is opened: SQLite reads in this process, which a disk that does not answer would take along. Where there
 * is no record yet, or its volume is not mounted, that is an answer at once. Whose the directories are is seen only then.
 */
export async function expectRecord({ host, config, floatingIp }: FailoverContext): Promise<void> {
  const { address, stateDirectory } = floatingIp;
  const file = databasePath(recordDirectory(stateDirectory, address));
  await within(limitOf(`Opening the record of ${address}`, config), () => expectAnswer(host, file, false));
}

/**
 * As above, for a caller that only shows the record: where the record cannot be written, a copy in memory is folded. `use` gets the reason, and what it writes is lost.
 */
export function withFoldedView<T>(
  reader: Reader,
  ip: FloatingIp,
  use: (record: MonitorRecord, unwritable: FailoverError | undefined) => T,
  isChecked = false,
): T | undefined {
  const look = (record: MonitorRecord): T => {
    const unwritable = fold(record);
    if (unwritable === undefined) return use(record, undefined);
    const copy = record.foldedCopy();
    try {
      return use(copy, unwritable);
    } finally {
      copy.close();
    }
  };
  return withRecord(reader, ip, look, isChecked);
}

/** What there is to read of a record; `value` undefined with nothing else: there is no record yet. */
export interface Seen<T> {
  readonly value?: T;
  /** Why it cannot be reached, as a clause. */
  readonly unreachable?: string;
  /** Why it cannot be used; beside a value: why it can only be read. */
  readonly error?: FailoverError;
}

/** What status and clients say of a record, and agree about: one bad record is said, and does not hide the others. */
export function seenInRecord<T>(reader: Reader, ip: FloatingIp, use: (record: MonitorRecord) => T): Seen<T> {
  const unreachable = whyUnreachable(reader.host, ip);
  if (unreachable !== undefined) return { unreachable };
  try {
    return (
      withFoldedView(reader, ip, (record, unwritable): Seen<T> => ({
        value: use(record),
        ...(unwritable === undefined ? {} : { error: unwritable }),
      })) ?? {}
    );
  } catch (error) {
    if (error instanceof FailoverError) return { error };
    throw error;
  }
}

function fold(record: MonitorRecord): FailoverError | undefined {
  try {
    record.fold();
    return undefined;
  } catch (error) {
    if (isUnwritable(error)) return error;
    throw error;
  }
}
