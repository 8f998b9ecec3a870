import type { FloatingIp } from '../../config/config.js';
import { exitCodes, FailoverError, messageOf, systemError } from '../../errors.js';
import { within } from '../../host/running/deadline.js';
import { chooseDriver } from '../../lockmanager/choose.js';
import type { LockManager } from '../../lockmanager/port.js';
import {
  type GraceAnswer,
  type GraceCall,
  readAnswer,
  readCall,
  readPresence,
  readQuestion,
  writeAnswer,
  writePresence,
} from '../../record/barrier.js';
import { isFull } from '../../record/record-error.js';
import { holdRecordDirectory } from '../../record/safe-files/record-directory.js';
import { spendReserve } from '../../record/safe-files/reserve.js';
import { recordLocation, whyUnreachable } from '../access/location.js';
import type { NodeReader } from '../access/with-record.js';
import { limitOf } from '../limits.js';
import { answerTo, deadLocksText, enterSharedGrace, roundPart } from './join.js';
import { QuietRecords } from './quiet-records.js';

/** How this node stands to one call. */
export interface Joined {
  readonly address: string;
  /** The node that called. */
  readonly by: string;
  readonly state: GraceAnswer['state'];
  readonly said: string;
  /** The look before saw it otherwise, or not at all. */
  readonly isNews: boolean;
}

/** What one look did. What went wrong with one address keeps no other from being answered. */
export interface Look {
  /** Of each call that stood and was not answered. */
  readonly joined: readonly Joined[];
  /** Calls that could not be read or answered. */
  readonly failures: readonly FailoverError[];
}

/** A call that stands, and in which this node has not joined. */
interface OpenCall {
  readonly ip: FloatingIp;
  readonly call: GraceCall;
  /** What it answered last, to whatever. */
  readonly before: GraceAnswer | undefined;
}

/** One that lies there, whatever has become of it. */
interface SeenCall extends OpenCall {
  readonly isOpen: boolean;
}

/** When a watcher first saw a call that stands without anybody who waits, and last entered grace for it, by performance.now(); and how often it is to. */
interface LeftCall {
  readonly first: number;
  entered: number;
  readonly everyMs: number;
}

/**
 * The calls that releases have left, and takeovers on their way to B-3, as one watcher sees them: this node stays in grace, as
 * the locks of an address that is on its way are nobody's.
 * At the longest [timeouts].barrier from when it first saw the call: an address that nobody takes over keeps nobody waiting for ever.
 */
class LeftCalls {
  #seen = new Map<string, LeftCall>();

  /** The first of them for which this node is to enter grace anew by now, at `now` (performance.now()). Throws FailoverError. */
  async due(reader: NodeReader, left: readonly SeenCall[], now: number): Promise<SeenCall | undefined> {
    const seen = new Map<string, LeftCall>();
    for (const { ip, call } of left)
      seen.set(call.id, this.#seen.get(call.id) ?? (await firstSeen(reader, ip, now)));
    this.#seen = seen;
    const lastsMs = reader.config.timeouts.barrier * 1000;
    return left.find(({ call }) => {
      const { first = 0, entered = 0, everyMs = 0 } = seen.get(call.id) ?? {};
      return now - first < lastsMs && now - entered >= everyMs;
    });
  }

  /** It has entered grace: for all of them. */
  entered(now: number): void {
    for (const one of this.#seen.values()) one.entered = now;
  }
}

/** Whoever waited has had it entered anew as often: it was at the longest so long ago, and is due after half of it. Throws FailoverError. */
async function firstSeen(reader: NodeReader, ip: FloatingIp, now: number): Promise<LeftCall> {
  // Which asks NFS-Ganesha what it exports: not at each look.
  const everyMs = (await driverFor(reader, ip)).graceSeconds() * roundPart * 1000;
  return { first: now, entered: now - everyMs / 2, everyMs };
}

/** What a watcher knows from one look to the next. */
export class Watched {
  readonly left = new LeftCalls();
  readonly quiet = new QuietRecords();
}

/** After so long, ms, whoever calls is told that he was heard. */
const heardMs = 2000;

/**
 * Answers every call that stands (src/record/barrier.ts): this node enters grace, once for all of them, and looks whether its part of the
 * storage holds locks of who died. Where it does, that is the answer, and the next look looks again: meanwhile another call may come. `goesOn`:
 * another look follows, always, so that it is said that this node looks where that is asked (presence.ts), and that it stays in grace for what
 * releases and takeovers have left.
 */
export async function joinCalls(reader: NodeReader, goesOn?: Watched): Promise<Look> {
  const { config, host } = reader;
  const failures: FailoverError[] = [];
  const failed = (thrown: unknown): undefined => {
    const error = systemError(thrown, 'join-grace');
    if (!(error instanceof FailoverError)) throw error;
    failures.push(error);
  };
  const each = <T>(use: () => T): T | undefined => {
    try {
      return use();
    } catch (error) {
      return failed(error);
    }
  };
  const seen = config.floatingIps.flatMap((ip) => each(() => callsFor(reader, ip, goesOn?.quiet)) ?? []);
  const open = seen.filter((one) => one.isOpen);
  const answer = (one: OpenCall, state: GraceAnswer['state'], said: string): Joined[] =>
    each(() => [answered(reader, one, answerTo(one.call, state, said, host.now()))]) ?? [];
  const toEnter = open.filter((one) => !isEntered(one));
  const entered = await enter(reader, toEnter, (one) => {
    if (!isHeard(one)) answer(one, 'called', 'it is entering grace');
  });
  if (goesOn !== undefined) {
    try {
      await stayInGrace(reader, goesOn.left, seen, toEnter.length > 0 && entered.failed === undefined);
    } catch (error) {
      failed(error);
    }
  }
  const joined: Joined[] = [];
  for (const one of open) {
    if (entered.failed !== undefined && toEnter.includes(one)) {
      joined.push(...answer(one, 'failed', entered.failed));
      continue;
    }
    const limit = { ...limitOf('join-grace', config), seconds: config.timeouts.step };
    try {
      const left = await within(limit, () => deadLocksText(host, one.ip, one.call.dead));
      joined.push(...answer(one, left === undefined ? 'joined' : 'in-grace', left ?? entered.remark ?? ''));
    } catch (error) {
      failed(error);
    }
  }
  return { joined, failures };
}

/** It has been answered, in whatever way. */
function isHeard({ call, before }: OpenCall): boolean {
  return before?.id === call.id && before.round === call.round;
}

/** It is in grace for this round of the call, and waits for its storage alone. */
function isEntered(one: OpenCall): boolean {
  return isHeard(one) && one.before?.state === 'in-grace';
}

/** `failed`: why it is not in grace. `heard` is called for each where that takes long. */
async function enter(
  reader: NodeReader,
  open: readonly OpenCall[],
  heard: (one: OpenCall) => void,
): Promise<{ readonly failed?: string; readonly remark?: string | undefined }> {
  const [first] = open;
  if (first === undefined) return {};
  const { config } = reader;
  // A lock call that is under way delays it.
  const limit = {
    ...limitOf('Entering grace', config),
    seconds: config.timeouts.barrier,
    key: '[timeouts].barrier',
  };
  const late = setTimeout(() => open.forEach(heard), heardMs);
  try {
    return await within(limit, async () => {
      return { remark: await enterSharedGrace(await driverFor(reader, first.ip), reader) };
    });
  } catch (error) {
    if (!(error instanceof FailoverError)) throw error;
    return { failed: messageOf(error) };
  } finally {
    clearTimeout(late);
  }
}

/** The lock manager is the server's, whichever address is asked for. Throws FailoverError. */
async function driverFor(reader: NodeReader, floatingIp: FloatingIp): Promise<LockManager> {
  return (await chooseDriver(reader.drivers, { ...reader, floatingIp }, { takesOver: false })).driver;
}

/** For what releases and takeovers have left. `isIn`: it has just entered grace for another call. Throws FailoverError. */
async function stayInGrace(
  reader: NodeReader,
  leftCalls: LeftCalls,
  seen: readonly SeenCall[],
  isIn: boolean,
): Promise<void> {
  const left = seen.filter(({ call }) => call.stands === true);
  const due = await leftCalls.due(reader, left, performance.now());
  if (!isIn) {
    if (due === undefined) return;
    const { failed } = await enter(reader, [due], () => undefined);
    if (failed !== undefined) throw notStaying(due.ip, failed);
  }
  leftCalls.entered(performance.now());
}

function notStaying({ address }: FloatingIp, why: string): FailoverError {
  return new FailoverError(`This node does not stay in grace until ${address} is taken over: ${why}`, {
    code: 'NOT_VERIFIED',
    exitCode: exitCodes.stepFailed,
    operation: 'join-grace',
    hint: 'What its clients lock meanwhile may be what clients of that address held.',
  });
}

function callsFor(reader: NodeReader, ip: FloatingIp, quiet: QuietRecords | undefined): SeenCall[] {
  const { config, host } = reader;
  if (ip.shared === undefined) return [];
  const { directory } = recordLocation(host, ip);
  const now = performance.now();
  if (quiet?.has(directory, now) === true) return [];
  quiet?.saw(directory, false, now);
  const why = whyUnreachable(host, ip);
  if (why !== undefined) throw unreachable(ip, why);
  const calls = inRecord(reader, ip, (way): SeenCall[] => {
    const question = quiet === undefined ? undefined : readQuestion(way);
    if (question !== undefined && readPresence(way, config.node) !== question)
      writePresence(way, config.node, question);
    const call = readCall(way);
    if (call === undefined) return [];
    const before = readAnswer(way, config.node);
    const isOver = before?.id === call.id && before.round >= call.round && before.state === 'joined';
    return [{ ip, call, before, isOpen: call.by !== config.node && !isOver }];
  });
  quiet?.saw(directory, calls?.length === 0, now);
  return calls ?? [];
}

function answered(reader: NodeReader, { ip, call, before }: OpenCall, answer: GraceAnswer): Joined {
  const { id, round, state, said } = answer;
  const isNews = before?.id !== id || before.state !== state || before.said !== said;
  if (isNews || before.round !== round)
    inRecord(reader, ip, (way) => {
      const write = () => writeAnswer(way, reader.config.node, answer);
      try {
        write();
      } catch (error) {
        // A full disk must not hold up a failover: the space that stands there for one is for its answers too.
        if (!isFull(error) || !(spendReserve(way, 'serving') || spendReserve(way, 'failover'))) throw error;
        write();
      }
    });
  return { address: ip.address, by: call.by, state, said, isNews };
}

/** Undefined where there is no record yet. */
function inRecord<T>({ host }: NodeReader, ip: FloatingIp, use: (way: string) => T): T | undefined {
  const held = holdRecordDirectory(recordLocation(host, ip).directory, { create: false });
  if (held === undefined) return undefined;
  try {
    return use(held.way);
  } finally {
    held.close();
  }
}

function unreachable({ address }: FloatingIp, why: string): FailoverError {
  return new FailoverError(`Whether ${address} calls this node into grace cannot be seen: ${why}`, {
    code: 'RECORD_UNREACHABLE',
    exitCode: exitCodes.stepFailed,
    operation: 'join-grace',
    hint: 'Mount the shared storage: until then whoever takes an address over waits for this node in vain.',
  });
}
