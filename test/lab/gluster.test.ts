// GlusterFS on both servers, exported by NFS-Ganesha on both: what the product builds on there, and what it makes of such storage.
import test, { type ExecutionContext } from 'ava';
import {
  exportVolume,
  Gluster,
  glusterCommands,
  lockOptions,
  recordMount,
  recordOptions,
  recordVolume,
  volume,
} from './gluster/gluster.js';
import { records } from './gluster/shared.js';
import { tryStorage } from './gluster/try-storage.js';
import type { NfsClient } from './client.js';
import { bootLab, type Lab, labUnavailable } from './lab.js';
import { file } from './scenario-steps.js';
import { configure, nlmFailover } from './site.js';
import { useLab } from './use-lab.js';

const graceSeconds = 10;

const reason = labUnavailable(['ganesha.nfsd', 'dbus-daemon', ...glusterCommands]);
const title =
  'GlusterFS: a lock through one server is one for clients of the other; what a record needs of a volume is tried by two nodes';
if (reason !== undefined) test.serial.skip(`${title} (${reason})`, () => {});
else test.serial(title, (t) => useLab(t, 10, bootLab, (lab) => prove(t, lab)));

/** What the server calls the file: the NFS client has it in its own handle (Linux fs/nfs/export.c, nfs_encode_fh). */
async function handleOf(client: NfsClient): Promise<string> {
  const script = `my $handle = pack('Ll', 128, 0) . "\\0" x 128;
    my ($path, $mount) = (shift, pack 'l', 0);
    syscall(303, -100, $path, $handle, $mount, 0) == 0 or die "name_to_handle_at: $!\\n";
    my ($bytes) = unpack 'L', $handle;
    print unpack 'H*', substr $handle, 4, 4 + $bytes;`;
  return (await client.run(['perl', '-e', script, file])).stdout;
}

async function prove(t: ExecutionContext, lab: Lab): Promise<void> {
  const { a, b, c } = lab;
  const holder = c.client('holder');
  const rival = c.client('rival');
  for (const client of [holder, rival]) void client.setUp();
  const gluster = new Gluster(lab);
  const servers = [a, b];
  const ip = { ...lab.site.ip(3, [{ disk: 'vol3', fsid: 3 }]), stateDirectory: records };
  const addresses = ['10.10.1.1', '10.10.1.2'] as const;
  await gluster.start();
  await gluster.createVolume(volume, lockOptions);
  await gluster.createVolume(recordVolume, { 'cluster.quorum-type': 'none' });
  await Promise.all(
    servers.map(async (server, index) => {
      await server.startGanesha({ graceSeconds, callout: '/bin/true' });
      await exportVolume(server);
      await server.run(['ip', 'addr', 'add', `${addresses[index] ?? ''}/24`, 'dev', 'vec0']);
      await configure(lab, server, [ip], { driver: 'ganesha' });
    }),
  );

  await gluster.mount(a, volume, '/mnt/gv');
  await a.run(['chmod', '1777', '/mnt/gv']);
  await Promise.all(
    [holder, rival].map((client, index) =>
      client.mount({ server: addresses[index] ?? '', path: `/${volume}` }),
    ),
  );
  await holder.lock(file);
  t.false(await rival.tryLock(file), 'refused through the other server');
  const [one, other] = await Promise.all([holder, rival].map(handleOf));
  t.regex(one ?? '', /[1-9a-f]{8}/u);
  t.is(one, other, 'the same file handle through both');
  for (const server of servers) {
    t.deepEqual(await server.nfsLocks(), [], 'not in /proc/locks');
    t.deepEqual(await gluster.brickLocks(server, volume), [{ host: 'A', type: 'WRITE' }]);
  }

  await assertTried(t, lab, gluster);
}

/** With its default options it loses what two nodes write at once, and keeps it with those that the refusal names. */
async function assertTried(t: ExecutionContext, { a, b }: Lab, gluster: Gluster): Promise<void> {
  const servers = [a, b];
  const mountState = (options?: string) =>
    Promise.all(servers.map((server) => gluster.mount(server, recordVolume, records, options)));
  const tried = async (exitCode: number) => {
    const said = await tryStorage(servers);
    for (const one of said) t.is(one.exitCode, exitCode, one.stdout + one.stderr);
    t.log(said.map(({ stdout }) => stdout).join(''));
    return said;
  };
  const recordOfA = async () => {
    const { stdout } = await nlmFailover(a, ['check'], false);
    return stdout.split('\n').find((line) => line.includes('"check":"record"')) ?? '';
  };

  await mountState();
  for (const { lines } of await tried(1)) {
    const { error } = lines.at(-1) ?? {};
    t.is(error?.code, 'STORAGE_UNFIT');
    for (const option of [recordMount, ...Object.keys(recordOptions)])
      t.true(error?.hint?.includes(option), option);
  }
  t.regex(await recordOfA(), /"verdict":"failure".* lost what A and B wrote at once/u);
  await Promise.all(servers.map((server) => server.run(['umount', records])));
  await gluster.setOptions(recordVolume, recordOptions);
  await mountState(recordMount);
  await tried(0);
  t.regex(await recordOfA(), /"verdict":"ok"/u);
  // mountinfo shows no difference.
  await a.run(['umount', records]);
  await gluster.mount(a, recordVolume, records);
  t.regex(await recordOfA(), /"verdict":"warning".* mounted otherwise now/u);
}
