import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { recordedAnswers } from './cluster-answers.js';
import type { RehearsalNode } from './rehearsal-site.js';

/** What is wrong on a site, and what `check` says of it. */
export interface FailingSite {
  /** The check that sees it. */
  readonly check: string;
  readonly what: string;
  /** ok: it is as it should be, and only looks wrong. */
  readonly verdict: 'ok' | 'warning' | 'failure';
  readonly says: RegExp;
}

/** On a rehearsed node whose address nobody serves. */
export interface RehearsedSite extends FailingSite {
  /** `other`: the other node of the site. */
  readonly make: (node: RehearsalNode, other: RehearsalNode) => void | Promise<void>;
  /** Both nodes export what it serves. */
  readonly isShared?: boolean;
}

export function configure(node: RehearsalNode, from: string, to: string): void {
  const file = '/etc/nlm-failover.toml';
  const text = node.read(file);
  if (!text.includes(from)) throw new Error(`not in the configuration: ${from}`);
  node.write(file, text.replace(from, to));
}

export function writeBelow(node: RehearsalNode, file: string, text: string): void {
  mkdirSync(node.path(file.replace(/\/[^/]*$/, '')), { recursive: true });
  node.write(file, text);
}

const links = (...all: { ifname: string; flags: string[] }[]) => JSON.stringify(all);

/** Those that can be seen without a kernel. The others are in test/wire/check.test.ts. */
export const rehearsedSites: readonly RehearsedSite[] = [
  {
    check: 'kernel',
    what: 'clients recorded by the names that they give themselves',
    make: (node) => writeBelow(node, '/proc/sys/fs/nfs/nsm_use_hostnames', 'Y\n'),
    verdict: 'warning',
    says: /nsm_use_hostnames is set/,
  },
  {
    check: 'kernel',
    what: 'a grace too short for anybody',
    make: (node) => writeBelow(node, '/proc/sys/fs/nfs/nlm_grace_period', '5\n'),
    verdict: 'warning',
    says: /nlm_grace_period is 5 s/,
  },
  {
    check: 'nfs.conf',
    what: 'a later drop-in that ends the grace',
    make: (node) => writeBelow(node, '/etc/nfs.conf.d/90-x.conf', '[sm-notify]\nlift-grace = y\n'),
    verdict: 'failure',
    says: /lift-grace .* is not "n"/,
  },
  {
    check: 'nfs.conf',
    what: 'no NFSv3',
    make: (node) => writeBelow(node, '/etc/nfs.conf.d/90-x.conf', '[nfsd]\nvers3=no\n'),
    verdict: 'failure',
    says: /NFSv3 is not served/,
  },
  {
    check: 'nfs.conf',
    what: 'nfsd at other addresses alone',
    make: (node) => writeBelow(node, '/etc/nfs.conf.d/90-x.conf', '[NFSD]\nhost = 10.0.0.1,fd00::0:1\n'),
    verdict: 'failure',
    says: /nfsd does not listen there/,
  },
  {
    check: 'run',
    what: 'a run directory that is a link',
    make: (node) => node.link('/run/nlm-failover', '/tmp'),
    verdict: 'failure',
    says: /run\/nlm-failover is not a directory, or only a symbolic link to one: somebody else made it/,
  },
  {
    check: 'clock',
    what: 'a clock that nobody sets',
    make: (node) => node.write('/ntp-synchronized', 'no\n'),
    verdict: 'warning',
    says: /^the clock is not synchronised/,
  },
  {
    check: 'fencing',
    what: 'a fence command that anybody can write to',
    make: (node) => {
      writeBelow(node, '/usr/fence', '#!/bin/sh\n');
      chmodSync(node.path('/usr/fence'), 0o777);
      configure(node, '[lock_manager]', '[fencing]\ncommand = ["/usr/fence", "{node}"]\n[lock_manager]');
    },
    verdict: 'failure',
    says: /the command \(\/usr\/fence\) would not be run: .* can be written by others than root/,
  },
  {
    check: 'fencing',
    what: 'a fence command, and a unit that starts at boot',
    make: (node) => {
      writeBelow(node, '/usr/fence', '#!/bin/sh\n');
      chmodSync(node.path('/usr/fence'), 0o755);
      configure(node, '[lock_manager]', '[fencing]\ncommand = ["/usr/fence", "{node}"]\n[lock_manager]');
      mkdirSync(node.path('/run/systemd/system'), { recursive: true });
      node.write('/units', 'ActiveState=active\nUnitFileState=enabled\n');
    },
    verdict: 'warning',
    says: /service starts at boot, and its takeover runs the command for the node that has the address/,
  },
  ...[
    ['stonith-enabled-false', /nothing would be proved: fencing is off in the cluster/] as const,
    ['another name', /this node is "b\.example\.com" in the cluster/] as const,
    ['no device', /nothing would be proved: the cluster has no fence device/] as const,
    ['fabric', /nothing would be proved: fence_scsi cuts a node off from its disks or its network/] as const,
  ].map(([name, says]): RehearsedSite => ({
    check: 'fencing',
    what: `Pacemaker: ${name}`,
    make: (node) => {
      const recorded =
        name === 'fabric'
          ? recordedAnswers('fenced', 'fabric')
          : recordedAnswers(['another name', 'no device'].includes(name) ? 'fenced' : name);
      const local = name === 'another name' ? 'b.example.com' : node.name;
      const said = (stdout: string) => ({ exitCode: 0, stdout, stderr: '' });
      const answers = {
        ...recorded,
        'crm_node --name': said(`${local}\n`),
        ...(name === 'no device'
          ? {
              'cibadmin --query --xpath //resources': said('<resources/>\n'),
              'crm_attribute --type crm_config --name stonith-watchdog-timeout --query --quiet --default 0':
                said('0\n'),
            }
          : {}),
      };
      node.write('/pacemaker.json', JSON.stringify(answers));
    },
    verdict: 'warning',
    says,
  })),
  {
    check: 'hooks',
    what: 'a hook that anybody can write to',
    make: (node) => {
      node.write('/hook', '#!/bin/sh\n');
      chmodSync(node.path('/hook'), 0o777);
      node.write(
        '/etc/nlm-failover.toml',
        `${node.read('/etc/nlm-failover.toml')}\n[hooks]\non_lost = ["/hook"]\n`,
      );
    },
    verdict: 'warning',
    says: /^on_lost \(\/hook\) would not be run: .*\/hook can be written by others than root$/,
  },
  {
    check: 'driver',
    what: 'an NFSv3 mount, which keeps lockd running',
    make: (node) => node.write('/proc/self/mountinfo', '9 0 0:9 / /far rw - nfs far:/x rw,vers=3\n'),
    verdict: 'failure',
    says: /NFSv3 mount on this host \(\/far\)/,
  },
  {
    check: 'record',
    what: 'a machine without an id',
    make: (node) => node.write('/etc/machine-id', 'uninitialized\n'),
    verdict: 'failure',
    says: /machine-id is no id/,
  },
  {
    check: 'record',
    what: 'a state volume that does not show who has it',
    make: (node) => configure(node, 'type = "ext4"', 'type = "xfs"'),
    verdict: 'warning',
    says: /is xfs, which does not show/,
  },
  {
    check: 'volumes',
    what: 'a device that is not there',
    make: (node) => configure(node, 'device = "/dev/vol1"', 'device = "/dev/vol9"'),
    verdict: 'failure',
    says: /\/dev\/vol9 cannot be found/,
  },
  {
    check: 'volumes',
    what: 'something else mounted in its place',
    make: (node) => node.write('/proc/self/mountinfo', '9 0 8:9 / /mnt/vol1 rw - ext4 /dev/other rw\n'),
    verdict: 'failure',
    says: /\/mnt\/vol1 has \/dev\/other mounted/,
  },
  {
    check: 'volumes',
    what: 'a mount point that is a file',
    make: (node) => {
      rmSync(node.path('/mnt/vol1'), { recursive: true });
      node.write('/mnt/vol1', '');
    },
    verdict: 'failure',
    says: /\/mnt\/vol1 is not a directory/,
  },
  {
    check: 'volumes',
    what: 'mounted when the node starts, by /etc/fstab',
    make: (node) =>
      node.write(
        '/etc/fstab',
        '/dev/x / ext4\n/dev/vol1 /mnt/elsewhere ext4 defaults 0 2\n/dev/state1 /s ext4 noauto\n',
      ),
    verdict: 'failure',
    says: /^\/etc\/fstab mounts \/dev\/vol1 on \/mnt\/elsewhere/,
  },
  {
    check: 'volumes',
    what: 'a name that another disk may have tomorrow',
    make: (node) => {
      node.link('/dev/sdb', node.path('/dev/vol1'));
      configure(node, 'device = "/dev/vol1"', 'device = "/dev/sdb"');
    },
    verdict: 'warning',
    says: /^\/dev\/sdb may be another disk/,
  },
  {
    check: 'address',
    what: 'an interface that is not there',
    make: (node) => node.write('/links.json', links({ ifname: 'eth7', flags: ['UP'] })),
    verdict: 'failure',
    says: /no network interface eth0/,
  },
  {
    check: 'address',
    what: 'an interface that is down',
    make: (node) => node.write('/links.json', links({ ifname: 'eth0', flags: ['BROADCAST'] })),
    verdict: 'failure',
    says: /interface eth0 is down/,
  },
  {
    check: 'address',
    what: 'the address on another interface',
    make: (node) =>
      node.write(
        '/addresses.json',
        JSON.stringify([{ ifname: 'eth7', addr_info: [{ local: '127.77.41.1', prefixlen: 24 }] }]),
      ),
    verdict: 'failure',
    says: /is up on eth7, and the configuration says eth0/,
  },
  {
    check: 'exports',
    what: 'a path that is not on the volume',
    make: (node) => {
      configure(node, '    clients = "*"', '    path = "/mnt/vol1/data"\n    clients = "*"');
      node.write('/proc/self/mountinfo', '9 0 7:1 / /mnt/vol1 rw - ext4 /dev/vol1 rw\n');
    },
    verdict: 'failure',
    says: /no directory \/mnt\/vol1\/data on \/dev\/vol1/,
  },
  {
    check: 'ports',
    what: 'a firewall that lets in ssh alone',
    make: (node) => writeBelow(node, '/nft.json', ruleset([22])),
    verdict: 'warning',
    says: /"inet filter input" drops .* no rule lets in nfsd, tcp port 2049/,
  },
  {
    check: 'ports',
    what: 'a firewall, and ports that change at each start',
    make: (node) => writeBelow(node, '/nft.json', ruleset([111, 2049])),
    verdict: 'warning',
    says: /mountd has no fixed port/,
  },
  {
    check: 'network',
    what: 'systemd-networkd, which does not keep what it has not configured',
    make: (node) => {
      networkd(node);
      writeBelow(node, '/etc/systemd/network/10-eth0.network', '[Match]\nName=eth0\n[Network]\nDHCP=yes\n');
    },
    verdict: 'warning',
    says: /^systemd-networkd .* looks after eth0, and takes 127\.77\.41\.1 off/,
  },
  {
    check: 'network',
    what: 'NetworkManager',
    make: (node) => {
      writeBelow(node, '/sys/class/net/eth0/ifindex', '2\n');
      writeBelow(node, '/run/NetworkManager/devices/2', '[device]\nmanaged=true\nconnection-uuid=4d1c\n');
    },
    verdict: 'warning',
    says: /^NetworkManager looks after eth0/,
  },
  ...(
    [
      [
        '/etc/keepalived/keepalived.conf',
        'virtual_ipaddress {\n  127.77.41.1/24 dev eth0\n}\n',
        'keepalived brings up',
      ],
      ['/etc/ctdb/public_addresses', '127.77.41.1/24 eth0\n', 'CTDB brings up'],
      [
        '/etc/network/interfaces.d/eth0',
        'iface eth0 inet static\n  address 127.77.41.1\n',
        'the start of this node brings up',
      ],
      ['/etc/exports', '# all\n"/mnt/vol1/with blank" \\\n *(rw)\n', 'exportfs -a.*exports a path of'],
      ['/etc/exports.d/x.exports', '/mnt/vol1/with\\040blank *(rw)\n', 'exportfs -a.*exports a path of'],
      ['/var/lib/pacemaker/cib/cib.xml', cib('IPaddr2', '127.77.41.1'), 'Pacemaker brings up'],
      [
        '/var/lib/pacemaker/cib/cib.xml',
        cib('Filesystem', '/mnt/vol1/'),
        'Pacemaker mounts a file system of',
      ],
      ['/var/lib/pacemaker/cib/cib.xml', cib('exportfs', '/mnt/vol1/data'), 'Pacemaker exports a path of'],
    ] as const
  ).map(([file, text, says]): RehearsedSite => ({
    check: 'others',
    what: `${file}: ${says}`,
    make: (node) => writeBelow(node, file, text),
    verdict: 'failure',
    says: new RegExp(`^${file}: ${says}.* 127\\.77\\.41\\.1 too`),
  })),
  ...['inactive', 'failed'].map((active): RehearsedSite => ({
    check: 'unit',
    what: `taken over by hand, and the unit is ${active}`,
    make: async (node) => {
      await run(node, 'takeover');
      writeBelow(node, '/run/systemd/system/x', '');
      writeBelow(node, '/units', `ActiveState=${active}\nUnitFileState=enabled\n`);
    },
    verdict: 'warning',
    says: new RegExp(
      `^nlm-failover@127\\.77\\.41\\.1\\.service is enabled, but ${active}: a reboot releases nothing`,
    ),
  })),
  {
    check: 'clock',
    what: 'a last operation that is still to come',
    make: async (node) => {
      await run(node, 'takeover');
      const db = new Database(node.path('/mnt/state1/sm_127.77.41.1/monitors.db'));
      db.exec('UPDATE operations SET began_at = began_at + 3600000');
      db.close();
    },
    verdict: 'warning',
    says: /^the last takeover of 127\.77\.41\.1, on A, is 3[56]\d\d s in the future/,
  },
  {
    check: 'nodes',
    what: 'an export that only the other node has so',
    make: async (node, other) => {
      await run(other, 'takeover');
      await run(other, 'release');
      await run(node, 'takeover');
      configure(node, 'options = "rw,no_subtree_check"', 'options = "ro,no_subtree_check"');
    },
    verdict: 'failure',
    says: /^the configuration of B, as of \S+Z, differs in "fsid 1234: export of \/mnt\/vol1 to \*"$/,
  },
  {
    check: 'sharing',
    what: 'nobody answers calls into grace',
    isShared: true,
    make: () => undefined,
    verdict: 'failure',
    says: /^"nlm-failover join-grace --watch" does not run here: whoever takes/,
  },
  {
    check: 'sharing',
    what: 'a node that has never answered',
    isShared: true,
    make: (node) => taken(node),
    verdict: 'warning',
    says: /^B has never answered a call into grace$/,
  },
  {
    check: 'sharing',
    what: 'a node that could not enter grace',
    isShared: true,
    make: answered('B', { state: 'failed', said: 'it hangs' }),
    verdict: 'warning',
    says: /^B was not ready at its last call, 2001-09-09T01:46:40\.000Z: it hangs$/,
  },
  {
    check: 'sharing',
    what: 'a node that only others have in "nodes"',
    isShared: true,
    make: answered('C', { state: 'joined', said: '' }),
    verdict: 'warning',
    says: /^C has answered calls into grace, last at 2001-09-09T01:46:40\.000Z, and is not in "nodes" here/,
  },
  ...(
    [
      [
        'its defaults',
        [42, 42],
        'failure',
        /^network\.ping-timeout of gv \(42 s\) is not smaller than server\.tcp-user-timeout/,
      ],
      ['the wrong way round', [15, 5], 'failure', /^network\.ping-timeout of gv \(15 s\) is not smaller/],
      [
        'longer than the wait',
        [5, 60],
        'failure',
        /^\[timeouts\]\.barrier \(60 s\) is not longer than server\.tcp-user-timeout of gv/,
      ],
      ['as long as a grace', [5, 95], 'warning', /^a grace \(100 s\) is hardly longer than/],
      [
        'one that is not said',
        [5, '(null)'],
        'warning',
        /^the volume gv does not say its server\.tcp-user-timeout$/,
      ],
      [
        'none',
        undefined,
        'warning',
        /^what the volume gv has set could not be asked: Volume gv does not exist$/,
      ],
      [
        'over before a node is fenced',
        [5, 15],
        'warning',
        /^server\.tcp-user-timeout of gv \(15 s\), until which the locks of a dead node stay, may be over before/,
      ],
      ['as it should be', ['5 (DEFAULT)', 42], 'ok', /^gv: locks of a dead node go after 42 s$/],
    ] as const
  ).map(([what, options, verdict, says]): RehearsedSite => ({
    check: 'sharing',
    what: `GlusterFS: ${what}`,
    isShared: true,
    make: (node) => {
      configure(node, 'path = "/gv"', 'path = "/gv"\ngluster_volume = "gv"');
      if (options !== undefined)
        node.write(
          '/gluster',
          `network.ping-timeout   ${options[0]}  \nserver.tcp-user-timeout   ${options[1]}  \n`,
        );
    },
    verdict,
    says,
  })),
];

/** By a takeover that has waited for the other node in vain. */
async function taken(node: RehearsalNode): Promise<void> {
  configure(node, '[[shared_filesystem]]', '[timeouts]\nbarrier = 1\n[[shared_filesystem]]');
  const { exitCode, stderr } = await node.here([
    'takeover',
    '127.77.41.1',
    '--no-wait',
    '--notify-deadline',
    '1',
  ]);
  if (exitCode !== 5) throw new Error(stderr);
}

async function run(node: RehearsalNode, command: 'takeover' | 'release'): Promise<void> {
  const { exitCode, stderr } = await node.tool([
    command,
    '127.77.41.1',
    ...(command === 'takeover' ? ['--no-wait'] : []),
  ]);
  if (exitCode !== 0) throw new Error(`${command} on ${node.name}: ${stderr}`);
}

function cib(type: string, value: string): string {
  return `<cib><primitive id="x" class="ocf" provider="heartbeat" type="${type}"><nvpair name="n" value="${value}"/></primitive></cib>`;
}

/** As nft 1.0.6 prints it: what comes in is dropped, but for these ports. */
export function ruleset(ports: readonly number[]): string {
  const chain = { family: 'inet', table: 'filter' };
  const dport = { payload: { protocol: 'tcp', field: 'dport' } };
  return JSON.stringify({
    nftables: [
      { metainfo: { version: '1.0.6', json_schema_version: 1 } },
      {
        chain: { ...chain, name: 'input', handle: 1, type: 'filter', hook: 'input', prio: 0, policy: 'drop' },
      },
      {
        rule: {
          ...chain,
          chain: 'input',
          expr: [{ match: { op: '==', left: dport, right: { set: ports } } }, { accept: null }],
        },
      },
    ],
  });
}

/** As networkd keeps it of a link that it looks after. */
export function networkd(node: RehearsalNode): void {
  writeBelow(node, '/sys/class/net/eth0/ifindex', '2\n');
  writeBelow(
    node,
    '/run/systemd/netif/links/2',
    'ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/10-eth0.network\n',
  );
}

/** The same, and what a node answered when it was called, long ago. */
function answered(
  name: string,
  { state, said }: { readonly state: string; readonly said: string },
): (node: RehearsalNode, other: RehearsalNode) => Promise<void> {
  return async (node, other) => {
    await taken(node);
    const answer = { id: '0'.repeat(36), round: 1, host: name.toLowerCase(), state, said, at: 1e12 };
    other.write(`/shared_storage/sm_127.77.41.1/barrier.${name}`, JSON.stringify(answer));
  };
}
