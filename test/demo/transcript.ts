/**
 * `npm run transcript`: what a newcomer types, from `dpkg -i` to a failover with the lock kept, on two servers that have a kernel with
 * nfsd and Debian's NFS packages, and neither Node nor nlm-failover. Prints it for the README, and how long it took.
 *
 *     npm run package && LAB_SYSTEM=DIR npm run transcript
 *
 * DIR is a tree of Debian 12 or 13 that debootstrap made, with the packages of test/setup and systemd (test/lab/lab.ts); without it, it
 * is the machine's own system. The servers run systemd.
 */
import { copyFileSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { packageIn } from '../helpers/packages.js';
import { ClientHost } from '../lab/client-host.js';
import { createDisk } from '../lab/disk.js';
import { guestSettings, labUnavailable, openLab } from '../lab/lab.js';
import { inGuest, projectRoot } from '../lab/project-root.js';
import { Server } from '../lab/server.js';

const reason = labUnavailable();
if (reason !== undefined) throw new Error(reason);

const address = '10.10.1.1';
/** The README's, as it stands. */
const [, configuration = ''] =
  /```toml\n([^]*?)```/.exec(readFileSync(path.join(projectRoot(), 'README.md'), 'utf8')) ?? [];

const lab = await openLab(['A', 'B', 'C'], async (directory, holder) => {
  const volume = await createDisk(path.join(directory, 'vol1'), 0, 64);
  const image = path.join(directory, 'state1');
  const empty = await open(image, 'wx');
  await empty.truncate(64 * 1024 * 1024);
  await empty.close();
  const disks = [volume, { image, device: '/dev/ubdb', uuid: '', label: '' }];
  const guest = (name: 'A' | 'B') =>
    guestSettings(name, { megabytes: 1024, directory, disks, systemd: true });
  const [a, b] = [new Server(holder, guest('A')), new Server(holder, guest('B'))];
  const c = new ClientHost(holder, guestSettings('C', { megabytes: 384, directory }));
  await Promise.all([a.boot(), b.boot(), c.boot()]);
  return { a, b, c };
});
const leave = async (): Promise<never> => {
  await lab.stop();
  process.exit(130);
};
process.once('SIGINT', () => void leave());
process.once('SIGTERM', () => void leave());
try {
  process.exitCode = (await play()) ? 0 : 1;
} finally {
  await lab.stop();
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** Before the newcomer comes: two NFS servers with a volume that both reach, and an empty one; and the package. */
async function furnish(node: Server, deb: string): Promise<void> {
  const covered = ['bin', 'dist', 'callouts', 'node_modules'].map((name) => inGuest(name));
  const script = `set -e
    cp "$1" /root/
    rm -f "$(command -v node)"
    shift
    for directory; do mount -t tmpfs tmpfs "$directory"; done
    mkdir /dev/vg0
    ln -s ../ubda /dev/vg0/vol1
    ln -s ../ubdb /dev/vg0/state1
    ip link set vec0 down
    ip link set vec0 name eth0
    ip link set eth0 up`;
  await node.run(script, { args: [deb, ...covered], timeoutSeconds: 180 });
}

/** From nothing to a failover. Whether the lock was kept. */
async function play(): Promise<boolean> {
  const nodes = { A: lab.a, B: lab.b };
  const deb = path.basename(packageIn('', 'nlm-failover'));
  const copy = path.join(lab.directory, deb);
  copyFileSync(packageIn(path.join(projectRoot(), 'dist'), 'nlm-failover'), copy);
  await Promise.all([lab.a, lab.b].map((node) => furnish(node, copy)));
  const volume = 'mount /dev/vg0/vol1 /mnt && mkdir /mnt/data && chmod 1777 /mnt/data && umount /mnt';
  await lab.a.run(volume);
  const started = performance.now();
  let count = 0;
  let failed = 0;
  /** One command of the newcomer, as typed. */
  const type = async (node: 'A' | 'B', typed: string): Promise<void> => {
    count += 1;
    print(`${node}# ${typed}`);
    const begun = performance.now();
    const options = { reject: false, timeoutSeconds: 300 };
    const { exitCode, stdout, stderr } = await nodes[node].run(`cd /root && ${typed}`, options);
    if (exitCode !== 0) failed += 1;
    const output = `${stdout}${stderr}`.trimEnd();
    if (output !== '') print(output);
    const took = ((performance.now() - begun) / 1000).toFixed(1);
    print(`# ${exitCode === 0 ? '' : `exit code ${exitCode}, `}${took} s\n`);
  };
  /** What is done at an editor, or with another program that is not here. */
  const byHand = async (node: 'A' | 'B', typed: string, on: Server): Promise<void> => {
    count += 1;
    print(`${node}# ${typed}\n`);
    await on.run('printf %s "$1" >/etc/nlm-failover.toml', { args: [configuration] });
  };

  await type('A', `dpkg -i ${deb}`);
  await type('B', `dpkg -i ${deb}`);
  await byHand('A', 'vi /etc/nlm-failover.toml', lab.a);
  await byHand('A', 'scp /etc/nlm-failover.toml B:/etc/', lab.b);
  await type('A', 'nlm-failover setup --state-device /dev/vg0/state1');
  await type('B', 'nlm-failover setup');
  await type('A', 'nlm-failover check');
  await type('A', `nlm-failover takeover ${address}`);

  const holder = lab.c.client('holder');
  const rival = lab.c.client('rival');
  print(
    `client$ mount -t nfs -o vers=3 ${address}:/srv/vol1/data /mnt/nfs; flock /mnt/nfs/file sleep infinity &\n`,
  );
  await Promise.all(
    [holder, rival].map((client) => client.mount({ server: address, path: '/srv/vol1/data' })),
  );
  await holder.lock('/mnt/nfs/file');
  await holder.write('/mnt/nfs/data', 'written before');

  await type('A', `nlm-failover release ${address}`);
  await type('B', `nlm-failover takeover ${address}`);
  const kept = (await lab.b.nfsLocks('/dev/ubda')).length === 1;
  const stolen = await rival.tryLock('/mnt/nfs/file');
  const refused = await lab.c.clientLogHas('failed to reclaim');
  const data = await holder.read('/mnt/nfs/data');
  print(`rival$ flock -n /mnt/nfs/file true    # ${stolen ? 'GOT IT' : 'refused'}`);
  print(`B# grep POSIX /proc/locks             # ${kept ? 'the lock of the client' : 'NO LOCK'}`);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  print(`\n${count} commands, ${seconds} s with the client's`);
  return failed === 0 && kept && !stolen && !refused && data === 'written before' && count <= 10;
}
