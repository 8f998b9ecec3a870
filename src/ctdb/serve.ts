import { spawn } from 'node:child_process';
import { closeSync, constants, fstatSync, ftruncateSync, openSync } from 'node:fs';
import path from 'node:path';
import type { Config, FloatingIp } from '../config/config.js';
import { exitCodes, FailoverError } from '../errors.js';
import { makeDirectory } from '../host/directories.js';
import type { Host } from '../host/host.js';
import { replaceDurably } from '../host/replace-file.js';
import { systemdRuns } from '../host/reading/boot.js';
import type { DriverModule } from '../lockmanager/module.js';
import { unfitFilesystems } from '../lockmanager/unfit.js';
import { readAt, withRegularFile } from '../record/safe-files/files.js';
import { barrierName, isOperating } from '../rundir/operating.js';
import { publicAddresses } from './addresses.js';

/** The unit that has the process, where systemd runs. */
export const barrierUnit = 'nlm-failover-ctdb.service';

/** Whether the process runs on this node. */
export function isServing(run: string): boolean {
  return isOperating(run, barrierName);
}

/** Nobody else can write to the directory of it. */
function logFile(run: string): string {
  return path.join(run, 'ctdb', 'log');
}

/** As long the log may become, bytes; /run is memory. */
const mostLog = 1 << 20;

/**
 * Where `fd` is <run>/ctdb/log, and that is long, it goes on in log.1, in the place of what that had, and is emptied: descriptors that a process has
 * inherited are good still. What comes meanwhile is waited for, and where it cannot be put there it stays.
 */
export function boundLog(run: string, fd: number): void {
  try {
    bound(run, fd);
  } catch {
    // A full /run, or no such descriptor: whoever says something goes on.
  }
}

function bound(run: string, fd: number): void {
  const isLong = () => fstatSync(fd).size > mostLog;
  if (!fstatSync(fd).isFile() || !isLong()) return;
  const file = logFile(run);
  withRegularFile(file, constants.O_RDONLY, (reader) => {
    const { dev, ino } = fstatSync(reader);
    const own = fstatSync(fd);
    if (own.dev !== dev || own.ino !== ino) return;
    let kept = -1;
    while (kept !== fstatSync(reader).size) {
      kept = fstatSync(reader).size;
      // One that grew before there was a bound is not read whole.
      const from = Math.max(0, kept - 4 * mostLog);
      replaceDurably(`${file}.1`, readAt(reader, from, kept - from).toString('utf8'), 0o600);
    }
    ftruncateSync(fd);
  });
}

/**
 * Has the process run, where it does not: by its unit, else in a session of its own, so that it outlives the event, and ctdbd. Never waits for it. What it says
 * then goes to <run>/ctdb/log, which is bounded. `words`: how this installation is called.
 */
export async function haveServed(
  { host, run }: { readonly host: Host; readonly run: string },
  words: readonly [string, ...string[]],
): Promise<void> {
  if (isServing(run)) return;
  if (systemdRuns(host)) {
    const start = await host.run(['systemctl', 'start', '--no-block', barrierUnit], { short: true });
    if (start.exitCode === 0) return;
  }
  const { O_WRONLY, O_CREAT, O_APPEND, O_NOFOLLOW } = constants;
  makeDirectory(run, 0o755);
  makeDirectory(path.join(run, 'ctdb'), 0o700);
  const log = openSync(logFile(run), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW, 0o600);
  try {
    boundLog(run, log);
    const [program, ...args] = words;
    spawn(program, args, { detached: true, stdio: ['ignore', log, log], cwd: '/' }).unref();
  } finally {
    closeSync(log);
  }
}

/** What the process serves: the driver, and one address to make it for. Throws FailoverError CONFIG_INVALID (exit code 3). */
export function barrierOf(
  config: Config,
  drivers: readonly DriverModule[],
): {
  readonly module: DriverModule;
  readonly ips: readonly [FloatingIp, ...FloatingIp[]];
  readonly stateDirectory: string;
} {
  const ips = publicAddresses(config);
  const [first, ...others] = ips;
  if (first === undefined)
    throw invalid(
      `${config.file} has no [[shared_filesystem]]`,
      'CTDB moves addresses of file systems that every node exports: see CTDB in nlm-failover(8).',
    );
  const other = ips.find(({ stateDirectory }) => stateDirectory !== first.stateDirectory);
  if (other !== undefined)
    throw invalid(
      `${first.address} and ${other.address} have different state directories, and the nodes meet in one`,
      'Leave state_directory out of [[floating_ip]], and write [state] directory.',
    );
  const { driver } = config.lockManager;
  const able = drivers.filter(({ startsTogether }) => startsTogether === true);
  const module = able.find(({ name }) => name === driver);
  if (module === undefined)
    throw invalid(
      `the lock manager driver is "${driver}", which needs no barrier of all nodes`,
      `It is for ${able.map(({ name }) => name).join(', ')}: set [lock_manager].driver, or see SHARED FILE SYSTEMS in nlm-failover(8).`,
    );
  return { module, ips: [first, ...others], stateDirectory: first.stateDirectory };
}

/** Throws FailoverError NOT_READY (exit code 3) where the kernel's lock manager cannot keep locks apart on a file system (src/lockmanager/unfit.ts). */
export function refuseUnfit(host: Host, ips: readonly FloatingIp[]): void {
  const [why] = ips.flatMap((ip) => unfitFilesystems(host, ip));
  if (why === undefined) return;
  throw new FailoverError(why, {
    code: 'NOT_READY',
    exitCode: exitCodes.configuration,
    operation: 'ctdb serve',
    hint: 'Export it by NFS-Ganesha, or another cluster file system: CTDB in nlm-failover(8).',
  });
}

function invalid(message: string, hint: string): FailoverError {
  return new FailoverError(message, {
    code: 'CONFIG_INVALID',
    exitCode: exitCodes.configuration,
    operation: 'ctdb',
    hint,
  });
}
