import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { errnoOf, exitCodes, FailoverError, messageOf } from '../../errors.js';
import { isAtOrBelow } from '../../paths.js';
import type { Argv, CommandResult, Host } from '../host.js';
import { parseMountinfo } from '../reading/mounts.js';
import { nfsdThreads } from '../reading/nfsd.js';
import { readTextIfThere } from '../real.js';
import { rehearseIp } from './rehearsal-addresses.js';
import { rehearseExportfs } from './rehearsal-exports.js';

const nfsd = '/proc/fs/nfsd';
/** These are the machine's own also in a rehearsal: the callout reads them. */
const realFiles = new Set(['/proc/uptime', '/proc/sys/kernel/random/boot_id']);
const succeeded: CommandResult = { exitCode: 0, stdout: '', stderr: '' };

/**
 * One node of a rehearsal: the same sequence, without root and without touching the machine.
 * Every path lies below the node's directory; ip, mount, umount and exportfs keep their state in
 * files there, in the formats of the real ones; writes to nfsd's files have the kernel's effect on
 * the rehearsed /proc/locks. A device is a directory that both nodes' /dev link to, so that what
 * lies on it, the record too, moves. The record, the journal and the packets are real.
 * As on a machine a command has happened or it has not: each changes one file with one write.
 */
export function openRehearsal(directory: string): {
  host: Host;
  rpcbindPort: number;
  nlmRegistered: () => Promise<boolean>;
} {
  if (!existsSync(path.join(directory, 'rehearsal'))) {
    throw new FailoverError(`${directory} is not a rehearsal directory: it has no file named rehearsal`, {
      code: 'NOT_A_REHEARSAL',
      exitCode: exitCodes.usage,
      operation: 'reading NLM_FAILOVER_REHEARSAL',
      hint: 'Unset NLM_FAILOVER_REHEARSAL to work on this machine itself.',
    });
  }
  const host = rehearsalHost(directory);
  giveMachineId(host);
  return {
    host,
    rpcbindPort: Number.parseInt(readFileSync(path.join(directory, 'rehearsal'), 'utf8'), 10),
    nlmRegistered: async () => nfsdThreads(host, nfsd) > 0,
  };
}

/** As a machine has one from its first boot on. */
function giveMachineId(host: Host): void {
  const file = '/etc/machine-id';
  if (host.readText(file) !== undefined) return;
  mkdirSync(path.dirname(host.path(file)), { recursive: true });
  writeFileSync(host.path(file), `${randomUUID().replaceAll('-', '')}\n`);
}

/** A node whose machine is the directory; see openRehearsal. */
export function rehearsalHost(directory: string): Host {
  const inside = (absolute: string) =>
    realFiles.has(absolute) ? absolute : path.join(directory, throughMount(directory, absolute));
  const host: Host = {
    kind: 'rehearsal',
    path: inside,
    run: async (argv) => exitOf(() => command(host, argv)),
    readText: (absolute) => readTextIfThere(inside(absolute)),
    writeKernel: async (absolute, text) => kernelWrite(host, absolute, text),
    now: () => Date.now(),
    delay: (ms, signal) => delay(ms, undefined, signal === undefined ? undefined : { signal }),
  };
  return host;
}

function command(host: Host, argv: Argv): CommandResult {
  const [program, ...args] = argv;
  switch (program) {
    case 'ip':
      return rehearseIp(host, args);
    case 'exportfs':
      return rehearseExportfs(host, args);
    case 'mount':
      return mount(host, args.at(-2) ?? '', args.at(-1) ?? '', args[args.indexOf('-t') + 1] ?? 'none');
    case 'umount':
      return umount(host, args.at(-1) ?? '');
    case 'start-nfsd':
      writeFileSync(host.path(`${nfsd}/threads`), '8\n');
      writeFileSync(host.path('/proc/fs/lockd/nlm_end_grace'), 'N\n');
      return succeeded;
    case 'ss':
    case 'arping':
      return succeeded;
    default:
      return { exitCode: 127, stdout: '', stderr: `${program} has no part in a rehearsal` };
  }
}

/** A path below a rehearsed mount point lies on the device. */
function throughMount(directory: string, absolute: string): string {
  if (absolute.startsWith('/proc/')) return absolute;
  const table = readTextIfThere(path.join(directory, '/proc/self/mountinfo')) ?? '';
  const over = parseMountinfo(table).findLast(({ mountpoint }) => isAtOrBelow(absolute, mountpoint));
  return over === undefined ? absolute : over.source + absolute.slice(over.mountpoint.length);
}

/** A command whose own write fails says so and exits with 1: it throws nothing at who started it. */
function exitOf(run: () => CommandResult): CommandResult {
  try {
    return run();
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return { exitCode: 1, stdout: '', stderr: messageOf(error) };
  }
}

function mount(host: Host, device: string, mountpoint: string, type: string): CommandResult {
  if (!existsSync(host.path(device)))
    return { ...succeeded, exitCode: 32, stderr: `${device} does not exist` };
  if (isMounted(host, mountpoint)) return { ...succeeded, exitCode: 32, stderr: `${mountpoint} is mounted` };
  const table = host.readText('/proc/self/mountinfo') ?? '';
  writeFileSync(
    host.path('/proc/self/mountinfo'),
    `${table}1 0 7:1 / ${mountpoint} rw - ${type} ${device} rw\n`,
  );
  return succeeded;
}

function umount(host: Host, mountpoint: string): CommandResult {
  const failure = host.readText('/umount-fails');
  if (failure !== undefined)
    return { ...succeeded, exitCode: 32, stderr: `umount: ${mountpoint}: ${failure}` };
  if (!isMounted(host, mountpoint))
    return { ...succeeded, exitCode: 32, stderr: `${mountpoint} is not mounted` };
  keepLines(host, '/proc/self/mountinfo', (line) => line.split(' ')[4] !== mountpoint);
  return succeeded;
}

function isMounted(host: Host, mountpoint: string): boolean {
  return parseMountinfo(host.readText('/proc/self/mountinfo') ?? '').some(
    (one) => one.mountpoint === mountpoint,
  );
}

/** What the kernel does when these files are written. */
function kernelWrite(host: Host, file: string, text: string): void {
  const dropsLocks = file === `${nfsd}/unlock_filesystem` || (file === `${nfsd}/threads` && text === '0\n');
  if (dropsLocks) keepLines(host, '/proc/locks', () => false);
  // Every write of an fsid stays visible, as in a log; the other files hold one value.
  const isLog = file === `${nfsd}/nlm_unlock` || file === `${nfsd}/nlm_set_ip_grace`;
  writeFileSync(host.path(file), text, { flag: isLog ? 'a' : 'r+' });
}

function keepLines(host: Host, file: string, keep: (line: string) => boolean): void {
  const lines = (host.readText(file) ?? '').split('\n').filter((line) => line !== '' && keep(line));
  writeFileSync(host.path(file), lines.map((line) => `${line}\n`).join(''));
}
