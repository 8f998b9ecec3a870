import type { InstanceConfig } from '../../../src/lockmanager/lockd-netns/lockd-netns.js';

/** An instance that no test makes. */
export function instance(nfsd: string): InstanceConfig {
  return {
    address: '10.10.1.1',
    link: { kind: 'macvlan', parent: 'eth0' },
    nfsd,
    threads: 8,
    ports: {},
    callout: '/ha-callout',
    foreignMountpoints: [],
    filesystems: [],
    exportOptions: [],
  };
}
