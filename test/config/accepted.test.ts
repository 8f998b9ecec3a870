import test from 'ava';
import { keysOf } from '../../src/config/driver-settings.js';
import { drivers } from '../../src/lockmanager/drivers.js';
import { parse, replaced, sample, setting, secondFilesystem, secondFloatingIp } from './sample.js';

test('the example of the manual', (t) => {
  t.deepEqual(parse(sample), {
    file: 'f.toml',
    node: 'A',
    lockManager: {
      driver: 'auto',
      given: { nfsd: '/proc/fs/nfsd', restart: ['systemctl', 'restart', 'nfs-server'] },
    },
    timeouts: {
      steps: {
        'A-1': 120,
        'A-2': 120,
        'A-3': 120,
        'A-4': 300,
        'B-1': 300,
        'B-2': 120,
        'B-4': 120,
        'B-5': 120,
      },
      step: 120,
      settle: 15,
      busy: 5,
      record: 15,
      fencing: 120,
      barrier: 60,
      ctdb: { wait: 10, spread: 10, notify: 10, reclaim: 10, refuse: 30, closed: 40, quiet: 3 },
    },
    hooks: { on: {}, deadline: 10 },
    fencing: {},
    floatingIps: [
      {
        address: '10.10.1.1',
        family: 4,
        prefix: 24,
        interface: 'eth0',
        names: ['nfs1.example.com'],
        stateDirectory: '/srv/state/.nlm',
        trustClients: false,
        filesystems: [
          {
            fsid: '1234',
            device: '/dev/vg0/vol1',
            mountpoint: '/srv/vol1',
            type: 'ext4',
            options: 'noatime',
            exports: [{ path: '/srv/vol1', clients: '*', options: 'rw,no_subtree_check' }],
          },
        ],
      },
    ],
  });
});

test('defaults', (t) => {
  const text = `
    [state]
    directory = "/shared_storage"
    ${secondFloatingIp}`;
  const config = parse(text);
  t.is(config.node, 'host1');
  t.deepEqual(config.lockManager, { driver: 'auto', given: {} });
  const names = keysOf(drivers).map(({ key }) => key.name);
  t.deepEqual(Object.fromEntries(names.map((name) => [name, setting(text, name)])), {
    ganesha_bus: undefined,
    ganesha_conf: '/etc/ganesha/ganesha.conf',
    ganesha_grace: undefined,
    ganesha_exports: '/run/nlm-failover/ganesha',
    nfsd: '/proc/fs/nfsd',
    restart: ['systemctl', 'restart', 'nfs-server'],
    link: 'macvlan',
    bridge: undefined,
    threads: 8,
    manage_gids: true,
    grace: undefined,
    mountd_port: undefined,
    statd_port: undefined,
    lockd_port: undefined,
  });
  const [ip] = config.floatingIps;
  t.deepEqual(ip?.names, []);
  t.is(ip?.stateDirectory, '/shared_storage');
  t.is(ip?.filesystems[0]?.options, '');
  t.deepEqual(ip?.filesystems[0]?.exports, [{ path: '/srv/vol2', clients: '10.10.0.0/16', options: '' }]);
});

test('order of the file is kept', (t) => {
  const [first, second] = parse(
    sample + secondFilesystem + secondFloatingIp.replaceAll(/(vol|123)[25]/g, '$19'),
  ).floatingIps;
  t.deepEqual(
    first?.filesystems.map((fs) => fs.fsid),
    ['1234', '1235'],
  );
  t.is(second?.address, 'fd00::1');
});

type Row = readonly [from: string, to: string, read: (text: string) => unknown, expected: unknown];
const lockManager = (text: string) => parse(text).lockManager;
const ports = (text: string) =>
  ['mountd_port', 'statd_port', 'lockd_port'].map((name) => setting(text, name));
const ip = (text: string) => parse(text).floatingIps[0];
const filesystem = (text: string) => ip(text)?.filesystems[0];
const exported = (text: string) => filesystem(text)?.exports[0];
const uuid = '6b9d6c1e-0c5a-4f0e-9d4f-2f1f6a3c7e10';

const rows: readonly Row[] = [
  ...(['auto', 'nlm-fsid', 'lockd', 'lockd-netns'] as const).map((driver): Row => [
    '"auto"',
    `"${driver}"`,
    (s) => lockManager(s).driver,
    driver,
  ]),
  ['"auto"', '"auto"\nlink = "ipvlan"', (s) => setting(s, 'link'), 'ipvlan'],
  [
    '"auto"',
    '"auto"\nlink = "veth"\nbridge = "br0"',
    (s) => [setting(s, 'link'), setting(s, 'bridge')],
    ['veth', 'br0'],
  ],
  ...[1, 1024].map((threads): Row => [
    '"auto"',
    `"auto"\nthreads = ${threads}`,
    (s) => setting(s, 'threads'),
    threads,
  ]),
  ...[10, 240].map((grace): Row => ['"auto"', `"auto"\ngrace = ${grace}`, (s) => setting(s, 'grace'), grace]),
  ...(['reclaimed', 'timer'] as const).map((end): Row => [
    '"auto"',
    `"auto"\nend_grace = "${end}"`,
    (s) => lockManager(s).endGrace,
    end,
  ]),
  ['"auto"', '"auto"\nlockd_port = 1', (s) => ports(s), [undefined, undefined, 1]],
  [
    '"auto"',
    '"auto"\nmountd_port = 20048\nstatd_port = 662\nlockd_port = 65535',
    (s) => ports(s),
    [20048, 662, 65535],
  ],
  [
    '[state]',
    '[timeouts]\nctdb_wait = 2\nctdb_refuse = 20\nctdb_quiet = 1\nstep = 30\nA-4 = 3600\nB-3 = 1\nsettle = 20\nbusy = 2\nrecord = 3\n[state]',
    (s) => parse(s).timeouts,
    {
      steps: { 'A-1': 30, 'A-2': 30, 'A-3': 30, 'A-4': 3600, 'B-1': 30, 'B-2': 30, 'B-4': 30, 'B-5': 30 },
      notify: 1,
      step: 30,
      settle: 20,
      busy: 2,
      record: 3,
      fencing: 120,
      barrier: 60,
      ctdb: { wait: 2, spread: 10, notify: 10, reclaim: 10, refuse: 20, closed: 40, quiet: 1 },
    },
  ],
  [
    '10.10.1.1/24',
    'FD00:0:0::0001/64',
    (s) => [ip(s)?.address, ip(s)?.family, ip(s)?.prefix],
    ['fd00::1', 6, 64],
  ],
  ['10.10.1.1/24', '2001:db8:0:1:1:1:1:1/128', (s) => ip(s)?.address, '2001:db8:0:1:1:1:1:1'],
  ['10.10.1.1/24', '127.0.0.2/32', (s) => [ip(s)?.address, ip(s)?.prefix], ['127.0.0.2', 32]],
  ['"eth0"', '"bond0.100@x"', (s) => ip(s)?.interface, 'bond0.100@x'],
  ['["nfs1.example.com"]', '["nfs1", "3com.example"]', (s) => ip(s)?.names, ['nfs1', '3com.example']],
  ['"/srv/state/.nlm"', '"/srv/state/.nlm//"', (s) => ip(s)?.stateDirectory, '/srv/state/.nlm'],
  ['1234', '4294967295', (s) => filesystem(s)?.fsid, '4294967295'],
  ['1234', '0x4d2', (s) => filesystem(s)?.fsid, '1234'],
  ['1234', `"${uuid.toUpperCase()}"`, (s) => filesystem(s)?.fsid, uuid],
  ['"/dev/vg0/vol1"', '"UUID=abc-1"', (s) => filesystem(s)?.device, 'UUID=abc-1'],
  ['"/dev/vg0/vol1"', '"LABEL=vol1"', (s) => filesystem(s)?.device, 'LABEL=vol1'],
  ...(
    [
      ['LABEL=/export1', 'LABEL=/export1'],
      ['LABEL="my data"', 'LABEL=my data'],
      ["label='my data'", 'LABEL=my data'],
      ['LABEL=my\\040data', 'LABEL=my data'],
      ['UUID="6B9D6C1E-0C5A"', 'UUID=6b9d6c1e-0c5a'],
      ['PARTUUID=DEADBEEF-01', 'PARTUUID=deadbeef-01'],
      ['PARTLABEL=nfs data', 'PARTLABEL=nfs data'],
      ['ID=wwn-0x5000c500a1b2c3d4', 'ID=wwn-0x5000c500a1b2c3d4'],
      ['/dev/disk/by-label/my\\x20data', '/dev/disk/by-label/my\\x20data'],
    ] as const
  ).map(([text, device]): Row => [
    '"/dev/vg0/vol1"',
    JSON.stringify(text),
    (s) => filesystem(s)?.device,
    device,
  ]),
  ['mountpoint = "/srv/vol1"', 'mountpoint = "/srv/vol1/"', (s) => filesystem(s)?.mountpoint, '/srv/vol1'],
  ['"noatime"', '""', (s) => filesystem(s)?.options, ''],
  ['"noatime"', '",noatime,,nodev,"', (s) => filesystem(s)?.options, 'noatime,nodev'],
  ['path = "/srv/vol1"', 'path = "/srv/vol1/a b/"', (s) => exported(s)?.path, '/srv/vol1/a b'],
  ['path = "/srv/vol1"', '', (s) => exported(s)?.path, '/srv/vol1'],
  ['"*"', '"10.0.0.0/255.0.0.0"', (s) => exported(s)?.clients, '10.0.0.0/255.0.0.0'],
  [
    '"nfs1.example.com"',
    '"nfs_1.example.com"',
    (s) => parse(s).floatingIps[0]?.names[0],
    'nfs_1.example.com',
  ],
  ['"nfs1.example.com"', '"_nfs.a_b"', (s) => parse(s).floatingIps[0]?.names[0], '_nfs.a_b'],
  ['"*"', '"@trusted"', (s) => exported(s)?.clients, '@trusted'],
  ['"*"', '"node[0-9].example.com"', (s) => exported(s)?.clients, 'node[0-9].example.com'],
  ['"*"', '"FD00::0/64"', (s) => exported(s)?.clients, '[fd00::]/64'],
  ['"*"', '"[fd00::]/64"', (s) => exported(s)?.clients, '[fd00::]/64'],
  ['"*"', '"fd00::7"', (s) => exported(s)?.clients, '[fd00::7]'],
  ['"rw,no_subtree_check"', '"rw,fsid=1234"', (s) => exported(s)?.options, 'rw'],
  ['"rw,no_subtree_check"', '"fsid=0x4D2"', (s) => exported(s)?.options, ''],
  ['"rw,no_subtree_check"', '"sec=krb5:krb5i,rw"', (s) => exported(s)?.options, 'sec=krb5:krb5i,rw'],
];

for (const [from, to, read, expected] of rows) {
  test(`accepted: ${to === '' ? `without ${from}` : to}`, (t) => {
    t.deepEqual(read(replaced(sample, from, to)), expected);
  });
}

test('the same UUID in export options, as exports(5) allows it to be spelt', (t) => {
  const text = replaced(sample, '1234', `"${uuid}"`);
  const spelt = `fsid=${uuid.toUpperCase().replaceAll('-', ':')},rw`;
  t.is(exported(replaced(text, 'rw,no_subtree_check', spelt))?.options, 'rw');
});
