import { existsSync, writeFileSync } from 'node:fs';
import * as v from 'valibot';
import { errnoOf, messageOf } from '../../errors.js';
import type { Argv, CommandResult, Host } from '../host.js';
import { linksSchema } from '../reading/addresses.js';
import { etab } from '../reading/exports.js';
import { parseMountinfo } from '../reading/mounts.js';
import { rehearseGanesha } from './rehearsed-ganesha.js';
import { rehearseNft } from './rehearsed-nft.js';

const nfsd = '/proc/fs/nfsd';
const exportTable = '/proc/net/rpc/nfsd.fh';
const succeeded: CommandResult = { exitCode: 0, stdout: '', stderr: '' };

/** A command on the files of a rehearsal. One whose own write fails says so and exits with 1: it throws nothing at who started it. */
export function rehearseCommand(host: Host, argv: Argv, input?: string): CommandResult {
  try {
    return command(host, argv, input);
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return { exitCode: 1, stdout: '', stderr: messageOf(error) };
  }
}

function command(host: Host, argv: Argv, input?: string): CommandResult {
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
    case 'blkid':
      return rehearseBlkid(host, args.at(-1) ?? '');
    case 'start-nfsd':
      writeFileSync(host.path(`${nfsd}/threads`), '8\n');
      writeFileSync(host.path('/proc/fs/lockd/nlm_end_grace'), 'N\n');
      return succeeded;
    case 'ss':
    case 'arping':
      return succeeded;
    case 'busctl':
      return rehearseGanesha(host, argv);
    case 'gluster':
      return rehearseGluster(host, args.at(-1) ?? '');
    case 'nft':
      return rehearseNft(host, args, input);
    case 'ctdb':
      return rehearseCtdb(host, args);
    case 'crm_node':
    case 'crm_attribute':
    case 'crm_resource':
    case 'cibadmin':
    case 'stonith_admin':
      return rehearsePacemaker(host, argv);
    case 'timedatectl':
      return { ...succeeded, stdout: host.readText('/ntp-synchronized') ?? 'yes\n' };
    case 'systemctl':
      return args[0] === 'show'
        ? { ...succeeded, stdout: host.readText('/units') ?? '' }
        : { exitCode: 1, stdout: '', stderr: 'systemd has no part in a rehearsal' };
    default:
      return { exitCode: 127, stdout: '', stderr: `${program} has no part in a rehearsal` };
  }
}

/** `gluster volume get VOLUME OPTION`: what a file has, as it prints it; nothing where there is none. */
function rehearseGluster(host: Host, option: string): CommandResult {
  const text = host.readText('/gluster');
  if (text === undefined) return { exitCode: 1, stdout: '', stderr: 'Volume gv does not exist' };
  const lines = text.split('\n').filter((line) => line.startsWith(option));
  return { ...succeeded, stdout: ['Option Value', '------ -----', ...lines, ''].join('\n') };
}

/** `ctdb -X status`: as a file has it; without one no ctdbd runs. `ctdb -X ip`: the same, and without one each address is where it is up. `ctdb leader`: the same, and without one there is one. */
function rehearseCtdb(host: Host, args: readonly string[]): CommandResult {
  const text = host.readText('/ctdb-status');
  if (text === undefined)
    return { exitCode: 1, stdout: '', stderr: 'Failed to connect to CTDB daemon (/run/ctdb/ctdbd.socket)' };
  if (args.at(-1) === 'ip')
    return { ...succeeded, stdout: host.readText('/ctdb-ip') ?? addressesOfSelf(host, text) };
  if (args.at(-1) === 'leader') return { ...succeeded, stdout: host.readText('/ctdb-leader') ?? '0\n' };
  return { ...succeeded, stdout: text };
}

function addressesOfSelf(host: Host, status: string): string {
  const [, self = ''] = /^\|(\d+)\|.*\|Y\|$/m.exec(status) ?? [];
  const rows = v.parse(linksSchema, JSON.parse(host.readText('/addresses.json') ?? '[]'));
  const here = rows.flatMap(({ addr_info: all = [] }) => all.map(({ local }) => `|${local}|${self}|`));
  return ['|Public IP|Node|', ...here, ''].join('\n');
}

/** What each command line answers; nothing without a cluster. */
const pacemakerSchema = v.record(
  v.string(),
  v.object({ exitCode: v.number(), stdout: v.string(), stderr: v.string() }),
);

function rehearsePacemaker(host: Host, argv: Argv): CommandResult {
  const answers = v.parse(pacemakerSchema, JSON.parse(host.readText('/pacemaker.json') ?? '{}'));
  return (
    answers[argv.join(' ')] ?? {
      exitCode: 102,
      stdout: '',
      stderr: 'Pacemaker has no part in this rehearsal',
    }
  );
}

/** `ip -j address show` and `ip address add|del ADDRESS/PREFIX dev INTERFACE` on a file of that JSON. */
function rehearseIp(host: Host, args: readonly string[]): CommandResult {
  const file = '/addresses.json';
  const rows = v.parse(linksSchema, JSON.parse(host.readText(file) ?? '[]'));
  const [, verb, spec = '', , ifname = ''] = args;
  if (args[1] === 'link') return rehearseLink(host, args.at(-1) ?? '');
  if (args[0] === '-j') return { exitCode: 0, stdout: JSON.stringify(rows), stderr: '' };
  const [local = '', prefix = '0'] = spec.split('/');
  const others = rows.filter((row) => row.addr_info?.some((info) => info.local === local) !== true);
  const next =
    verb === 'add' ? [...others, { ifname, addr_info: [{ local, prefixlen: Number(prefix) }] }] : others;
  writeFileSync(host.path(file), JSON.stringify(next));
  return { exitCode: 0, stdout: '', stderr: '' };
}

/** `ip -j link show dev INTERFACE`: of those in /links.json, where there is one; else of any, and it is up. */
function rehearseLink(host: Host, ifname: string): CommandResult {
  const text = host.readText('/links.json') ?? JSON.stringify([{ ifname, flags: ['UP'] }]);
  const all = v.parse(v.array(v.looseObject({ ifname: v.string() })), JSON.parse(text));
  const found = all.filter((link) => link.ifname === ifname);
  if (found.length > 0) return { exitCode: 0, stdout: JSON.stringify(found), stderr: '' };
  return { exitCode: 1, stdout: '', stderr: `Device "${ifname}" does not exist.` };
}

/**
 * `exportfs -v -i -o OPTIONS CLIENTS:PATH`, `-u CLIENTS:PATH` and `-f` on a file in etab's format. A name that /unresolvable has, one a
 * line, cannot be resolved.
 */
function rehearseExportfs(host: Host, args: readonly string[]): CommandResult {
  const spec = args.at(-1) ?? '';
  const [, clients = '', rawPath = ''] = /^(.*?):(\/.*)$/.exec(spec) ?? [];
  const path = escapeOctal(rawPath);
  const lines = (host.readText(etab) ?? '').split('\n').filter((line) => line !== '');
  const others = lines.filter((line) => !line.startsWith(`${path}\t${clients}(`));
  if (args[0] === '-u') writeLines(host, etab, others);
  if (args[0] === '-u' || args[0] === '-f') forgetExports(host);
  const options = args.indexOf('-o');
  if (options === -1) return succeeded;
  const refused = /(?:^|,)(anon[ug]id=(?!-?\d+(?:,|$))[^,]*)/.exec(args[options + 1] ?? '')?.[1];
  if (refused !== undefined) return { ...succeeded, exitCode: 1, stderr: `exportfs: bad "${refused}"\n` };
  if (host.readText('/unresolvable')?.split('\n').includes(clients) === true) {
    writeLines(host, etab, others);
    return { ...succeeded, stderr: `exportfs: Failed to resolve ${clients}\n` };
  }
  writeLines(host, etab, [...others, `${path}\t${clients}(${args[options + 1] ?? ''})`]);
  return { ...succeeded, stdout: `exporting ${spec}\n` };
}

/** What the kernel does at the end of each exportfs, where a test has given it something to forget (Linux net/sunrpc/cache.c, write_flush). */
function forgetExports(host: Host): void {
  const before = host.readText(`${exportTable}/flush`);
  if (before === undefined) return;
  const now = Math.floor(host.now() / 1000);
  const isAhead = Number.parseInt(before, 10) >= now;
  writeLines(host, `${exportTable}/flush`, [String(isAhead ? Number.parseInt(before, 10) + 1 : now)]);
  if (!isAhead) writeLines(host, `${exportTable}/content`, []);
}

/** `blkid -p -o value -s TYPE DEVICE`: by /blkid.json, types by device, an empty one for no file system; else it cannot say. */
function rehearseBlkid(host: Host, device: string): CommandResult {
  const type = superblockOf(host, device);
  if (type === undefined) return { ...succeeded, exitCode: 8 };
  return type === '' ? { ...succeeded, exitCode: 2 } : { ...succeeded, stdout: `${type}\n` };
}

function superblockOf(host: Host, device: string): string | undefined {
  return v.parse(v.record(v.string(), v.string()), JSON.parse(host.readText('/blkid.json') ?? '{}'))[device];
}

function mount(host: Host, device: string, mountpoint: string, type: string): CommandResult {
  if (!existsSync(host.path(device)))
    return { ...succeeded, exitCode: 32, stderr: `${device} does not exist` };
  if (![undefined, type].includes(superblockOf(host, device)))
    return { ...succeeded, exitCode: 32, stderr: `mount: ${mountpoint}: wrong fs type on ${device}` };
  if (isMounted(host, mountpoint)) return { ...succeeded, exitCode: 32, stderr: `${mountpoint} is mounted` };
  const table = host.readText('/proc/self/mountinfo') ?? '';
  writeFileSync(
    host.path('/proc/self/mountinfo'),
    `${table}1 0 ${deviceNumber(device)} / ${escapeOctal(mountpoint)} rw - ${type} ${escapeOctal(device)} rw\n`,
  );
  return succeeded;
}

/** As the kernel writes /proc/self/mountinfo (fs/proc_namespace.c, mangle), and exportfs etab (support/export/xtab.c). */
function escapeOctal(text: string): string {
  return text.replaceAll(
    /[ \t\n\\#]/g,
    (one) => `\\${(one.codePointAt(0) ?? 0).toString(8).padStart(3, '0')}`,
  );
}

/** Another one for each device: /dev/vol1 is 7:1, /dev/state1 is 9:1. */
function deviceNumber(device: string): string {
  const [, name = '', number = '0'] = /([a-z]*)([0-9]*)$/.exec(device) ?? [];
  return `${4 + name.length}:${Number(number)}`;
}

function umount(host: Host, mountpoint: string): CommandResult {
  const failure = host.readText('/umount-fails');
  if (failure !== undefined)
    return { ...succeeded, exitCode: 32, stderr: `umount: ${mountpoint}: ${failure}` };
  if (!isMounted(host, mountpoint))
    return { ...succeeded, exitCode: 32, stderr: `${mountpoint} is not mounted` };
  if (host.readText(`${exportTable}/content`)?.split(/\s+/).includes(escapeOctal(mountpoint)) === true)
    return { ...succeeded, exitCode: 32, stderr: `umount: ${mountpoint}: target is busy.` };
  keepLines(host, '/proc/self/mountinfo', (line) => line.split(' ')[4] !== escapeOctal(mountpoint));
  return succeeded;
}

function isMounted(host: Host, mountpoint: string): boolean {
  return parseMountinfo(host.readText('/proc/self/mountinfo') ?? '').some(
    (one) => one.mountpoint === mountpoint,
  );
}

/** What the kernel does when these files are written. */
export function rehearseWrite(host: Host, file: string, text: string): void {
  const dropsLocks = file === `${nfsd}/unlock_filesystem` || (file === `${nfsd}/threads` && text === '0\n');
  if (dropsLocks) keepLines(host, '/proc/locks', () => false);
  // Every write of an fsid stays visible, as in a log; the other files hold one value.
  const isLog = file === `${nfsd}/nlm_unlock` || file === `${nfsd}/nlm_set_ip_grace`;
  writeFileSync(host.path(file), text, { flag: isLog ? 'a' : 'r+' });
}

function keepLines(host: Host, file: string, keep: (line: string) => boolean): void {
  const lines = (host.readText(file) ?? '').split('\n').filter((line) => line !== '' && keep(line));
  writeLines(host, file, lines);
}

function writeLines(host: Host, file: string, lines: readonly string[]): void {
  writeFileSync(host.path(file), lines.map((line) => `${line}\n`).join(''));
}
