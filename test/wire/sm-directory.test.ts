// The stock sm-notify notifies from what sm-directory has written: each client, by the name and from the address of the floating IP.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { openRecord } from '../../src/record/record.js';
import { projectRoot } from '../lab/project-root.js';
import { type Netns, withNetnsPair } from '../helpers/netns.js';
import { netnsTest as test } from './netns-test.js';
import { startRpcbind, startStatd, witnessed } from './statd.js';

const floatingIp = '10.99.0.1';
const serverAddresses = ['10.99.0.250/24', `${floatingIp}/24`];

/** A record of these clients on storage that every node sees, and what it takes to read it. */
function makeRecord(t: ExecutionContext, clients: readonly string[]) {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-sm-'));
  t.teardown(async () => rmSync(directory, { recursive: true }));
  // rpc.statd's user is to reach what is in it.
  chmodSync(directory, 0o755);
  const config = path.join(directory, 'nlm-failover.toml');
  writeFileSync(
    config,
    `node = "A"
[state]
directory = "${directory}/state"
[[floating_ip]]
address = "${floatingIp}/24"
interface = "veth0"
names = ["nfs1.example.com"]
  [[floating_ip.filesystem]]
  fsid = 1
  device = "/dev/none"
  mountpoint = "${directory}/mnt"
  type = "ext4"
    [[floating_ip.filesystem.export]]
    clients = "*"
`,
  );
  const hosts = path.join(directory, 'hosts');
  writeFileSync(
    hosts,
    `127.0.0.1 localhost\n${floatingIp} nfs1.example.com\n10.99.0.33 client3.example.com\n`,
  );
  mkdirSync(path.join(directory, 'state'), { mode: 0o755 });
  const place = path.join(directory, 'state', `sm_${floatingIp}`);
  const record = openRecord({ directory: place, node: 'A', machine: 'one', create: true });
  record.claim({ node: 'A', fenced: false, now: Date.now() });
  record.beginGrace({ now: Date.now() });
  const state = record.nsmState() ?? 0;
  record.adopt({ node: 'A', clients, fsids: ['1', '2'], now: Date.now(), myName: 'A' });
  record.close();
  return {
    directory,
    config,
    hosts,
    state,
    open: () => openRecord({ directory: place, node: 'A', machine: 'one', create: false }),
  };
}

const tool = (netns: Netns, ...args: string[]) =>
  netns.start(process.execPath, [path.join(projectRoot(), 'bin', 'nlm-failover'), ...args]);

test('each recorded client is notified by sm-notify -P, from the floating IP, with a state that is never used again', async (t) => {
  const clients = ['10.99.0.31', '10.99.0.32', 'client3.example.com'];
  const site = makeRecord(t, clients);
  const [server, client] = await withNetnsPair(t, serverAddresses, ['10.99.0.21/24']);
  await client.run('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1');
  await client.run('ip', 'link', 'set', 'eth0', 'up');
  const farm = client.start(process.execPath, [path.join(import.meta.dirname, 'farm-inside.js'), '1']);
  await farm.saw(/ready/);
  farm.write('up 10.99.0.31 10.99.0.32 10.99.0.33');
  await farm.saw(/up 3/);
  await server.run('mount', '--bind', site.hosts, '/etc/hosts');

  const sm = path.join(site.directory, 'sm');
  const said = tool(server, 'sm-directory', floatingIp, sm, '--config', site.config);
  t.is(await said.exited, 0, said.output());
  const [, state = ''] = /3 clients in .*, NSM state (\d+)$/m.exec(said.output()) ?? [];
  t.true(Number(state) > site.state && Number(state) % 2 === 1, said.output());
  const [, command = ''] = /: (sm-notify .*)$/m.exec(said.output()) ?? [];
  t.is(command, `sm-notify -d -v nfs1.example.com -P ${sm}`);

  // As rpc.statd has its own: the same owner, for nobody else to read.
  const { uid } = statSync(server.path('/var/lib/nfs/sm'));
  for (const [name, mode] of [
    ['', 0o40700],
    ['sm', 0o40700],
    ['sm.bak', 0o40700],
    ['state', 0o100600],
    ['sm/10.99.0.31', 0o100600],
  ] as const) {
    const found = statSync(path.join(sm, name));
    t.deepEqual([found.uid, found.mode], [uid, mode], name);
  }
  t.true(uid > 0);
  t.is(readFileSync(path.join(sm, 'state')).readInt32LE(), Number(state) - 2);

  await server.run('sm-notify', ...command.split(' ').slice(1));
  farm.write('heard');
  const [, heard = ''] = await farm.saw(/^all (.*)$/m);
  t.deepEqual(
    (JSON.parse(heard) as unknown[]).toSorted(),
    ['10.99.0.31', '10.99.0.32', '10.99.0.33'].flatMap((address) =>
      ['nfs1', 'nfs1.example.com'].map((name) => [address, Number(state), name, floatingIp]),
    ),
  );
  // It strikes off whom it has notified.
  t.deepEqual([readdirSync(path.join(sm, 'sm')), readdirSync(path.join(sm, 'sm.bak'))], [[], []]);

  const record = site.open();
  t.deepEqual(record?.clientNames(), clients, 'the record is as it was');
  t.is(record?.nsmState(), site.state);
  t.true((record?.beginGrace({ now: 0 }) ?? 0) > Number(state), 'also where the clock is wrong');
  record?.close();
});

test('a real rpc.statd hears it', async (t) => {
  const site = makeRecord(t, ['10.99.0.21']);
  const [server, client] = await withNetnsPair(t, serverAddresses, ['10.99.0.21/24']);
  await startRpcbind(client);
  await startStatd(client);
  await server.run('mount', '--bind', site.hosts, '/etc/hosts');
  const sm = path.join(site.directory, 'empty');
  mkdirSync(sm);
  const said = tool(server, 'sm-directory', floatingIp, sm, '--config', site.config, '--json');
  t.is(await said.exited, 0, said.output());
  const { state } = JSON.parse(said.output()) as { state: number };
  await server.run('sm-notify', '-d', '-v', 'nfs1.example.com', '-P', sm);
  t.true((await witnessed(client)).includes(`sm-notify nfs1.example.com ${floatingIp} ${state}`));
});

test('a directory that is not empty, that others can change, or that statd cannot reach is refused, and nothing is left', async (t) => {
  const site = makeRecord(t, ['10.99.0.31']);
  const [server] = await withNetnsPair(t, serverAddresses, ['10.99.0.21/24']);
  const place = (name: string) => path.join(site.directory, name);
  const before = site.open();
  const given = before?.reserveState({ now: 0 });
  before?.close();
  mkdirSync(place('full'));
  writeFileSync(place('full/mine'), '');
  mkdirSync(place('open'));
  chmodSync(place('open'), 0o777);
  mkdirSync(place('others'));
  chownSync(place('others'), 12345, 0);
  mkdirSync(place('closed'), { mode: 0o700 });
  writeFileSync(place('file'), '');
  execFileSync('ln', ['-s', 'full', place('link')]);
  for (const [name, why] of [
    ['full', /it is not empty/],
    ['open', /others can write to it/],
    ['others', /it belongs to uid 12345/],
    ['open/inside', /open is writable by others/],
    ['others/inside', /others belongs to uid 12345/],
    ['closed/inside', /cannot pass through .*closed$/m],
    ['file', /not a directory/],
    ['link', /symbolic link/],
    ['absent/inside', /absent does not exist/],
  ] as const) {
    const said = tool(server, 'sm-directory', floatingIp, place(name), '--config', site.config);
    t.is(await said.exited, 2, said.output());
    t.regex(said.output(), why, name);
  }
  t.deepEqual(
    ['full', 'open', 'others', 'closed'].map((name) => readdirSync(place(name))),
    [['mine'], [], [], []],
  );
  const after = site.open();
  t.is(after?.reserveState({ now: 0 }), (given ?? 0) + 2, 'no state was used up');
  after?.close();
});
