import { createHash } from 'node:crypto';
import { mkdirSync, rmdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { exitCodes, FailoverError } from '../../errors.js';
import type { Host } from '../../host/host.js';
import { replaceDurably } from '../../host/replace-file.js';
import { whyUnsafe } from '../../host/way.js';

/** What setup has made on this node, so that --undo takes back exactly that. */
interface Entries {
  /** SHA-256 of what was written, by file. */
  readonly files: Readonly<Record<string, string>>;
  /** Where each symbolic link leads to. */
  readonly links: Readonly<Record<string, string>>;
  /** Files of others that are out of the way, and how each was: "link TARGET", or "mode OCTAL". */
  readonly aside: Readonly<Record<string, string>>;
  /** In the order in which they were made. */
  readonly directories: readonly string[];
  readonly units: readonly string[];
  /** Devices that got a file system. */
  readonly filesystems: readonly string[];
}

export const ledgerFile = '/var/lib/nlm-failover/setup.json';

const nothing: Entries = { files: {}, links: {}, aside: {}, directories: [], units: [], filesystems: [] };

/** Kept in a file of root's alone. An entry is written before what it stands for is made, and goes after that. */
export class Ledger {
  readonly #host: Host;
  #entries: Entries;

  private constructor(host: Host, entries: Entries) {
    this.#host = host;
    this.#entries = entries;
  }

  /**
   * Throws FailoverError SYSTEM_ERROR where the file is there and is not what setup writes; NOT_READY where it, or a directory on the way,
   * is not root's alone: --undo removes what it names.
   */
  static async open(host: Host): Promise<Ledger> {
    await expectRoots(host, ledgerFile);
    return new Ledger(host, read(host));
  }

  get entries(): Entries {
    return this.#entries;
  }

  /** Whether a file has what setup has written, and nothing else. */
  wrote(file: string, text: string): boolean {
    return this.#entries.files[file] === digest(text);
  }

  addFile(file: string, text: string): void {
    this.#write({ ...this.#entries, files: { ...this.#entries.files, [file]: digest(text) } });
  }

  removeFile(file: string): void {
    const files = Object.fromEntries(Object.entries(this.#entries.files).filter(([name]) => name !== file));
    this.#write({ ...this.#entries, files });
  }

  /** Whether setup has made a link as it is. */
  linked(link: string, target: string): boolean {
    return this.#entries.links[link] === target;
  }

  addLink(link: string, target: string): void {
    this.#write({ ...this.#entries, links: { ...this.#entries.links, [link]: target } });
  }

  removeLink(link: string): void {
    const links = Object.fromEntries(Object.entries(this.#entries.links).filter(([name]) => name !== link));
    this.#write({ ...this.#entries, links });
  }

  addAside(file: string, how: string): void {
    this.#write({ ...this.#entries, aside: { ...this.#entries.aside, [file]: how } });
  }

  removeAside(file: string): void {
    const aside = Object.fromEntries(Object.entries(this.#entries.aside).filter(([name]) => name !== file));
    this.#write({ ...this.#entries, aside });
  }

  add(kind: 'directories' | 'units' | 'filesystems', name: string): void {
    const list = this.#entries[kind];
    if (!list.includes(name)) this.#write({ ...this.#entries, [kind]: [...list, name] });
  }

  remove(kind: 'directories' | 'units' | 'filesystems', name: string): void {
    this.#write({ ...this.#entries, [kind]: this.#entries[kind].filter((one) => one !== name) });
  }

  /** An empty one goes, with its directory where nothing else is in there. */
  #write(entries: Entries): void {
    const file = this.#host.path(ledgerFile);
    const { files, links, aside, ...lists } = entries;
    if (
      Object.keys({ ...files, ...links, ...aside }).length === 0 &&
      Object.values(lists).every((list) => list.length === 0)
    ) {
      rmSync(file, { force: true });
      removeIfEmpty(path.dirname(file));
    } else {
      mkdirSync(path.dirname(file), { recursive: true, mode: 0o755 });
      replaceDurably(file, `${JSON.stringify(entries, null, 2)}\n`, 0o600);
    }
    this.#entries = entries;
  }
}

/** Throws FailoverError NOT_READY where others than root, and this process's user, could put something else in the place of a file, or of what is on the way. */
export async function expectRoots(host: Host, file: string): Promise<void> {
  const why = await whyUnsafe(host.path(file), [0, process.geteuid?.() ?? 0]);
  if (why === undefined) return;
  throw new FailoverError(`${why}: somebody else could change what setup makes`, {
    code: 'NOT_READY',
    exitCode: exitCodes.configuration,
    operation: `looking at ${file}`,
    hint: 'Find out who made it. Then give it to root (chown -h root, chmod go-w), and run setup again.',
  });
}

/** Whether it is gone. */
export function removeIfEmpty(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch {
    return false; // something is in it, or it is a mount point
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function read(host: Host): Entries {
  const text = host.readText(ledgerFile);
  if (text === undefined) return nothing;
  try {
    const given: unknown = JSON.parse(text);
    // Links, and what is out of the way, came later than the first version.
    if (isEntries(given)) return { ...nothing, ...given };
  } catch {
    // Said below.
  }
  throw new FailoverError(`${ledgerFile} is not what setup writes: what it has made here is not known`, {
    code: 'SYSTEM_ERROR',
    exitCode: exitCodes.stepFailed,
    operation: `reading ${ledgerFile}`,
    hint: 'Move it away. Then run setup again; what it then calls unchanged it will not take back.',
  });
}

function isEntries(given: unknown): given is Entries {
  if (typeof given !== 'object' || given === null) return false;
  const { files, links, aside, directories, units, filesystems } = { ...nothing, files: undefined, ...given };
  const isText = (value: unknown) => typeof value === 'string';
  const isList = (value: unknown) => Array.isArray(value) && value.every(isText);
  const isTable = (value: unknown) =>
    typeof value === 'object' && value !== null && Object.values(value).every(isText);
  return [files, links, aside].every(isTable) && [directories, units, filesystems].every(isList);
}
