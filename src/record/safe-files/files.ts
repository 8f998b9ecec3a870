import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { errnoOf, exitCodes, FailoverError } from '../../errors.js';
import { realHost } from '../../host/real.js';
import { lockHolder } from '../../host/reading/locks.js';
import { doing } from '../../host/running/watchdog.js';
import { inPlainWords } from '../record-error.js';

// How files of the record are opened, read and written.

/**
 * Runs `use` on a descriptor of a file in the record, opened with `flags` (open(2)), made with mode 0600 where they say so;
 * undefined where it is not there. Throws RECORD_UNSAFE for what is not a regular file: never followed, never waited for; RECORD_UNUSABLE.
 */
export function withRegularFile<T>(path: string, flags: number, use: (fd: number) => T): T | undefined {
  const fd = openRegular(path, flags | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if (fd === undefined) return undefined;
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

function openRegular(path: string, flags: number): number | undefined {
  try {
    return despiteReplacing(() => {
      const fd = openDespiteLease(path, flags);
      try {
        if (!fstatSync(fd).isFile()) throw unsafe(path, 'is not a regular file');
        return fd;
      } catch (error) {
        closeSync(fd);
        throw error;
      }
    });
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT') return undefined;
    if (code === 'ELOOP' || code === 'ENXIO' || code === 'EISDIR')
      throw unsafe(path, 'is not a regular file');
    throw error;
  }
}

/** More often than a peer replaces a file while it is being opened. */
const mostTries = 5;

/**
 * What `action` makes of a file that another node may replace at any moment. On shared storage (GlusterFS, NFS) whoever has the old one
 * open gets ESTALE then, also right after open(2), which asks nobody: the new one is there. Throws what `action` throws.
 */
export function despiteReplacing<T>(action: () => T): T {
  for (let left = mostTries; ; left -= 1) {
    try {
      return action();
    } catch (error) {
      if (left === 1 || errnoOf(error) !== 'ESTALE') throw error;
    }
  }
}

/** How long the kernel lets a lease stand that is to go, s (fcntl(2), Leases); 0: for ever. */
const breakTimeFile = '/proc/sys/fs/lease-break-time';
/** Its default. */
const breakSeconds = 45;
const againMs = 50;

/**
 * Opens with O_NONBLOCK in `flags`. The owner of a file, rpc.statd's user of a journal, may have a lease on it (F_SETLEASE): the open
 * then fails with EAGAIN, and makes the kernel take the lease away, once lease-break-time is over (fs/locks.c, __break_lease). So it is
 * tried until then, for at most `seconds`. Throws RECORD_UNUSABLE, with who holds it.
 */
export function openDespiteLease(path: string, flags: number, seconds?: number): number {
  const begun = performance.now();
  const sleep = new Int32Array(new SharedArrayBuffer(4));
  let limit = seconds;
  for (;;) {
    try {
      return openSync(path, flags, 0o600);
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN') throw error;
    }
    limit ??= leaseSeconds();
    if (performance.now() > begun + limit * 1000) throw leased(path, limit);
    // Each time a sign of life for the watchdog: this wait has an end of its own.
    doing(`waiting for a lease on ${inPlainWords(path)} to be broken`);
    Atomics.wait(sleep, 0, 0, againMs);
  }
}

function leaseSeconds(): number {
  const seconds = Number(realHost.readText(breakTimeFile) ?? breakSeconds);
  return (seconds > 0 ? seconds : breakSeconds) + 5;
}

function leased(place: string, seconds: number): FailoverError {
  const path = inPlainWords(place);
  const holder = lockHolder(realHost, place) ?? 'a process that was not found';
  return new FailoverError(`${path} could not be opened for ${seconds} s: ${holder} holds a lease on it`, {
    code: 'RECORD_UNUSABLE',
    exitCode: exitCodes.stepFailed,
    operation: `opening ${path}`,
    hint: `Nothing of nlm-failover or rpc.statd takes leases: end that process. ${breakTimeFile} is how long the kernel lets it stand (0: for ever).`,
  });
}

/** Reads `length` bytes at `offset`, fewer at the end of the file. */
export function readAt(fd: number, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let have = 0;
  while (have < length) {
    const got = readSync(fd, bytes, have, length - have, offset + have);
    if (got === 0) break;
    have += got;
  }
  return bytes.subarray(0, have);
}

/** Writes latin1 text to the end, in one write(2) unless the kernel takes less. */
export function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text, 'latin1');
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
}

/** Runs an `action` that makes something; no error where that is there. */
export function unlessThere(action: () => void): void {
  try {
    action();
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

/** The error for something in the state directory that somebody else could control. */
export function unsafe(place: string, why: string): FailoverError {
  const path = inPlainWords(place);
  return new FailoverError(`${path} ${why}: somebody else could control the record`, {
    code: 'RECORD_UNSAFE',
    exitCode: exitCodes.stepFailed,
    operation: `looking at ${path}`,
    hint: 'Find out who made it. Then make it a real file or directory that belongs to root, and that nobody else can write.',
  });
}
