import { createHash } from 'node:crypto';
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.js';
import type { Remembered, RememberedExports } from '../host/actions/exports.js';
import { makeDirectory } from '../host/directories.js';

/**
 * What exportfs made of each export, in `<run>/exported`, a file for each: its words for a client are not those of the
 * configuration. Gone with the boot, and then etab is gone by without it.
 */
export function rememberedExports(run: string): RememberedExports {
  const directory = join(run, 'exported');
  // A path and a client specification may be longer than a file name.
  const fileOf = (one: Parameters<RememberedExports['get']>[0]) =>
    join(directory, createHash('sha256').update(`${one.path}\0${one.clients}`).digest('hex'));
  return {
    get: (one) => {
      try {
        return read(readFileSync(fileOf(one), 'utf8'));
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return undefined;
        throw error;
      }
    },
    set: (one, { asked, entry }) => {
      for (const made of [run, directory]) makeDirectory(made, 0o755);
      const file = fileOf(one);
      const lines = [asked, entry.path, entry.clients, entry.options.join(',')];
      writeFileSync(`${file}.new`, `${lines.join('\n')}\n`, { mode: 0o644 });
      renameSync(`${file}.new`, file);
    },
    forget: (one) => {
      for (const file of [fileOf(one), `${fileOf(one)}.new`]) rmSync(file, { force: true });
    },
  };
}

/** Four lines: a configuration has no control characters in any of them. */
function read(text: string): Remembered | undefined {
  const [asked, path, clients, options] = text.split('\n');
  if (asked === undefined || path === undefined || clients === undefined || options === undefined)
    return undefined;
  return { asked, entry: { path, clients, options: options.split(',') } };
}
