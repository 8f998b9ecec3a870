// What an instance sees of the host's /etc: nothing of the host's NFS, with the real programs of nfs-utils that read it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { nfsConf } from '../../src/lockmanager/lockd-netns/own-etc.js';
import { type Netns, withNetns } from '../helpers/netns.js';
import { netnsTest as test } from './netns-test.js';

const address = '10.88.2.1';
const script = join(import.meta.dirname, 'instance-inside.js');

/** The host's, with whatever would show in an instance. */
const hostile: Readonly<Record<string, string>> = {
  'nfs.conf': `[exports]
rootdir=/nowhere
[nfsd]
host=192.0.2.7
vers3=n
[mountd]
state-directory-path=/run/leak
manage-gids=y
[statd]
name=somebody.else
port=4444
`,
  'nfs.conf.d/leak.conf': '[exportd]\nstate-directory-path=/run/leak\n[mountd]\nport=5555\n',
  exports: '/run/volume 10.9.9.9(rw,async,fsid=77)\n',
  'exports.d/leak.exports': '/run/volume 10.9.9.8(rw,async,fsid=78)\n',
};

/** A host with an /etc of its own, and an instance on it. */
async function instance(t: ExecutionContext): Promise<{ host: Netns; inside: Netns['run'] }> {
  t.timeout(60_000);
  const host = await withNetns(t);
  await host.run('cp', '-a', '/etc', '/run/etc');
  await host.run('mount', '--bind', '/run/etc', '/etc');
  await host.run('mkdir', '-p', '/etc/nfs.conf.d', '/etc/exports.d', '/run/volume', '/run/leak');
  for (const [file, text] of Object.entries(hostile)) writeFileSync(host.path(`/run/etc/${file}`), text);
  writeFileSync(host.path('/run/etc/nsswitch.conf'), 'hosts: files\n');
  await host.run(process.execPath, script, 'enter', address);
  const place = `/run/nlm-failover/instances/${address}`;
  const enter = [`--net=/run/netns/nfs-${address}`, `--mount=${place}/mnt`, '--'];
  return { host, inside: (command, ...args) => host.run('nsenter', ...enter, command, ...args) };
}

test("nothing of the host's nfs.conf, its drop-ins or its exports is seen in an instance", async (t) => {
  const { host, inside } = await instance(t);
  const ask = (section: string, key: string) =>
    inside('sh', '-c', `nfsconf --get ${section} ${key} || echo none`).then((text) => text.trim());
  t.is(await ask('mountd', 'port'), '4001');
  t.is(await ask('mountd', 'manage-gids'), 'n');
  for (const [section, key] of [
    ['nfsd', 'host'],
    ['exports', 'rootdir'],
    ['mountd', 'state-directory-path'],
    ['exportd', 'state-directory-path'],
    ['statd', 'name'],
    ['statd', 'port'],
  ] as const)
    t.is(await ask(section, key), 'none', `[${section}] ${key}`);
  t.is(
    (await host.run('nfsconf', '--get', 'nfsd', 'host')).trim(),
    '192.0.2.7',
    'the host has its own still',
  );
  await inside('mkdir', '-p', '/run/volume');
  await inside('exportfs', '-a');
  t.is((await inside('cat', '/var/lib/nfs/etab')).trim(), '');
  await inside('exportfs', '-o', 'rw,fsid=5', '10.9.9.9:/run/volume');
  t.regex(await inside('cat', '/var/lib/nfs/etab'), /^\/run\/volume\t10\.9\.9\.9\([^)]*,sync,[^)]*fsid=5,/);
  t.is((await host.run('ls', '/run/leak')).trim(), '');
});

test('what is replaced in /etc meanwhile: names are seen as they are, and nfs.conf is not', async (t) => {
  const { host, inside } = await instance(t);
  const replace = (file: string, text: string) =>
    host.run('sh', '-c', 'printf %s "$2" >"$1.new" && mv "$1.new" "$1"', 'sh', `/etc/${file}`, text);
  await replace('hosts', '10.7.7.7 late.example.com\n');
  await replace('nfs.conf', '[mountd]\nport=6666\n');
  await replace('nfs.conf.d/late.conf', '[mountd]\nport=7777\n');
  t.regex(await inside('getent', 'hosts', 'late.example.com'), /^10\.7\.7\.7/);
  t.is((await inside('nfsconf', '--get', 'mountd', 'port')).trim(), '4001');
  t.regex(await inside('getent', 'passwd', 'root'), /^root:/);
  t.not((await inside('sh', '-c', 'wc -l </etc/netconfig')).trim(), '0');
});

test('an instance is gone with its /etc', async (t) => {
  const { host } = await instance(t);
  const before = await host.run('sh', '-c', 'ls -A /etc');
  await host.run(process.execPath, script, 'remove', address);
  t.is(await host.run('sh', '-c', 'ls -A /etc'), before);
  t.notRegex(await host.run('cat', '/proc/self/mountinfo'), /instances/);
});

test('nfs.conf is made from the configuration', (t) => {
  const text = nfsConf(address, {
    threads: 16,
    manageGids: true,
    ports: { mountd: 4001, statd: 4002, lockd: 4003 },
    callout: '/opt/nlm-failover/callouts/ha-callout',
  });
  t.regex(text, /\[nfsd\]\nthreads=16\nvers3=y\nvers4=n\n\[mountd\]\nmanage-gids=y\nport=4001\n\[statd\]\n/);
  t.regex(text, /\[lockd\]\nport=4003\nudp-port=4003\n/);
});
