import path from 'node:path';
import { loadConfig } from '../../src/config/load-config.js';
import { RecordSession } from '../../src/failover/access/session.js';
import { Collected, type FailoverContext } from '../../src/failover/context.js';
import { rehearsalHost } from '../../src/host/rehearsal/rehearsal.js';
import { drivers } from '../../src/lockmanager/drivers.js';
import type { Site } from '../../src/lockmanager/module.js';
import type { RehearsalNode } from './rehearsal-site.js';

const nfsd = '/proc/fs/nfsd';

/**
 * What a command of this process on a rehearsed node works with, for the first floating IP of its configuration; with another
 * host, signal... where `over` has one. The driver is that which every host can have, unless `driverOf` makes another.
 */
export async function rehearsalContext(
  node: RehearsalNode,
  over: Partial<FailoverContext> = {},
  driverOf: (site: Site) => FailoverContext['driver'] = (site) => lastOf(drivers).make(site),
): Promise<FailoverContext> {
  const config = await loadConfig({ drivers, file: node.config });
  const floatingIp = lastOf(config.floatingIps.slice(0, 1));
  const host = over.host ?? rehearsalHost(node.root);
  const run = path.join(node.root, 'run/nlm-failover');
  const collected = new Collected();
  const driver = driverOf({ host, config, run, callout: '/ha-callout', floatingIp });
  return {
    host,
    config,
    floatingIp,
    driver,
    run,
    session: new RecordSession(host, floatingIp, config),
    voucher: undefined,
    notifyDeadlineMs: 0,
    rpcbindPort: 1,
    signal: new AbortController().signal,
    log: () => undefined,
    collected,
    undone: (sentence) => void collected.undone.push(sentence),
    onNotifyProgress: () => undefined,
    nlmRegistered: async () => Number(node.read(`${nfsd}/threads`)) > 0,
    registeredAt: async () => true,
    ...over,
  };
}

function lastOf<T>(list: readonly T[]): T {
  const last = list.at(-1);
  if (last === undefined) throw new Error('there is none');
  return last;
}
