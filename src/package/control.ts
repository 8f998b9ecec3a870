import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Flavour } from './flavours.js';
import { run } from './run.js';
import type { Tree } from './tree.js';

const maintainer = 'the nlm-failover authors <maintainers@users.noreply.h-seed-65a1cfbd.example>';

/**
 * What the steps and drivers run: rpc.nfsd, rpc.mountd, exportfs and, with it, nfs-common's rpc.statd; rpcbind; ip; chattr, and
 * mke2fs for a state volume; mount; arping, without which clients wait for their ARP cache. util-linux (nsenter, setpriv) is essential, everywhere.
 */
const common = [
  'nfs-kernel-server (>= 1:1.3)',
  'nfs-common',
  'rpcbind',
  'iproute2',
  'e2fsprogs',
  'mount',
  'kmod',
  'iputils-arping | arping',
];

/** What nlm-failover-recovery(7) types: sqlite3 reads a record where this program does not, fuser says who holds a file. */
const recommended = ['sqlite3', 'psmisc'];

const synopsis = 'NFSv3 lock failover for floating IPs';
const description = [
  'Moves a floating IP with its NFSv3 exports from one Linux server to another',
  'without losing a lock of a client, while both servers go on serving other',
  'addresses: the locks go on the old server, and exactly the clients of that',
  'address are told to reclaim them on the new one, within a grace period.',
];

/** The text of the file `control`. `libraries`: as librariesOf gives them. */
export function controlFile(
  flavour: Flavour,
  { version, libraries, kilobytes }: { version: string; libraries: readonly string[]; kilobytes: number },
): string {
  const fields: readonly (readonly [string, string])[] = [
    ['Package', flavour.name],
    ['Version', version],
    ['Architecture', 'amd64'],
    ['Maintainer', maintainer],
    ['Installed-Size', String(kilobytes)],
    ['Depends', [...libraries, ...flavour.depends, ...common].join(', ')],
    ['Recommends', recommended.join(', ')],
    ...flavour.fields,
    ['Section', 'net'],
    ['Priority', 'optional'],
    ['Description', [synopsis, ...description, '.', ...wrapped(flavour.about, 76)].join('\n ')],
  ];
  return fields.map(([name, value]) => `${name}: ${value}\n`).join('');
}

/** What Debian calls shlibs:Depends, found by dpkg-shlibdeps(1) in programs and modules of the tree in `work`/debian. */
export function librariesOf(files: readonly string[], { name }: Flavour, work: string): string[] {
  // By this it knows where a package begins.
  mkdirSync(path.join(work, 'debian', name, 'DEBIAN'), { mode: 0o755 });
  writeFileSync(
    path.join(work, 'debian/control'),
    `Source: nlm-failover\n\nPackage: ${name}\nArchitecture: amd64\n`,
  );
  const said = run(['dpkg-shlibdeps', '-O', '--warnings=0', ...files.map((file) => `-e${file}`)], {
    cwd: work,
  });
  const [, list = ''] = /^shlibs:Depends=(.*)$/m.exec(said) ?? [];
  if (!list.includes('libc6')) throw new Error(`dpkg-shlibdeps found no libc6: ${said}`);
  return list.split(', ');
}

/** Writes DEBIAN/: control, md5sums and the scripts of the maintainer. */
export function writeControl(tree: Tree, control: string, scripts: string): void {
  const files = tree.files().filter((file) => !lstatSync(path.join(tree.root, file)).isSymbolicLink());
  const sums = files.map((file) => {
    const sum = createHash('md5')
      .update(readFileSync(path.join(tree.root, file)))
      .digest('hex');
    return `${sum}  ${file}\n`;
  });
  tree.write('DEBIAN/control', control);
  tree.write('DEBIAN/md5sums', sums.join(''));
  for (const name of ['postinst', 'prerm', 'postrm'])
    tree.write(`DEBIAN/${name}`, readFileSync(path.join(scripts, name)), true);
}

/** Installed-Size: each file in whole kilobytes, and one for everything else (Debian Policy 5.6.20, dpkg-gencontrol). */
export function kilobytesOf(tree: Tree): number {
  return tree
    .files()
    .map((file) => lstatSync(path.join(tree.root, file)))
    .reduce((sum, stat) => sum + (stat.isFile() ? Math.ceil(stat.size / 1024) : 1), 0);
}

/** Debian's changelog, which has the version in its first line; what changed stands in CHANGELOG.md. */
export function debianChangelog(flavour: Flavour, version: string, epoch: number): string {
  // RFC 5322, with the offset as a number.
  const day = new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');
  return `${flavour.name} (${version}) unstable; urgency=medium\n\n  * See CHANGELOG.md.gz.\n\n -- ${maintainer}  ${day}\n`;
}

interface Compression {
  /** The day of the version, seconds since 1970. */
  readonly epoch: number;
  /** xz, or none where it is unpacked at once: dpkg-deb(1), -Z. */
  readonly compress: string;
}

/** The archive: made with dpkg-deb(1), everything in it root's. Returns its size, bytes. */
export function makeArchive(tree: Tree, to: string, { epoch, compress }: Compression): number {
  tree.setTimes(epoch);
  run(
    ['dpkg-deb', '--root-owner-group', '--uniform-compression', `-Z${compress}`, '--build', tree.root, to],
    {
      env: { SOURCE_DATE_EPOCH: String(epoch) },
    },
  );
  return statSync(to).size;
}

function wrapped(text: string, width: number): string[] {
  return [...text.matchAll(new RegExp(`(.{1,${width}})(?:\\s+|$)`, 'g'))].map(([, line = '']) => line);
}
