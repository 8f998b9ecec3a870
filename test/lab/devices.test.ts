// Device mapper, as of LVM and multipath, in a guest's kernel, since not every machine's has it: one device by each of its names, and
// A-4 where something else on the node has it. Without udev: dmsetup makes the nodes itself.
import test from 'ava';
import { labUnavailable } from './lab.js';
import { openServerLab } from './one-server.js';
import type { Server } from './server.js';
import { callout, nlmFailover } from './site.js';
import { useLab } from './use-lab.js';

const address = '10.10.1.1';
const mountpoint = '/mnt/vol1';
const uuid = '6b9d6c1e-0c5a-4f0e-9d4f-2f1f6a3c7e10';

/** As LVM names a volume, on a device with one path that multipath has; all three bear the label and the UUID. */
const mapDevices = `set -e
modprobe -a dm-mod dm-multipath dm-round-robin
size=$(blockdev --getsz "$1")
tune2fs -L /export1 -U ${uuid} "$1" >/dev/null
dmsetup create mpatha --table "0 $size multipath 0 0 1 1 round-robin 0 1 1 $1 100"
dmsetup create vg0-vol1 --table "0 $size linear $(cat /sys/block/dm-0/dev) 0"
dmsetup mknodes
mkdir -p /dev/vg0 && ln -s ../mapper/vg0-vol1 /dev/vg0/vol1

cat /sys/block/dm-1/dev`;

async function named(server: Server, device: string): Promise<void> {
  await server.write(
    '/etc/nlm-failover.toml',
    `[lock_manager]
driver = "lockd"
[[floating_ip]]
address = "${address}/24"
interface = "vec0"
state_directory = "${mountpoint}/.nlm"
trust_clients = true
  [[floating_ip.filesystem]]
  fsid = 1234
  device = '${device}'
  mountpoint = "${mountpoint}"
  type = "ext4"
    [[floating_ip.filesystem.export]]
    clients = "*"
`,
  );
}

const mount = ['takeover', address, '--steps', 'B-1'] as const;
const unmount = ['release', address, '--steps', 'A-4'] as const;

const reason = labUnavailable();
const labTest = reason === undefined ? test.serial : test.serial.skip;

labTest(`devices that are made of others${reason === undefined ? '' : ` (${reason})`}`, async (t) => {
  await useLab(t, 10, openServerLab, async ({ a, disks }) => {
    await a.boot();
    await a.startNfs({ callout, graceSeconds: 10, pastGrace: true });
    const { stdout } = await a.run(mapDevices, { args: [disks.vol1.device] });
    const number = stdout.trim().split('\n').at(-1) ?? '';
    const isMounted = async () => (await a.read('/proc/self/mountinfo')).includes(` ${mountpoint} `);

    // Mounted by one name, unmounted by the next one.
    const names = ['LABEL=/export1', '/dev/vg0/vol1', `UUID="${uuid.toUpperCase()}"`, '/dev/mapper/vg0-vol1'];
    for (const [index, name] of names.entries()) {
      await named(a, name);
      await nlmFailover(a, mount);
      t.regex(await a.read('/proc/self/mountinfo'), new RegExp(` ${number} / ${mountpoint} `), name);
      await named(a, names[(index + 1) % names.length] ?? '');
      await nlmFailover(a, unmount);
      t.false(await isMounted(), name);
    }

    // What multipath has is not to be mounted by one of its paths, and another node must not have what is still mounted here.
    await nlmFailover(a, mount);
    await a.run(`mkdir -p /mnt/backup && mount --bind ${mountpoint} /mnt/backup`);
    const held = await nlmFailover(a, unmount, false);
    t.is(held.exitCode, 1);
    t.regex(
      held.lines.at(-1)?.error?.message ?? '',
      /in use on this node, mounted on \/mnt\/backup: .* is mounted again$/,
    );
    const { lines } = await nlmFailover(a, ['status', address], false);
    t.like(lines[0], { record: { released: false, ownerHere: true } });
    await a.run('umount /mnt/backup');
    await nlmFailover(a, unmount);
    t.false(await isMounted());

    const refused = async (script: string, who: RegExp) => {
      await a.run(script);
      const { exitCode, lines: said } = await nlmFailover(a, unmount, false);
      t.is(exitCode, 1);
      t.regex(said.at(-1)?.error?.message ?? '', who);
    };
    await refused(
      'dmsetup create above --table "0 1024 linear /dev/mapper/vg0-vol1 2048"',
      /in use on this node, \/dev\/dm-\d+ \(above\) is made of it: .* is not mounted$/,
    );
    // The swap space has neither the label nor the UUID any more.
    await named(a, '/dev/vg0/vol1');
    await refused(
      'dmsetup remove above && mkswap -q /dev/mapper/vg0-vol1 && swapon /dev/mapper/vg0-vol1',
      /in use on this node, used as swap \(swapoff \S+\): /,
    );
    await a.run('swapoff -a');
    await nlmFailover(a, unmount);
  });
});
