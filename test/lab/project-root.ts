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

/** A path of the checkout as guests have it, wherever it is on the machine: sh/init makes it. */
export function inGuest(path: string): string {
  return join('/opt/nlm-failover', path);
}

/** One of the lab's shell scripts, on the machine. */
export function labScript(name: string): string {
  return join(projectRoot(), 'test', 'lab', 'sh', name);
}
