import {
  chmodSync,
  copyFileSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';

/** The files of a package as they are to lie on a machine, in a directory that stands for its root. Modes are 0755 and 0644. */
export class Tree {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
    mkdirSync(root, { mode: 0o755 });
  }

  /** A file with this content. */
  write(to: string, content: string | Buffer, executable = false): void {
    const file = this.#place(to);
    writeFileSync(file, content);
    chmodSync(file, executable ? 0o755 : 0o644);
  }

  /** A copy, which can be executed where the original can, or as it is said. */
  copy(from: string, to: string, executable = (statSync(from).mode & 0o100) !== 0): void {
    const file = this.#place(to);
    copyFileSync(from, file);
    chmodSync(file, executable ? 0o755 : 0o644);
  }

  /** Every file of a directory and of those in it, but for one name in it. */
  copyAll(from: string, to: string, but?: string): void {
    for (const entry of readdirSync(from, { withFileTypes: true })) {
      if (entry.name === but) continue;
      const [source, target] = [path.join(from, entry.name), path.join(to, entry.name)];
      if (entry.isDirectory()) this.copyAll(source, target);
      else this.copy(source, target);
    }
  }

  /** Compressed as Debian has it: without name and time, so that it is the same each time. */
  gzip(from: string | Buffer, to: string): void {
    this.write(`${to}.gz`, gzipSync(typeof from === 'string' ? readFileSync(from) : from, { level: 9 }));
  }

  link(to: string, target: string): void {
    symlinkSync(target, this.#place(to));
  }

  /** Below the root, sorted: what is no directory. */
  files(): string[] {
    return readdirSync(this.root, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => path.relative(this.root, path.join(entry.parentPath, entry.name)))
      .toSorted();
  }

  /** Gives everything one time, seconds since 1970. */
  setTimes(epoch: number): void {
    for (const name of readdirSync(this.root, { recursive: true, encoding: 'utf8' }))
      lutimesSync(path.join(this.root, name), epoch, epoch);
    lutimesSync(this.root, epoch, epoch);
  }

  #place(to: string): string {
    const file = path.join(this.root, to);
    mkdirSync(path.dirname(file), { recursive: true, mode: 0o755 });
    return file;
  }
}
