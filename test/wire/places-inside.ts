// Usage: node places-inside.js, with lines "look|mount|unmount CONFIG" on standard input: what the first address of a configuration has on
// this machine, with what takeover looks at before it touches anything, B-1 or A-4 of it; prints the number of the line and JSON for each.
import { createInterface } from 'node:readline';
import { mountOrder } from '../../src/config/floating-ip.js';
import { loadConfig } from '../../src/config/load-config.js';
import { messageOf } from '../../src/errors.js';
import { inKernelTerms } from '../../src/failover/access/places.js';
import { expectPlaces } from '../../src/failover/steps/places.js';
import { mountFilesystem, unmountFilesystem } from '../../src/host/actions/mount.js';
import { realHost as host } from '../../src/host/real.js';
import { within } from '../../src/host/running/deadline.js';
import { drivers } from '../../src/lockmanager/drivers.js';

/** What places-inside.js prints. */
export interface Places {
  readonly filesystems?: readonly {
    readonly device: string;
    readonly mountpoint: string;
    readonly exports: readonly { readonly path: string }[];
  }[];
  readonly stateDirectory?: string;
  /** Of each file system: whether it was so before. */
  readonly already?: readonly boolean[];
  readonly error?: string;
}

async function run(verb: string, file: string): Promise<Places> {
  const config = await inKernelTerms(host, await loadConfig({ file, drivers }));
  const [floatingIp] = config.floatingIps;
  if (floatingIp === undefined) throw new Error('no address');
  const { filesystems, stateDirectory } = floatingIp;
  try {
    const name = verb === 'unmount' ? ('A-4' as const) : ('B-1' as const);
    await expectPlaces({ steps: [{ name, subject: '', actions: [] }] }, { host, config, floatingIp });
    const already: boolean[] = [];
    const { first, others } = mountOrder(floatingIp);
    const volumes = [...first, ...others];
    for (const filesystem of verb === 'unmount' ? volumes.toReversed() : volumes) {
      if (verb === 'look') break;
      const action = (verb === 'mount' ? mountFilesystem : unmountFilesystem)(filesystem);
      const isSo = await action.check({ host });
      if (!isSo) {
        await action.act({ host });
        await action.verify({ host });
      }
      already.push(isSo);
    }
    return { filesystems, stateDirectory, already };
  } catch (error) {
    return { filesystems, stateDirectory, error: messageOf(error) };
  }
}

let count = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const [verb = '', file = ''] = line.split(' ');
  const limit = { what: verb, seconds: 60, key: 'the test', settle: 15, busy: 1, record: 15 };
  count += 1;
  process.stdout.write(`${count} ${JSON.stringify(await within(limit, () => run(verb, file)))}\n`);
}
