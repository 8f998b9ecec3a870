// Which keys of the configuration all nodes must have alike, and how a difference is named.
import test from 'ava';
import { differingKeys, losesClients, sharedKeys } from '../../../src/failover/access/shared-keys.js';
import { parse, replaced, sample, secondFilesystem } from '../../config/sample.js';

function keysOf(text: string): Readonly<Record<string, string>> {
  const config = parse(text);
  const [ip] = config.floatingIps;
  if (ip === undefined) throw new Error('no floating IP');
  return sharedKeys(config, ip);
}

const own = keysOf(sample);

for (const [from, to, differing] of [
  ['node = "A"', 'node = "B"', []],
  ['interface = "eth0"', 'interface = "bond0"', []],
  ['device = "/dev/vg0/vol1"', 'device = "UUID=93f0a6d4-6c63-4e5b-8f0f-1d3b9a4c7e21"', []],
  [
    'restart = ["systemctl", "restart", "nfs-server"]',
    'restart = ["service", "nfs", "restart"]\nthreads = 3',
    [],
  ],
  ['[state]', '[timeouts]\nstep = 7\n[state]', []],
  ['10.10.1.1/24', '10.10.1.1/16', ['prefix length of address']],
  ['names = ["nfs1.example.com"]', 'names = []', ['names']],
  ['[state]', '[timeouts]\nctdb_quiet = 7\n[state]', []],
  ['interface = "eth0"', 'interface = "eth0"\nlegacy_notify = true', ['legacy_notify']],
  ['driver = "auto"', 'driver = "auto"\ngrace = 30', ['[lock_manager].grace']],
  ['driver = "auto"', 'driver = "auto"\nend_grace = "timer"', ['[lock_manager].end_grace']],
  ['state_directory = "/srv/state/.nlm"', 'state_directory = "/srv/nlm"', ['state_directory']],
  ['options = "noatime"', 'options = "nodev"', ['fsid 1234: options']],
  ['options = "rw,no_subtree_check"', 'options = "no_subtree_check,rw"', []],
  ['options = "rw,no_subtree_check"', 'options = "rw"', ['fsid 1234: export of /srv/vol1 to *']],
  ['type = "ext4"', 'type = "xfs"', ['fsid 1234: type']],
] as const) {
  test(`${from} -> ${to}`, (t) => {
    t.deepEqual(differingKeys(own, keysOf(replaced(sample, from, to))), [...differing]);
  });
}

test('another Export_Id is a stale file handle, whatever the fsid; another volume leaves its bricks unseen', (t) => {
  const served = `[lock_manager]
driver = "ganesha"
[state]
directory = "/state"
[[shared_filesystem]]
fsid = 9
export_id = 77
path = "/gv"
gluster_volume = "gv"
nodes = ["A", "B"]
[[floating_ip]]
address = "10.10.1.1/24"
interface = "eth0"
`;
  const from = (one: string, other: string) =>
    differingKeys(keysOf(`node = "A"\n${served}`), keysOf(`node = "A"\n${replaced(served, one, other)}`));
  const ids = from('export_id = 77', 'export_id = 78');
  t.deepEqual(ids, ['fsid 9: export_id']);
  t.true(ids.every(losesClients));
  t.deepEqual(from('"gv"', '"gw"'), ['fsid 9: gluster_volume']);
  t.deepEqual(from('["A", "B"]', '["A", "B", "C"]'), ['nodes of shared_filesystem']);
  t.deepEqual(from('[state]', '[timeouts]\nctdb_quiet = 7\nctdb_wait = 10\n[state]'), [
    '[timeouts].ctdb_quiet',
  ]);
});

test('a file system that one node has alone, another fsid, another mount point: clients would lose it', (t) => {
  const more = differingKeys(own, keysOf(sample + secondFilesystem));
  t.true(more.length > 3 && more.every((key) => key.startsWith('fsid 1235: ')));
  t.true(more.some(losesClients));
  t.true(differingKeys(own, keysOf(replaced(sample, 'fsid = 1234', 'fsid = 1'))).some(losesClients));
  const elsewhere = sample.replaceAll('"/srv/vol1"', '"/srv/v1"');
  t.deepEqual(differingKeys(own, keysOf(elsewhere)).filter(losesClients), [
    'fsid 1234: export of /srv/v1 to *',
    'fsid 1234: export of /srv/vol1 to *',
    'fsid 1234: mountpoint',
  ]);
  t.false(losesClients('fsid 1234: options') || losesClients('names'));
});
