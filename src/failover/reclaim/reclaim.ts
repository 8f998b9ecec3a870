import type { Finding, Verdict } from '../../record/tables/findings.js';
import type { HeldLock } from '../../record/tables/held-locks.js';

/** A lock as a kernel shows it now. */
export type SeenLock = Omit<HeldLock, 'copy'>;

/**
 * Which of the locks held before are held now. Each lock seen answers for one of those that are exactly like it: of two shared
 * locks on one range one may be back and the other not. What is left over of both may still be the same bytes cut
 * differently, as the two kernels merge and split ranges on their own (fs/locks.c posix_lock_inode): covered whole, it counts,
 * and what covers one lock covers no other.
 */
export function reclaimedOf<Lock extends HeldLock>(
  before: readonly Lock[],
  now: readonly SeenLock[],
): Lock[] {
  const left = new Map<string, number>();
  for (const lock of now) left.set(keyOf(lock), (left.get(keyOf(lock)) ?? 0) + 1);
  const [exact, others] = split(before, (lock) => {
    const count = left.get(keyOf(lock)) ?? 0;
    if (count > 0) left.set(keyOf(lock), count - 1);
    return count > 0;
  });
  const spare = now.filter((lock) => {
    const count = left.get(keyOf(lock)) ?? 0;
    if (count > 0) left.set(keyOf(lock), count - 1);
    return count > 0;
  });
  const spareOf = new Map<string, ByteRange[]>();
  for (const lock of spare) {
    const same = spareOf.get(fileKeyOf(lock));
    if (same === undefined) spareOf.set(fileKeyOf(lock), [rangeOf(lock)]);
    else same.push(rangeOf(lock));
  }
  const covered = others.filter((lock) => {
    const pool = spareOf.get(fileKeyOf(lock));
    const rest = pool === undefined ? undefined : without(pool, rangeOf(lock));
    if (rest !== undefined) spareOf.set(fileKeyOf(lock), rest);
    return rest !== undefined;
  });
  return [...exact, ...covered];
}

function keyOf({ fsid, inode, mode, start, end }: SeenLock): string {
  return [fsid, inode, mode, start, end].join(' ');
}

function fileKeyOf({ fsid, inode, mode }: SeenLock): string {
  return [fsid, inode, mode].join(' ');
}

function split<T>(all: readonly T[], test: (one: T) => boolean): [T[], T[]] {
  const yes: T[] = [];
  const no: T[] = [];
  for (const one of all) (test(one) ? yes : no).push(one);
  return [yes, no];
}

/** First and last byte. */
interface ByteRange {
  readonly start: bigint;
  readonly end: bigint;
}

/** EOF is OFFSET_MAX in fs/locks.c. */
function rangeOf({ start, end }: Pick<SeenLock, 'start' | 'end'>): ByteRange {
  return { start: BigInt(start), end: end === 'EOF' ? (1n << 63n) - 1n : BigInt(end) };
}

/** What is left of the ranges once each byte of `wanted` is taken from one of them; undefined where that cannot be. */
function without(ranges: readonly ByteRange[], wanted: ByteRange): ByteRange[] | undefined {
  const rest = ranges.toSorted((a, b) => (a.start < b.start ? -1 : 1));
  for (let next = wanted.start; next <= wanted.end;) {
    const at = rest.findIndex(({ start, end }) => start <= next && next <= end);
    const one = rest[at];
    if (one === undefined) return undefined;
    const last = one.end < wanted.end ? one.end : wanted.end;
    const pieces = [
      { start: one.start, end: next - 1n },
      { start: last + 1n, end: one.end },
    ];
    rest.splice(at, 1, ...pieces.filter(({ start, end }) => start <= end));
    next = last + 1n;
  }
  return rest;
}

/** A client on the list of a grace, when the grace is over. */
export interface JudgedClient {
  readonly client: string;
  readonly notified: boolean;
  /** The client asked for a lock, or reclaimed one, since the grace began. */
  readonly back: boolean;
  /** Whether one that was notified, and is not back, answers. */
  readonly answers: boolean;
}

export interface Evidence {
  /** Whether what was held before is known; else it was a crash. */
  readonly planned: boolean;
  /** Whether there was a grace at all. */
  readonly graceEntered: boolean;
  /** Whether clients that ask for a lock are seen: the callout records them. */
  readonly seesClients: boolean;
  /** Of what was held, what was not seen reclaimed. */
  readonly missing: readonly HeldLock[];
  readonly clients: readonly JudgedClient[];
}

/**
 * The findings when a grace is over. The kernel does not say which client held a lock, so no single one is guessed:
 *
 * - A Linux client that is notified reclaims every lock it holds, one after another (fs/lockd/clntlock.c, reclaimer), and each
 *   attempt makes lockd monitor it (nlmsvc: SM_MON before the lock is looked at), refused or not. So one that was notified and
 *   answers, but has asked for nothing, held nothing; one that is back and has left a lock out has let go of it
 *   (its unlock request waits for the end of the grace, and monitors nobody), or was refused, as its kernel's log says.
 * - One that could not be notified, or does not answer any more, has done neither: it still believes in its locks.
 */
export function judge({ planned, graceEntered, seesClients, missing, clients }: Evidence): Finding[] {
  return planned ? judgeLocks(missing, clients, graceEntered) : judgeClients(clients, seesClients);
}

function judgeLocks(
  missing: readonly HeldLock[],
  clients: readonly JudgedClient[],
  graceEntered: boolean,
): Finding[] {
  const gone = clients.filter((client) => !client.back && !(client.notified && client.answers));
  // Without a grace every reclaim is refused; without a client in the record nobody was notified to reclaim.
  const suspects = graceEntered ? gone : clients;
  const isLost = suspects.length > 0 || clients.length === 0;
  // One list for all of them: there may be thousands of either.
  const names = suspects.map(({ client }) => client);
  return missing.map(({ fsid, inode, mode, start, end }) => ({
    verdict: isLost ? 'lost' : 'not-reclaimed',
    lock: { fsid, inode, mode, start, end },
    clients: names,
  }));
}

function judgeClients(clients: readonly JudgedClient[], seesClients: boolean): Finding[] {
  return clients
    .filter(({ back }) => !back)
    .map(({ client, notified, answers }) => {
      const verdict: Verdict = !notified
        ? 'not-notified'
        : !answers
          ? 'silent'
          : seesClients
            ? 'idle'
            : 'unseen';
      return { verdict, clients: [client] };
    });
}

/** Whether a finding means that a lock is lost, or very likely so. */
export function isLoss({ verdict }: Pick<Finding, 'verdict'>): boolean {
  return verdict === 'lost' || verdict === 'silent';
}
