// The Debian packages, installed by dpkg: over this machine's own system, and over bare trees where PACKAGE_TREES names some.
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { makePackage, type OwnRoot, packageIn, type PackageName, withRoot } from '../helpers/packages.js';
import { projectRoot } from '../lab/project-root.js';
import {
  awayFile,
  instanceFile,
  instanceText,
  mainFile,
  mainText,
  unitText,
} from '../../src/site/setup/keepalived-text.js';
import { ledgerFile } from '../../src/site/setup/ledger.js';
import { unitDropIns } from '../../src/site/unit/names.js';
import { version } from '../../src/version.js';
import { netnsTest as test } from './netns-test.js';

const callout = '/usr/lib/nlm-failover/callouts/ha-callout';

/** The README's, in the root. */
function configuration(root: OwnRoot): string {
  const [, toml = ''] =
    /```toml\n([^]*?)```/.exec(readFileSync(path.join(projectRoot(), 'README.md'), 'utf8')) ?? [];
  writeFileSync(root.path('/tmp/nlm-failover.toml'), toml);
  return '/tmp/nlm-failover.toml';
}

/** What holds of the installed package, whichever of the two it is. */
async function assertInstalled(t: ExecutionContext, root: OwnRoot, node: string): Promise<void> {
  t.is(await root.run('nlm-failover', '--version'), `${version}\n`);
  t.is(
    await root.run('setpriv', '--reuid=statd', '--clear-groups', '--', 'env', callout, 'check'),
    'nlm-failover ha-callout: ready\n',
    "statd's user reaches the callout",
  );
  const { output } = await root.tried('nlm-failover', 'check', '--config', configuration(root));
  const missing = [...output.matchAll(/ programs +(.*) (?:is|are) not installed/g)].map(([, names]) => names);
  t.regex(output, / programs +/);
  // A bare tree has no systemd; all else comes with what Depends names.
  t.deepEqual(missing, existsSync(root.path('/usr/bin/systemctl')) ? [] : ['systemctl']);
  for (const unit of readdirSync(path.join(projectRoot(), 'callouts/systemd')))
    t.true(existsSync(root.path(`/usr/lib/systemd/system/${unit}`)), unit);
  const agents = '/usr/lib/ocf/resource.d/nlm-failover';
  for (const name of ['address', 'locks', 'notify']) {
    // Its configuration is not there.
    const validated = await root.tried(
      'env',
      'OCF_RESKEY_address=10.10.1.1',
      `${agents}/${name}`,
      'validate-all',
    );
    t.is(validated.code, 2, validated.output);
    t.regex(validated.output, /^ocf-exit-reason:there is no file \/etc\/nlm-failover\.toml on this node/);
    t.true(
      (await root.run(`${agents}/${name}`, 'meta-data')).includes(
        'default="/usr/lib/nlm-failover/bin/nlm-failover"',
      ),
    );
  }
  const completion = '. /usr/share/bash-completion/completions/nlm-failover && complete -p nlm-failover';
  t.regex(await root.run('bash', '--norc', '-c', completion), /^complete .*nlm-failover$/m);
  const query =
    'new (require("/usr/lib/nlm-failover/node_modules/better-sqlite3"))(":memory:").prepare("select 6*7 n").get().n';
  t.is(await root.run(node, '-p', query), '42\n');
  t.is(
    await root.run(
      node,
      '-p',
      'require("/usr/lib/nlm-failover/bin/bundle.cjs").compile("/usr/lib/nlm-failover/dist").script.cachedDataRejected',
    ),
    'false\n',
    'the code cache is of this Node',
  );
}

const notify = '/usr/lib/nlm-failover/callouts/keepalived/nlm-failover-notify';

/** What `setup --keepalived` has made, and what an administrator has put beside it. */
function electedByKeepalived(root: OwnRoot, main: string): void {
  const election = { router: 1, priority: 100, peers: ['192.0.2.12'] };
  const instance = instanceText({
    address: '10.10.1.1',
    interface: 'eth0',
    election,
    script: notify,
    config: '/etc/nlm-failover.toml',
    saysNoAddress: false,
  });
  const ledger = {
    files: { [mainFile]: createHash('sha256').update(mainText()).digest('hex') },
    links: {},
    directories: ['/etc/keepalived/conf.d'],
    units: [],
    filesystems: [],
  };
  for (const [file, text] of [
    [mainFile, main],
    [instanceFile('10.10.1.1'), instance],
    [instanceFile('10.10.1.9'), 'vrrp_instance mine {\n}\n'],
    [awayFile('10.10.1.1'), '0\n'],
    [ledgerFile, `${JSON.stringify(ledger, null, 2)}\n`],
    [`${unitDropIns('10.10.1.1')}/nlm-failover-keepalived.conf`, unitText(notify)],
  ] as const) {
    mkdirSync(path.dirname(root.path(file)), { recursive: true });
    writeFileSync(root.path(file), text);
  }
}

/** It goes without a trace but what is the administrator's, who has run `setup` meanwhile; not while an address is served. */
async function assertPurged(
  t: ExecutionContext,
  root: OwnRoot,
  name: PackageName,
  before: readonly string[],
): Promise<void> {
  const enabled = '/etc/systemd/system/multi-user.target.wants/nlm-failover@10.10.1.1.service';
  for (const directory of [
    '/run/nlm-failover/serving',
    path.dirname(enabled),
    '/etc/nfs.conf.d',
    '/srv/state1/sm_10.10.1.1',
  ])
    mkdirSync(root.path(directory), { recursive: true });
  symlinkSync('/usr/lib/systemd/system/nlm-failover@.service', root.path(enabled));
  const watching = 'nlm-failover-join-grace.service';
  await root.run('test', '-f', `/usr/lib/systemd/system/${watching}`);
  symlinkSync(`/etc/systemd/system/${watching}`, root.path(path.join(path.dirname(enabled), watching)));
  // As setup writes them, and one of the administrator's.
  const madeBySetup = '# Made by "nlm-failover setup"; "nlm-failover setup --undo" takes it away.\n[Unit]\n';
  for (const [address, text] of [
    ['10.10.1.1', madeBySetup],
    ['fd00::2', '[Unit]\n'],
  ] as const) {
    mkdirSync(root.path(unitDropIns(address)), { recursive: true });
    writeFileSync(root.path(`${unitDropIns(address)}/nlm-failover.conf`), text);
  }
  writeFileSync(root.path(`/etc/systemd/system/${watching}`), madeBySetup);
  writeFileSync(root.path('/etc/nfs.conf.d/nlm-failover.conf'), `[statd]\nha-callout=${callout}\n`);
  electedByKeepalived(root, mainText());
  writeFileSync(root.path('/etc/nlm-failover.toml'), '# mine\n');
  writeFileSync(root.path('/srv/state1/sm_10.10.1.1/monitors.db'), 'the record');
  symlinkSync('/srv/state1/sm_10.10.1.1/journal.a', root.path('/run/nlm-failover/serving/10.10.1.1'));
  const refused = await root.tried('dpkg', '--purge', name);
  t.not(refused.code, 0);
  t.regex(refused.output, /10\.10\.1\.1 is served here: release it first/);
  t.is(await root.run('nlm-failover', '--version'), `${version}\n`, 'all of it is still there');

  await root.run('rm', '/run/nlm-failover/serving/10.10.1.1');
  // As lockd-netns keeps it: with a /run of its own, and the links there.
  mkdirSync(root.path('/run/nlm-failover/instances/fd00::2/run/nlm-failover/serving'), { recursive: true });
  const refusedAgain = await root.tried('dpkg', '--remove', name);
  t.not(refusedAgain.code, 0);
  t.regex(refusedAgain.output, /fd00::2 is served here: release it first/);

  await root.run('rm', '-r', '/run/nlm-failover/instances');
  // As a release has left it that could not unmount; what is noted and not mounted keeps nobody.
  mkdirSync(root.path('/run/nlm-failover/mounts'));
  writeFileSync(root.path('/run/nlm-failover/mounts/10.10.1.1'), '- /dev/x /proc ext4 - -\n');
  writeFileSync(root.path('/run/nlm-failover/mounts/10.10.1.9'), '8:1 /dev/y /srv/gone ext4 - 7\n');
  const refusedMounted = await root.tried('dpkg', '--remove', name);
  t.not(refusedMounted.code, 0);
  t.regex(refusedMounted.output, /volumes of 10\.10\.1\.1 are mounted here: release it first/);
  t.notRegex(refusedMounted.output, /10\.10\.1\.9/);

  await root.run('rm', '/run/nlm-failover/mounts/10.10.1.1');
  const purged = await root.run('dpkg', '--purge', name);
  t.regex(purged, /\/etc\/nlm-failover\.toml stays/);
  t.regex(purged, /keepalived elects nobody for its addresses any more, once it is reloaded/);
  const mine = unitDropIns('fd00::2').slice(1);
  const kept = [
    'etc/keepalived/conf.d',
    instanceFile('10.10.1.9').slice(1),
    'etc/nlm-failover.toml',
    mine,
    `${mine}/nlm-failover.conf`,
    'srv/state1',
    'srv/state1/sm_10.10.1.1',
    'srv/state1/sm_10.10.1.1/monitors.db',
  ];
  const made = ['etc/nfs.conf.d', 'etc/systemd/system/multi-user.target.wants'];
  t.deepEqual(
    root.changes().filter((one) => !before.includes(one) && !made.includes(one)),
    kept,
  );
  // With lines of the administrator's keepalived.conf stays, and so does a directory that is not empty.
  electedByKeepalived(root, `${mainText()}vrrp_sync_group mine {\n}\n`);
  await root.run('sh', '-e', root.take(path.join(projectRoot(), 'src/package/debian/postrm')), 'purge');
  t.true(existsSync(root.path(mainFile)));
  t.false(existsSync(root.path(instanceFile('10.10.1.1'))));
  t.false(existsSync(root.path('/var/lib/nlm-failover')));
}

test('the package with its own Node: dpkg -i, it works without another Node, and a purge leaves what is not its own', async (t) => {
  t.timeout(120_000);
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-package-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const deb = await makePackage('nlm-failover', directory);
  const root = await withRoot(t);
  const before = root.changes();
  await root.run('dpkg', '-i', root.take(deb));
  t.false(
    root.changes().some((one) => one.startsWith('etc/')),
    'no configuration is changed',
  );
  // Whatever Node the machine has is out of the way.
  const nodes = ['/usr/bin/node', '/usr/local/bin/node', process.execPath];
  await root.run('rm', '-f', ...nodes);
  await assertInstalled(t, root, '/usr/lib/nlm-failover/bin/node');
  await assertPurged(t, root, 'nlm-failover', [...before, ...nodes.map((one) => one.slice(1))]);
});

/**
 * Bare systems, with what the packages need in apt's cache, as there is no network in the test:
 *
 *     debootstrap --variant=minbase trixie DIR
 *     chroot DIR apt-get update
 *     chroot DIR apt-get install --download-only --no-install-recommends nfs-kernel-server iproute2 kmod iputils-arping libstdc++6 nodejs
 *     npm run package && PACKAGE_TREES=DIR npx ava build/test/wire/package.test.js
 */
const trees = (process.env['PACKAGE_TREES'] ?? '').split(':').filter((tree) => tree !== '');

for (const tree of trees) {
  // Debian 12 has no libnode115.
  const release = readFileSync(path.join(tree, 'etc/os-release'), 'utf8');
  const names = /^VERSION_ID="12"/m.test(release)
    ? (['nlm-failover'] as const)
    : (['nlm-failover', 'nlm-failover-slim'] as const);
  for (const name of names) {
    test(`${name} in ${tree}: apt-get install, and a purge`, async (t) => {
      t.timeout(300_000);
      const root = await withRoot(t, tree);
      const clean = root.changes();
      const deb = root.take(packageIn(path.join(projectRoot(), 'dist'), name));
      // From the packages in its cache: there is no network.
      const dependencies = await root.run('apt-get', 'install', '--yes', '--no-install-recommends', deb);
      t.log(dependencies.split('\n').find((line) => line.includes('newly installed')));
      const node = name === 'nlm-failover' ? '/usr/lib/nlm-failover/bin/node' : '/usr/bin/node';
      t.log(
        await root.run(node, '--version'),
        readdirSync(root.path('/usr/lib/nlm-failover/dist')).join(' '),
      );
      await assertInstalled(t, root, node);
      await root.run('dpkg', '--remove', name);
      await root.run('dpkg', '-i', deb);
      const ours = root.changes().filter((one) => one.includes('nlm-failover'));
      const before = [...clean, ...root.changes().filter((one) => !ours.includes(one))];
      await assertPurged(t, root, name, before);
    });
  }
}
