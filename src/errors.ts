import type { ErrorCode } from './error-codes.js';

/** Exit codes of every command. */
export const exitCodes = {
  done: 0,
  stepFailed: 1,
  usage: 2,
  configuration: 3,
  notOwner: 4,
  clientsNotNotified: 5,
  locksLost: 6,
  notServed: 7,
  /** As a shell has it where SIGKILL ended a process. */
  killed: 137,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** What each of them means, in --help and in the manual. */
export const exitCodeTexts: Readonly<Record<ExitCode, string>> = {
  [exitCodes.done]:
    'done: everything that was asked for is so; status: all that should be here is here and well',
  [exitCodes.stepFailed]:
    'a step failed; remove the cause, then run the same command again; status: something is wrong, and WRONG says what',
  [exitCodes.usage]: 'the command line is wrong, or this is not root; nothing was touched',
  [exitCodes.configuration]:
    'the configuration is wrong, or asks for what this host cannot do; nothing was touched',
  [exitCodes.notOwner]: 'another node owns the address, or may still have it; nothing more was touched',
  [exitCodes.clientsNotNotified]:
    'done, but some clients could not be notified (run notify), or a node that exports the shared file systems did not enter grace',
  [exitCodes.locksLost]:
    'takeover: done, but locks were not reclaimed, or a client fell silent; audit: such findings, not acknowledged',
  [exitCodes.notServed]: 'status --is-served: the address is not served here',
  [exitCodes.killed]: 'killed; nlm-failover kills itself where a system call does not return',
};

export interface FailoverErrorDetails {
  readonly code: ErrorCode;
  readonly exitCode: ExitCode;
  /** What was being done, on what: "reading /etc/nlm-failover.toml", "A-4 umount /srv/vol1". */
  readonly operation: string;
  /** What the reader can do about it, as one sentence. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/**
 * The one error class. `message` is the clear sentence for a person (what, where);
 * `hint` says what to do. Anything else that is thrown is a defect of this program.
 */
export class FailoverError extends Error {
  readonly code: ErrorCode;
  readonly exitCode: ExitCode;
  readonly operation: string;
  readonly hint: string | undefined;

  constructor(message: string, details: FailoverErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'FailoverError';
    this.code = details.code;
    this.exitCode = details.exitCode;
    this.operation = details.operation;
    this.hint = details.hint;
  }
}

/**
 * What file systems refuse with and Node has no word for ("Unknown system error -122"): libuv's list (uv.h, UV_ERRNO_MAP) has not all
 * of Linux's asm-generic/errno.h. By the number.
 */
const unnamed = new Map<number, readonly [name: string, text: string]>([
  [37, ['ENOLCK', 'no locks available']],
  [67, ['ENOLINK', 'link has been severed']],
  [74, ['EBADMSG', 'bad message, as a checksum that is wrong']],
  [116, ['ESTALE', 'stale file handle']],
  [117, ['EUCLEAN', 'structure needs cleaning']],
  [122, ['EDQUOT', 'disk quota exceeded']],
  [123, ['ENOMEDIUM', 'no medium found']],
]);

/** The name and text of a Node system error that Node has no name for; any other: undefined. */
function namedOf(error: unknown): readonly [name: string, text: string] | undefined {
  const { code, errno } = error instanceof Error ? (error as NodeJS.ErrnoException) : {};
  if (typeof code !== 'string' || errno === undefined || !code.startsWith('Unknown system error'))
    return undefined;
  return unnamed.get(-errno) ?? [`E${-errno}`, 'an error of the system without a name'];
}

/** The message of anything thrown, without a stack. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const named = namedOf(error);
  // "Unknown system error -116: Unknown system error -116, fstat".
  const nameless = /^Unknown system error -\d+: Unknown system error -\d+/;
  return named === undefined ? error.message : error.message.replace(nameless, named.join(': '));
}

/** The `code` of a Node system error (ENOENT, EBUSY, ...), or undefined. */
export function errnoOf(error: unknown): string | undefined {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  return typeof code === 'string' ? (namedOf(error)?.[0] ?? code) : undefined;
}

/** The kernel's word, or SQLite's for the same. */
const refused = /^(?:E[A-Z0-9]+|SQLITE_(?:FULL|IOERR|CANTOPEN|READONLY|PERM)[A-Z_]*)$/;

/** What the kernel refused (EIO, ENOSPC, EBUSY...), as a sentence that says during what, and how to go on; any other error as it is. */
export function systemError(error: unknown, operation: string): unknown {
  const errno = errnoOf(error);
  if (error instanceof FailoverError || errno === undefined || !refused.test(errno)) return error;
  return new FailoverError(`${operation}: ${messageOf(error)}`, {
    code: 'SYSTEM_ERROR',
    exitCode: exitCodes.stepFailed,
    operation,
    hint: 'See "dmesg" for the reason. Then run the same command again: it goes on where this one stopped.',
    cause: error,
  });
}
