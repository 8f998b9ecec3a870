// [[shared_filesystem]]: what every node exports, and what it must be to the addresses that serve it.
import test from 'ava';
import { isManaged, othersKey, recordVolume, volumesOf } from '../../src/config/floating-ip.js';
import { parse, refusal, replaced } from './sample.js';

const sample = `
node = "A"
[state]
directory = "/shared_state"
[lock_manager]
driver = "ganesha"
[[shared_filesystem]]
export_id = 77
path = "/gv"
gluster_volume = "gv"
nodes = ["B", "A"]
[[floating_ip]]
address = "10.10.1.1/24"
interface = "eth0"
[[floating_ip]]
address = "10.10.1.2/24"
interface = "eth0"
`;
const second = `
[[shared_filesystem]]
export_id = 78
mountpoint = "/srv/two"
nodes = ["A", "C"]
`;
const own = `
  [[floating_ip.filesystem]]
  fsid = 3
  export_id = 3
  device = "/dev/vg0/vol3"
  mountpoint = "/srv/three"
  type = "ext4"

    [[floating_ip.filesystem.export]]
    clients = "*"
`;

test('every address has what is shared, and no volume of its own', (t) => {
  const { floatingIps } = parse(sample + second);
  t.is(floatingIps.length, 2);
  for (const ip of floatingIps) {
    t.deepEqual(ip.shared, { nodes: ['B', 'A', 'C'] });
    t.deepEqual(
      ip.filesystems.map((one) => [
        one.fsid,
        one.exportId,
        one.mountpoint,
        one.isUnmounted,
        one.glusterVolume,
        one.exports.map(({ path }) => path),
      ]),
      [
        ['77', 77, '/gv', true, 'gv', ['/gv']],
        ['78', 78, '/srv/two', undefined, undefined, ['/srv/two']],
      ],
    );
    t.deepEqual(
      volumesOf(ip).map(({ mountpoint }) => mountpoint),
      ['/srv/two'],
    );
    t.is(recordVolume(ip), undefined, 'nothing that moves carries the record');
    t.is(ip.managedByOthers, undefined, 'the file leaves nothing to others');
    t.true(isManaged(ip, 'mount') && isManaged(ip, 'export'));
    t.false(isManaged(ip, 'address'));
    t.is(othersKey(ip), 'shared_filesystem');
  }
});

test('an fsid of its own, a path below the mount point, and what others do of the address', (t) => {
  const text = replaced(
    replaced(sample, 'export_id = 77\n', 'export_id = 77\nfsid = 4\nmountpoint = "/srv/gv"\n'),
    'path = "/gv"',
    'path = "/srv/gv/data"',
  ).replace('interface', 'managed_by_others = ["address", "mount", "address"]\ninterface');
  const [ip] = parse(text).floatingIps;
  t.is(ip?.filesystems[0]?.fsid, '4');
  t.is(ip?.filesystems[0]?.mountpoint, '/srv/gv');
  t.deepEqual(ip?.filesystems[0]?.exports, [{ path: '/srv/gv/data', clients: '*', options: '' }]);
  t.deepEqual(ip?.managedByOthers, ['address'], 'mounts are nobody’s for one address');
});

const nodes = 'write an array of node names: ["a", "b"]';

type Row = readonly [what: string, from: string, to: string, ...expected: string[]];
const rows: readonly Row[] = [
  [
    'this node is not among them',
    'node = "A"',
    'node = "C"',
    'shared_filesystem[0].nodes = ["B", "A"]: this node, C, is not among them: write every node that exports it, by its name (node); or the name that it has there as node, at the top',
  ],
  [
    'a name that another begins with is another',
    '["B", "A"]',
    '["B", "AA"]',
    'shared_filesystem[0].nodes = ["B", "AA"]: this node, A, is not among them: write every node that exports it, by its name (node); or the name that it has there as node, at the top',
  ],
  ['no node', '["B", "A"]', '[]', `shared_filesystem[0].nodes = []: ${nodes}`],
  ['no list', '["B", "A"]', '"A"', `shared_filesystem[0].nodes = "A": ${nodes}`],
  [
    'neither fsid nor Export_Id',
    'export_id = 77',
    '',
    'shared_filesystem[0].fsid is missing: write an integer from 1 to 4294967295, or a UUID in quotes, or export_id',
    'shared_filesystem[0].export_id is missing: driver "ganesha" needs the Export_Id of NFS-Ganesha, the same on every node: write an integer from 1 to 65535',
  ],
  [
    'no place',
    'path = "/gv"',
    '',
    'shared_filesystem[0].mountpoint is missing: write where it is mounted, or path where NFS-Ganesha reaches it without a mount',
  ],
  [
    'a path beside the mount point',
    'path = "/gv"',
    'path = "/gv"\nmountpoint = "/srv/gv"',
    'shared_filesystem[0].path = "/gv": write a path at or below the mount point /srv/gv',
  ],
  [
    'the record on what is shared',
    'path = "/gv"',
    'mountpoint = "/shared_state"',
    'state.directory = "/shared_state": this lies on /shared_state, which every node exports: clients could erase the record. Write a directory on shared storage without exports, or trust_clients = true',
  ],
  [
    'the record of one address below what is shared',
    '[[floating_ip]]',
    '[[shared_filesystem]]\nexport_id = 5\nmountpoint = "/srv/five"\nnodes = ["A"]\n[[floating_ip]]\nstate_directory = "/srv/five/state"',
    'floating_ip[0].state_directory = "/srv/five/state": this lies on /srv/five, which every node exports: clients could erase the record. Write a directory on shared storage without exports, or trust_clients = true',
  ],
  [
    'one path that is mounted nowhere, twice',
    '[[floating_ip]]',
    '[[shared_filesystem]]\nexport_id = 5\npath = "/gv/"\nnodes = ["A"]\n[[floating_ip]]',
    'shared_filesystem[1].path = "/gv/": this path is already at shared_filesystem[0].path; each file system has its own',
  ],
  [
    'file systems of its own beside',
    'address = "10.10.1.2/24"\ninterface = "eth0"\n',
    `address = "10.10.1.2/24"\ninterface = "eth0"\n${own}`,
    'floating_ip[1].filesystem[0] = { fsid = 3, export_id = 3, device = "/dev/vg0/vol3", mountpoint = "/srv/three", ...: an address serves what is in [[shared_filesystem]], or file systems of its own: leave these out, or those',
  ],
  [
    'another driver',
    'driver = "ganesha"',
    'driver = "lockd"',
    'shared_filesystem[0].export_id = 77: only driver "ganesha" exports with it: write driver = "ganesha" in [lock_manager], or leave it out',
  ],
  [
    'a volume that is an option',
    'gluster_volume = "gv"',
    'gluster_volume = "-gv"',
    'shared_filesystem[0].gluster_volume = "-gv": a volume has a name of letters, digits, "-" and "_"',
  ],
  [
    'a volume with a path',
    'gluster_volume = "gv"',
    'gluster_volume = "host:/gv"',
    'shared_filesystem[0].gluster_volume = "host:/gv": a volume has a name of letters, digits, "-" and "_"',
  ],
  [
    'an empty volume',
    'gluster_volume = "gv"',
    'gluster_volume = ""',
    'shared_filesystem[0].gluster_volume = "": a volume has a name of letters, digits, "-" and "_"',
  ],
];

for (const [what, from, to, ...expected] of rows) {
  test(what, (t) => {
    t.deepEqual(refusal(replaced(sample, from, to)), expected);
  });
}

for (const name of ['gv', 'gv_2-x', 'A'.repeat(255)]) {
  test(`a volume may be called ${name.slice(0, 10)}`, (t) => {
    const [ip] = parse(replaced(sample, '"gv"', `"${name}"`)).floatingIps;
    t.is(ip?.filesystems[0]?.glusterVolume, name);
  });
}

test('the record may lie where clients are trusted, address by address', (t) => {
  const text = replaced(sample, 'path = "/gv"', 'mountpoint = "/shared_state"');
  t.is(refusal(text.replace('interface', 'trust_clients = true\ninterface')).length, 1);
  t.deepEqual(refusal(text.replaceAll('interface', 'trust_clients = true\ninterface')), []);
});

for (const [key, value] of [
  ['export_id', '77'],
  ['mountpoint', '"/srv/one"'],
  ['fsid', '9'],
] as const) {
  test(`two have one ${key}`, (t) => {
    const first = replaced(sample, 'export_id = 77\n', 'export_id = 77\nfsid = 9\n').replace(
      'path = "/gv"',
      'mountpoint = "/srv/one"',
    );
    const other = replaced(second, 'export_id = 78', 'export_id = 78\nfsid = 10').replace(
      new RegExp(`${key} = .*`),
      `${key} = ${value}`,
    );
    const [line = '', ...more] = refusal(first + other);
    t.deepEqual(more, []);
    t.regex(
      line,
      new RegExp(
        `^shared_filesystem\\[1\\]\\.${key} = ${value}: .* is already at shared_filesystem\\[0\\]\\.${key}; each file system has its own$`,
      ),
    );
  });
}

test('an address without file systems wants some, where nothing is shared', (t) => {
  const text = sample.replace(/\[\[shared_filesystem\]\][^[]*(?:\[[^[\]]*\]\n)/, '');
  t.false(text.includes('shared_filesystem'));
  t.deepEqual(
    refusal(text),
    [0, 1].map(
      (at) =>
        `floating_ip[${at}].filesystem is missing: write at least one table that begins with [[floating_ip.filesystem]]`,
    ),
  );
});
