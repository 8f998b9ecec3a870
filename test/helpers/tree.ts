import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Everything below a directory, a line each: its path, kind, mode, owner and content, but for the paths in `but`. */
export function treeOf(top: string, but: readonly string[] = []): string[] {
  const lines: string[] = [];
  const visit = (path: string): void => {
    if (but.includes(path)) return;
    const found = lstatSync(join(top, path));
    const about = [path, found.mode.toString(8), found.uid, found.gid];
    if (found.isDirectory()) {
      lines.push(about.join(' '));
      for (const name of readdirSync(join(top, path)).toSorted()) visit(join(path, name));
    } else if (found.isSymbolicLink()) lines.push([...about, '->', readlinkSync(join(top, path))].join(' '));
    else lines.push([...about, found.ino, found.isFile() ? digest(join(top, path)) : 'special'].join(' '));
  };
  visit('.');
  return lines;
}

function digest(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
