import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  statSync,
} from 'node:fs';
import { isIP } from 'node:net';
import path from 'node:path';
import { errnoOf } from '../../errors.js';
import type { Host } from '../host.js';
import { type NfsConf, nfsConfFiles, readNfsConf } from '../settings/nfs-conf.js';
import { namespaceOf } from './namespaces.js';

/** statd(8)'s state directories: RHEL's, then Debian's and the upstream default. */
const monitorDirectories = ['/var/lib/nfs/statd/sm', '/var/lib/nfs/sm'];

/**
 * How each line of a file of statd's begins: whom to call back when that host reboots, 127.0.0.1 and lockd's program, version and procedure
 * (nfs-utils support/nsm/file.c, nsm_create_monitor_record). A cookie, mon_name and my_name follow.
 */
export const lockdCallback = '0100007f 000186b5 00000003 00000010';

export interface Monitored {
  /** Names of the hosts it monitors, as its callout is given them: mon_name; one character a byte (latin1). */
  readonly hosts: readonly string[];
  /** The user that statd, and so its callout, runs as: the owner of the directory (nsm_drop_privileges). */
  readonly uid: number;
  readonly gid: number;
  /** Why the names are not known, as a sentence, where they are not. */
  readonly unread?: string;
}

/** What this host's rpc.statd monitors and runs as; undefined where statd was never installed. */
export function monitored(host: Host): Monitored | undefined {
  for (const directory of monitorDirectories) {
    const place = host.path(directory);
    const found = lstatSync(place, { throwIfNoEntry: false });
    if (found === undefined) continue;
    const { uid, gid } = found;
    const hosts = namesIn(place, uid === 0);
    if (hosts !== undefined) return { hosts, uid, gid };
    const unread = `${directory} is a symbolic link of uid ${uid}, or no directory: whom rpc.statd monitors was not read`;
    return { hosts: [], uid, gid, unread };
  }
  return undefined;
}

/**
 * Undefined where it is no directory. A link is followed only where it is root's: where the directory above is rpc.statd's (RHEL), so
 * may one be that leads to any directory of root's, whose names would be recorded, and read by statd in its journal.
 */
function namesIn(directory: string, isRoots: boolean): string[] | undefined {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  let fd: number;
  try {
    fd = openSync(directory, O_RDONLY | O_DIRECTORY | (isRoots ? 0 : O_NOFOLLOW));
  } catch (error) {
    if (errnoOf(error) === 'ENOTDIR' || errnoOf(error) === 'ELOOP') return undefined;
    throw error;
  }
  try {
    const files = readdirSync(`/proc/self/fd/${fd}`, 'latin1').filter((name) => !name.startsWith('.'));
    return [...new Set(files.flatMap((name) => monNames(`/proc/self/fd/${fd}`, name)))];
  } finally {
    closeSync(fd);
  }
}

/** Of one host: a file has a line for each of its names. */
const mostBytes = 64 * 1024;

/**
 * mon_name of a file of statd's, which is named by what the name service says of the host (nfs-utils utils/statd/monitor.c,
 * statd_canonical_name). Its lines: address, program, version and procedure in eight hexadecimal digits, priv in 32, mon_name,
 * my_name (support/nsm/file.c, nsm_create_monitor_record). Where the name service knows none, it is the name of the file too, as it
 * is where the file cannot be read. What is no regular file statd leaves out too, whatever its name (support/nsm/file.c, nsm_load_host).
 */
function monNames(directory: string, name: string): string[] {
  let text = '';
  try {
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
    const fd = openSync(Buffer.from(`${directory}/${name}`, 'latin1'), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const stats = fstatSync(fd);
      if (!stats.isFile()) return [];
      if (isIP(name) !== 0) return [name];
      const bytes = Buffer.alloc(Math.min(stats.size, mostBytes));
      text = bytes.toString('latin1', 0, readSync(fd, bytes));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (errnoOf(error) === 'ELOOP') return [];
    // Gone, a lease: statd's user may make what it wants there.
  }
  const names = [...text.matchAll(/^(?:[0-9a-f]{8} ){4}[0-9a-f]{32} (\S+) \S+$/gm)].map(
    ([, one]) => one ?? '',
  );
  return names.length === 0 ? [name] : names;
}

/** The rpc.statd of a network namespace: it serves the lockd there. */
export interface StatdProcess {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** Stopped by a signal or a debugger: it answers nobody (proc_pid_stat(5), T and t). */
  readonly isStopped: boolean;
  /** What it runs for each client; undefined: nothing. */
  readonly callout: string | undefined;
  /** nfs.conf was changed after this process had read it, and `callout` is not in its memory: that is not what it runs. */
  readonly isOutdated: boolean;
  /** NLM_FAILOVER_RUN in its environment, which its callout inherits. */
  readonly run: string | undefined;
}

/**
 * `netns`: the file of the namespace (namespaces(7)). Undefined where none runs there. Any user may give a process that name, and in a user
 * namespace of its own any mounts; so only a program of root's counts, in the user namespace of this process, and first one that runs as
 * rpc.statd does. Any user can run that very program too, with a library of his own in it (ld.so(8), LD_PRELOAD), so never an ordinary user's. What is found may be asked for its mounts: they were made by somebody who is root here.
 */
export function statdProcess(host: Host, netns: string): StatdProcess | undefined {
  const namespace = namespaceOf(host.path(netns));
  const users = namespaceOf(host.path('/proc/self/ns/user'));
  const found = readdirSync(host.path('/proc'))
    .filter((name) => /^\d+$/.test(name))
    .filter(
      (one) =>
        host.readText(`/proc/${one}/comm`) === 'rpc.statd\n' &&
        namespaceOf(host.path(`/proc/${one}/ns/net`)) === namespace &&
        namespaceOf(host.path(`/proc/${one}/ns/user`)) === users &&
        isRootsProgram(host.path(`/proc/${one}/exe`)),
    );
  const usual = new Set([0, monitored(host)?.uid]);
  const pid =
    found.find((one) => usual.has(effectiveUid(host, one))) ??
    found.find((one) => (effectiveUid(host, one) ?? leastUser) < leastUser);
  const status = pid === undefined ? undefined : host.readText(`/proc/${pid}/status`);
  if (pid === undefined || status === undefined) return undefined;
  const words = (file: string) => (host.readText(`/proc/${pid}/${file}`) ?? '').split('\0').filter(Boolean);
  // Effective ids (proc_pid_status(5)).
  const numbers = (field: string) =>
    (new RegExp(`^${field}:[ \\t]*(.*)$`, 'm').exec(status)?.[1] ?? '')
      .trim()
      .split(/\s+/)
      .filter(Boolean)
      .map(Number);
  const given = calloutIn(words('cmdline'));
  const conf = readNfsConf(host);
  const callout = given ?? conf.get('statd', 'ha-callout');
  const isNewer = given === undefined && changedMs(host, conf) > startedMs(host, pid);
  return {
    pid: Number(pid),
    uid: numbers('Uid')[1] ?? 0,
    gid: numbers('Gid')[1] ?? 0,
    groups: numbers('Groups'),
    isStopped: /^State:\s*[Tt]/m.test(status),
    callout,
    isOutdated: isNewer && (callout === undefined || !hasRead(host, pid, callout)),
    run: words('environ')
      .find((one) => one.startsWith('NLM_FAILOVER_RUN='))
      ?.replace(/^[^=]*=/, ''),
  };
}

/** The first uid of ordinary users (login.defs(5), UID_MIN); daemons have those below. */
const leastUser = 1000;

/** Whether a process (its link `exe`) runs a file rpc.statd that nobody but root can write; also one that an update has replaced. */
function isRootsProgram(exe: string): boolean {
  try {
    const name = path.basename(readlinkSync(exe)).replace(/ \(deleted\)$/, '');
    const { uid, mode } = statSync(exe);
    return name === 'rpc.statd' && uid === 0 && (mode & 0o022) === 0;
  } catch {
    return false; // it ends just now
  }
}

function effectiveUid(host: Host, pid: string): number | undefined {
  const [, uid] = /^Uid:\s+\d+\s+(\d+)/m.exec(host.readText(`/proc/${pid}/status`) ?? '') ?? [];
  return uid === undefined ? undefined : Number(uid);
}

/** As much of its heap is looked through; seen: 132 KiB, bytes. */
const mostHeap = 8 * 1024 ** 2;

/**
 * Whether a value of nfs.conf(5) is in the memory of a process: what it has read it keeps, each value a string of its own on its heap
 * (nfs-utils support/nfs/conffile.c, conf_set_now), and ha_callout_prog is that string (utils/statd/statd.c). False too where the memory may not be read.
 */
function hasRead(host: Host, pid: string, value: string): boolean {
  const [, from = '', to = ''] =
    /^([0-9a-f]+)-([0-9a-f]+) .* \[heap\]$/m.exec(host.readText(`/proc/${pid}/maps`) ?? '') ?? [];
  if (from === '') return false;
  try {
    const fd = openSync(host.path(`/proc/${pid}/mem`), constants.O_RDONLY);
    try {
      const start = Number.parseInt(from, 16);
      const heap = Buffer.alloc(Math.min(Number.parseInt(to, 16) - start, mostHeap));
      const length = readSync(fd, heap, 0, heap.length, start);
      return heap.subarray(0, length).includes(`\0${value}\0`);
    } finally {
      closeSync(fd);
    }
  } catch {
    return false; // it ends just now; or ptrace(2) is forbidden to root too
  }
}

/** When a process started, ms since 1970 by the clock of now, to 10 ms (proc_pid_stat(5): starttime, in clock ticks since boot). */
function startedMs(host: Host, pid: string): number {
  const fields = (host.readText(`/proc/${pid}/stat`) ?? '').replace(/^.*\) /s, '').split(' ');
  const uptime = Number.parseFloat(host.readText('/proc/uptime') ?? '0');
  return host.now() - uptime * 1000 + Number(fields[19] ?? 0) * 10;
}

/** When what nfs.conf(5) says was changed last: a file of it, or which files there are. */
function changedMs(host: Host, { files }: NfsConf): number {
  const places = [...files, ...nfsConfFiles.map((file) => `${file}.d`)];
  return Math.max(...places.map((one) => lstatSync(host.path(one), { throwIfNoEntry: false })?.ctimeMs ?? 0));
}

/** -H PROGRAM, --ha-callout PROGRAM, in one word or two (rpc.statd(8), getopt_long(3)). */
function calloutIn(words: readonly string[]): string | undefined {
  for (const [index, word] of words.entries()) {
    const [, inWord] = /^(?:--ha-callout=|-[A-Za-z]*?H)(.+)$/.exec(word) ?? [];
    if (inWord !== undefined) return inWord;
    if (word === '--ha-callout' || /^-[A-Za-z]*H$/.test(word)) return words[index + 1];
  }
  return undefined;
}
