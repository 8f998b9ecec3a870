import path from 'node:path';
import { whyUnsafe } from '../../../host/directories.js';
import { monitored } from '../../../host/reading/statd.js';
import { marksDirectory } from '../../../rundir/marks.js';
import { locksDirectory } from '../../../rundir/operating.js';
import { type Check, failure, type NodeSite, orElse } from '../check.js';

/** That nobody but root, and rpc.statd's user where that is to write, made what lies in /run/nlm-failover. */
export const runDirectoryCheck: Check<NodeSite> = {
  name: 'run',
  text: 'the run directory, /run/nlm-failover, and what lies in it: not there yet, or directories of root',
  look: async ({ reader: { host, run } }) => {
    const statd = monitored(host)?.uid;
    const directories = [
      { directory: run },
      { directory: locksDirectory(run) },
      { directory: path.join(run, 'serving') },
      { directory: path.join(run, 'sync') },
      { directory: path.join(run, 'frozen') },
      { directory: path.join(run, 'server') },
      { directory: marksDirectory(run), owner: statd },
    ];
    const found = directories.flatMap(({ directory, owner }) => {
      const error = whyUnsafe(directory, owner);
      return error === undefined ? [] : [failure(error.message, error.hint)];
    });
    return orElse(found.slice(0, 1), run);
  },
};
