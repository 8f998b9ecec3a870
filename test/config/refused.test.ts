import test from 'ava';
import { refusal, replaced, sample, secondFilesystem, secondFloatingIp } from './sample.js';

type Row = readonly [from: string, to: string, ...refusal: string[]];

const filesystem = 'floating_ip[0].filesystem[0]';
const word = 'no blanks, quotes, backslashes and control characters, and no leading "-"';
const byOthers =
  'where somebody else mounts it (ZFS, CephFS, a cluster manager), write managed_by_others = ["mount"] in its [[floating_ip]]';
const device = `write an absolute path without "//", "." and "..", or UUID=... or LABEL=...; ${byOthers}`;
const fsidForm =
  'write an integer from 1 to 4294967295, or a UUID such as "6b9d6c1e-0c5a-4f0e-9d4f-2f1f6a3c7e10"';
const nodeName =
  'a node name is 1 to 63 letters, digits, ".", "_" and "-", and begins with a letter or digit';
const hostName = 'a host name is letters, digits, "_" and inner "-" between dots, such as "nfs1.example.com"';
const interfaceName =
  'an interface name is 1 to 15 bytes without blanks, "/" and ":" and no leading "-", such as "eth0"';
const driver = 'write one of "auto", "ganesha", "nlm-fsid", "lockd-netns", "lockd"';
const restart =
  'write an array of strings, none of them empty: a command and its arguments, such as ["systemctl", "restart", "nfs-server"]';
const mountOptions = `write mount options with commas between them, such as "noatime,nodev": ${word}`;
const exportOptions = `write exports(5) options with commas between them, such as "rw,no_subtree_check": ${word}, and no parentheses`;
const clients = `write a client specification of exports(5), such as "*" or "10.10.0.0/16": ${word}`;
const colon = 'a ":" belongs only into an IPv6 address, such as "fd00::1" or "[fd00::]/64"';
const absolute = 'write an absolute path, one that begins with "/"';
const bridge = 'link "veth" needs the name of an existing bridge, such as "br0"';
const noBridge = 'only link "veth" joins a bridge: write link = "veth", or leave bridge out';
const hook = 'an array of strings, the first an absolute path: ["/usr/local/sbin/page", "nfs"]';
const fence =
  'an array of strings, the first an absolute path, "{node}" in another one: ["/usr/sbin/fence_ipmilan", "-a", "ipmi-{node}", "-o", "off"]';
const address = 'write an IPv4 or IPv6 address with its prefix length, such as "10.10.1.1/24"';
const unspecified = 'an unspecified address cannot be served; write one that clients mount from';

const rows: readonly Row[] = [
  ['node = "A"', 'node = "../x"', `node = "../x": ${nodeName}`],
  ['node = "A"', 'node = ""', `node = "": ${nodeName}`],
  ['node = "A"', `node = "${'a'.repeat(64)}"`, `node = "${'a'.repeat(64)}": ${nodeName}`],
  ['node = "A"', 'node = 1', 'node = 1: this is not a string; write the name of this node'],

  ['"/shared_storage"', '"shared"', `state.directory = "shared": ${absolute}`],
  ['"/shared_storage"', '"/a\\nb"', 'state.directory = "/a\\nb": a path has no control characters'],
  [
    '[state]\ndirectory = "/shared_storage"',
    'state = "/a"',
    'state = "/a": write a table that begins with [state]',
  ],

  ['"auto"', '"lock"', `lock_manager.driver = "lock": ${driver}`],
  ['"auto"', 'true', `lock_manager.driver = true: this is not a string; ${driver}`],
  ['"/proc/fs/nfsd"', '"proc"', `lock_manager.nfsd = "proc": ${absolute}`],
  ['["systemctl", "restart", "nfs-server"]', '[]', `lock_manager.restart = []: ${restart}`],
  ['["systemctl", "restart", "nfs-server"]', '["a", ""]', `lock_manager.restart = ["a", ""]: ${restart}`],
  ['["systemctl", "restart", "nfs-server"]', '["a", 1]', `lock_manager.restart = ["a", 1]: ${restart}`],
  [
    '["systemctl", "restart", "nfs-server"]',
    '["a\\u0000b"]',
    `lock_manager.restart = ["a\\u0000b"]: ${restart}`,
  ],
  [
    '["systemctl", "restart", "nfs-server"]',
    '"systemctl restart"',
    'lock_manager.restart = "systemctl restart": write an array of strings: a command and its arguments, such as ["systemctl", "restart", "nfs-server"]',
  ],
  [
    '["systemctl", "restart", "nfs-server"]',
    '["./restart"]',
    'lock_manager.restart = ["./restart"]: the command is a name to be found in PATH, or an absolute path',
  ],

  ...['', 'MACVLAN', 'bridge'].map((text): Row => [
    '"auto"',
    `"auto"\nlink = "${text}"`,
    `lock_manager.link = "${text}": write one of "macvlan", "ipvlan", "veth"`,
  ]),
  ['"auto"', '"auto"\nlink = "veth"', `lock_manager.bridge is missing: ${bridge}`],
  ['"auto"', '"auto"\nlink = "veth"\nbridge = "br 0"', `lock_manager.bridge = "br 0": ${interfaceName}`],
  ['"auto"', '"auto"\nbridge = "br0"', `lock_manager.bridge = "br0": ${noBridge}`],
  ['"auto"', '"auto"\nlink = "ipvlan"\nbridge = "br0"', `lock_manager.bridge = "br0": ${noBridge}`],
  ...['0', '1025', '-1', '1.5', '"8"', 'true'].map((text): Row => [
    '"auto"',
    `"auto"\nthreads = ${text}`,
    `lock_manager.threads = ${text}: write an integer from 1 to 1024, without quotes`,
  ]),
  ...['9', '241', '0', '10.5', '"90 s"'].map((text): Row => [
    '"auto"',
    `"auto"\ngrace = ${text}`,
    `lock_manager.grace = ${text}: write whole seconds from 10 to 240, without quotes`,
  ]),
  [
    '"auto"',
    '"auto"\nend_grace = "never"',
    'lock_manager.end_grace = "never": write one of "reclaimed", "timer"',
  ],
  ...['mountd_port', 'statd_port', 'lockd_port'].flatMap((key): Row[] => [
    ...['0', '65536', '-1', '1.5', '"20048"'].map((text): Row => [
      '"auto"',
      `"auto"\n${key} = ${text}`,
      `lock_manager.${key} = ${text}: write a port from 1 to 65535, without quotes`,
    ]),
    [
      '"auto"',
      `"auto"\n${key} = 111`,
      `lock_manager.${key} = 111: this is the port of rpcbind; write another one`,
    ],
    [
      '"auto"',
      `"auto"\n${key} = 2049`,
      `lock_manager.${key} = 2049: this is the port of nfsd; write another one`,
    ],
  ]),
  [
    '"auto"',
    '"auto"\nmountd_port = 662\nstatd_port = 662\nlockd_port = 662',
    'lock_manager.statd_port = 662: this port is already at lock_manager.mountd_port; each service has its own',
    'lock_manager.lockd_port = 662: this port is already at lock_manager.mountd_port; each service has its own',
  ],
  [
    '"auto"',
    '"auto"\nlink = "veth"\nthreads = 0\ngrace = 1\nstatd_port = 1\nlockd_port = 1',
    'lock_manager.threads = 0: write an integer from 1 to 1024, without quotes',
    'lock_manager.grace = 1: write whole seconds from 10 to 240, without quotes',
    `lock_manager.bridge is missing: ${bridge}`,
    'lock_manager.lockd_port = 1: this port is already at lock_manager.statd_port; each service has its own',
  ],

  ...['A-1', 'B-3', 'step', 'settle', 'busy', 'record'].flatMap((key) =>
    ['0', '3601', '1.5', '"60"', 'true'].map((text): Row => [
      '[state]',
      `[timeouts]\n${key} = ${text}\n[state]`,
      `timeouts.${key} = ${text}: write whole seconds from 1 to 3600, without quotes`,
    ]),
  ),
  [
    '[state]',
    '[timeouts]\nctdb_wait = 11\n[state]',
    'timeouts.ctdb_refuse is missing: a node whose process is killed must refuse until the others are in grace: write 32 or more, twice ctdb_wait and ctdb_spread',
  ],
  [
    '[state]',
    '[timeouts]\nctdb_wait = 5\nctdb_closed = 10\n[state]',
    'timeouts.ctdb_closed = 10: a node that waits for the others in both phases must not open meanwhile: write more than 10, twice ctdb_wait',
  ],
  ['[state]', '[timeouts]\nA-5 = 60\n[state]', 'timeouts.A-5 = 60: unknown key; did you mean "A-1"?'],
  [
    '"10.10.1.1/24"',
    '"10.10.1.1"',
    'floating_ip[0].address = "10.10.1.1": the prefix length is missing: write it as "10.10.1.1/24"',
  ],
  [
    '"10.10.1.1/24"',
    '"FD00::0:1"',
    'floating_ip[0].address = "FD00::0:1": the prefix length is missing: write it as "fd00::1/64"',
  ],
  ...['33', '0', '', '024', '-1', '24/8', '255.255.255.0', '1e1'].map((prefix): Row => [
    '10.10.1.1/24',
    `10.10.1.1/${prefix}`,
    `floating_ip[0].address = "10.10.1.1/${prefix}": an IPv4 prefix length is 1 to 32, as in "10.10.1.1/24"`,
  ]),
  [
    '10.10.1.1/24',
    'fd00::1/129',
    'floating_ip[0].address = "fd00::1/129": an IPv6 prefix length is 1 to 128, as in "fd00::1/64"',
  ],
  ...[
    '',
    'nfs1.example.com/24',
    '10.10.1/24',
    '010.10.1.1/24',
    '10.10.1.256/24',
    'fe80::1%eth0/64',
    ' 10.10.1.1/24',
  ].map((text): Row => ['10.10.1.1/24', text, `floating_ip[0].address = "${text}": ${address}`]),
  ['10.10.1.1/24', '0.0.0.0/24', `floating_ip[0].address = "0.0.0.0/24": ${unspecified}`],
  ['10.10.1.1/24', '::/64', `floating_ip[0].address = "::/64": ${unspecified}`],
  ...['224.0.0.1', '239.1.1.1', '255.255.255.255'].map((text): Row => [
    '10.10.1.1/24',
    `${text}/24`,
    `floating_ip[0].address = "${text}/24": a multicast or reserved address cannot be served; write one that clients mount from`,
  ]),
  [
    '10.10.1.1/24',
    'ff02::1/64',
    'floating_ip[0].address = "ff02::1/64": a multicast address cannot be served; write one that clients mount from',
  ],
  [
    '10.10.1.1/24',
    'fe80::1/64',
    'floating_ip[0].address = "fe80::1/64": a link-local address cannot move; write a global or unique local one (fd00::/8)',
  ],
  [
    '10.10.1.1/24',
    '::ffff:a0a:101/120',
    'floating_ip[0].address = "::ffff:a0a:101/120": this is an IPv4 address: write "10.10.1.1" with its prefix length',
  ],

  ...['', 'eth 0', 'a/b', 'eth0:1', '-eth0', '.', '..', 'sixteen-bytes-ab', 'ÄÖÜäöüÄÖ'].map((name): Row => [
    '"eth0"',
    `"${name}"`,
    `floating_ip[0].interface = "${name}": ${interfaceName}`,
  ]),
  ...['', '-x', 'x-', 'a..b', 'a.', 'a b', 'a_-', 'ü.example.com', 'l'.repeat(64)].map((name): Row => [
    '"nfs1.example.com"',
    `"${name}"`,
    `floating_ip[0].names[0] = "${name}": ${hostName}`,
  ]),
  [
    '"nfs1.example.com"',
    '"10.10.1.1"',
    'floating_ip[0].names[0] = "10.10.1.1": a host name is wanted; the address itself is sent without asking',
  ],
  [
    '["nfs1.example.com"]',
    '"nfs1.example.com"',
    'floating_ip[0].names = "nfs1.example.com": write an array of host names: ["nfs1.example.com"]',
  ],
  ['"/srv/state/.nlm"', '".nlm"', `floating_ip[0].state_directory = ".nlm": ${absolute}`],

  ['1234', '0', `${filesystem}.fsid = 0: this means the root of NFSv4 (exports(5)); write 1 to 4294967295`],
  ...['-1', '4294967296', '99999999999999999999'].map((number): Row => [
    '1234',
    number,
    `${filesystem}.fsid = ${number}: an fsid is a 32-bit number: write 1 to 4294967295`,
  ]),
  ['1234', '"1234"', `${filesystem}.fsid = "1234": a numeric fsid is written without quotes: 1234`],
  ['1234', '1234.5', `${filesystem}.fsid = 1234.5: ${fsidForm}`],
  ['1234', '1234.0', `${filesystem}.fsid = 1234: ${fsidForm}`],
  ['1234', '"root"', `${filesystem}.fsid = "root": ${fsidForm}`],
  ...['"disk"', '["fence"]', '["mount", "mounts"]', '[true]'].map((text): Row => {
    const at = text.startsWith('[') ? `[${text.includes(',') ? 1 : 0}]` : '';
    const shown = text === '["mount", "mounts"]' ? '"mounts"' : text.replace(/^\[|\]$/g, '');
    const wanted = 'one of "mount", "export", "address"';
    return [
      'interface = "eth0"',
      `interface = "eth0"\nmanaged_by_others = ${text}`,
      `floating_ip[0].managed_by_others${at} = ${shown}: ${text === '[true]' ? 'this is not a string; ' : ''}write ${at === '' ? `an array of ${wanted}` : wanted}`,
    ];
  }),
  ...[
    'vol1',
    'tank/vol1',
    'mon1:/volumes/a',
    '/dev//vol1',
    '/dev/../vol1',
    '/',
    'UUID=',
    "LABEL=a'b",
    "LABEL=''",
    '-x',
    '/dev/vol\\u0007',
  ].map((text): Row => ['"/dev/vg0/vol1"', `"${text}"`, `${filesystem}.device = "${text}": ${device}`]),
  ['mountpoint = "/srv/vol1"', 'mountpoint = "srv"', `${filesystem}.mountpoint = "srv": ${absolute}`],
  ...['/srv/../vol1', '/srv/./vol1', '/srv//vol1', '//srv', '/..'].map((text): Row => [
    'mountpoint = "/srv/vol1"',
    `mountpoint = "${text}"`,
    `${filesystem}.mountpoint = "${text}": write the path without "//", "." and ".."`,
  ]),
  [
    'mountpoint = "/srv/vol1"',
    'mountpoint = "/srv/my\\\\040data"',
    `${filesystem}.mountpoint = "/srv/my\\\\040data": write a blank as it is: "\\040" is for /etc/fstab`,
  ],
  [
    'mountpoint = "/srv/vol1"',
    'mountpoint = "//"',
    `${filesystem}.mountpoint = "//": "/" cannot move to another node; write a mount point below it`,
  ],
  ...['', '-t', 'ext4 x', "e'", '\\u001b'].map((text): Row => [
    '"ext4"',
    `"${text}"`,
    `${filesystem}.type = "${text}": write the file system's type, such as "ext4": ${word}`,
  ]),
  ...['-o', 'a b', '`id`', 'a\\tb'].map((text): Row => [
    '"noatime"',
    `"${text}"`,
    `${filesystem}.options = "${text}": ${mountOptions}`,
  ]),

  ['path = "/srv/vol1"', 'path = "srv"', `${filesystem}.export[0].path = "srv": ${absolute}`],
  ...['/srv', '/srv/vol10', '/'].map((path): Row => [
    'path = "/srv/vol1"',
    `path = "${path}"`,
    `${filesystem}.export[0].path = "${path}": write a path at or below the mount point /srv/vol1`,
  ]),
  ...['* b', 'a,b', 'a\\n'].map((text): Row => [
    '"*"',
    `"${text}"`,
    `${filesystem}.export[0].clients = "${text}": write one client specification; add a [[floating_ip.filesystem.export]] for each other one`,
  ]),
  ...['', '*(rw)', '-a', "a'", '/srv'].map((text): Row => [
    '"*"',
    `"${text}"`,
    `${filesystem}.export[0].clients = "${text}": ${clients}`,
  ]),
  ...['host:/srv', '[fd00::1', '[fd00::1%eth0]', 'fd00::/129', '[10.0.0.1]:'].map((text): Row => [
    '"*"',
    `"${text}"`,
    `${filesystem}.export[0].clients = "${text}": ${colon}`,
  ]),
  ...['-o', 'rw ro', 'rw)', '(rw'].map((text): Row => [
    '"rw,no_subtree_check"',
    `"${text}"`,
    `${filesystem}.export[0].options = "${text}": ${exportOptions}`,
  ]),
  ...['fsid=1', 'rw,fsid=root', 'fsid=0,rw', 'fsid=1234,fsid=7', 'fsid=', 'fsid=01234'].map((text): Row => [
    '"rw,no_subtree_check"',
    `"${text}"`,
    `${filesystem}.export[0].options = "${text}": the file system has fsid 1234, which is added by itself: leave fsid= out`,
  ]),

  [
    '[lock_manager]',
    '[fencing]\ncommand = ["fence_x", "{node}"]\n[lock_manager]',
    `fencing.command = ["fence_x", "{node}"]: the first is the program: write ${fence}`,
  ],
  [
    '[lock_manager]',
    '[fencing]\ncommand = "/usr/sbin/fence_x {node}"\n[lock_manager]',
    `fencing.command = "/usr/sbin/fence_x {node}": write ${fence}`,
  ],
  [
    '[lock_manager]',
    '[fencing]\ncommand = ["/usr/sbin/fence_x", "-o", "off"]\n[lock_manager]',
    `fencing.command = ["/usr/sbin/fence_x", "-o", "off"]: no word has "{node}", so that it could not be told which node: write ${fence}`,
  ],
  [
    '[lock_manager]',
    '[fencing]\ncommand = ["/usr/sbin/fence_{node}", "{node}"]\n[lock_manager]',
    'fencing.command = ["/usr/sbin/fence_{node}", "{node}"]: the program has no "{node}" in its name',
  ],
  [
    '[lock_manager]',
    '[timeouts]\nfencing = 0\n[lock_manager]',
    'timeouts.fencing = 0: write whole seconds from 1 to 3600, without quotes',
  ],
  ['[lock_manager]', '[hooks]\non_done = "/x"\n[lock_manager]', `hooks.on_done = "/x": write ${hook}`],
  ['[lock_manager]', '[hooks]\non_lost = []\n[lock_manager]', `hooks.on_lost = []: write ${hook}`],
  [
    '[lock_manager]',
    '[hooks]\non_lost = ["/x", 1]\n[lock_manager]',
    `hooks.on_lost = ["/x", 1]: write ${hook}`,
  ],
  [
    '[lock_manager]',
    '[hooks]\non_failed = ["mail", "root"]\n[lock_manager]',
    `hooks.on_failed = ["mail", "root"]: the first is the program: write ${hook}`,
  ],
  [
    '[lock_manager]',
    '[hooks]\non_failed = ["/x", "a\\u0000b"]\n[lock_manager]',
    'hooks.on_failed = ["/x", "a\\u0000b"]: an argument has no byte of zero',
  ],
  [
    '[lock_manager]',
    '[hooks]\ndeadline = 0\n[lock_manager]',
    'hooks.deadline = 0: write whole seconds from 1 to 3600, without quotes',
  ],
];

for (const [from, to, ...expected] of rows) {
  test(`refused: ${from} -> ${to.slice(0, 60)}`, (t) => {
    t.deepEqual(refusal(replaced(sample, from, to)), expected);
  });
}

const missing: readonly (readonly [line: string, key: string, message: string])[] = [
  ['address = "10.10.1.1/24"', 'address', 'write an address with its prefix length, such as "10.10.1.1/24"'],
  ['interface = "eth0"', 'interface', 'write the name of a network interface, such as "eth0"'],
  ['fsid = 1234', 'filesystem[0].fsid', 'write an integer from 1 to 4294967295, or a UUID in quotes'],
  ['device = "/dev/vg0/vol1"', 'filesystem[0].device', 'write an absolute path, or UUID=... or LABEL=...'],
  ['mountpoint = "/srv/vol1"', 'filesystem[0].mountpoint', 'write an absolute path, such as "/srv/vol1"'],
  ['type = "ext4"', 'filesystem[0].type', 'write the file system\'s type, such as "ext4"'],
  [
    'clients = "*"',
    'filesystem[0].export[0].clients',
    'write a client specification of exports(5), such as "*"',
  ],
];

for (const [line, key, message] of missing) {
  test(`missing: ${key}`, (t) => {
    t.deepEqual(refusal(replaced(sample, line, '')), [`floating_ip[0].${key} is missing: ${message}`]);
  });
}

const tables = (header: string) => `write at least one table that begins with [[${header}]]`;

test('a floating IP needs a file system, and that an export', (t) => {
  const noExport = sample.slice(0, sample.indexOf('[[floating_ip.filesystem.export]]'));
  const noFilesystem = sample.slice(0, sample.indexOf('[[floating_ip.filesystem]]'));
  t.deepEqual(refusal(noExport), [
    `${filesystem}.export is missing: ${tables('floating_ip.filesystem.export')}; a state volume stands beside what is exported`,
  ]);
  t.deepEqual(refusal(noFilesystem), [
    `floating_ip[0].filesystem is missing: ${tables('floating_ip.filesystem')}`,
  ]);
  t.deepEqual(refusal('node = "A"'), [`floating_ip is missing: ${tables('floating_ip')}`]);
  t.deepEqual(refusal('floating_ip = []'), [`floating_ip = []: ${tables('floating_ip')}`]);
  t.deepEqual(refusal('[floating_ip]'), [`floating_ip = {}: ${tables('floating_ip')}`]);
});

test('a state directory must be somewhere', (t) => {
  const without = replaced(sample, 'state_directory = "/srv/state/.nlm"', '');
  const says = 'write an absolute path here, or one for all floating IPs as directory in [state]';
  t.deepEqual(refusal(without), []);
  t.deepEqual(refusal(replaced(without, 'directory = "/shared_storage"', '')), [
    `floating_ip[0].state_directory is missing: ${says}`,
  ]);
});

const two = sample + secondFilesystem;
const twoIps = sample + secondFloatingIp;
const own = 'each file system has its own';
const one = 'a file system belongs to exactly one floating IP, because they move together';

/** The sample with another export of its file system. */
const withExport = (second: string, path: string, first = '*') =>
  `${replaced(replaced(sample, '"*"', `"${first}"`), 'path = "/srv/vol1"', 'path = "/srv/vol1/a"')}
    [[floating_ip.filesystem.export]]
    path = "${path}"
    clients = "${second}"
`;
/** How it is refused where a client may match both. */
const bothMatch = (second: string, path = '/srv/vol1/b', first = '*') =>
  `${filesystem}.export[1].clients = "${second}": a client may match this and ${filesystem}.export[0].clients = "${first}", and ${path} and /srv/vol1/a have one fsid: ` +
  'it would read the one in place of the other. Export one path that has both below it, or each to addresses or networks that do not overlap';

const relations: readonly (readonly [title: string, text: string, ...lines: string[]])[] = [
  ['nothing wrong', two],
  ['two paths under one fsid, to everybody', withExport('*', '/srv/vol1/b'), bothMatch('*')],
  [
    'a path and the volume that it is on, with different rules',
    withExport('10.0.0.0/8', '/srv/vol1'),
    bothMatch('10.0.0.0/8', '/srv/vol1'),
  ],
  [
    'two paths under one fsid, to a network and a host in it',
    withExport('10.0.7.1', '/srv/vol1/b', '10.0.0.0/255.255.0.0'),
    bothMatch('10.0.7.1', '/srv/vol1/b', '10.0.0.0/255.255.0.0'),
  ],
  [
    'two paths under one fsid, to two IPv6 networks of which one is in the other',
    withExport('[fd00:0:0:7::]/64', '/srv/vol1/b', '[fd00::]/48'),
    bothMatch('[fd00:0:0:7::]/64', '/srv/vol1/b', '[fd00::]/48'),
  ],
  [
    'two paths under one fsid, to names, of which nobody knows whose they are',
    withExport('b.example.com', '/srv/vol1/b', 'a.example.com'),
    bothMatch('b.example.com', '/srv/vol1/b', 'a.example.com'),
  ],
  [
    'two paths under one fsid, to a netgroup and an address',
    withExport('@trusted', '/srv/vol1/b', '10.0.0.1'),
    bothMatch('@trusted', '/srv/vol1/b', '10.0.0.1'),
  ],
  ['one path, to a network and a host in it', withExport('10.0.0.1', '/srv/vol1/a', '10.0.0.0/8')],
  ['two paths under one fsid, to two networks', withExport('10.1.0.0/16', '/srv/vol1/b', '10.0.0.0/16')],
  [
    'two paths under one fsid, to networks by netmask',
    withExport('10.1.0.0/255.255.0.0', '/srv/vol1/b', '10.0.255.255'),
  ],
  ['two paths under one fsid, to two families', withExport('[fd00::]/64', '/srv/vol1/b', '10.0.0.0/8')],
  ['nothing wrong with two', twoIps],
  [
    'an fsid twice',
    replaced(two, '1235', '1234'),
    `floating_ip[0].filesystem[1].fsid = 1234: this fsid is already at ${filesystem}.fsid; ${own}`,
  ],
  [
    'a device twice',
    replaced(two, 'vol2"', 'vol1"'),
    `floating_ip[0].filesystem[1].device = "/dev/vg0/vol1": this device is already at ${filesystem}.device; ${own}`,
  ],
  [
    'a device twice, as fstab(5) may have it',
    replaced(replaced(two, '/dev/vg0/vol1', "UUID='AB-1'"), '/dev/vg0/vol2', 'uuid=ab-1'),
    `floating_ip[0].filesystem[1].device = "uuid=ab-1": this device is already at ${filesystem}.device; ${own}`,
  ],
  [
    'a mount point twice, once with a slash',
    replaced(two, '/srv/vol2', '/srv/vol1/'),
    `floating_ip[0].filesystem[1].mountpoint = "/srv/vol1/": this mount point is already at ${filesystem}.mountpoint; ${own}`,
  ],
  [
    'a file system under two floating IPs',
    replaced(
      replaced(replaced(twoIps, '1235', '1234'), '/srv/vol2', '/srv/vol1'),
      '/dev/vg0/vol2',
      '/dev/vg0/vol1',
    ),
    `floating_ip[1].filesystem[0].fsid = 1234: this fsid is already at ${filesystem}.fsid; ${one}`,
    `floating_ip[1].filesystem[0].device = "/dev/vg0/vol1": this device is already at ${filesystem}.device; ${one}`,
    `floating_ip[1].filesystem[0].mountpoint = "/srv/vol1": this mount point is already at ${filesystem}.mountpoint; ${one}`,
  ],
  [
    'a UUID twice, in other letters',
    replaced(
      replaced(two, '1235', '"6B9D6C1E-0C5A-4F0E-9D4F-2F1F6A3C7E10"'),
      '1234',
      '"6b9d6c1e-0c5a-4f0e-9d4f-2f1f6a3c7e10"',
    ),
    `floating_ip[0].filesystem[1].fsid = "6B9D6C1E-0C5A-4F0E-9D4F-2F1F6A3C7E10": this fsid is already at ${filesystem}.fsid; ${own}`,
  ],
  [
    'an address twice, with another prefix',
    replaced(twoIps, 'fd00::1/64', '10.10.1.1/16'),
    'floating_ip[1].address = "10.10.1.1/16": this address is already at floating_ip[0].address; put all its file systems under one [[floating_ip]]',
  ],
  [
    'an IPv6 address twice, spelt differently',
    replaced(
      replaced(twoIps, '10.10.1.1/24', 'fd00::1/64'),
      '"fd00::1/64"\ninterface = "eth0"\n\n',
      '"FD00:0:0:0::0001/64"\ninterface = "eth0"\n\n',
    ),
    'floating_ip[1].address = "FD00:0:0:0::0001/64": this address is already at floating_ip[0].address; put all its file systems under one [[floating_ip]]',
  ],
  [
    'a UUID with the driver nlm-fsid',
    replaced(replaced(sample, '1234', '"6b9d6c1e-0c5a-4f0e-9d4f-2f1f6a3c7e10"'), '"auto"', '"nlm-fsid"'),
    `${filesystem}.fsid = "6b9d6c1e-0c5a-4f0e-9d4f-2f1f6a3c7e10": driver "nlm-fsid" needs an integer from 1 to 4294967295`,
  ],
];

/** The record of the sample on a state volume that is mounted with these options. */
const stateVolume = (options: string) => `${sample}
  [[floating_ip.filesystem]]
  device = "/dev/vg0/state"
  mountpoint = "/srv/state"
  type = "ext4"
  options = "${options}"
`;

test('a state volume is not mounted read-only', (t) => {
  t.deepEqual(refusal(stateVolume('noatime,ro')), [
    'floating_ip[0].filesystem[1].options = "noatime,ro": the record lies on this file system, and is written by every takeover: leave ro out',
  ]);
  t.deepEqual(refusal(stateVolume('errors=remount-ro')), []);
  t.deepEqual(refusal(replaced(stateVolume('rw'), '"noatime"', '"ro"')), [], 'what is exported may be');
});

test('a file system of another NFS server is none that moves', (t) => {
  for (const type of ['nfs', 'nfs4'])
    t.regex(
      refusal(replaced(sample, '"ext4"', `"${type}"`)).join(),
      /\.type = "nfs4?": a file system of another NFS server/,
    );
  const managed = replaced(sample, 'interface = "eth0"', 'interface = "eth0"\nmanaged_by_others = ["mount"]');
  t.deepEqual(refusal(replaced(managed, '"ext4"', '"nfs"')), [], 'a re-export');
});

test('the network itself and its broadcast address are no hosts', (t) => {
  const of = (text: string) => refusal(replaced(sample, '10.10.1.1/24', text));
  t.regex(of('10.10.1.0/24').join(), /= "10\.10\.1\.0\/24": this is the network itself/);
  t.regex(of('10.10.255.255/16').join(), /: this is the broadcast address of the network/);
  for (const each of ['10.10.1.0/31', '10.10.1.1/32', '10.10.1.0/16', '10.10.1.255/16', 'fd00::1/64'])
    t.deepEqual(of(each), [], each);
});

test('the prefix of a network of clients is one', (t) => {
  const of = (text: string) => refusal(replaced(sample, 'clients = "*"', `clients = "${text}"`));
  for (const each of ['10.0.0.0/99', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/x', '10.0.0.0/-1'])
    t.regex(of(each).join(), /clients = .*: the prefix length of an IPv4 network is 0 to 32/, each);
  for (const each of [
    '10.0.0.0/8',
    '0.0.0.0/0',
    '10.0.0.1/32',
    '10.0.0.0/255.0.255.0',
    '@group',
    '*.example.com',
  ])
    t.deepEqual(of(each), [], each);
});

for (const [title, text, ...lines] of relations) {
  test(`relations: ${title}`, (t) => {
    t.deepEqual(refusal(text), lines);
  });
}

const unknown: readonly Row[] = [
  ['node = "A"', 'nod = "A"', 'nod = "A": unknown key; did you mean "node"?'],
  [
    'directory = "/shared_storage"',
    'directroy = "/a"',
    'state.directroy = "/a": unknown key; did you mean "directory"?',
  ],
  ['driver = "auto"', 'Driver = "auto"', 'lock_manager.Driver = "auto": unknown key; did you mean "driver"?'],
  ['names = [', 'name = [', 'floating_ip[0].name = ["nfs1.example.com"]: unknown key; did you mean "names"?'],
  [
    'options = "noatime"',
    'option = "noatime"',
    `${filesystem}.option = "noatime": unknown key; did you mean "options"?`,
  ],
  [
    'path = "/srv/vol1"',
    'paths = "/srv/vol1"',
    `${filesystem}.export[0].paths = "/srv/vol1": unknown key; did you mean "path"?`,
  ],
  [
    'node = "A"',
    'lockmanager.driver = "auto"',
    'lockmanager = { driver = "auto" }: unknown key; did you mean "lock_manager"?',
  ],
  [
    'node = "A"',
    'colour = 1',
    'colour = 1: unknown key; known here, nearest first: hooks, node, state, timeouts, fencing, lock_manager, floating_ip, shared_filesystem',
  ],
  [
    'node = "A"',
    '"a\\nb" = 1',
    '"a\\nb" = 1: unknown key; known here, nearest first: node, state, hooks, fencing, timeouts, floating_ip, lock_manager, shared_filesystem',
  ],
  [
    'node = "A"',
    '__proto__ = 1',
    '__proto__ = 1: unknown key; known here, nearest first: hooks, node, state, timeouts, fencing, floating_ip, lock_manager, shared_filesystem',
  ],
  [
    'names = [',
    'driver = "lockd"\nnames = [',
    'floating_ip[0].driver = "lockd": unknown key here; it belongs in [lock_manager]',
  ],
  [
    '[state]',
    '[state]\nnode = "B"',
    'state.node = "B": unknown key here; it belongs above the first [table]',
  ],
  [
    'names = [',
    'fsid = 1\nnames = [',
    'floating_ip[0].fsid = 1: unknown key here; it belongs in [[shared_filesystem]] or in [[floating_ip.filesystem]]',
  ],
];

for (const [from, to, ...expected] of unknown) {
  test(`unknown key: ${to.split('\n')[0]}`, (t) => {
    t.deepEqual(refusal(replaced(sample, from, to)), expected);
  });
}

test('a host name that cannot be a node name is a problem only without node', (t) => {
  t.deepEqual(refusal(sample, '(none)'), []);
  t.deepEqual(refusal(replaced(sample, 'node = "A"', ''), '(none)'), [
    `node is missing: the host name "(none)" cannot stand for it: ${nodeName}`,
  ]);
});

test('all problems at once, however wrong the rest is', (t) => {
  const text = `nod = "A"
    [[floating_ip]]
    address = "10.10.1.1"
    [[floating_ip.filesystem]]
    fsid = 7
    [[floating_ip.filesystem]]
    fsid = 7
    mountpoint = "/a"
    export = [{ path = "/b", options = "fsid=8" }]`;
  t.deepEqual(
    refusal(text).map((line) => line.replace(/( is missing| = .*?)?: .*/, '')),
    [
      'floating_ip[0].address',
      'floating_ip[0].interface',
      'floating_ip[0].filesystem[0].mountpoint',
      'floating_ip[0].filesystem[1].export[0].clients',
      'nod',
      'floating_ip[0].filesystem[1].fsid',
      'floating_ip[0].state_directory',
      'floating_ip[0].filesystem[0].export',
      'floating_ip[0].filesystem[0].device',
      'floating_ip[0].filesystem[0].type',
      'floating_ip[0].filesystem[1].device',
      'floating_ip[0].filesystem[1].type',
      'floating_ip[0].filesystem[1].export[0].path',
      'floating_ip[0].filesystem[1].export[0].options',
    ],
  );
});

test('a syntax error has its line and column', (t) => {
  t.deepEqual(refusal('node = "A"\nstate = \n'), ['f.toml:2:9: Invalid TOML document: invalid value']);
  t.regex(refusal('a = 1\na = 2')[0] ?? '', /^f\.toml:2:\d+: Invalid TOML document: /);
  t.regex(refusal('node = "\u0007"')[0] ?? '', /^f\.toml:1:\d+: Invalid TOML document: /);
});

test('a long or invisible value is shown on one short line', (t) => {
  const [line = ''] = refusal(replaced(sample, '"ext4"', `"${'x y'.repeat(100)}"`));
  t.regex(line, /^floating_ip\[0\]\.filesystem\[0\]\.type = "[xy ]{79}\.\.\.: write /);
  const [hidden = ''] = refusal(replaced(sample, '"/dev/vg0/vol1"', '"\u202edev"'));
  t.true(hidden.includes('"\\u202edev"'), hidden);
});
