// What a mount, an export or an address would fail at is seen before anything is done: real disks, programs and interfaces.
import { join } from 'node:path';
import { type Netns, withNetns } from '../helpers/netns.js';
import type { Look } from './looks-inside.js';
import { netnsTest } from './netns-test.js';

async function looks(netns: Netns, cases: readonly (readonly [Look, RegExp | undefined])[]) {
  const script = join(import.meta.dirname, 'looks-inside.js');
  const asked = JSON.stringify(cases.map(([look]) => look));
  const found = JSON.parse(await netns.run(process.execPath, script, asked)) as string[][];
  return cases.map(([look, says], at) => ({ look, says, found: found[at] ?? [] }));
}

const disk = (name: string, mountpoint = `/run/at ${name}`, type = 'ext4', options = ''): Look => ({
  mount: { device: `/run/${name}`, mountpoint, type, options },
});

const disks = `
cd /run
for name in sound zero other held ro; do truncate -s 16M "$name"; done
truncate -s 400M xfs
for name in sound held ro; do mke2fs -q -F -t ext4 "$name"; done
mke2fs -q -F -t ext2 other
mkfs.xfs -q xfs
mkdir "elsewhere here"
mount held "elsewhere here"
loop=$(losetup -r -f --show ro)
exec 9<"$loop"; losetup -d "$loop"
ln -s "$loop" ro-loop
mkdir narrow
mount -t tmpfs -o ro tmpfs narrow
`;

netnsTest('what a mount would fail at', async (t) => {
  t.timeout(60_000);
  const netns = await withNetns(t);
  const holder = netns.start('sh', ['-ec', `${disks}\necho made; read -r _`]);
  await holder.saw(/made/);
  const cases: readonly (readonly [Look, RegExp | undefined])[] = [
    [disk('sound'), undefined],
    [disk('other'), undefined],
    [disk('zero'), /^There is no file system on \/run\/zero: the configuration says ext4$/],
    [disk('xfs'), /^\/run\/xfs is xfs, and the configuration says ext4$/],
    [disk('sound', '/run/s', 'xfs'), /^\/run\/sound is ext4, and the configuration says xfs$/],
    [disk('sound', '/run/s', 'ext4', 'offset=4096'), undefined],
    [disk('held'), /^\/run\/held is mounted on this node already, on \/run\/elsewhere here, and not on/],
    [disk('held', '/run/elsewhere here'), undefined],
    [disk('ro-loop'), /^\/run\/ro-loop is read-only on this node/],
    [disk('ro-loop', '/run/r', 'ext4', 'noload,ro'), undefined],
    [
      disk('sound', '/run/narrow/a/b'),
      /^There is no mount point \/run\/narrow\/a\/b, and .* \/run\/narrow lies on/,
    ],
    [{ mountedAt: '/run/held' }, /^mounted on \/run\/elsewhere here$/],
  ];
  for (const { look, says, found } of await looks(netns, cases)) {
    const text = JSON.stringify({ look, found });
    t.is(found.length, says === undefined ? 0 : 1, text);
    if (says !== undefined) t.regex(found[0] ?? '', says);
  }
});

const vol = (options: string, fsid = '1234'): Look => ({
  exported: {
    fsid,
    device: '/run/vol',
    mountpoint: '/srv/vol1',
    exports: [{ path: '/srv/vol1', clients: '*', options }],
  },
});
const uuid = '6b2b8a1e-6a0e-4e0b-9d8c-0a1b2c3d4e5f';
const etab = [
  '/srv/other\\t10.0.0.0/8(rw,fsid=77)',
  `/srv/third\\t*(rw,fsid=${uuid.replaceAll('-', '').toUpperCase()})`,
  '/srv/vol1/sub\\t*(rw,fsid=1234)',
].join('\\n');

const links = `
for one in down6 small well loose; do
  ip link add "$one" type veth peer name "peer-$one"
  ip link set "$one" up
  ip link set "peer-$one" up
done
ip link set small mtu 1000
ip link set peer-loose down
echo 1 > /proc/sys/net/ipv6/conf/down6/disable_ipv6
`;

netnsTest('what an export or an address would fail at', async (t) => {
  t.timeout(60_000);
  const netns = await withNetns(t);
  await netns.run('sh', '-ec', `printf '${etab}\\n' > /var/lib/nfs/etab\n${links}`);
  const ip = (on: string, family: 4 | 6): Look => ({
    address: {
      address: family === 4 ? '10.9.9.9' : 'fd00::9',
      family,
      prefix: family === 4 ? 24 : 64,
      interface: on,
    },
  });
  const cases: readonly (readonly [Look, RegExp | undefined])[] = [
    [
      vol('rw,no_subtree_check,sec=sys:krb5:krb5p,anonuid=-2,anongid=0x10,mp,nohide,crossmnt,insecure'),
      undefined,
    ],
    [vol(''), undefined],
    [vol('rw,nonsense'), /^exportfs refuses the option "nonsense" of the export of \/srv\/vol1$/],
    [vol('rw,no_subtree_chek'), /"no_subtree_chek"/],
    [vol('anonuid=abc'), /"anonuid=abc"/],
    [vol('anongid'), /"anongid"/],
    [vol('sec=sys:foo'), /"sec=sys:foo"/],
    [
      vol('rw', '77'),
      /^fsid 77, that of \/srv\/vol1, is exported with \/srv\/other too, to 10\.0\.0\.0\/8: /,
    ],
    [vol('rw', uuid), /is exported with \/srv\/third too/],
    [ip('down6', 6), /^The network interface down6 takes no IPv6 address: .*disable_ipv6 is 1$/],
    [ip('down6', 4), undefined],
    [ip('small', 6), /^The network interface small takes no IPv6 address: this kernel has no IPv6 on it$/],
    [ip('well', 6), undefined],
    // A takeover would do it: only check says that nobody is reached.
    [ip('loose', 6), undefined],
    [{ carrier: 'loose' }, /^The network interface loose is up, and has no carrier/],
    [{ carrier: 'well' }, undefined],
  ];
  for (const { look, says, found } of await looks(netns, cases)) {
    const text = JSON.stringify({ look, found });
    t.is(found.length, says === undefined ? 0 : 1, text);
    if (says !== undefined) t.regex(found[0] ?? '', says);
  }
});
