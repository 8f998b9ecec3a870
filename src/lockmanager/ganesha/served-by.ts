import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { errnoOf } from '../../errors.js';
import { makeDirectory } from '../../host/directories.js';
import type { Host } from '../../host/host.js';
import { replaceDurably } from '../../host/replace-file.js';
import { serverFile } from '../../rundir/serving.js';
import type { LockManagerAction } from '../port.js';
import { ganeshaProcess } from './process.js';

// An NFS-Ganesha that was started anew answers as the one before did, and has none of its locks. And at its start it has statd forget every
// client (SM_UNMON_ALL: nsm_unmonitor_all in src/Protocols/NLM/nsm.c). So which process it is, is noted as recording starts: the callout lets
// nobody leave the record once that has died, and the address is to be taken over again.

/** An address, where it is noted. */
export interface ServedBy {
  readonly host: Host;
  readonly run: string;
  readonly address: string;
}

/** As recording starts, in B-2 or in adopt. Throws FailoverError SYSTEM_ERROR where that cannot be written. */
export function noteProcess({ host, run, address }: ServedBy): void {
  const identity = ganeshaProcess(host)?.identity;
  if (identity === undefined) return;
  const file = serverFile(run, address);
  for (const directory of [run, path.dirname(file)]) makeDirectory(directory, 0o755);
  replaceDurably(file, `${identity}\n`, 0o644);
}

/** Whether another process runs than the one noted; false where none was. */
export function isAnotherProcess(served: ServedBy): boolean {
  const noted = notedIn(served);
  return noted !== undefined && noted !== ganeshaProcess(served.host)?.identity;
}

/** it serves the address no more. */
export function forgetProcess(served: ServedBy): LockManagerAction {
  return {
    commands: [],
    check: () => notedIn(served) === undefined,
    act: async () => {
      rmSync(serverFile(served.run, served.address), { force: true });
      return undefined;
    },
    verify: () => undefined,
  };
}

function notedIn({ run, address }: ServedBy): string | undefined {
  try {
    return readFileSync(serverFile(run, address), 'utf8').trim();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
