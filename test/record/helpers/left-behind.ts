import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Everything below a directory, a line each: name, mode, owner, how many names it has, content; what is random in names and in
 * SQLite's rollback journals left out. Equal for two directories in which the same has happened.
 */
export function leftBehind(directory: string): string[] {
  return below(directory, anonymous, (name, bytes) => {
    if (name.endsWith('-journal')) eraseNonce(bytes);
  });
}

/** The same to the last byte, with what is random: equal for two copies of one directory, between which nothing has happened. */
export function everyByte(directory: string): string {
  return below(
    directory,
    (name) => name,
    () => undefined,
  ).join('\n');
}

function below(
  directory: string,
  nameOf: (name: string) => string,
  leaveOut: (name: string, bytes: Buffer) => void,
): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => {
      const file = join(directory, name);
      const found = lstatSync(file);
      const bytes = found.isFile() ? readFileSync(file) : undefined;
      if (bytes !== undefined) leaveOut(name, bytes);
      const content = bytes === undefined ? '' : createHash('sha256').update(bytes).digest('hex');
      return [nameOf(name), found.mode.toString(8), found.uid, found.gid, found.nlink, content].join(' ');
    })
    .toSorted();
}

function anonymous(name: string): string {
  return name
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/gu, 'UUID')
    .replaceAll(/[0-9]{8}T[0-9]{6}[.][0-9a-f]{8}/gu, 'TIME.RANDOM');
}

/**
 * A random number stands in the header of a rollback journal, and in the checksum of each page behind it
 * (https://sqlite.org/fileformat2.html, "The Rollback Journal").
 */
function eraseNonce(journal: Buffer): void {
  if (journal.length < 28) return;
  journal.fill(0, 12, 16);
  const [sector, page] = [journal.readUInt32BE(20), journal.readUInt32BE(24)];
  if (sector === 0) return;
  for (let end = sector + 4 + page; end + 4 <= journal.length; end += 4 + page + 4)
    journal.fill(0, end, end + 4);
}
