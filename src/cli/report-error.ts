import type { ErrorCode } from '../error-codes.js';
import { exitCodes, FailoverError, messageOf } from '../errors.js';
import type { Io } from './io.js';

/** One clear sentence, and what to do. With `json` also as the last line of standard output. Returns the exit code. */
export function reportError(io: Io, error: unknown, json: boolean): number {
  if (error instanceof FailoverError) {
    if (json) {
      const { code, exitCode, operation, hint, message } = error;
      io.out(
        `${JSON.stringify({ result: 'failed', exitCode, error: { code, operation, message, hint: hint ?? null } })}\n`,
      );
    }
    const hint = error.hint === undefined ? '' : `\n  ${error.hint}`;
    io.err(`nlm-failover: ${error.message}${hint}\n`);
    return error.exitCode;
  }
  if (json)
    io.out(
      `${JSON.stringify({ result: 'failed', exitCode: exitCodes.stepFailed, error: { code: 'UNEXPECTED' satisfies ErrorCode, message: messageOf(error) } })}\n`,
    );
  // A defect, or a system error nobody foresaw: the stack tells more than a guess.
  io.err(
    `nlm-failover: unexpected error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return exitCodes.stepFailed;
}
