import type { Host } from '../../../src/host/host.js';
import { onNode } from '../../../src/lockmanager/kernel.js';
import type { ServingPlace } from '../../../src/lockmanager/port.js';
import type { InstanceConfig } from '../../../src/lockmanager/lockd-netns/lockd-netns.js';

/** An instance that no test makes. */
export function instance(nfsd: string): InstanceConfig {
  return {
    address: '10.10.1.1',
    link: { kind: 'macvlan', parent: 'eth0' },
    nfsd,
    threads: 8,
    manageGids: true,
    ports: {},
    callout: '/ha-callout',
    foreignMountpoints: [],
    filesystems: [],
  };
}

/** The node itself as the place where an address is served. */
export function nodeItself(host: Host): ServingPlace {
  return onNode({ host, interface: 'eth0', run: host.path('/run/nlm-failover') });
}
