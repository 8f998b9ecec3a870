import { existsSync, lstatSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { makeDirectory } from '../../host/directories.js';
import type { Argv } from '../../host/host.js';
import type { DaemonPorts } from './daemons.js';
import { instancePlace, statdDirectory } from './place.js';

/** What an instance's nfs.conf is made from. */
export interface OwnNfsConf {
  readonly threads: number;
  readonly manageGids: boolean;
  readonly ports: DaemonPorts & { readonly lockd?: number | undefined };
  /** Path of the callout for rpc.statd. */
  readonly callout: string;
}

/**
 * Where nfs-utils looks for its files: nfs.conf and nfs.conf.d in both (conf_init_file in support/nfs/conffile.c), exports and
 * exports.d in /etc (support/include/nfs/nfs.h). The path is compiled in, so that only another /etc gives an instance files of its own.
 */
const places = ['/etc', '/usr/etc'] as const;

/** Not the host's in an instance. What else is in /etc is: names, users, services, netconfig, hosts.allow. */
const ownFiles = new Set([
  'nfs.conf',
  'nfs.conf.d',
  'nfsmount.conf',
  'nfsmount.conf.d',
  'exports',
  'exports.d',
]);

/** As nfs.conf(5) has it. Whatever can be said on a command line is said there too, and counts before this. */
export function nfsConf(address: string, { threads, manageGids, ports, callout }: OwnNfsConf): string {
  const port = (name: string, number: number | undefined) =>
    number === undefined ? [] : [`${name}=${number}`];
  const lines = [
    `# Of the instance of ${address} alone: nlm-failover makes it from its own configuration.`,
    '[nfsd]',
    `threads=${threads}`,
    'vers3=y',
    'vers4=n',
    '[mountd]',
    `manage-gids=${manageGids ? 'y' : 'n'}`,
    ...port('port', ports.mountd),
    '[statd]',
    `ha-callout=${callout}`,
    `state-directory-path=${statdDirectory}`,
    ...port('port', ports.statd),
    '[lockd]',
    ...port('port', ports.lockd),
    ...port('udp-port', ports.lockd),
    '[sm-notify]',
    'lift-grace=n',
  ];
  return `${lines.join('\n')}\n`;
}

/** An instance's own /etc (and /usr/etc), and where inside the host's is seen. */
function ownEtc(address: string): readonly {
  readonly inside: string;
  readonly own: string;
  /** As the node and, before /run is covered, the instance name it. */
  readonly host: string;
  readonly hostInside: string;
}[] {
  const { directory, run } = instancePlace(address);
  return places
    .filter((inside) => existsSync(inside))
    .map((inside) => {
      const name = inside.slice(1).replace('/', '-');
      const host = `host-${name}`;
      return {
        inside,
        own: path.join(directory, name),
        host: path.join(run, host),
        hostInside: path.join('/run', host),
      };
    });
}

/**
 * Makes them: links by name to what the host has, so that what is replaced there (hosts, resolv.conf) is seen as it is, and the files
 * of NFS are not. A bind mount over nfs.conf alone would be gone with the first editor that replaces the file (rename(2) of what is a
 * mount point in another namespace only, fs/namei.c, dont_mount).
 */
export function makeOwnEtc(address: string, conf: OwnNfsConf): void {
  for (const { inside, own, host, hostInside } of ownEtc(address)) {
    for (const directory of [own, host]) makeDirectory(directory, 0o755);
    for (const name of readdirSync(inside)) {
      if (ownFiles.has(name)) continue;
      const file = path.join(inside, name);
      // A link keeps its text, which may be relative: resolv.conf is one to ../run/...
      const target = lstatSync(file).isSymbolicLink() ? readlinkSync(file) : path.join(hostInside, name);
      symlinkSync(target, path.join(own, name));
    }
    if (inside !== '/etc') continue;
    for (const [name, text] of [
      ['nfs.conf', nfsConf(address, conf)],
      ['exports', ''],
    ] as const)
      writeFileSync(path.join(own, name), text, { mode: 0o644, flag: 'wx' });
  }
}

/** Its own /etc in words of a shell: a copy, which is enough for as long as somebody works by hand. */
export function ownEtcByHand(address: string, conf: OwnNfsConf): string[] {
  const { directory } = instancePlace(address);
  const own = path.join(directory, 'etc');
  const text = nfsConf(address, conf)
    .replace(/^#.*\n/, '')
    .trimEnd()
    .replaceAll('\n', String.raw`\n`);
  return [
    `cp -a /etc ${own}`,
    `rm -rf ${[...ownFiles].map((name) => `${own}/${name}`).join(' ')}`,
    `printf '${text}\\n' > ${own}/nfs.conf`,
    `touch ${own}/exports`,
  ];
}

/** Inside, before /run is covered: the host's are put aside, and these take their places. */
export function ownEtcMounts(address: string): Argv[] {
  return ownEtc(address).flatMap(({ inside, own, host }): Argv[] => [
    ['mount', '--rbind', inside, host],
    ['mount', '--bind', own, inside],
  ]);
}
