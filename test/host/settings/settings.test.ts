// What other programs are set to do, read in their own files: nfs.conf, nftables, who looks after an interface.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Host } from '../../../src/host/host.js';
import { rehearsalHost } from '../../../src/host/rehearsal/rehearsal.js';
import { closedChains } from '../../../src/host/settings/firewall.js';
import { takesOffAddresses } from '../../../src/host/settings/network-managers.js';
import { isYes, readNfsConf } from '../../../src/host/settings/nfs-conf.js';

function hostWith(t: ExecutionContext, files: Readonly<Record<string, string>>): Host {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-settings-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(directory, file)), { recursive: true });
    writeFileSync(path.join(directory, file), text);
  }
  return rehearsalHost(directory);
}

test('nfs.conf: the last word counts, in the order of nfs-utils', (t) => {
  const conf = readNfsConf(
    hostWith(t, {
      '/usr/etc/nfs.conf': '[statd]\nport=1\nname=vendor\n',
      '/usr/etc/nfs.conf.d/z.conf': '[statd]\nport=2\n',
      '/etc/nfs.conf':
        '# [statd]\n[ STATD ]\nport=3\n;port=4\nha-callout = "/a b/ha"  \ncontinued=one\\\ntwo\n[lockd]\ninclude = -absent\ninclude = more/lockd\n[nfsd]\nempty=\n',
      '/etc/more/lockd': '[lockd]\nport = 4001\n',
      '/etc/nfs.conf.d/9-x.conf': '[statd]\nport=9\n',
      '/etc/nfs.conf.d/10-x.conf': '[statd]\nport=10\n',
      '/etc/nfs.conf.d/99-not-read.conf.bak': '[statd]\nport=99\n',
      '/etc/nfs.conf.d/.hidden.conf': '[statd]\nport=98\n',
    }),
  );
  t.is(conf.get('statd', 'PORT'), '10');
  t.is(conf.get('statd', 'name'), 'vendor');
  t.is(conf.get('statd', 'ha-callout'), '/a b/ha');
  t.is(conf.get('statd', 'continued'), 'onetwo');
  t.is(conf.get('lockd', 'port'), '4001');
  t.is(conf.get('nfsd', 'empty'), undefined);
  t.deepEqual(conf.files, [
    '/usr/etc/nfs.conf',
    '/usr/etc/nfs.conf.d/z.conf',
    '/etc/nfs.conf',
    '/etc/more/lockd',
    '/etc/nfs.conf.d/9-x.conf',
    '/etc/nfs.conf.d/10-x.conf',
  ]);
  t.deepEqual(['Y', 'on', 'f', 'No', '2', undefined].map(isYes), [
    true,
    true,
    false,
    false,
    undefined,
    undefined,
  ]);
  t.is(
    readNfsConf(hostWith(t, { '/etc/nfs.conf': '[statd]\nport=3\ninclude=nfs.conf\n' })).get('statd', 'port'),
    '3',
  );
});

/** What nft 1.0.6 printed of: a set, a chain that another one goes to, and an input chain with policy drop. */
const printed = `{"nftables":[{"metainfo":{"version":"1.0.6","release_name":"Lester Gooch #5","json_schema_version":1}},{"table":{"family":"inet","name":"filter","handle":1}},{"set":{"family":"inet","name":"nfsports","table":"filter","type":"inet_service","handle":3,"elem":[111,2049,20048]}},{"chain":{"family":"inet","table":"filter","name":"clients","handle":1}},{"chain":{"family":"inet","table":"filter","name":"input","handle":2,"type":"filter","hook":"input","prio":0,"policy":"drop"}},{"rule":{"family":"inet","table":"filter","chain":"clients","handle":4,"expr":[{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":"@nfsports"}},{"accept":null}]}},{"rule":{"family":"inet","table":"filter","chain":"clients","handle":5,"expr":[{"match":{"op":"==","left":{"payload":{"protocol":"udp","field":"dport"}},"right":111}},{"accept":null}]}},{"rule":{"family":"inet","table":"filter","chain":"input","handle":6,"expr":[{"match":{"op":"==","left":{"meta":{"key":"iif"}},"right":"lo"}},{"accept":null}]}},{"rule":{"family":"inet","table":"filter","chain":"input","handle":7,"expr":[{"match":{"op":"in","left":{"ct":{"key":"state"}},"right":["established","related"]}},{"accept":null}]}},{"rule":{"family":"inet","table":"filter","chain":"input","handle":8,"expr":[{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"protocol"}},"right":"icmp"}},{"accept":null}]}},{"rule":{"family":"inet","table":"filter","chain":"input","handle":10,"expr":[{"match":{"op":"==","left":{"payload":{"protocol":"tcp","field":"dport"}},"right":{"set":[22,{"range":[4001,4002]}]}}},{"accept":null}]}},{"rule":{"family":"inet","table":"filter","chain":"input","handle":11,"expr":[{"match":{"op":"==","left":{"payload":{"protocol":"ip","field":"saddr"}},"right":{"prefix":{"addr":"10.10.0.0","len":16}}}},{"match":{"op":"==","left":{"payload":{"protocol":"udp","field":"dport"}},"right":4001}},{"counter":{"packets":0,"bytes":0}},{"accept":null}]}},{"rule":{"family":"inet","table":"filter","chain":"input","handle":12,"expr":[{"jump":{"target":"clients"}}]}}]}`;

test('nftables: what a chain that drops lets in, by sets, ranges, other chains; not what belongs to what is there already', async (t) => {
  const host = hostWith(t, { '/nft.json': printed });
  for (const family of [4, 6] as const) {
    const [chain, ...more] = (await closedChains(host, family)) ?? [];
    t.deepEqual(more, []);
    t.is(chain?.name, 'inet filter input');
    const letsIn = (protocol: 'tcp' | 'udp', port: number, device = 'eth0') =>
      chain?.letsIn({ name: 'x', protocol, port }, device);
    t.deepEqual(
      [letsIn('tcp', 2049), letsIn('tcp', 4002), letsIn('udp', 111), letsIn('udp', 4001), letsIn('tcp', 22)],
      [true, true, true, true, true],
    );
    t.deepEqual([letsIn('udp', 2049), letsIn('tcp', 4003), letsIn('udp', 22)], [false, false, false]);
    t.true(letsIn('tcp', 4003, 'lo'));
  }
});

test('nftables: a chain that ends in reject is closed; of the other family, or open, it is none of ours', async (t) => {
  const text = (policy: string, ...rules: readonly string[]) =>
    hostWith(t, {
      '/nft.json': `{"nftables":[{"chain":{"family":"ip","table":"f","name":"IN","type":"filter","hook":"input","policy":"${policy}"}}${rules.map((expr) => `,{"rule":{"family":"ip","table":"f","chain":"IN","expr":${expr}}}`).join('')}]}`,
    });
  const count = async (host: Host, family: 4 | 6) => (await closedChains(host, family))?.length;
  t.is(await count(text('accept'), 4), 0);
  t.is(await count(text('accept', '[{"counter":{}},{"reject":null}]'), 4), 1);
  t.is(await count(text('drop'), 6), 0);
  // What iptables-nft cannot say in nft's words may well let it in.
  const [chain] = (await closedChains(text('drop', '[{"xt":null},{"accept":null}]'), 4)) ?? [];
  t.true(chain?.letsIn({ name: 'x', protocol: 'tcp', port: 1 }, 'eth0'));
  t.is(await closedChains(hostWith(t, { '/nft.json': 'Operation not permitted' }), 4), undefined);
});

test('networkd: the last word of the file and its drop-ins on KeepConfiguration; a link that it leaves alone', (t) => {
  const link = (state = 'configured') => ({
    '/sys/class/net/eth0/ifindex': '2\n',
    '/run/systemd/netif/links/2': `ADMIN_STATE=${state}\nNETWORK_FILE=/usr/lib/systemd/network/80.network\n`,
    '/usr/lib/systemd/network/80.network': '[Network]\nKeepConfiguration=no\n',
  });
  const of = (files: Readonly<Record<string, string>>) => takesOffAddresses(hostWith(t, files), 'eth0')?.name;
  t.is(of(link()), 'systemd-networkd (/usr/lib/systemd/network/80.network)');
  t.is(of(link('unmanaged')), undefined);
  t.is(
    of({ ...link(), '/etc/systemd/network/80.network.d/9.conf': '[Network]\nKeepConfiguration=static\n' }),
    undefined,
  );
  t.truthy(
    of({ ...link(), '/etc/systemd/network/80.network.d/9.conf': '[Network]\nKeepConfiguration=dhcp\n' }),
  );
  t.is(of({ '/sys/class/net/eth0/ifindex': '2\n' }), undefined);
  t.is(of({ ...link(), '/sys/class/net/eth0/ifindex': '3\n' }), undefined);
  t.is(
    of({
      '/sys/class/net/eth0/ifindex': '3\n',
      '/run/NetworkManager/devices/3': '[device]\nmanaged=false\n',
    }),
    undefined,
  );
});
