import { readdirSync, renameSync, rmSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { errnoOf } from '../errors.js';

// What is made beside a file, to be put in its place, has a name that nobody else gives: `.NAME.HOST-PID-RANDOM.new`. Two processes, on two nodes
// too where the storage is shared, write one file at once, and each puts its own there whole. What a run has left that was killed is removed by
// the next one of its host that writes the same file.

const mostTries = 3;
/** Of a name, behind the host. */
const rest = /^(\d{1,10})-[0-9a-f]{8}\.new$/;

/**
 * Has `make` make something under a name beside `file`, and puts it in the place of `file` (rename(2)): whoever looks finds the one or the other,
 * whole. Where two do it at once the later one counts. Throws what the system says; nothing is left then.
 */
export function putInPlace(file: string, make: (beside: string) => void): void {
  for (let tries = 1; ; tries += 1) {
    removeUnfinished(file);
    const beside = path.join(path.dirname(file), `${prefixOf(file)}${randomHex()}.new`);
    try {
      make(beside);
      renameSync(beside, file);
      return;
    } catch (error) {
      rmSync(beside, { force: true });
      // Another host of this name, or another PID namespace, may have taken it for left.
      if (errnoOf(error) !== 'ENOENT' || tries === mostTries) throw error;
    }
  }
}

/** What is left beside a file of processes of this host that have ended; and of any that ran a version which had one name for all. */
export function unfinished(file: string): string[] {
  const directory = path.dirname(file);
  const former = `.${path.basename(file)}.new`;
  const own = hostPrefixOf(file);
  return namesIn(directory)
    .filter((name) => {
      const pid = name.startsWith(own) ? rest.exec(name.slice(own.length))?.[1] : undefined;
      return name === former || (pid !== undefined && hasEnded(Number(pid)));
    })
    .map((name) => path.join(directory, name));
}

/** Removes it. */
export function removeUnfinished(file: string): void {
  for (const one of unfinished(file)) rmSync(one, { force: true });
}

function prefixOf(file: string): string {
  return `${hostPrefixOf(file)}${process.pid}-`;
}

/** Not the name of the host itself, which may be long, and have any letter. */
function hostPrefixOf(file: string): string {
  return `.${path.basename(file)}.${hexDigest(hostname())}-`;
}

// Not by node:crypto, which costs each command more than all else that it loads for this; nothing here is secret, and who makes a file
// beside another one makes it anew (O_EXCL).

/** FNV-1a of 32 bits (RFC 9923), as eight digits. */
function hexDigest(text: string): string {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return eightDigits(hash >>> 0);
}

function randomHex(): string {
  return eightDigits(Math.floor(Math.random() * 2 ** 32));
}

function eightDigits(number: number): string {
  return number.toString(16).padStart(8, '0');
}

function hasEnded(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return errnoOf(error) === 'ESRCH';
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}
