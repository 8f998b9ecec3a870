import { readPrefixedAddress } from '../address.js';
import { fsidWanted, isSameFsid, readExportId, readFsid } from '../fsid.js';
import type { DriverSettings } from '../driver-settings.js';
import { isAtOrBelow, nearestAbove } from '../../paths.js';
import { readDevice, readMountpoint, readPath } from '../paths.js';
import { renderPath, renderValue, type Problem, Wrong } from '../problem.js';
import { ctdbProblems } from '../timeout-words.js';
import { ofString, record, type Row, rows } from './rows.js';
import { sharedProblems, unmountedPaths } from './shared.js';
import { letsStatdIn, mayMatchBoth, readClients, readExportOptions, readMountOptions } from '../words.js';

type Path = Problem['path'];

/**
 * What the values must be to each other. Reads the raw file and passes over what is wrong in itself, so
 * that one wrong value does not hide these problems.
 */
export function relationProblems(input: unknown, drivers: readonly DriverSettings[]): Problem[] {
  const top = record(input);
  const floatingIps = rows(top['floating_ip'], ['floating_ip']);
  const filesystems = floatingIps.flatMap((ip) => rows(ip.row['filesystem'], [...ip.at, 'filesystem']));
  const shared = rows(top['shared_filesystem'], ['shared_filesystem']);
  return [
    ...twice(floatingIps, 'address', addressOf, 'this address is already at'),
    ...twice([...shared, ...filesystems], 'fsid', readFsid, 'this fsid is already at'),
    ...twice([...shared, ...filesystems], 'export_id', exportIdOf, 'this Export_Id is already at'),
    ...twice(filesystems, 'device', ofString(readDevice), 'this device is already at'),
    ...twice(
      [...shared, ...filesystems],
      'mountpoint',
      ofString(readMountpoint),
      'this mount point is already at',
    ),
    ...twice(unmountedPaths(shared), 'path', ofString(readPath), 'this path is already at'),
    ...sharedProblems(top),
    ...ctdbProblems(record(top['timeouts'])),
    ...drivers.flatMap(
      (driver) => driver.problems?.({ lockManager: record(top['lock_manager']), filesystems, shared }) ?? [],
    ),
    ...floatingIps.flatMap((ip) => stateDirectoryProblems(ip, top)),
    ...floatingIps.flatMap((ip) => reachProblems(ip, top, filesystems)),
    ...floatingIps.flatMap((ip) => unexportedProblems(ip, top, filesystems)),
    ...floatingIps.flatMap((ip) => mountedProblems(ip)),
    ...floatingIps.flatMap((ip) => readOnlyProblems(ip, top)),
    ...filesystems.flatMap((fs) => [...exportProblems(fs), ...sharedFsidProblems(fs)]),
  ];
}

/** Values that occur twice, in any spelling. */
function twice(
  all: readonly Row[],
  key: string,
  read: (v: unknown) => string | Wrong,
  says: string,
): Problem[] {
  const seen = new Map<string, Path>();
  return all.flatMap(({ at, row }) => {
    const path = [...at, key];
    const value = read(row[key]);
    if (value instanceof Wrong) return [];
    const before = seen.get(value);
    if (before) return [{ path, message: `${says} ${renderPath(before)}${ruleFor(key, before, path)}` }];
    seen.set(value, path);
    return [];
  });
}

function ruleFor(key: string, before: Path, path: Path): string {
  if (key === 'address') return '; put all its file systems under one [[floating_ip]]';
  return before[0] !== path[0] || before[1] === path[1] || path[0] === 'shared_filesystem'
    ? '; each file system has its own'
    : '; a file system belongs to exactly one floating IP, because they move together';
}

function stateDirectoryProblems({ at, row }: Row, top: Row['row']): Problem[] {
  if (row['state_directory'] !== undefined || record(top['state'])['directory'] !== undefined) return [];
  const message = 'write an absolute path here, or one for all floating IPs as directory in [state]';
  return [{ path: [...at, 'state_directory'], message }];
}

/** Where the record lies, and the key that says so; undefined where that is missing or wrong. */
function statePlace(
  { at, row }: Row,
  top: Row['row'],
): { readonly at: Path; readonly directory: string } | undefined {
  const own = row['state_directory'];
  const directory = ofString(readPath)(own ?? record(top['state'])['directory']);
  if (directory instanceof Wrong) return undefined;
  return { at: own === undefined ? ['state', 'directory'] : [...at, 'state_directory'], directory };
}

/** Of these file systems the one that a path lies on, by its mount point. */
function filesystemOf(path: string, filesystems: readonly Row[]): Row | undefined {
  const mountpoints = filesystems.map(({ row }) => ofString(readMountpoint)(row['mountpoint']));
  const nearest = nearestAbove(
    path,
    mountpoints.filter((one) => typeof one === 'string'),
  );
  return filesystems.find((_, index) => mountpoints[index] === nearest);
}

/** A record that clients can write to: they name their user themselves, also statd's, whose the journal is. */
function reachProblems(ip: Row, top: Row['row'], filesystems: readonly Row[]): Problem[] {
  const place = statePlace(ip, top);
  if (place === undefined || ip.row['trust_clients'] === true) return [];
  const filesystem = filesystemOf(place.directory, filesystems);
  const open = exportsOf(filesystem).some(({ row }) => {
    const options = ofString(readExportOptions)(row['options'] ?? '');
    return typeof options === 'string' && letsStatdIn(options.split(','));
  });
  if (!open) return [];
  const message =
    `this lies on ${String(filesystem?.row['mountpoint'])}, which is exported to clients with AUTH_SYS or an anonuid: each of them could erase the record. ` +
    'Write a directory on a file system without exports (a state volume), or trust_clients = true';
  return [{ path: place.at, message }];
}

/** A file system without exports is a state volume, or a mistake. */
function unexportedProblems(ip: Row, top: Row['row'], filesystems: readonly Row[]): Problem[] {
  const own = rows(ip.row['filesystem'], [...ip.at, 'filesystem']);
  const place = statePlace(ip, top);
  const carrier = place === undefined ? undefined : filesystemOf(place.directory, own);
  const unexported = own.filter(({ row }) => row['export'] === undefined);
  if (own.length > 0 && unexported.length === own.length) {
    const path = [...(own[0]?.at ?? ip.at), 'export'];
    return [{ path, message: `${writeExport}; a state volume stands beside what is exported` }];
  }
  return unexported.flatMap((fs): Problem[] => {
    if (fs !== carrier) {
      const message = `${writeExport}, or let state_directory lie below its mount point: then it carries the record, and is never exported`;
      return [{ path: [...fs.at, 'export'], message }];
    }
    return nestedProblems(fs, filesystems);
  });
}

/** Every takeover writes to the record. */
function readOnlyProblems(ip: Row, top: Row['row']): Problem[] {
  const place = statePlace(ip, top);
  if (place === undefined) return [];
  const carrier = filesystemOf(place.directory, rows(ip.row['filesystem'], [...ip.at, 'filesystem']));
  const options = ofString(readMountOptions)(carrier?.row['options']);
  if (carrier === undefined || typeof options !== 'string' || !options.split(',').includes('ro')) return [];
  const message = 'the record lies on this file system, and is written by every takeover: leave ro out';
  return [{ path: [...carrier.at, 'options'], message }];
}

const writeExport = 'write at least one table that begins with [[floating_ip.filesystem.export]]';

/** It is mounted before what it would lie below; and with crossmnt clients go from there to it. */
function nestedProblems({ at, row }: Row, filesystems: readonly Row[]): Problem[] {
  const mountpoint = ofString(readMountpoint)(row['mountpoint']);
  if (typeof mountpoint !== 'string') return [];
  const others = filesystems.filter((other) => other.row !== row);
  const above = ofString(readMountpoint)(filesystemOf(mountpoint, others)?.row['mountpoint']);
  if (above instanceof Wrong || above === mountpoint) return [];
  const message = `a state volume is mounted first, and this lies below ${above}: write a mount point outside of it`;
  return [{ path: [...at, 'mountpoint'], message }];
}

function exportsOf(filesystem: Row | undefined): Row[] {
  return filesystem === undefined ? [] : rows(filesystem.row['export'], [...filesystem.at, 'export']);
}

/** What nlm-failover is to mount must be named as mount(8) takes it; what others mount may have any name, or none. */
function mountedProblems({ at, row }: Row): Problem[] {
  const managed = row['managed_by_others'];
  const isMounted = Array.isArray(managed) && managed.includes('mount');
  return rows(row['filesystem'], [...at, 'filesystem']).flatMap((filesystem) => {
    const { device, type } = filesystem.row;
    const problem = (key: string, message: string) => ({ path: [...filesystem.at, key], message });
    if (isMounted) {
      return typeof device !== 'string' || /^[^\u0000-\u001f\u007f]+$/.test(device)
        ? []
        : [problem('device', 'write what is mounted there, or leave the key out')];
    }
    const wrong = device === undefined ? undefined : ofString(readDevice)(device);
    return [
      ...(device === undefined
        ? [problem('device', 'write an absolute path, or UUID=... or LABEL=...')]
        : typeof device === 'string' && wrong instanceof Wrong
          ? [problem('device', `${wrong.because}; ${byOthers}`)]
          : []),
      ...(type === undefined ? [problem('type', 'write the file system\'s type, such as "ext4"')] : []),
      ...(typeof type === 'string' && /^nfs4?$/.test(type) ? [problem('type', `${ofNfs}; ${byOthers}`)] : []),
    ];
  });
}

const ofNfs =
  'a file system of another NFS server has its locks there, and cannot move: write that of a device that every node reaches';

const byOthers =
  'where somebody else mounts it (ZFS, CephFS, a cluster manager), write managed_by_others = ["mount"] in its [[floating_ip]]';

function exportProblems({ at, row }: Row): Problem[] {
  const mountpoint = ofString(readMountpoint)(row['mountpoint']);
  const fsid = readFsid(row['fsid']);
  const entries = rows(row['export'], [...at, 'export']);
  const missing: Problem[] =
    entries.length > 0 && row['fsid'] === undefined
      ? [{ path: [...at, 'fsid'], message: `write ${fsidWanted}` }]
      : [];
  const wrong = entries.flatMap((entry) => {
    const problems: Problem[] = [];
    const path = ofString(readPath)(entry.row['path']);
    if (typeof path === 'string' && typeof mountpoint === 'string' && !isAtOrBelow(path, mountpoint)) {
      const message = `write a path at or below the mount point ${mountpoint}`;
      problems.push({ path: [...entry.at, 'path'], message });
    }
    const options = ofString(readExportOptions)(entry.row['options']);
    if (typeof options === 'string' && typeof fsid === 'string' && !fsidsAgree(options, fsid)) {
      const message = `the file system has fsid ${fsid}, which is added by itself: leave fsid= out`;
      problems.push({ path: [...entry.at, 'options'], message });
    }
    return problems;
  });
  return [...missing, ...wrong];
}

/**
 * Two paths of one file system carry its one fsid, which is all that a file handle says of them: who may mount both is given either
 * for the other, and whoever may mount one of them with the rules of the other (exports(5), fsid=).
 */
function sharedFsidProblems({ at, row }: Row): Problem[] {
  const mountpoint = ofString(readMountpoint)(row['mountpoint']);
  const exports = rows(row['export'], [...at, 'export']).flatMap((entry) => {
    const path = entry.row['path'] === undefined ? mountpoint : ofString(readPath)(entry.row['path']);
    const clients = ofString(readClients)(entry.row['clients']);
    return typeof path === 'string' && typeof clients === 'string' ? [{ at: entry.at, path, clients }] : [];
  });
  return exports.flatMap((one, index) => {
    const other = exports
      .slice(0, index)
      .find(({ path, clients }) => path !== one.path && mayMatchBoth(clients, one.clients));
    if (other === undefined) return [];
    const message =
      `a client may match this and ${renderPath([...other.at, 'clients'])} = ${renderValue(other.clients)}, and ${one.path} and ${other.path} have one fsid: ` +
      'it would read the one in place of the other. Export one path that has both below it, or each to addresses or networks that do not overlap';
    return [{ path: [...one.at, 'clients'], message }];
  });
}

function fsidsAgree(options: string, fsid: string): boolean {
  return options
    .split(',')
    .filter((option) => option.startsWith('fsid='))
    .every((option) => isSameFsid(option.slice('fsid='.length), fsid));
}

function exportIdOf(value: unknown): string | Wrong {
  const id = readExportId(value);
  return id instanceof Wrong ? id : String(id);
}

function addressOf(value: unknown): string | Wrong {
  const read = typeof value === 'string' ? readPrefixedAddress(value) : new Wrong('not a string');
  return read instanceof Wrong ? read : read.address;
}
