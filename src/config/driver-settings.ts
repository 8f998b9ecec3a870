import type { LockManagerConfig } from './config.js';
import { type Problem, renderValue, Wrong } from './problem.js';

// What a lock manager driver says of its part of [lock_manager]. Which drivers there are is not known here: whoever reads a
// configuration brings them along.

/** A key of [lock_manager] that is a driver's. Several drivers may share one, as the same object. */
export interface DriverKey<T = unknown> {
  readonly name: string;
  /** How a value is asked for: completes "write ...". */
  readonly wanted: string;
  /** What it is for, in the manual; `text in backticks` becomes bold. */
  readonly text: string;
  /** The value where the file has none. */
  readonly default: T;
  /** The default in the manual's words; absent: as TOML writes it. */
  readonly defaultText?: string;
  /** What TOML makes of it (an integer is a bigint) as a value, or the reason why it cannot be one. */
  readonly read: (input: unknown) => T | Wrong;
}

type Table = Readonly<Record<string, unknown>>;

/** The file as it was read, unjudged. */
export interface RawFile {
  /** [lock_manager]. */
  readonly lockManager: Table;
  /** Each [[floating_ip.filesystem]], with the path that leads to it. */
  readonly filesystems: readonly { readonly at: Problem['path']; readonly row: Table }[];
  /** Each [[shared_filesystem]], likewise. */
  readonly shared: readonly { readonly at: Problem['path']; readonly row: Table }[];
}

export interface DriverSettings {
  /** As `driver` in [lock_manager] has it. */
  readonly name: string;
  /** For which hosts it is, in the manual and where it is refused: "stock kernels". */
  readonly summary: string;
  readonly keys: readonly DriverKey[];
  /** What is wrong between several values that are each right; values that are wrong in themselves are passed over. */
  problems?(file: RawFile): Problem[];
}

/** The value of a driver's key, or its default. The configuration has been accepted, so it can be read. */
export function settingOf<T>({ given }: Pick<LockManagerConfig, 'given'>, key: DriverKey<T>): T {
  const input = given[key.name];
  const value = input === undefined ? key.default : key.read(input);
  if (value instanceof Wrong) throw new TypeError(`[lock_manager] ${key.name}: ${value.because}`);
  return value;
}

/** Each key of these drivers once, with the drivers that it is for. */
export function keysOf(
  drivers: readonly DriverSettings[],
): { readonly key: DriverKey; readonly of: readonly string[] }[] {
  const keys = new Set(drivers.flatMap((driver) => driver.keys));
  return [...keys].map((key) => ({
    key,
    of: drivers.filter((driver) => driver.keys.includes(key)).map(({ name }) => name),
  }));
}

/** What holds where the file has no such key, for the manual. */
export function defaultText({ default: value, defaultText: text }: DriverKey): string {
  return text ?? renderValue(value);
}

/** Words as messages name them: "a", "b". */
export function quoted(words: readonly string[]): string {
  return words.map((word) => `"${word}"`).join(', ');
}

/** Takes a string; says what is wanted where it is something else. */
export function ofString<T>(
  wanted: string,
  read: (text: string) => T | Wrong,
): (input: unknown) => T | Wrong {
  return (input) =>
    typeof input === 'string' ? read(input) : new Wrong(`this is not a string; write ${wanted}`);
}

/** How a value is asked for, and read. */
interface Words<T> {
  readonly wanted: string;
  readonly read: (input: unknown) => T | Wrong;
}

/** One of these words. */
export function oneOf<const W extends string>(words: readonly W[]): Words<W> {
  const wanted = `one of ${quoted(words)}`;
  return {
    wanted,
    read: ofString(wanted, (text) => words.find((word) => word === text) ?? new Wrong(`write ${wanted}`)),
  };
}

/** An integer, which TOML makes a bigint: 8.0 is none. */
export function wholeNumber(wanted: string, min: bigint, max: bigint): Words<number> {
  return {
    wanted,
    read: (input) =>
      typeof input === 'bigint' && input >= min && input <= max
        ? Number(input)
        : new Wrong(`write ${wanted}, without quotes`),
  };
}
