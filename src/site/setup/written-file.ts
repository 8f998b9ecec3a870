import { lstatSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { Host } from '../../host/host.js';
import { replaceDurably } from '../../host/replace-file.js';
import type { Finding } from './item.js';
import { expectRoots, type Ledger } from './ledger.js';

/** What setup works on: the node, and what it has made there. */
export interface SetupPlace {
  readonly host: Host;
  readonly ledger: Ledger;
}

/**
 * Of a file that setup writes whole: `unchanged`, `to do`, or `left` where somebody else wrote it, or changed it since. Throws FailoverError
 * where it is not root's alone, or no regular file.
 */
export async function lookAtFile({ host, ledger }: SetupPlace, file: string, text: string): Promise<Finding> {
  await expectRoots(host, file);
  const there = host.readText(file);
  if (there === text) return { state: 'unchanged', detail: file };
  const commands = [`# ${file}:`, ...text.trimEnd().split('\n')];
  if (there === undefined && !isThere(host, file)) return { state: 'to do', detail: file, commands };
  if (there !== undefined && ledger.wrote(file, there))
    return { state: 'to do', detail: `${file}, which setup wrote before`, commands };
  return {
    state: 'left',
    detail: `${file} was not written by setup, or changed since; remove it, or see that it has this`,
    commands,
  };
}

/** Writes it; its directory is made where it is not there. */
export function writeFile({ host, ledger }: SetupPlace, file: string, text: string): void {
  makeDirectories({ host, ledger }, path.dirname(file));
  ledger.addFile(file, text);
  replaceDurably(host.path(file), text, 0o644);
}

/** Of a file that is to go: `unchanged` where it is not there, `left` where it is not as setup wrote it. Throws as lookAtFile does. */
export async function lookAtWritten({ host, ledger }: SetupPlace, file: string): Promise<Finding> {
  await expectRoots(host, file);
  const there = host.readText(file);
  if (there === undefined && !isThere(host, file))
    return { state: 'unchanged', detail: `${file} is gone already` };
  if (there !== undefined && ledger.wrote(file, there))
    return { state: 'to do', detail: file, commands: [`rm ${file}`] };
  return { state: 'left', detail: `${file} was changed since setup wrote it` };
}

export function removeFile({ host, ledger }: SetupPlace, file: string): void {
  rmSync(host.path(file), { force: true });
  ledger.removeFile(file);
}

/** Makes a directory, and those above it, that are not there; each is remembered. */
export function makeDirectories({ host, ledger }: SetupPlace, directory: string): void {
  const above = path.dirname(directory);
  if (above !== directory) makeDirectories({ host, ledger }, above);
  if (isThere(host, directory)) return;
  ledger.add('directories', directory);
  mkdirSync(host.path(directory), { mode: 0o755 });
}

export function isThere(host: Host, file: string): boolean {
  return lstatSync(host.path(file), { throwIfNoEntry: false }) !== undefined;
}
