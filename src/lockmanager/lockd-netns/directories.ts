import {
  closeSync,
  existsSync,
  fchmodSync,
  fchownSync,
  lstatSync,
  openSync,
  rmdirSync,
  statSync,
} from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../../errors.js';
import { commandText } from '../../host/action.js';
import { makeDirectory, type Owner } from '../../host/directories.js';
import type { Argv, Host } from '../../host/host.js';
import { runInOrder } from '../../host/run-in-order.js';
import { monitored } from '../../host/reading/statd.js';
import { makeMarks, marksDirectory, mountMarks } from '../../rundir/marks.js';
import { instancePlace } from './place.js';

/** A file system of the instance, and the directories that are made in it; statd's marks have another one. */
interface OwnFilesystem {
  readonly mount: Argv;
  readonly directories: readonly string[];
}

/**
 * Each user who writes in an instance has a file system of his own there, which he may fill: the top is root's alone, with etab in
 * it; in /run rpc.statd has its pid file; below statd/ its list, a page and an inode for each client. Nobody may pass through the
 * top: only who is inside gets to its files.
 */
function ownFilesystems(address: string): readonly OwnFilesystem[] {
  const { directory, run, nfs, statd } = instancePlace(address);
  const below = (parent: string, ...names: string[]) => names.map((name) => path.join(parent, name));
  return [
    {
      // Private: a mount namespace can be bound to a file only below a private mount (unshare(1)).
      mount: ['mount', '--make-private', ...tmpfs('mode=0700,size=64m', directory).slice(1)],
      directories: [run, nfs, statd, ...below(nfs, 'rpc_pipefs', 'v4recovery')],
    },
    { mount: tmpfs('mode=0755,size=16m', run), directories: below(run, 'rpcbind', 'lock', 'netns') },
    { mount: tmpfs('mode=0755,size=10%', statd), directories: below(statd, 'sm', 'sm.bak') },
  ];
}

function tmpfs(options: string, place: string): Argv {
  return ['mount', '-t', 'tmpfs', '-o', `${options},nodev,nosuid,noexec`, 'tmpfs', place];
}

/** What makes an instance's directories; the first one of them is there already. */
export function instanceMounts(address: string): readonly Argv[] {
  const { runDirectory } = instancePlace(address);
  return [...ownFilesystems(address).map(({ mount }) => mount), mountMarks(marksDirectory(runDirectory))];
}

/** The same in words of a shell, without the marks, which are for this program. */
export function directoriesByHand(address: string): string[] {
  const { directory, nfs, statd, mountNamespace, run } = instancePlace(address);
  const theirs = ['', '/sm', '/sm.bak', '/state'].map((name) => statd + name);
  return [
    `mkdir -p ${directory}`,
    ...ownFilesystems(address).flatMap(({ mount, directories }) => [
      commandText(mount),
      `mkdir -p ${directories.join(' ')}`,
    ]),
    `touch ${nfs}/etab ${nfs}/rmtab ${statd}/state ${mountNamespace}`,
    `chown --reference=/var/lib/nfs/sm ${theirs.join(' ')}   # RHEL: /var/lib/nfs/statd/sm`,
    `chown --reference=/run/rpcbind ${run}/rpcbind`,
  ];
}

/** /run and /var/lib/nfs of an instance, empty, with the owners that the host's packages gave theirs. */
export async function makeInstanceDirectories(host: Host, address: string): Promise<void> {
  const { directory, run, runDirectory, nfs, statd, mountNamespace } = instancePlace(address);
  for (const parent of [path.dirname(path.dirname(directory)), path.dirname(directory)])
    makeDirectory(parent, 0o755);
  makeDirectory(directory, 0o700);
  const made = ownFilesystems(address).flatMap(({ mount, directories }): Argv[] => [
    mount,
    ['mkdir', '--mode=0755', ...directories],
  ]);
  await runInOrder(host, made);
  const user = monitored(host);
  for (const name of ['sm', 'sm.bak']) makeDirectory(path.join(statd, name), 0o755, user);
  makeFile(path.join(statd, 'state'), user);
  for (const file of [path.join(nfs, 'etab'), path.join(nfs, 'rmtab'), mountNamespace]) makeFile(file);
  const base = statdBase(host);
  // An rpc.statd before nfs-utils 2.4.2 runs as the owner of this one; /var/lib/nfs, which has etab, is never anybody's but
  // root's (CVE-2019-3689).
  if (base !== undefined) makeDirectory(statd, 0o755, base);
  const rpcbind = statSync('/run/rpcbind', { throwIfNoEntry: false });
  if (rpcbind !== undefined) makeDirectory(path.join(run, 'rpcbind'), 0o755, rpcbind);
  await makeMarks(host, runDirectory, user ?? { uid: 0, gid: 0 });
}

/** The owner of the host's state directory of rpc.statd; undefined where the host has none. */
function statdBase(host: Host): Owner | undefined {
  const base = ['/var/lib/nfs/statd', '/var/lib/nfs']
    .map((one) => host.path(one))
    .find((one) => existsSync(path.join(one, 'sm')));
  return base === undefined ? undefined : lstatSync(base);
}

/** Empty, in a directory of root's. */
function makeFile(file: string, owner?: Owner): void {
  const fd = openSync(file, 'wx', 0o644);
  try {
    fchmodSync(fd, 0o644);
    if (owner !== undefined) fchownSync(fd, owner.uid, owner.gid);
  } finally {
    closeSync(fd);
  }
}

/**
 * Removes what was mounted on, once that is unmounted: nothing of theirs is removed by name, as who may write there could exchange
 * a directory for a link to another one meanwhile.
 */
export function removeInstanceDirectories(address: string): void {
  const { directory } = instancePlace(address);
  removeEmpty(directory);
  // With the last instance goes what held them all, unless something else is in it.
  for (const parent of [path.dirname(directory), path.dirname(path.dirname(directory))]) {
    try {
      removeEmpty(parent);
    } catch (error) {
      if (errnoOf(error) !== 'ENOTEMPTY') throw error;
    }
  }
}

function removeEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
