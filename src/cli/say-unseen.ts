import type { FloatingIp } from '../config/config.js';
import type { FailoverError } from '../errors.js';
import { unreachable as unreachableError } from '../failover/access/location.js';
import type { Reader, Seen } from '../failover/access/with-record.js';
import type { Io } from './io.js';
import { reportError } from './report-error.js';

/** How a command that shows records of several addresses says that there is nothing to show of one, and ends. */
export interface SayUnseen {
  readonly io: Io;
  readonly reader: Reader;
  readonly json: boolean;
  /** Whether the caller has asked for that address: then its record must be there. */
  readonly isAsked: boolean;
}

/**
 * Says why nothing of a record was seen: that it cannot be reached, as a line; that it cannot be used, which is returned, to be said at the end.
 * Throws RECORD_UNREACHABLE of an address that was asked for.
 */
export function sayUnseen(
  { io, reader, json, isAsked }: SayUnseen,
  ip: FloatingIp,
  { unreachable, error }: Pick<Seen<unknown>, 'unreachable' | 'error'>,
): FailoverError | undefined {
  const { address } = ip;
  if (error !== undefined) {
    const { code, message, hint } = error;
    if (json) io.out(`${JSON.stringify({ address, recordError: { code, message, hint: hint ?? null } })}\n`);
    return error;
  }
  if (isAsked) throw unreachableError(reader.host, ip);
  // Else there is no record yet.
  if (unreachable !== undefined)
    io.out(
      json
        ? `${JSON.stringify({ address, unreachable })}\n`
        : `${address}: the record cannot be reached: ${unreachable}\n`,
    );
  return undefined;
}

/** Ends with what was wrong, if anything was: all but the last are said, and that one is thrown. */
export function endWith(io: Io, failures: readonly FailoverError[]): void {
  const last = failures.at(-1);
  for (const one of failures.slice(0, -1)) reportError(io, one, false);
  if (last !== undefined) throw last;
}
