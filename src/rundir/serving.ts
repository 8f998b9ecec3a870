import { lstatSync, readdirSync, readlinkSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import type { Environment } from '../environment.js';
import { errnoOf } from '../errors.js';
import { makeDirectory } from '../host/directories.js';
import type { Host } from '../host/host.js';
import { putInPlace, removeUnfinished, unfinished } from '../host/in-place.js';
import { doing } from '../host/running/watchdog.js';

/** Where the callout looks, unless NLM_FAILOVER_RUN says otherwise; on tmpfs, so a reboot records nothing. */
export const defaultRunDirectory = '/run/nlm-failover';

/** Where the parts of this node are kept that serve an address with a /run of their own: for the driver that makes them. */
export const instancesDirectory = path.join(defaultRunDirectory, 'instances');

export function runDirectory(host: Host, env: Environment = process.env): string {
  return env.NLM_FAILOVER_RUN ?? host.path(defaultRunDirectory);
}

/** The link that is there exactly while this node records for an address. */
export function servingLink(run: string, address: string): string {
  return path.join(run, 'serving', address);
}

/** The journal an address is recorded in by this node now; undefined: not recorded here. */
export function servingJournal(run: string, address: string): string | undefined {
  return linkTarget(servingLink(run, address));
}

/** Whether an event would be written now: a link whose journal is gone records nothing, and the callout says so in a mark. */
export function isRecording(run: string, address: string): boolean {
  const journal = servingJournal(run, address);
  if (journal === undefined) return false;
  doing(`looking at ${journal}`);
  return lstatSync(journal, { throwIfNoEntry: false })?.isFile() === true;
}

/** Whether two names lead to one file, by device and inode. */
export function isSameFile(one: string, other: string): boolean {
  const [a, b] = [one, other].map((file) => {
    doing(`looking at ${file}`);
    return lstatSync(file, { bigint: true, throwIfNoEntry: false });
  });
  return a !== undefined && b !== undefined && a.dev === b.dev && a.ino === b.ino;
}

/**
 * The link that is there while nobody may leave the record of an address: the callout writes who comes, and not who goes. From B-2 until B-3
 * has been done, and from "release --freeze" on.
 */
export function frozenLink(run: string, address: string): string {
  return path.join(run, 'frozen', address);
}

/** Whether an address that is recorded here is recorded so. */
export function isFrozen(run: string, address: string): boolean {
  return linkTarget(frozenLink(run, address)) !== undefined;
}

/**
 * The file that names the process which the clients of an address have their locks from, "PID START" (ticks since the boot), where that is
 * one that can die alone: once it has, the callout lets nobody leave the record.
 */
export function serverFile(run: string, address: string): string {
  return path.join(run, 'server', address);
}

/** Addresses that this node records for now. */
export function servedAddresses(run: string): string[] {
  return linksIn(path.join(run, 'serving'));
}

/** Addresses whose journal the callout syncs, since it is not synchronous by itself. */
export function syncedAddresses(run: string): string[] {
  return linksIn(path.join(run, 'sync'));
}

export interface Serving {
  readonly address: string;
  readonly journal: string;
  /** Whether every write to the journal is durable by itself; else the callout runs `sync -d`. */
  readonly synchronous: boolean;
}

/** Throws the recording switch on: from here on the callout appends to this journal, and to begin with only who comes. */
export function startServing(run: string, { address, journal, synchronous }: Serving): void {
  // statd's user reads them.
  for (const directory of [run, path.join(run, 'serving'), path.join(run, 'sync')])
    makeDirectory(directory, 0o755);
  freezeServing(run, address, journal);
  const sync = path.join(run, 'sync', address);
  // First what makes a line durable, then what makes the callout write one.
  if (synchronous) rmSync(sync, { force: true });
  else replaceLink(sync, journal);
  replaceLink(servingLink(run, address), journal);
}

/** Nobody leaves the record any more. */
export function freezeServing(run: string, address: string, journal: string): void {
  for (const directory of [run, path.join(run, 'frozen')]) makeDirectory(directory, 0o755);
  replaceLink(frozenLink(run, address), journal);
}

/** Who goes is recorded again. */
export function thawServing(run: string, address: string): void {
  removeLink(frozenLink(run, address));
}

/** Whether it is off, and a run that was killed has left nothing of it either. */
export function isServingCleared(run: string, address: string): boolean {
  return kinds.every((kind) => {
    const link = path.join(run, kind, address);
    return linkTarget(link) === undefined && unfinished(link).length === 0;
  });
}

/** Throws it off. True where it was on. */
export function stopServing(run: string, address: string): boolean {
  const wasOn = servingJournal(run, address) !== undefined;
  for (const kind of kinds) removeLink(path.join(run, kind, address));
  return wasOn;
}

/** In the order in which they go: nobody leaves a record by what the callout is doing just now. */
const kinds = ['serving', 'sync', 'frozen'] as const;

function removeLink(link: string): void {
  rmSync(link, { force: true });
  removeUnfinished(link);
}

/** rename(2) over the old link, so that the callout never finds none. The dot keeps `serving/*` blind to it. */
function replaceLink(link: string, target: string): void {
  putInPlace(link, (beside) => symlinkSync(target, beside));
}

function linksIn(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => !name.startsWith('.'));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function linkTarget(link: string): string | undefined {
  try {
    return readlinkSync(link);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
