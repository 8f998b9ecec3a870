import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { systemError } from '../errors.js';
import { makeDirectory } from '../host/directories.js';
import { readTextIfThere } from '../host/real.js';
import { replaceFile } from '../host/replace-file.js';

// The configuration file with which this node took an address over, as it was then: a copy in <run>/configured/ADDRESS.toml, which is root's
// alone. The OCF agents look whether it is there (callouts/lib/ocf.sh, tool_stop).

/** The file, and the name that this node has by it. */
interface Configured {
  readonly file: string;
  readonly node: string;
}

function directoryOf(run: string): string {
  return path.join(run, 'configured');
}

function fileOf(run: string, address: string): string {
  return path.join(directoryOf(run), `${address}.toml`);
}

/** Its copy; undefined where none was made in this boot, or the address was released since. */
export function notedConfiguration(run: string, address: string): string | undefined {
  const file = fileOf(run, address);
  return existsSync(file) ? file : undefined;
}

/** Whether the copy of an address is of this file, as it is now, and of this node. */
export function isConfigurationNoted(run: string, address: string, { file, node }: Configured): boolean {
  const copy = notedConfiguration(run, address);
  return copy !== undefined && readTextIfThere(copy) === textOf(file, node);
}

/** Makes it. Nothing where the file has gone since it was read. Throws FailoverError SYSTEM_ERROR, RUN_UNSAFE. */
export function noteConfiguration(run: string, address: string, { file, node }: Configured): void {
  const text = textOf(file, node);
  if (text === undefined) return;
  try {
    makeDirectory(run, 0o755);
    makeDirectory(directoryOf(run), 0o700);
  } catch (error) {
    throw systemError(error, `making ${directoryOf(run)}`);
  }
  replaceFile(fileOf(run, address), text, 0o600);
}

/** With the name of this node above the first table, where the file leaves that to the host name, which may be another one by then. */
function textOf(file: string, node: string): string | undefined {
  const text = readTextIfThere(file)?.replace(/^\uFEFF/, '');
  const [top = ''] = text?.split(/^[ \t]*\[/m) ?? [];
  return text === undefined || /^[ \t]*["']?node["']?[ \t]*=/m.test(top)
    ? text
    : `node = ${JSON.stringify(node)}\n${text}`;
}

/** Nothing of the address is here any more. */
export function forgetConfiguration(run: string, address: string): void {
  rmSync(fileOf(run, address), { force: true });
}
