// Whether the rpc.statd that really runs can have clients recorded: its own program, tried as its own user.
import {
  chmod,
  chown,
  copyFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  symlink,
  writeFile,
} from 'node:fs/promises';
import type { ExecutionContext } from 'ava';
import { realHost } from '../../src/host/real.js';
import { statdProcess } from '../../src/host/reading/statd.js';
import { calloutFault, tryCallout } from '../../src/lockmanager/callout-proof.js';
import { type Netns, withNetns } from '../helpers/netns.js';
import { reachableCallout } from '../helpers/reachable-callout.js';
import { netnsTest as test } from './netns-test.js';
import { startRpcbind } from './statd.js';
import { waitFor } from './wait-for.js';

const address = '10.99.0.1';
const link = `/run/nlm-failover/serving/${address}`;
const journal = '/run/journal.A';

/** The callout in /run of a namespace, reachable by all, and the serving link to a journal of statd's user. */
async function prepared(t: ExecutionContext): Promise<Netns> {
  const netns = await withNetns(t);
  const { uid, gid } = await lstat(netns.path('/var/lib/nfs/sm'));
  for (const [file, owner] of [[journal, uid]] as const) {
    await writeFile(netns.path(file), '');
    await chmod(netns.path(file), 0o600);
    await chown(netns.path(file), owner, gid);
  }
  for (const directory of ['serving', 'marks'])
    await mkdir(netns.path(`/run/nlm-failover/${directory}`), { recursive: true });
  await symlink(journal, netns.path(link));
  await startRpcbind(netns);
  return netns;
}

/** Starts rpc.statd with these arguments, and waits until it is there. */
async function statd(netns: Netns, ...args: string[]): Promise<void> {
  netns.start('rpc.statd', ['-F', '--no-notify', ...args]);
  await waitFor('rpc.statd', async () => statdProcess(realHost, namespaceOf(netns)) !== undefined);
  const { uid } = await lstat(netns.path('/var/lib/nfs/sm'));
  // It drops its privileges a moment after it has begun.
  await waitFor('rpc.statd as its user', async () => statdProcess(realHost, namespaceOf(netns))?.uid === uid);
}

function namespaceOf(netns: Netns): string {
  return `/proc/${netns.pid}/ns/net`;
}

async function install(
  netns: Netns,
  directory: string,
  mode: number,
  file = reachableCallout,
): Promise<string> {
  await mkdir(netns.path(directory), { recursive: true });
  await copyFile(file, netns.path(`${directory}/callout`));
  await chmod(netns.path(`${directory}/callout`), 0o755);
  await chmod(netns.path(directory), mode);
  return `${directory}/callout`;
}

for (const spelled of [['-H'], ['--ha-callout']]) {
  test(`a callout that works, given with ${spelled.join()}: proved, and nothing is written`, async (t) => {
    const netns = await prepared(t);
    const callout = await install(netns, '/run/reachable', 0o755);
    await statd(netns, ...spelled, callout);
    t.is(await calloutFault(realHost, namespaceOf(netns), address), undefined);
    t.is(await calloutFault(realHost, namespaceOf(netns), undefined), undefined);
    t.is(await readFile(netns.path(journal), 'utf8'), '');
    t.deepEqual(await readdir(netns.path('/run/nlm-failover/marks')), []);
    // The journal that it must be able to write to is another matter.
    await chown(netns.path(journal), 0, 0);
    const fault = await calloutFault(realHost, namespaceOf(netns), address);
    t.regex(
      fault?.message ?? '',
      /cannot record as its user, uid \d+: .*serving\/10\.99\.0\.1 cannot be written/,
    );
    t.is(await calloutFault(realHost, namespaceOf(netns), undefined), undefined);
    t.regex(
      (await calloutFault(realHost, namespaceOf(netns), '10.99.0.2'))?.message ?? '',
      /10\.99\.0\.2 cannot be written/,
    );
  });
}

test('seen: the callout below a home of mode 0700', async (t) => {
  const netns = await prepared(t);
  await statd(netns, '-H', await install(netns, '/run/home', 0o700));
  const fault = await calloutFault(realHost, namespaceOf(netns), undefined);
  t.regex(
    fault?.message ?? '',
    /\/run\/home\/callout cannot record as its user, uid [1-9]\d*: .*Permission denied/,
  );
  t.regex(fault?.hint ?? '', /namei -l \/run\/home\/callout/);
});

test('seen: no callout at all; and one in nfs.conf alone', async (t) => {
  const netns = await prepared(t);
  await statd(netns);
  t.regex(
    (await calloutFault(realHost, namespaceOf(netns), undefined))?.message ?? '',
    /\(pid \d+\) runs no callout, so that no client is recorded/,
  );
  const callout = await install(netns, '/run/reachable', 0o755);
  const host = {
    ...realHost,
    readText: (file: string) =>
      file === '/etc/nfs.conf'
        ? `[mountd]\nha-callout=/wrong\n[ statd ]\n ha-callout = "${callout}"\n`
        : realHost.readText(file),
  };
  t.is(statdProcess(host, namespaceOf(netns))?.callout, callout);
  t.is(await calloutFault(host, namespaceOf(netns), address), undefined);
});

test('seen: nfs.conf names it, and the rpc.statd that runs has not read that', async (t) => {
  const netns = await prepared(t);
  await netns.run(
    'sh',
    '-ec',
    'mkdir /run/conf; cp -a /etc /run/etc; rm -rf /run/etc/nfs.conf*; mount --bind /run/etc /etc',
  );
  const place = (file: string) => (file.startsWith('/etc/') ? netns.path(file) : file);
  const host = { ...realHost, path: place, readText: (file: string) => realHost.readText(place(file)) };
  const callout = await install(netns, '/run/reachable', 0o755);
  const other = await install(netns, '/run/other', 0o755);
  const says = (program: string) =>
    writeFile(netns.path('/etc/nfs.conf'), `[statd]\nha-callout=${program}\n`);
  const fault = async () => (await calloutFault(host, namespaceOf(netns), undefined))?.message;
  await says(callout);
  await statd(netns);
  t.is(await fault(), undefined);
  // Touched, rewritten, a drop-in for another daemon: what it has read is so still.
  await netns.run('sh', '-ec', 'sleep 0.1; echo "[nfsd]" >>/etc/nfs.conf');
  t.is(await fault(), undefined);
  await says(other);
  t.regex(
    (await fault()) ?? '',
    /^rpc\.statd \(pid \d+\) read nfs\.conf before it said ha-callout=\/run\/other\/callout/,
  );
  // A longer name of which it has read the beginning is another one.
  await copyFile(reachableCallout, netns.path(`${callout}.new`));
  await says(`${callout}.new`);
  t.regex((await fault()) ?? '', /before it said/);
  await says(callout);
  t.is(await fault(), undefined);
});

test('another program, an older callout, one that is not executable', async (t) => {
  const netns = await prepared(t);
  await statd(netns, '-H', '/bin/true');
  t.regex(
    (await calloutFault(realHost, namespaceOf(netns), undefined))?.message ?? '',
    /\/bin\/true is not that of nlm-failover/,
  );
  const enter = ['nsenter', `--target=${netns.pid}`, '--mount', '--pid', '--'];
  const user = { uid: 65_534, gid: 65_534, groups: [], run: undefined, enter };
  const old = '/run/old';
  await writeFile(netns.path(old), "#!/bin/sh\necho 'usage: ha-callout add-client' >&2\nexit 2\n");
  await chmod(netns.path(old), 0o755);
  t.regex(
    (await tryCallout(realHost, { ...user, callout: old }, undefined))?.message ?? '',
    /of an older version/,
  );
  await chmod(netns.path(old), 0o644);
  t.regex(
    (await tryCallout(realHost, { ...user, callout: old }, undefined))?.message ?? '',
    /Permission denied/,
  );
  t.regex(
    (await tryCallout(realHost, { ...user, callout: '/run/absent' }, undefined))?.message ?? '',
    /No such file/,
  );
});

test('the rpc.statd of another network namespace is not taken for it', async (t) => {
  const [one, other] = [await prepared(t), await prepared(t)];
  await statd(one, '-H', '/bin/true');
  t.is(statdProcess(realHost, namespaceOf(other)), undefined);
  t.is(await calloutFault(realHost, namespaceOf(other), undefined), undefined);
  t.truthy(statdProcess(realHost, namespaceOf(one)));
});

test('a process of anybody that has its name is not taken for it, and no program of its mounts is run', async (t) => {
  const netns = await prepared(t);
  const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', '--no-new-privs'];
  await netns.run(
    'sh',
    '-ec',
    `mkdir -m 0777 /run/theirs /run/proof
    printf '#!/bin/sh\\nid -u >/run/proof/run\\n' >/run/theirs/setpriv
    cp /bin/bash /run/theirs/rpc.statd
    chmod 0755 /run/theirs/*
    chown 65534 /run/theirs/*
    mkdir /run/roots && cp /bin/bash /run/roots/rpc.statd`,
  );
  // In a user namespace of its own: the program that root is to run is another one there, and its own program one of root's.
  const mounts = 'mount --bind /run/theirs/setpriv "$(command -v setpriv)"; exec bash -c "$0"';
  const named = 'exec 9<&0; printf rpc.statd >/proc/$$/comm; echo there; read -r _ <&9';
  for (const words of [
    ['unshare', '--user', '--map-root-user', '--mount', 'bash', '-c', mounts, named],
    ['/run/theirs/rpc.statd', '-c', 'echo there; read -r _', '-H', '/run/theirs/setpriv'],
    // As root's own does with a library of theirs in it, which never is what it says.
    ['/run/roots/rpc.statd', '-c', 'echo there; read -r _', '-H', '/run/theirs/setpriv'],
  ]) {
    const theirs = netns.start('setpriv', [...nobody, '--', ...words]);
    await theirs.saw(/there/);
    t.is(statdProcess(realHost, namespaceOf(netns)), undefined);
    t.is(await calloutFault(realHost, namespaceOf(netns), undefined), undefined);
  }
  // The true one is found beside them, whoever came first.
  await statd(netns, '-H', '/bin/true');
  t.is(statdProcess(realHost, namespaceOf(netns))?.callout, '/bin/true');
  t.regex(
    (await calloutFault(realHost, namespaceOf(netns), undefined))?.message ?? '',
    /\/bin\/true is not that of nlm-failover/,
  );
  t.deepEqual(await readdir(netns.path('/run/proof')), []);
});
