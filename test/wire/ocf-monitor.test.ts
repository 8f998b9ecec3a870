// What a monitor of the OCF agents sees, without node: real daemons and addresses, in an instance and on a node.
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Netns, withNetns, withNetnsPair } from '../helpers/netns.js';
import { agentFile, type AgentName, ocf } from '../helpers/ocf-agent.js';
import { daemons, ServedInstance } from '../helpers/ocf-instance.js';
import { projectRoot } from '../lab/project-root.js';
import { netnsTest as test } from './netns-test.js';
import { startRpcbind, startStatd } from './statd.js';
import { waitFor } from './wait-for.js';

const tool = path.join(projectRoot(), 'bin/nlm-failover');

/** A monitor at depth 0; `trace`: with the programs that it ran. */
async function monitor(netns: Netns, name: AgentName, address: string) {
  const env = {
    OCF_RESKEY_address: address,
    OCF_RESKEY_config: '/no/such/file',
    OCF_RESKEY_program: '/bin/false',
  };
  const program = netns.start(agentFile(name), ['monitor'], env);
  return { code: await program.exited, said: program.output().trim() };
}

const served = { code: ocf.success, said: '' };
const ill = (sentence: string) => ({ code: ocf.generic, said: `ocf-exit-reason:${sentence}` });

for (const address of ['10.88.3.1', 'fd00:88::1']) {
  test(`an instance of ${address}: each daemon, nfsd, the address and the record are seen`, async (t) => {
    t.timeout(60_000);
    const netns = await withNetns(t);
    t.is((await monitor(netns, 'address', address)).code, ocf.notRunning);
    // What a takeover leaves that is ended early in B-2: looked at, and nothing added, as who clears it away removes an empty directory.
    const unfinished = `/run/nlm-failover/instances/${address}`;
    await netns.run('mkdir', '-p', unfinished);
    t.deepEqual(await monitor(netns, 'address', address), ill(`${address} is not up`));
    await netns.run('rmdir', unfinished);
    const instance = await ServedInstance.make(netns, address);
    t.deepEqual(await monitor(netns, 'address', address), served);
    const known = readFileSync(netns.path(`${instance.directory}/run/daemons`), 'utf8');
    t.is(known.trim(), daemons.map((name) => instance.pidOf(name)).join(' '));
    for (const name of daemons) {
      await instance.kill(name);
      t.deepEqual(await monitor(netns, 'address', address), ill(`${name} is dead`));
      await instance.start(name);
      t.deepEqual(await monitor(netns, 'address', address), served, `${name} has another pid now`);
    }
    // A namesake is no daemon of the instance where it has not its mounts, or is in a user namespace of its own.
    const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-namesake-'));
    t.teardown(() => rmSync(directory, { recursive: true }));
    const sleep = path.join(directory, 'rpc.statd');
    copyFileSync('/bin/sleep', sleep);
    await instance.kill('rpc.statd');
    const inNet = [`--net=/run/netns/nfs-${address}`];
    const inside = [...inNet, `--mount=${instance.directory}/mnt`];
    for (const words of [inNet, [...inside, 'unshare', '--user']]) {
      const namesake = netns.start('nsenter', [...words, sleep, '60']);
      await waitFor('the namesake', async () => instance.pidOf('rpc.statd') !== undefined);
      t.deepEqual(await monitor(netns, 'address', address), ill('rpc.statd is dead'));
      await instance.kill('rpc.statd');
      await namesake.exited;
    }
    await instance.start('rpc.statd');
    // What has the name and the pid is not the daemon where it is not inside.
    writeFileSync(netns.path(`${instance.directory}/run/daemons`), '1 1 1\n');
    t.deepEqual(await monitor(netns, 'address', address), served);

    await instance.inside('sh', '-c', 'echo 0 >/proc/fs/nfsd/threads');
    t.deepEqual(await monitor(netns, 'address', address), ill('nfsd has no threads'));
    await instance.inside('sh', '-c', 'echo 8 >/proc/fs/nfsd/threads');
    const prefix = address.includes(':') ? '64' : '24';
    await instance.inside('ip', 'address', 'del', `${address}/${prefix}`, 'dev', 'lo');
    t.deepEqual(await monitor(netns, 'address', address), ill(`${address} is not up`));
    const { code, said } = await monitor(netns, 'locks', address);
    t.is(code, ocf.generic);
    t.regex(said, /an instance of the driver lockd-netns here, which is for the agent address$/);
  });
}

/** What status calls wrong of an address that the driver lockd serves, with another one beside it that is not served. */
async function wrong(netns: Netns, address: string, link = 'lo'): Promise<string[]> {
  const [file, idle] = ['/run/nlm-failover.toml', '10.88.4.2'];
  const table = (one: string, fsid: number) => `
[[floating_ip]]
address = "${one}/${one.includes(':') ? 64 : 24}"
interface = "${link}"
names = ["nfs.example.com"]
[[floating_ip.filesystem]]
fsid = ${fsid}
device = "/dev/vol${fsid}"
mountpoint = "/run/vol${fsid}"
type = "ext4"
[[floating_ip.filesystem.export]]
path = "/run/vol${fsid}"
clients = "*"
options = "rw"
`;
  const text = `node = "A"\n[state]\ndirectory = "/run/state"\n[lock_manager]\ndriver = "lockd"\n${table(address, 1)}${table(idle, 2)}`;
  writeFileSync(netns.path(file), text);
  const status = netns.start(process.execPath, [tool, 'status', '--json', `--config=${file}`]);
  await status.exited;
  const lines = status
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { address: string; wrong: string[] });
  if (lines.length !== 2) throw new Error(status.output());
  if (lines.some((one) => one.address === idle && one.wrong.some((sentence) => sentence.includes('statd'))))
    throw new Error(`${idle}: ${status.output()}`);
  return lines.filter((one) => one.address === address).flatMap((one) => one.wrong);
}

const dead = 'rpc.statd is dead';

test('on a node: the address, its record, rpc.statd, nfsd', async (t) => {
  t.timeout(60_000);
  const address = '10.88.4.1';
  const netns = await withNetns(t);
  await startRpcbind(netns);
  const statd = await startStatd(netns);
  t.is((await monitor(netns, 'address', address)).code, ocf.notRunning);
  await netns.run('ip', 'address', 'add', `${address}/24`, 'dev', 'lo');
  t.deepEqual(await monitor(netns, 'address', address), ill('its clients are not recorded'));
  const serve =
    'mkdir -p /run/nlm-failover/serving; : >/run/journal; ln -s /run/journal "/run/nlm-failover/serving/$1"';
  await netns.run('sh', '-ec', serve, 'sh', address);
  for (const name of ['address', 'locks', 'notify'] as const)
    t.deepEqual(await monitor(netns, name, address), served, name);
  t.true(existsSync(netns.path('/run/rpc.statd.pid')));

  await netns.run(
    'sh',
    '-ec',
    'mount -t tmpfs tmpfs /proc/fs; mkdir /proc/fs/nfsd; echo 0 >/proc/fs/nfsd/threads',
  );
  for (const name of ['address', 'locks'] as const)
    t.deepEqual(await monitor(netns, name, address), ill('nfsd has no threads'), name);
  await netns.run('sh', '-ec', 'echo 8 >/proc/fs/nfsd/threads; rm /run/rpc.statd.pid');
  t.deepEqual(
    await monitor(netns, 'locks', address),
    served,
    'without its pid file it is found all the same',
  );
  t.false((await wrong(netns, address)).includes(dead));
  await netns.run('sh', '-c', 'kill -KILL $(pidof rpc.statd)');
  await statd.exited;
  // That of an instance has the same name.
  await netns.run('cp', '/bin/sleep', '/run/rpc.statd');
  netns.start('unshare', ['--net', '/run/rpc.statd', '60']);
  await waitFor(
    'that of another namespace',
    async () => (await netns.start('pidof', ['rpc.statd']).exited) === 0,
  );
  for (const name of ['address', 'locks'] as const)
    t.deepEqual(await monitor(netns, name, address), ill(dead), name);
  t.true((await wrong(netns, address)).includes(dead));
  // And so has that very program, run by anybody with a library of his own in it.
  const anybody = ['--reuid=65534', '--regid=65534', '--clear-groups', '--'];
  const run = 'exec -a rpc.statd /run/rpc.statd 60';
  netns.start('setpriv', [...anybody, 'bash', '-c', `echo there; ${run}`]);
  const count = 'set -- $(pidof rpc.statd); test $# = 2';
  await waitFor("anybody's", async () => (await netns.start('sh', ['-c', count]).exited) === 0);
  t.deepEqual(await monitor(netns, 'locks', address), ill(dead));
  t.true((await wrong(netns, address)).includes(dead));
  // Where that is the user for which rpc.statd was built, it is no ordinary one.
  await netns.run('chown', '65534', '/var/lib/nfs/sm');
  t.deepEqual(await monitor(netns, 'locks', address), served);
  t.false((await wrong(netns, address)).includes(dead));
});

const duplicate = 'another host has';

test('an IPv6 address that another host has too is no address that is up', async (t) => {
  t.timeout(60_000);
  const address = 'fd00:10:10:1::21';
  const [server, client] = await withNetnsPair(t, ['fd00:10:10:1::11/64'], [`${address}/64`]);
  const flags = async () => (await server.run('ip', '-6', '-o', 'address', 'show', 'to', address)).trim();
  await server.run('ip', 'address', 'add', `${address}/64`, 'dev', 'veth0');
  await waitFor('the detection', async () => (await flags()).includes('dadfailed'));
  t.deepEqual(
    await monitor(server, 'address', address),
    ill(`${duplicate} ${address} too (IPv6 duplicate address detection)`),
  );
  const seen = await wrong(server, address, 'veth0');
  t.true(seen.includes(`${duplicate} the address too (IPv6 duplicate address detection)`), seen.join('\n'));

  // Without it the address is as good as any.
  await client.run('ip', 'address', 'del', `${address}/64`, 'dev', 'veth0');
  await server.run('ip', 'address', 'del', `${address}/64`, 'dev', 'veth0');
  await server.run('ip', 'address', 'add', `${address}/64`, 'dev', 'veth0');
  await waitFor('the detection', async () => !/dadfailed|tentative/.test(await flags()));
  t.deepEqual(await monitor(server, 'address', address), ill('its clients are not recorded'));
  t.false((await wrong(server, address, 'veth0')).some((sentence) => sentence.includes(duplicate)));
});
