import type { Lab } from '../lab.js';
import type { SiteIp } from '../site.js';

/** What the stock agents' group of an address is called. */
export function stockGroup({ address }: SiteIp): string {
  return `stock-${address}`;
}

/**
 * The group that is commonly made of the agents of resource-agents: the volume, its export, whose locks are dropped at the end, the address.
 * - nfsnotify: nfsd runs on both nodes all the time, and the clients are notified last (resource-agents #443).
 * - nfsserver: one node at a time is the NFS server, with statd's list on the volume, and notifies by itself.
 */
export function stockXml({ site, disks }: Lab, ip: SiteIp, notifies: 'nfsnotify' | 'nfsserver'): string {
  const disk = ip.filesystems[0]?.disk ?? 'vol1';
  const volume = primitive('fs', 'Filesystem', {
    device: disks[disk].device,
    directory: site.mountpoint(disk),
    fstype: site.traits.type,
  });
  const server = primitive('server', 'nfsserver', {
    nfs_init_script: '/etc/init.d/nfs-kernel-server',
    nfs_shared_infodir: `${site.mountpoint(disk)}/nfsinfo`,
    nfs_ip: ip.address,
  });
  const exported = primitive('export', 'exportfs', {
    clientspec: '*',
    directory: site.exportPath(disk),
    fsid: String(ip.filesystems[0]?.fsid ?? 0),
    options: site.exportOptions(),
    unlock_on_stop: '1',
  });
  const address = primitive('ip', 'IPaddr2', { ip: ip.address, cidr_netmask: '24', nic: 'vec0' });
  const notify = primitive('notify', 'nfsnotify', { source_host: ip.address });
  const members =
    notifies === 'nfsserver' ? [volume, server, exported, address] : [volume, exported, address, notify];
  return `<group id="${stockGroup(ip)}">${members.join('')}</group>`;
}

function primitive(name: string, type: string, parameters: Readonly<Record<string, string>>): string {
  const id = `stock-${name}`;
  const pairs = Object.entries(parameters).map(
    ([key, value]) => `<nvpair id="${id}-${key}" name="${key}" value="${value}"/>`,
  );
  const operations = ['start', 'stop'].map(
    (action) => `<op id="${id}-${action}" name="${action}" interval="0s" timeout="90s"/>`,
  );
  return `<primitive id="${id}" class="ocf" provider="heartbeat" type="${type}">
    <instance_attributes id="${id}-attributes">${pairs.join('')}</instance_attributes>
    <operations>${operations.join('')}<op id="${id}-monitor" name="monitor" interval="20s" timeout="60s"/></operations>
  </primitive>`;
}
