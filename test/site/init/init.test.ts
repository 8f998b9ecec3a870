// `init`: a site, described from the tables of its kernel and of nfs-utils, is the same site again when its configuration is read.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import * as fc from 'fast-check';
import type { Filesystem, FloatingIp } from '../../../src/config/config.js';
import { FailoverError } from '../../../src/errors.js';
import { rehearsalHost } from '../../../src/host/rehearsal/rehearsal.js';
import { configText } from '../../../src/site/init/config-text.js';
import { describeSite } from '../../../src/site/init/describe.js';
import { parse } from '../../config/sample.js';
import { makeRehearsal } from '../../helpers/rehearsal-site.js';

/** As the kernel has it, and exportfs. */
const octal = (text: string) =>
  text.replaceAll(/[ \t\n\\#]/g, (one) => `\\${(one.codePointAt(0) ?? 0).toString(8).padStart(3, '0')}`);

interface Machine {
  readonly mountinfo: string;
  readonly etab: string;
  readonly addresses: readonly (readonly [interface_: string, address: string, prefix: number])[];
  /** Directories and links below the root. */
  readonly make?: (root: string) => void;
}

async function withMachine<T>(
  machine: Machine,
  use: (host: ReturnType<typeof rehearsalHost>) => Promise<T>,
): Promise<T> {
  const root = mkdtempSync(path.join(tmpdir(), 'nlm-failover-init-'));
  try {
    for (const directory of ['proc/self', 'var/lib/nfs', 'dev'])
      mkdirSync(path.join(root, directory), { recursive: true });
    writeFileSync(path.join(root, 'proc/self/mountinfo'), machine.mountinfo);
    writeFileSync(path.join(root, 'var/lib/nfs/etab'), machine.etab);
    const links = machine.addresses.map(([ifname, local, prefixlen]) => ({
      ifname,
      addr_info: [{ local, prefixlen }],
    }));
    writeFileSync(path.join(root, 'addresses.json'), JSON.stringify(links));
    machine.make?.(root);
    return await use(rehearsalHost(root));
  } finally {
    rmSync(root, { recursive: true });
  }
}

async function init(machine: Machine, address?: string): Promise<string> {
  return withMachine(machine, async (host) => configText(await describeSite(host, address)));
}

/** The lines with which a configuration is refused. */
function refusals(text: string): string[] {
  try {
    parse(text, 'A');
    return [];
  } catch (error) {
    if (error instanceof FailoverError && error.code === 'CONFIG_INVALID') return error.message.split('\n');
    throw error;
  }
}

/** etab has them in an order of its own. */
function inOrder(ip: FloatingIp | undefined): unknown {
  const key = (value: unknown) => JSON.stringify(value);
  const filesystems = ip?.filesystems.map((one) => ({
    ...one,
    exports: one.exports.toSorted((a, b) => (key(a) < key(b) ? -1 : 1)),
  }));
  return { ...ip, filesystems: filesystems?.toSorted((a, b) => (a.fsid < b.fsid ? -1 : 1)) };
}

const name = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.ü -]{0,6}[A-Za-z0-9_]$/);
const clients = fc.constantFrom(
  '*',
  '10.0.0.0/8',
  'client.example.com',
  '@group',
  '[fd00::]/64',
  '[fd00::7]',
  '192.0.2.0/255.255.255.0',
);
const exportOptions = fc.subarray([
  'rw',
  'no_subtree_check',
  'no_root_squash',
  'insecure',
  'async',
  'sec=krb5:krb5p',
]);
const filesystem = fc.record({
  fsid: fc.oneof(fc.integer({ min: 1, max: 0xffff_ffff }).map(String), fc.uuid()),
  name,
  below: fc.option(name, { nil: undefined }),
  type: fc.constantFrom('ext4', 'xfs'),
  options: fc.subarray(['noatime', 'nodev', 'nosuid']),
  clients: fc.uniqueArray(clients, { minLength: 1, maxLength: 3 }),
  exportOptions,
});
const site = fc.record({
  address: fc.constantFrom(
    { address: '10.10.1.1', family: 4 as const, prefix: 24 },
    { address: 'fd00:10::1', family: 6 as const, prefix: 64 },
  ),
  interface: fc.constantFrom('eth0', 'bond0.7'),
  filesystems: fc.uniqueArray(filesystem, {
    minLength: 1,
    maxLength: 4,
    comparator: (a, b) => a.name === b.name || a.fsid === b.fsid,
  }),
});

test('a site, its tables, init, and the same site: any names, fsids, clients, options', async (t) => {
  await fc.assert(
    fc.asyncProperty(site, async ({ address, interface: link, filesystems }) => {
      const wanted: Filesystem[] = filesystems.map((one) => ({
        fsid: one.fsid,
        device: `/dev/vg 0/${one.name}`,
        mountpoint: `/srv/vol/${one.name}`,
        type: one.type,
        options: one.options.join(','),
        exports: one.clients.map((spec) => ({
          path: `/srv/vol/${one.name}${one.below === undefined ? '' : `/${one.below}`}`,
          clients: spec,
          options: one.exportOptions.join(','),
        })),
      }));
      const state = { device: '/dev/vg 0-state', mountpoint: '/srv/state', type: 'ext4', options: '' };
      const expected: FloatingIp = {
        ...address,
        interface: link,
        names: [],
        stateDirectory: '/srv/state',
        trustClients: false,
        stateVolume: state,
        filesystems: wanted,
      };
      const mountLine = (one: Omit<Filesystem, 'fsid' | 'exports'>, at: number) =>
        `${at} 1 8:${at} / ${octal(one.mountpoint)} rw${one.options === '' ? '' : `,${one.options}`},relatime shared:${at} - ${one.type} ${octal(one.device)} rw,errors=remount-ro\n`;
      const etab = wanted.flatMap(({ fsid, exports }) =>
        exports.map(
          (one) =>
            `${octal(one.path)}\t${one.clients.replace(/^\[(.*)\]/, '$1')}(${one.options === '' ? '' : `${one.options},`}sync,wdelay,hide,nocrossmnt,secure,root_squash,no_all_squash,secure_locks,acl,no_pnfs,fsid=${fsid},anonuid=65534,anongid=65534${one.options.includes('sec=') ? '' : ',sec=sys'},secure,root_squash,no_all_squash)\n`,
        ),
      );
      const machine: Machine = {
        mountinfo: [mountLine(state, 90), ...wanted.map((one, at) => mountLine(one, at + 10))].join(''),
        etab: etab.join(''),
        addresses: [
          ['lo', '127.0.0.1', 8],
          [link, address.address, address.prefix],
          [link, '10.10.1.9', 24],
        ],
        make: (root) =>
          mkdirSync(path.join(root, state.device, `sm_${address.address}`), { recursive: true }),
      };
      const text = await init(machine, address.address);
      t.notRegex(text.replace(/^.*\n/, ''), /GUESSED|WRITE HERE/);
      const [found] = parse(text, 'A').floatingIps;
      t.deepEqual(inOrder(found), inOrder(expected));
    }),
    { numRuns: 60 },
  );
});

const vol1 = '2 1 8:17 / /srv/vol1 rw,relatime - ext4 /dev/vg0/vol1 rw\n';
const one = [['eth0', '10.10.1.1', 24]] as const;

/** What is found, and of what it is made; what the configuration is then refused for, or what is said to be guessed. */
const unknowns: readonly (readonly [
  what: string,
  machine: Machine,
  refused: readonly RegExp[],
  said: readonly RegExp[],
])[] = [
  [
    'no state volume, no fsid: one is derived, the other asked for',
    { mountinfo: vol1, etab: '/srv/vol1\t*(rw,sync)\n', addresses: one },
    [
      /state_directory = "WRITE HERE: the mount point of a state volume/,
      /device = "WRITE HERE: that device"/,
      /mountpoint = "WRITE HERE/,
    ],
    [/# GUESSED: it is exported without fsid=.*\n {2}fsid = \d+\n/, /# GUESSED: the only address/],
  ],
  [
    'two fsids of one file system',
    {
      mountinfo: vol1,
      etab: '/srv/vol1/a\t10.1.0.0/16(rw,fsid=1)\n/srv/vol1/b\t10.2.0.0/16(rw,fsid=2)\n',
      addresses: one,
    },
    [/fsid = "WRITE HERE: one fsid for all exports/],
    [/# Its exports have several: 1, 2\./],
  ],
  [
    'fsid=0, the root of NFSv4',
    { mountinfo: vol1, etab: '/srv/vol1\t*(rw,fsid=0)\n', addresses: one },
    [/fsid = "WRITE HERE: an fsid"/],
    [/# It is exported with fsid=0: this means the root of NFSv4/],
  ],
  [
    'exports of the root file system, of a bind mount and of another server are left out',
    {
      mountinfo: `3 1 8:33 /data /srv/bind rw - ext4 /dev/vg0/x rw\n4 1 0:50 / /far rw - nfs filer:/x rw\n`,
      etab: '/home\t*(rw)\n/srv/bind\t*(rw)\n/far/x\t*(rw)\n',
      addresses: one,
    },
    [/fsid = "WRITE HERE: a number/, /device = "WRITE HERE: a device/],
    [
      /# Left out: \/home \(\*\): it lies on the root file system/,
      /# Left out: \/srv\/bind \(\*\): it lies on a bind mount of \/data/,
      /# Left out: \/far\/x \(\*\): .*another NFS server/,
    ],
  ],
  [
    'a file system that has no device: somebody else mounts it',
    {
      mountinfo: `5 1 0:60 / /tank rw - zfs tank/data rw\n`,
      etab: '/tank\t*(rw,fsid=7)\n',
      addresses: one,
    },
    [/state_directory = "WRITE HERE/],
    [/# GUESSED: a file system below is mounted from no device.*\nmanaged_by_others = \["mount"\]/],
  ],
  [
    'a name that another disk may have tomorrow',
    {
      mountinfo: `2 1 8:17 / /srv/vol1 rw - ext4 /dev/sdb1 rw\n`,
      etab: '/srv/vol1\t*(rw,fsid=7)\n',
      addresses: one,
    },
    [],
    [/# GUESSED: udev has no other name for it.*\n {2}device = "\/dev\/sdb1"/],
  ],
  [
    'the record lies where clients reach it',
    {
      mountinfo: vol1,
      etab: '/srv/vol1\t*(rw,fsid=7)\n',
      addresses: one,
      make: (top) => mkdirSync(path.join(top, 'dev/vg0/vol1/.nlm/sm_10.10.1.1'), { recursive: true }),
    },
    [/state_directory = "WRITE HERE: the mount point/],
    [/# The record lies on \/srv\/vol1, which is exported/],
  ],
];

for (const [what, machine, refused, said] of unknowns) {
  test(what, async (t) => {
    const text = await init(machine);
    const lines = refusals(text).join('\n');
    for (const pattern of refused) t.regex(lines, pattern);
    for (const pattern of said) t.regex(text, pattern);
    // Nothing but what is wanted is refused.
    t.true(
      refusals(text).every((line) => line.includes('WRITE HERE') || line.includes('is missing')),
      lines,
    );
  });
}

test('a disk is named by what stays the same: its id first, then its UUID', async (t) => {
  const machine = (...names: readonly string[]): Machine => ({
    mountinfo: `2 1 8:17 / /srv/vol1 rw - ext4 /dev/sdb1 rw\n`,
    etab: '/srv/vol1\t*(rw,fsid=7)\n',
    addresses: one,
    make: (top) => {
      writeFileSync(path.join(top, 'dev/sdb1'), '');
      for (const link of names) {
        mkdirSync(path.dirname(path.join(top, link)), { recursive: true });
        symlinkSync(path.join(top, 'dev/sdb1'), path.join(top, link));
      }
    },
  });
  const uuid = '/dev/disk/by-uuid/2f4a1c0e-93d4-4c07-a6c5-0d6d1b7c9e55';
  t.regex(
    await init(machine(uuid, '/dev/disk/by-path/pci-1')),
    /device = "UUID=2f4a1c0e-93d4-4c07-a6c5-0d6d1b7c9e55"/,
  );
  t.regex(
    await init(machine(uuid, '/dev/disk/by-id/wwn-0x5', '/dev/disk/by-id/scsi-SMAKER_DISK-part1')),
    /device = "\/dev\/disk\/by-id\/scsi-SMAKER_DISK-part1"/,
  );
});

test('several addresses: one must be named; one that is not up goes where its network is', async (t) => {
  const machine: Machine = {
    mountinfo: vol1,
    etab: '/srv/vol1\t*(rw,fsid=7)\n',
    addresses: [
      ['eth0', '10.10.1.9', 24],
      ['eth1', 'fd00::9', 64],
      ['lo', '127.0.0.1', 8],
    ],
  };
  const error = await t.throwsAsync(init(machine), { instanceOf: FailoverError });
  t.like(error, { code: 'UNKNOWN_ADDRESS', exitCode: 2 });
  t.regex(error?.message ?? '', /several addresses \(10\.10\.1\.9, fd00::9\)/);
  t.regex(
    await init(machine, '10.10.1.1'),
    /# GUESSED: it is not up here, and 10\.10\.1\.9 .*\naddress = "10\.10\.1\.1\/24"\n.*\ninterface = "eth0"/,
  );
  t.regex(await init(machine, 'fd00:0::1/72'), /address = "fd00::1\/72"\n(?:.*\n)?interface = "eth1"/);
  const far = refusals(await init(machine, '192.0.2.1'));
  t.regex(far.join('\n'), /address = "WRITE HERE: 192\.0\.2\.1\/ and the prefix length"/);
  t.regex(far.join('\n'), /interface = "WRITE HERE: the network interface/);
  await t.throwsAsync(init(machine, 'nfs1'), { message: /no address/ });
});

test('a node that exports nothing: its only address is its own, and is not offered', async (t) => {
  for (const [own, prefix] of [
    ['10.10.1.9', 24],
    ['fd00::9', 64],
  ] as const) {
    const machine: Machine = { mountinfo: vol1, etab: '', addresses: [['eth0', own, prefix]] };
    const text = await init(machine);
    t.notRegex(text, new RegExp(`address = "${own}`));
    t.regex(text, new RegExp(`# ${own} is this node's own, which stays`));
    t.regex(refusals(text).join('\n'), /address = "WRITE HERE: the floating IP\/prefix length/);
    t.regex(text, /interface = "eth0"/);
  }
});

test('the command, on a node that serves by takeover: the configuration that it has', async (t) => {
  const address = '127.77.42.1';
  const rehearsal = makeRehearsal({ address, rpcbindPort: 1, fsids: [1234, 77] });
  t.teardown(() => rehearsal.remove());
  const { a } = rehearsal;
  t.is((await a.here(['takeover', address, '--no-wait'])).exitCode, 0);
  const { exitCode, stdout, stderr } = await a.here(['init', address]);
  t.is(exitCode, 0, stderr);
  const [before] = parse(a.read('/etc/nlm-failover.toml')).floatingIps;
  const [after] = parse(stdout, 'A').floatingIps;
  t.deepEqual(after, { ...before, names: [] } as typeof after);
  t.is((await a.here(['init', 'nothing'])).exitCode, 2);
  t.regex(
    execFileSync(process.execPath, ['bin/nlm-failover', 'init', '--help'], { encoding: 'utf8' }),
    /WRITE HERE/,
  );
});
