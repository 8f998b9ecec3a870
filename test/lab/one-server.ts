import { join } from 'node:path';
import { createDisk, type Disk } from './disk.js';
import { guestSettings, openLab } from './lab.js';
import { Server } from './server.js';
import { LabSite } from './sites/lab-site.js';
import { defaultSite } from './sites/traits.js';

/** The record lies on the one volume. */
export const oneDisk = new LabSite({ ...defaultSite, path: 'volume', state: 'exported' });

/** A lab of two servers and no client, of which the test switches on one at a time. */
export interface ServerLab {
  readonly a: Server;
  readonly b: Server;
  readonly disks: { readonly vol1: Disk };
  readonly graceSeconds: number;
  readonly site: LabSite;
  /** At the same path on the machine and in the guests. */
  readonly directory: string;
  /** Ends every guest and removes all that the lab made. */
  stop(): Promise<void>;
}

/** Makes it; nothing is switched on yet. */
export async function openServerLab(): Promise<ServerLab> {
  return openLab(['A', 'B'], async (directory, holder) => {
    const disks = { vol1: await createDisk(join(directory, 'vol1'), 0, 32) };
    const settings = { megabytes: 256, directory, disks: [disks.vol1] };
    return {
      a: new Server(holder, guestSettings('A', settings)),
      b: new Server(holder, guestSettings('B', settings)),
      disks,
      graceSeconds: 10,
      site: oneDisk,
    };
  });
}
