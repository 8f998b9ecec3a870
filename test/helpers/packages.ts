// The Debian packages, and roots that they are installed in: a system of the test's own over that of the machine, or over a tree.
import { execFile } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { version } from '../../src/version.js';
import { projectRoot } from '../lab/project-root.js';
import { type Netns, type Owner, withNetns } from './netns.js';

export type PackageName = 'nlm-failover' | 'nlm-failover-slim';

/** Makes a package in a directory, with or for the Node that runs this, not compressed. Returns its file. */
export async function makePackage(name: PackageName, directory: string): Promise<string> {
  const program = path.join(projectRoot(), 'build/src/package/main.js');
  const options = ['--node=build', '--compress=none', `--only=${name}`, `--to=${directory}`];
  const { NODE_V8_COVERAGE: _, ...env } = process.env;
  await promisify(execFile)(process.execPath, [program, ...options], { env });
  return packageIn(directory, name);
}

/** Where `npm run package` leaves it in a directory. */
export function packageIn(directory: string, name: PackageName): string {
  return path.join(directory, `${name}_${version}_amd64.deb`);
}

/** What dpkg and the programs of other packages write for themselves. */
const books = /^(?:var\/lib\/dpkg|var\/log|var\/cache|var\/lib\/apt|tmp|run|proc|dev)(?:\/|$)/;

/** A root of the test's own: everything of a tree is there, and nothing that is done in it reaches the tree. */
export class OwnRoot {
  readonly #netns: Netns;
  readonly #tree: string;

  constructor(netns: Netns, tree: string) {
    this.#netns = netns;
    this.#tree = tree;
  }

  /** Runs a command in it and returns what it printed, both outputs together. Throws unless it ends with 0. */
  run(...argv: string[]): Promise<string> {
    return this.#netns.run('chroot', '/run/own/root', 'env', '-i', ...environment, ...argv);
  }

  /** The same, with its exit code, whatever that is. */
  async tried(...argv: string[]): Promise<{ code: number; output: string }> {
    const program = this.#netns.start('chroot', ['/run/own/root', 'env', '-i', ...environment, ...argv]);
    return { code: await program.exited, output: program.output() };
  }

  /** A file of it, as the test can open it. */
  path(file: string): string {
    return this.#netns.path(path.join('/run/own/root', file));
  }

  /** Copies a file of the machine to the same name below /tmp in it, and returns that name. */
  take(file: string): string {
    const name = path.join('/tmp', path.basename(file));
    copyFileSync(file, this.path(name));
    return name;
  }

  /** What differs from the tree but for the books of dpkg: changed, removed and new files, and new directories. */
  changes(): string[] {
    const upper = this.#netns.path('/run/own/upper');
    return readdirSync(upper, { recursive: true, withFileTypes: true })
      .map((entry) => ({ entry, name: path.relative(upper, path.join(entry.parentPath, entry.name)) }))
      .filter(({ entry, name }) => !entry.isDirectory() || !existsSync(path.join(this.#tree, name)))
      .map(({ name }) => name)
      .filter((name) => !books.test(name))
      .toSorted();
  }
}

const environment = [
  'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  'LC_ALL=C',
  'DEBIAN_FRONTEND=noninteractive',
];

/** A root over a tree, or over the machine's own, without network; no service is started in it. Gone with the test. */
export async function withRoot(t: Owner, tree = '/'): Promise<OwnRoot> {
  const netns = await withNetns(t);
  // Where the test's own namespace has a root that is an overlay, that is the lower layer.
  await netns.run('sh', '-ec', script, 'sh', tree);
  return new OwnRoot(netns, tree);
}

const script = `
mkdir /run/own
mount -t tmpfs -o size=2g tmpfs /run/own
mkdir /run/own/upper /run/own/work /run/own/root
mount -t overlay -o "lowerdir=$1,upperdir=/run/own/upper,workdir=/run/own/work" overlay /run/own/root
cd /run/own/root
mount -t proc proc proc
mount --rbind /dev dev
mount -t tmpfs tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
rm -f var/lib/man-db/auto-update
rm -f usr/sbin/policy-rc.d
printf '#!/bin/sh\\nexit 101\\n' >usr/sbin/policy-rc.d
chmod 755 usr/sbin/policy-rc.d
`;
