import { readdirSync } from 'node:fs';
import path from 'node:path';
import { canonicalAddress } from '../../../config/address.js';
import type { FloatingIp, ManagedPart } from '../../../config/config.js';
import { isManaged, volumesOf } from '../../../config/floating-ip.js';
import type { Host } from '../../../host/host.js';
import { unescapeOctal } from '../../../host/reading/mounts.js';
import { isAtOrBelow } from '../../../paths.js';
import { type AddressSite, type Check, failure, orElse } from '../check.js';

/** A file in which another program is told to do a part of what a failover does. */
interface Place {
  /** A file; or a directory, with the endings of its files. */
  readonly file: string;
  readonly endings?: readonly string[];
  readonly who: string;
  /** What must not be done after it was taken out, as a sentence. */
  readonly beware?: string;
  /** What it says it does of an address. */
  readonly parts: (text: string, ip: FloatingIp) => readonly ManagedPart[];
}

const ofAddress = (text: string, { address }: FloatingIp): readonly ManagedPart[] =>
  namesAddress(withoutComments(text), address) ? ['address'] : [];
/** exportfs -r empties etab of what stands in no file (exportfs(8)), and so does a reload of nfs-server (its ExecReload=). */
const beware =
  'Run no exportfs -r then, and do not reload nfs-server, while the address is served: it takes its exports away.';
const atBoot = 'the start of this node';

const places: readonly Place[] = [
  { file: '/etc/keepalived', endings: ['.conf'], who: 'keepalived', parts: ofAddress },
  { file: '/etc/ctdb/public_addresses', who: 'CTDB', parts: ofAddress },
  { file: '/var/lib/pacemaker/cib/cib.xml', who: 'Pacemaker', parts: inCib },
  {
    file: '/etc/exports',
    who: 'exportfs -a, when the NFS server starts',
    beware,
    parts: inExports,
  },
  {
    file: '/etc/exports.d',
    endings: ['.exports'],
    who: 'exportfs -a, when the NFS server starts',
    beware,
    parts: inExports,
  },
  { file: '/etc/network/interfaces', who: atBoot, parts: ofAddress },
  { file: '/etc/network/interfaces.d', endings: [''], who: atBoot, parts: ofAddress },
  { file: '/etc/systemd/network', endings: ['.network'], who: atBoot, parts: ofAddress },
  { file: '/etc/netplan', endings: ['.yaml'], who: atBoot, parts: ofAddress },
  { file: '/etc/NetworkManager/system-connections', endings: [''], who: atBoot, parts: ofAddress },
  { file: '/etc/sysconfig/network-scripts', endings: [''], who: atBoot, parts: ofAddress },
];

const words: Readonly<Record<ManagedPart, string>> = {
  mount: 'mounts a file system of',
  export: 'exports a path of',
  address: 'brings up',
};

/** That nobody else does the same: two who mount, export or move an address undo each other's work. */
export const othersCheck: Check<AddressSite> = {
  name: 'others',
  text: 'whether another program has the same address, exports or mounts: keepalived, CTDB, Pacemaker, /etc/exports, the network of the node. Where that is meant, `managed_by_others` says so. What you take out of /etc/exports stays exported: run no exportfs -r, and do not reload nfs-server, while the address is served',
  look: async ({ ip, reader: { host } }) => {
    const found = places.flatMap((place) =>
      filesOf(host, place).flatMap((file) => {
        const parts = place.parts(host.readText(file) ?? '', ip).filter((part) => !isManaged(ip, part));
        return parts.map((part) =>
          failure(
            `${file}: ${place.who} ${words[part]} ${ip.address} too`,
            `Take it out there; or, where it is to do that, write managed_by_others = ["${part}"] for ${ip.address}.${place.beware === undefined ? '' : ` ${place.beware}`}`,
          ),
        );
      }),
    );
    return orElse(found, 'nobody else brings up the address, mounts or exports its file systems');
  },
};

function filesOf(host: Host, { file, endings }: Place): string[] {
  if (endings === undefined) return [file];
  try {
    return readdirSync(host.path(file), { withFileTypes: true })
      .filter((entry) => !entry.isDirectory() && endings.some((ending) => entry.name.endsWith(ending)))
      .map((entry) => path.join(file, entry.name));
  } catch {
    return []; // that program is not here
  }
}

/** Lines that begin with "#", or "!" as keepalived has it. */
function withoutComments(text: string): string {
  return text.replaceAll(/(?:^|\s)[#!].*$/gm, '');
}

/** In any spelling of it. */
function namesAddress(text: string, address: string): boolean {
  return (text.match(/[0-9a-f.:]{3,}/gi) ?? []).some(
    (word) => canonicalAddress(word.replace(/[.:]$/, '')) === address,
  );
}

/** Resources of ocf:heartbeat that do one of the three (resource-agents, IPaddr2, exportfs, Filesystem). */
const agents: Readonly<Record<string, ManagedPart>> = {
  IPaddr: 'address',
  IPaddr2: 'address',
  exportfs: 'export',
  Filesystem: 'mount',
};

function inCib(text: string, ip: FloatingIp): readonly ManagedPart[] {
  const mine = volumesOf(ip).map(({ mountpoint }) => mountpoint);
  const parts = [...text.matchAll(/<primitive\b[^>]*\btype="(\w+)"[^]*?<\/primitive>/g)].flatMap(
    ([body, type = '']): ManagedPart[] => {
      const part = agents[type];
      if (part === undefined) return [];
      const values = [...body.matchAll(/\bvalue="([^"]*)"/g)].map(([, value = '']) => value);
      const isMine =
        part === 'address'
          ? values.some((value) => canonicalAddress(value) === ip.address)
          : values.some((value) =>
              mine.some((mountpoint) => isAtOrBelow(value.replace(/\/+$/, ''), mountpoint)),
            );
      return isMine ? [part] : [];
    },
  );
  return [...new Set(parts)];
}

/** exports(5): a path, in double quotes or with \ooo, then clients. */
function inExports(text: string, ip: FloatingIp): readonly ManagedPart[] {
  const paths = withoutComments(text.replaceAll(/\\\n/g, ' '))
    .split('\n')
    .map((line) => /^\s*(?:"([^"]+)"|(\S+))/.exec(line))
    .flatMap((found) => (found === null ? [] : [unescapeOctal(found[1] ?? found[2] ?? '')]));
  const isMine = paths.some((one) => ip.filesystems.some(({ mountpoint }) => isAtOrBelow(one, mountpoint)));
  return isMine ? ['export'] : [];
}
