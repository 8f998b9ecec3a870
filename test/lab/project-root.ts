import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * The checkout: the nearest directory above this file with a package.json and the lab's scripts,
 * from source or from build/ (which may get a package.json of its own, but never the scripts).
 */
export function projectRoot(): string {
  let directory = import.meta.dirname;
  while (!['package.json', 'test/lab/sh'].every((name) => existsSync(join(directory, name)))) {
    const parent = dirname(directory);
    if (parent === directory) throw new Error(`no checkout above ${import.meta.dirname}`);
    directory = parent;
  }
  return directory;
}

/** One of the lab's shell scripts, by its path in the checkout (which guests see at the same path). */
export function labScript(name: string): string {
  return join(projectRoot(), 'test', 'lab', 'sh', name);
}
