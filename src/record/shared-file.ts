import { constants, fstatSync } from 'node:fs';
import { FailoverError, systemError } from '../errors.js';
import { replaceDurably } from '../host/replace-file.js';
import { inPlainWords, recordError } from './record-error.js';
import { despiteReplacing, readAt, withRegularFile } from './safe-files/files.js';

// Files by which nodes tell each other something, on storage that all see: JSON, each with one writer, replaced as a whole, so that
// no lock of the storage is needed.

const mostBytes = 64 << 10;

/** Durable: whoever looks from now on sees it. Throws RECORD_FULL, RECORD_UNUSABLE. */
export function putShared(file: string, content: object): void {
  try {
    replaceDurably(file, `${JSON.stringify(content)}\n`, 0o600);
  } catch (error) {
    const cause = error instanceof FailoverError ? error.cause : error;
    throw recordError(`writing ${inPlainWords(file)}`, cause);
  }
}

/** Undefined where it is not there, or holds nothing that one of us has written. Throws RECORD_UNSAFE, SYSTEM_ERROR. */
export function readShared(file: string): Readonly<Record<string, unknown>> | undefined {
  const text = textOf(file);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function isWhole(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** Undefined where it is not there, or too long to be one of ours. */
function textOf(file: string): string | undefined {
  try {
    return despiteReplacing(() =>
      withRegularFile(file, constants.O_RDONLY, (fd) => {
        const { size } = fstatSync(fd);
        return size > mostBytes ? undefined : readAt(fd, 0, size).toString('utf8');
      }),
    );
  } catch (error) {
    throw systemError(error, `reading ${inPlainWords(file)}`);
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
