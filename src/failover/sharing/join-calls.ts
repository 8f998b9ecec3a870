import type { FloatingIp } from '../../config/config.js';
import { exitCodes, FailoverError, messageOf } from '../../errors.js';
import { within } from '../../host/running/deadline.js';
import { chooseDriver } from '../../lockmanager/choose.js';
import { type GraceAnswer, type GraceCall, readAnswer, readCall, writeAnswer } from '../../record/barrier.js';
import { holdRecordDirectory } from '../../record/safe-files/record-directory.js';
import { recordLocation, whyUnreachable } from '../access/location.js';
import type { NodeReader } from '../access/with-record.js';
import { limitOf } from '../limits.js';
import { answerTo, awaitDeadLocks, enterSharedGrace } from './join.js';

/** What a node did at one call. */
export interface Joined {
  readonly address: string;
  /** The node that called. */
  readonly by: string;
  readonly state: GraceAnswer['state'];
  readonly said: string;
}

/** A call that stands and that this node has not answered. */
interface OpenCall {
  readonly ip: FloatingIp;
  readonly call: GraceCall;
}

/**
 * Answers every call that stands (src/record/barrier.ts): this node enters grace once for all of them, and then waits until its part of the
 * storage holds no lock of who died. Returns what it did, nothing where nobody calls. Throws FailoverError where the calls cannot be read.
 */
export async function joinCalls(reader: NodeReader): Promise<Joined[]> {
  const { config, host } = reader;
  const open = openCalls(reader);
  if (open.length === 0) return [];
  const answer = (calls: readonly OpenCall[], state: GraceAnswer['state'], said: string): Joined[] =>
    calls.map(({ ip, call }) => {
      write(reader, ip, answerTo(call, state, said, host.now()));
      return { address: ip.address, by: call.by, state, said };
    });
  let entered: string | undefined;
  try {
    entered = await enter(reader, open);
  } catch (error) {
    if (!(error instanceof FailoverError)) throw error;
    return answer(open, 'failed', messageOf(error));
  }
  const remark = entered ?? '';
  const [waiting, free] = [open.filter(keepsLocks), open.filter((one) => !keepsLocks(one))];
  const joined = answer(free, 'joined', remark);
  answer(waiting, 'in-grace', 'its storage may hold locks of a node that died');
  for (const one of waiting) {
    const { barrier: seconds } = config.timeouts;
    const left = await within({ ...limitOf('join-grace', config), seconds: seconds + 10 }, async () =>
      awaitDeadLocks(host, one.ip, one.call.dead, seconds),
    );
    joined.push(...answer([one], left === undefined ? 'joined' : 'in-grace', left ?? remark));
  }
  return joined;
}

async function enter(reader: NodeReader, [first]: readonly OpenCall[]): Promise<string | undefined> {
  if (first === undefined) return undefined;
  const { config } = reader;
  // A lock call that is under way delays it.
  const limit = { ...limitOf('Entering grace', config), seconds: config.timeouts.barrier };
  return within(limit, async () => {
    // It is the server's, whichever address is asked for.
    const { driver } = await chooseDriver(
      reader.drivers,
      { ...reader, floatingIp: first.ip },
      { takesOver: false },
    );
    return enterSharedGrace(driver, reader);
  });
}

function keepsLocks({ ip, call }: OpenCall): boolean {
  return call.dead.length > 0 && ip.filesystems.some(({ glusterVolume }) => glusterVolume !== undefined);
}

function openCalls(reader: NodeReader): OpenCall[] {
  const { config } = reader;
  return config.floatingIps.flatMap((ip): OpenCall[] => {
    if (ip.shared === undefined) return [];
    const why = whyUnreachable(reader.host, ip);
    if (why !== undefined) throw unreachable(ip, why);
    return (
      inRecord(reader, ip, (way): OpenCall[] => {
        const call = readCall(way);
        if (call === undefined || call.by === config.node) return [];
        const answer = readAnswer(way, config.node);
        return answer?.id === call.id && answer.state === 'joined' ? [] : [{ ip, call }];
      }) ?? []
    );
  });
}

function write(reader: NodeReader, ip: FloatingIp, answer: GraceAnswer): void {
  inRecord(reader, ip, (way) => writeAnswer(way, reader.config.node, answer));
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
