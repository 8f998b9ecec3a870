import { isAtOrBelow } from '../../paths.js';
import { fsidWanted } from '../fsid.js';
import { readMountpoint, readPath } from '../paths.js';
import { type Problem, Wrong } from '../problem.js';
import { ofString, record, type Row, rows } from './rows.js';

/** What [[shared_filesystem]] and the floating IPs must be to each other. */
export function sharedProblems(top: Row['row']): Problem[] {
  const shared = rows(top['shared_filesystem'], ['shared_filesystem']);
  const floatingIps = rows(top['floating_ip'], ['floating_ip']);
  return [
    ...shared.flatMap(placeProblems),
    ...floatingIps.flatMap((ip) => ownProblems(ip, shared)),
    ...once(statePlaces(top, floatingIps).flatMap((place) => reachProblems(place, shared))),
  ];
}

/** One place in the file may be that of many addresses. */
function once(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((one) => [one.path.join('\0'), one])).values()];
}

/** Where nothing is mounted, the path alone tells one from another. */
export function unmountedPaths(shared: readonly Row[]): Row[] {
  return shared.filter(({ row }) => row['mountpoint'] === undefined);
}

/** This node must be one of those that export each of them. */
export function nodeProblems(input: unknown, hostname: string): Problem[] {
  const top = record(input);
  const node = typeof top['node'] === 'string' ? top['node'] : hostname;
  return rows(top['shared_filesystem'], ['shared_filesystem']).flatMap(({ at, row: { nodes } }) => {
    if (!Array.isArray(nodes) || nodes.length === 0 || nodes.includes(node)) return [];
    const message = `this node, ${node}, is not among them: write every node that exports it, by its name (node); or the name that it has there as node, at the top`;
    return [{ path: [...at, 'nodes'], message }];
  });
}

function placeProblems({ at, row }: Row): Problem[] {
  const problems: Problem[] = [];
  if (row['fsid'] === undefined && row['export_id'] === undefined)
    problems.push({ path: [...at, 'fsid'], message: `write ${fsidWanted}, or export_id` });
  if (row['mountpoint'] === undefined && row['path'] === undefined)
    problems.push({
      path: [...at, 'mountpoint'],
      message: 'write where it is mounted, or path where NFS-Ganesha reaches it without a mount',
    });
  const mountpoint = ofString(readMountpoint)(row['mountpoint']);
  const path = ofString(readPath)(row['path']);
  if (typeof mountpoint === 'string' && typeof path === 'string' && !isAtOrBelow(path, mountpoint))
    problems.push({
      path: [...at, 'path'],
      message: `write a path at or below the mount point ${mountpoint}`,
    });
  return problems;
}

function ownProblems({ at, row }: Row, shared: readonly Row[]): Problem[] {
  const [own] = rows(row['filesystem'], [...at, 'filesystem']);
  if (shared.length > 0 && own !== undefined) {
    const message =
      'an address serves what is in [[shared_filesystem]], or file systems of its own: leave these out, or those';
    return [{ path: own.at, message }];
  }
  if (shared.length > 0 || row['filesystem'] !== undefined) return [];
  const message = 'write at least one table that begins with [[floating_ip.filesystem]]';
  return [{ path: [...at, 'filesystem'], message }];
}

interface StatePlace {
  readonly at: Problem['path'];
  readonly directory: string;
  readonly isTrusted: boolean;
}

function statePlaces(top: Row['row'], floatingIps: readonly Row[]): StatePlace[] {
  return floatingIps.flatMap(({ at, row }) => {
    const own = row['state_directory'];
    const directory = ofString(readPath)(own ?? record(top['state'])['directory']);
    if (directory instanceof Wrong) return [];
    const place = own === undefined ? ['state', 'directory'] : [...at, 'state_directory'];
    return [{ at: place, directory, isTrusted: row['trust_clients'] === true }];
  });
}

/** Clients that can write to the record: they name their user themselves, also statd's, whose the journal is. */
function reachProblems({ at, directory, isTrusted }: StatePlace, shared: readonly Row[]): Problem[] {
  const over = shared
    .map(({ row }) => ofString(readMountpoint)(row['mountpoint']))
    .filter((mountpoint) => typeof mountpoint === 'string')
    .find((mountpoint) => isAtOrBelow(directory, mountpoint));
  if (isTrusted || over === undefined) return [];
  const message = `this lies on ${over}, which every node exports: clients could erase the record. Write a directory on shared storage without exports, or trust_clients = true`;
  return [{ path: at, message }];
}
