import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDisk, type Disk } from './disk.js';
import { startHolder } from './holder.js';
import { guestSettings, prepareDirectory } from './lab.js';
import { Server } from './server.js';

/** A lab of two servers and no client, of which the test switches on one at a time. */
export interface ServerLab {
  readonly a: Server;
  readonly b: Server;
  readonly disks: { readonly vol1: Disk };
  readonly graceSeconds: number;
  /** At the same path on the machine and in the guests. */
  readonly directory: string;
  /** Ends every guest and removes all that the lab made. */
  stop(): Promise<void>;
}

/** Makes it; nothing is switched on yet. */
export async function openServerLab(): Promise<ServerLab> {
  const directory = await mkdtemp(join(tmpdir(), 'nlm-failover-lab-'));
  const holder = await startHolder(directory, ['tapA', 'tapB']).catch(async (error: unknown) => {
    await rm(directory, { recursive: true, force: true });
    throw error;
  });
  try {
    const disks = { vol1: await createDisk(join(directory, 'vol1'), 0, 32) };
    const settings = { megabytes: 256, directory, disks: [disks.vol1] };
    await prepareDirectory(directory);
    return {
      a: new Server(holder, guestSettings('A', settings)),
      b: new Server(holder, guestSettings('B', settings)),
      disks,
      graceSeconds: 10,
      directory,
      stop: () => holder.stop(),
    };
  } catch (error) {
    await holder.stop();
    throw error;
  }
}
