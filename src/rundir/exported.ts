import { readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf } from '../errors.js';
import type { Remembered, RememberedExports } from '../host/actions/exports.js';
import { makeDirectory } from '../host/directories.js';
import { removeUnfinished } from '../host/in-place.js';
import { replaceFile } from '../host/replace-file.js';

/**
 * What exportfs made of each export, in `<run>/exported`, a file for each: its words for a client are not those of the
 * configuration. Gone with the boot, and then etab is gone by without it.
 */
export function rememberedExports(run: string): RememberedExports {
  const directory = join(run, 'exported');
  // A path and a client specification may be longer than a file name: directories of 200 letters, then the rest and a full stop.
  const fileOf = (one: Parameters<RememberedExports['get']>[0]) => {
    const letters = Buffer.from(`${one.path}\0${one.clients}`).toString('base64url');
    return join(directory, `${letters.replaceAll(/.{200}/g, '$&/')}.`);
  };
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
      const file = fileOf(one);
      const between = dirname(file).slice(directory.length).split('/').slice(1);
      for (const made of [
        run,
        directory,
        ...between.map((_, i) => join(directory, ...between.slice(0, i + 1))),
      ])
        makeDirectory(made, 0o755);
      const lines = [asked, entry.path, entry.clients, entry.options.join(',')];
      replaceFile(file, `${lines.join('\n')}\n`, 0o644);
    },
    forget: (one) => {
      const file = fileOf(one);
      rmSync(file, { force: true });
      removeUnfinished(file);
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
