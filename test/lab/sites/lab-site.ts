import type { NfsClient } from '../client.js';
import { clientNumbers } from '../client-host.js';
import type { Disk } from '../disk.js';
import type { DataDisk } from '../lab.js';
import { mountpointOf, type SiteIp } from '../site.js';
import { defaultSite, type SiteTraits } from './traits.js';

const domain = 'lab.example';

/** The traits of a site as a configuration, servers and clients see them. */
export class LabSite {
  readonly traits: SiteTraits;
  /** The floating IP that moves in nearly every scenario. */
  readonly moving: SiteIp;

  constructor(traits: SiteTraits = defaultSite) {
    this.traits = traits;
    this.moving = this.ip(1, [{ disk: 'vol1', fsid: 1234 }]);
  }

  /** A floating IP of the lab's network, by its last number. */
  ip(number: number, filesystems: SiteIp['filesystems'], family = this.traits.family): SiteIp {
    const address = family === 'IPv6' ? `fd00:10:10:1::${number}` : `10.10.1.${number}`;
    const disk = filesystems[0]?.disk ?? 'vol1';
    const state = this.traits.state === 'exported' ? { stateDirectory: `${this.mountpoint(disk)}/.nlm` } : {};
    return { address, filesystems, ...state };
  }

  /** As the configuration has it. */
  mountpoint(disk: DataDisk): string {
    const places = {
      plain: mountpointOf(disk),
      missing: `/srv/nfs/${disk}`,
      space: `/mnt/Daten für alle/${disk}`,
      link: `/exports/${disk}`,
    };
    return places[this.traits.mountpoint];
  }

  /** What is there of mount points before the volumes are. */
  directories(disks: readonly DataDisk[]): readonly string[] {
    const { mountpoint } = this.traits;
    if (mountpoint === 'missing') return [];
    return disks.map((disk) => (mountpoint === 'link' ? `/srv/volumes/${disk}` : this.mountpoint(disk)));
  }

  /** Symbolic links of a server, by path, with what they point to. */
  links(disk: DataDisk, device: string): Readonly<Record<string, string>> {
    return {
      ...(this.traits.mountpoint === 'link' ? { '/exports': '/srv/volumes' } : {}),
      ...(this.traits.device === 'link' ? { [`/dev/disk/by-id/lab-${disk}`]: device } : {}),
    };
  }

  /** What clients mount. */
  exportPath(disk: DataDisk): string {
    return this.traits.path === 'directory' ? `${this.mountpoint(disk)}/data` : this.mountpoint(disk);
  }

  /** As the configuration has it. */
  device(disk: Disk, name: string): string {
    const words = {
      node: disk.device,
      uuid: `UUID=${disk.uuid}`,
      label: `LABEL=${disk.label}`,
      link: `/dev/disk/by-id/lab-${name}`,
    };
    return words[this.traits.device];
  }

  /** Each is an export of its own. */
  clientSpecifications(): readonly string[] {
    const specifications = {
      everybody: ['*'],
      network: [this.traits.family === 'IPv6' ? '[fd00:10:10:1::]/64' : '10.10.1.0/24'],
      // The first one by an alias: exportfs writes the name that the address has.
      names: ['holder-alias', `rival.${domain}`, `other.${domain}`],
      wildcard: [`*.${domain}`],
    };
    return specifications[this.traits.clients];
  }

  /** A file system of the configuration, with its exports; by NFS-Ganesha, its fsid is its Export_Id too. */
  filesystemText(disk: DataDisk, device: string, fsid: number, byGanesha = false): string {
    // Without, it is the mount point.
    const path = this.traits.path === 'directory' ? `    path = "${this.exportPath(disk)}"\n` : '';
    const exports = this.clientSpecifications().map(
      (clients) => `
    [[floating_ip.filesystem.export]]
${path}    clients = "${clients}"
    options = "${this.exportOptions()}"
`,
    );
    return `
  [[floating_ip.filesystem]]
  fsid = ${fsid}
${byGanesha ? `  export_id = ${fsid}\n` : ''}  device = "${device}"
  mountpoint = "${this.mountpoint(disk)}"
  type = "${this.traits.type}"
${exports.join('')}`;
  }

  exportOptions(): string {
    const { options } = this.traits;
    if (options === 'subtree_check') return 'rw,no_root_squash,subtree_check';
    // root_squash is what exportfs does by itself.
    return options === 'root_squash' ? 'rw,no_subtree_check' : `rw,${options},no_subtree_check`;
  }

  /** The address of the family that this client uses here. */
  addressOf(client: NfsClient): string {
    return this.traits.family === 'IPv6' ? client.address6 : client.address;
  }

  /** For a server with these addresses: what stands in files before any service starts, by path. */
  serverFiles(address: string): Readonly<Record<string, string>> {
    const hosts = Object.entries(clientNumbers).flatMap(([name, number]) =>
      [`10.10.1.${number}`, `fd00:10:10:1::${number}`].map(
        (own) => `${own} ${name}.${domain} ${name}-alias\n`,
      ),
    );
    const files =
      this.traits.clients === 'names' || this.traits.clients === 'wildcard'
        ? { '/etc/hosts': `127.0.0.1 localhost\n${hosts.join('')}` }
        : {};
    switch (this.traits.nfsConf) {
      case 'none':
        return files;
      case 'host':
        return { ...files, '/etc/nfs.conf': `[nfsd]\nhost=${address}\n` };
      case 'ports':
        return {
          ...files,
          '/etc/nfs.conf':
            '[nfsd]\nvers3=y\nvers4=y\nthreads=3\n[lockd]\nport=4045\nudp-port=4045\n[mountd]\nport=20048\n[statd]\nport=662\n',
        };
      case 'drop-in':
        return {
          ...files,
          '/etc/nfs.conf.d/site.conf': '[nfsd]\nthreads=2\n[mountd]\nmanage-gids=y\nthreads=2\n',
        };
    }
  }
}
