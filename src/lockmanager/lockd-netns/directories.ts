import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../../errors.js';
import type { Host } from '../../host/host.js';
import { monitored } from '../../host/reading/statd.js';
import { instancePlace } from './place.js';

/** /run and /var/lib/nfs of an instance, empty, with the owners that the host's packages gave theirs. */
export function makeInstanceDirectories(host: Host, address: string): void {
  const { directory, run, nfs, mountNamespace } = instancePlace(address);
  makeDirectory(directory);
  for (const name of ['rpcbind', 'lock', 'netns']) makeDirectory(path.join(run, name));
  // RHEL's statd keeps its state one directory deeper than Debian's.
  const state = existsSync(host.path('/var/lib/nfs/statd')) ? path.join(nfs, 'statd') : nfs;
  for (const name of ['sm', 'sm.bak']) makeDirectory(path.join(state, name));
  for (const name of ['rpc_pipefs', 'v4recovery']) makeDirectory(path.join(nfs, name));
  for (const file of [
    path.join(nfs, 'etab'),
    path.join(nfs, 'rmtab'),
    path.join(state, 'state'),
    mountNamespace,
  ]) {
    writeFileSync(file, '', { mode: 0o644 });
  }
  const statd = monitored(host);
  if (statd !== undefined) {
    for (const name of ['sm', 'sm.bak', 'state', '']) chownSync(path.join(state, name), statd.uid, statd.gid);
  }
  const rpcbind = statSync('/run/rpcbind', { throwIfNoEntry: false });
  if (rpcbind !== undefined) chownSync(path.join(run, 'rpcbind'), rpcbind.uid, rpcbind.gid);
}

/** Removes them, with all that is in them; they lie on /run and hold nothing that must last. */
export function removeInstanceDirectories(address: string): void {
  const { directory } = instancePlace(address);
  rmSync(directory, { recursive: true, force: true });
  // With the last instance goes what held them all, unless something else is in it.
  for (const parent of [path.dirname(directory), path.dirname(path.dirname(directory))]) {
    try {
      rmdirSync(parent);
    } catch (error) {
      if (errnoOf(error) !== 'ENOTEMPTY' && errnoOf(error) !== 'ENOENT') throw error;
    }
  }
}

/** Whatever the umask. */
function makeDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true });
  chmodSync(directory, 0o755);
}
