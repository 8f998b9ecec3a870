import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { nodePattern } from '../../names.js';
import type { HeldDirectory } from '../safe-files/held-directory.js';

/** Who takes part in a trial. */
export interface Side {
  readonly node: string;
  /** What tells the machine from others, its boot from others, and how the directory is mounted there from other mounts. */
  readonly machine: string;
  readonly bootId: string;
  readonly device: number;
}

/** That a run is there, which ones it sees, and the one that it would write with, until it sees that this one has chosen another. */
export interface Here {
  readonly is: 'here';
  readonly side: Side;
  readonly sees: readonly string[];
  readonly chosen: string;
}

/** What two nodes tell each other, in this order. */
export type Message =
  | Here
  /** The database is there; the first of the two has made it. */
  | { readonly is: 'made' }
  | { readonly is: 'open' }
  | { readonly is: 'done'; readonly written: number; readonly why: readonly string[] }
  | { readonly is: 'verdict'; readonly why: readonly string[] }
  /** Instead of any of them. */
  | { readonly is: 'given up'; readonly because: string };

export interface Heard {
  readonly node: string;
  /** Of the run that said it: what a run that was killed has left is nobody's. */
  readonly run: string;
  readonly message: Message;
}

const name = new RegExp(`^(${nodePattern})[.]([0-9a-f]{16})[.]([0-9]{1,6})$`, 'u');

/**
 * How two nodes talk over files of one directory, also where that shows each of them old contents and names: each message is a file of
 * its own, complete when it gets its name, which nobody has asked for before it is seen in the directory, and which is never changed.
 */
export class Talk {
  readonly run = randomBytes(8).toString('hex');
  readonly #held: HeldDirectory;
  readonly #node: string;
  readonly #heard = new Map<string, Heard>();
  #said = 0;

  /** Removes what former runs of this node have said. What this one says stays, as nobody knows when the other has read it. */
  constructor(held: HeldDirectory, node: string) {
    this.#held = held;
    this.#node = node;
    for (const file of this.#files()) {
      const visible = file.startsWith('.') ? file.slice(1) : file;
      if (name.exec(visible)?.[1] === node) rmSync(held.at(file), { force: true });
    }
  }

  say(message: Message): void {
    this.#said += 1;
    const file = `${this.#node}.${this.run}.${this.#said}`;
    writeFileSync(this.#held.at(`.${file}`), JSON.stringify(message), {
      mode: 0o600,
      flag: 'wx',
      flush: true,
    });
    renameSync(this.#held.at(`.${file}`), this.#held.at(file));
  }

  /** All that runs but this one have said so far, in the order of each. */
  hear(): readonly Heard[] {
    for (const file of this.#files().filter((one) => !this.#heard.has(one))) {
      const [, node, run] = name.exec(file) ?? [];
      if (node === undefined || run === undefined || run === this.run) continue;
      const message = this.#read(file);
      if (message !== undefined) this.#heard.set(file, { node, run, message });
    }
    const numbered = [...this.#heard].map(([file, heard]) => ({
      number: Number(name.exec(file)?.[3]),
      heard,
    }));
    return numbered.toSorted((one, other) => one.number - other.number).map(({ heard }) => heard);
  }

  #files(): string[] {
    return readdirSync(this.#held.way);
  }

  /** Undefined where it cannot be read yet: its content comes later than its name, or it is removed meanwhile. */
  #read(file: string): Message | undefined {
    try {
      return parseMessage(readFileSync(this.#held.at(file), 'utf8'));
    } catch {
      return undefined;
    }
  }
}

/** Undefined for what no trial says. Throws SyntaxError. */
function parseMessage(text: string): Message | undefined {
  const said = fields(JSON.parse(text));
  const { is, written, because, chosen } = said;
  if (is === 'made' || is === 'open') return { is };
  if (is === 'verdict') return { is, why: texts(said['why']) };
  if (is === 'given up' && typeof because === 'string') return { is, because };
  if (is === 'done' && typeof written === 'number') return { is, written, why: texts(said['why']) };
  const { node, machine, bootId, device } = fields(said['side']);
  if (is !== 'here' || typeof device !== 'number' || typeof chosen !== 'string') return undefined;
  const side = { node: String(node), machine: String(machine), bootId: String(bootId), device };
  return { is, side, sees: texts(said['sees']), chosen };
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}
