// Every command of an address without file systems of its own, as a user tries it: what is said is about what there is.
import { existsSync } from 'node:fs';
import test from 'ava';
import { configure } from '../../helpers/check-sites.js';
import { address, endGrace, other, sharedSite } from '../../helpers/shared-site.js';

const quick = ['--no-wait', '--notify-deadline', '1'];

test('nothing is said of mounts, and of what others do only by the key that says so', async (t) => {
  const { a } = sharedSite(t, 'barrier = 1');
  const said: string[] = [];
  for (const args of [
    ['check', address],
    ['takeover', address, '--dry-run'],
    ['takeover', address, ...quick],
    ['status', address],
    ['adopt', address],
    ['release', address, '--dry-run'],
    ['release', address],
    ['history', address],
    ['audit', address],
    ['pacemaker', address],
  ]) {
    const { output } = await a.here(args);
    t.false(
      /managed_by_others|in the instance|undefined|Nothing is mounted/.test(output),
      `${args.join(' ')}\n${output}`,
    );
    said.push(output);
  }
  t.regex(said[0] ?? '', / ok +volumes +none is mounted: NFS-Ganesha reaches them by itself$/m);
  t.regex(said[0] ?? '', / ok +exports +\/gv, exported by others \(shared_filesystem\)$/m);
  t.regex(said[1] ?? '', /barrier calls each other node of A, B into grace/);
  t.regex(said[1] ?? '', /Export_Id 1 is \/gv: somebody else sees to that \(shared_filesystem\)/);
  t.regex(
    said.at(-1) ?? '',
    /resource create nfs-127\.78\.1\.1 ocf:nlm-failover:address address=127\.78\.1\.1/,
  );
  t.regex(said.at(-1) ?? '', /exports what 127\.78\.1\.1 serves, [^]*nlm-failover ganesha-ha setup/);
});

test('its unit is set up as that of any address', async (t) => {
  const { a } = sharedSite(t);
  const { stdout: output } = await a.tool(['setup', '--dry-run']);
  t.regex(output, / unit +to do +enable nlm-failover@127\.78\.1\.1\.service$/m);
  t.false(output.includes('(managed_by_others)'), output);
});

test('what answers calls into grace is set up too, also where Pacemaker decides; not where no other node calls', async (t) => {
  const { a } = sharedSite(t);
  for (const more of [[], ['--pacemaker']]) {
    const { stdout } = await a.tool(['setup', '--dry-run', ...more]);
    t.regex(stdout, / unit file +to do +\/etc\/systemd\/system\/nlm-failover-join-grace\.service$/m);
    t.regex(stdout, new RegExp(`Environment=NLM_FAILOVER_CONFIG=${a.config}$`, 'm'));
    t.regex(stdout, new RegExp(`ConditionPathExists=${a.config}$`, 'm'));
    t.regex(stdout, /ExecStart=\S+ \S+ join-grace --watch$/m);
    t.regex(stdout, / grace unit +to do +enable nlm-failover-join-grace\.service$/m);
  }
  t.notRegex((await a.tool(['setup', '--dry-run', '--no-enable'])).stdout, /enable nlm-failover-join-grace/);
  configure(a, 'nodes = ["A", "B"]', 'nodes = ["A"]');
  const alone = (await a.tool(['setup', '--dry-run'])).stdout;
  t.regex(alone, / unit +to do /);
  t.notRegex(alone, /join-grace/);
});

test('what is not exported here is said before anything is claimed', async (t) => {
  const { a, b, record } = sharedSite(t, 'barrier = 1');
  a.write('/dbus.json', '{ "inGrace": false, "exports": [] }');
  const checked = await a.here(['check', address]);
  t.is(checked.exitCode, 1);
  t.regex(
    checked.output,
    /FAILURE +exports +\/gv is not exported, and nlm-failover does not export it \(shared_filesystem\)\n +Have it exported by whoever does, with Export_Id 1\./,
  );
  const refused = await a.here(['takeover', address, ...quick]);
  t.is(refused.exitCode, 3, refused.output);
  t.regex(refused.stderr, /\/gv is not exported/);
  t.false(existsSync(record));
  // As with Mount_Path_Pseudo.
  a.write('/dbus.json', '{ "inGrace": false, "exports": [[1, "/pseudo"]] }');
  t.regex(
    (await a.here(['check', address])).output,
    /exports \/pseudo as Export_Id 1, and .* Where \/pseudo is its Pseudo, as Mount_Path_Pseudo is set, write that as path/s,
  );
  endGrace(a);
  t.is((await a.here(['takeover', address, ...quick])).exitCode, 5);
  t.false(
    (await b.here(['status'])).output.includes('partly here'),
    'no export of an address is there where it is not',
  );
});

test('what every node is to have mounted is looked for on each, whoever has the address', async (t) => {
  const { a } = sharedSite(t);
  configure(a, 'path = "/gv"', 'mountpoint = "/gv"');
  configure(a, 'names =', 'trust_clients = true\nnames =');
  const checked = await a.here(['check', address]);
  t.regex(
    checked.output,
    /FAILURE +volumes +\/gv is not mounted, and nlm-failover does not mount it \(shared_filesystem\)/,
  );
  const refused = await a.here(['takeover', address, ...quick]);
  t.is(refused.exitCode, 1, refused.output);
  t.regex(
    refused.stderr,
    /Nothing is mounted on \/gv, and nlm-failover does not mount it \(shared_filesystem\)/,
  );
  a.write('/proc/self/mountinfo', '9 0 7:3 / /gv rw - fuse.glusterfs localhost:/gv rw\n');
  t.regex(
    (await a.here(['check', address])).output,
    / ok +volumes +\/gv, mounted by others \(shared_filesystem\)$/m,
  );
});

for (const driver of ['lockd', 'lockd-netns', 'nlm-fsid', 'auto'])
  test(`${driver} cannot: check and takeover say which driver can, and nothing is touched`, async (t) => {
    const { a, record } = sharedSite(t);
    configure(a, 'driver = "ganesha"', `driver = "${driver}"`);
    configure(a, 'export_id = 1', 'fsid = 1');
    const says =
      /it cannot bring every node that exports a shared file system into grace[^]*What is in \[\[shared_filesystem\]\] only ganesha can serve: set \[lock_manager\]\.driver\./;
    const refused = await a.here(['takeover', address, ...quick]);
    t.is(refused.exitCode, 3, refused.output);
    t.regex(refused.stderr, says);
    t.is(/nlm-failover setup --ctdb/.test(refused.stderr), driver === 'lockd');
    const checked = await a.here(['check', other]);
    t.is(checked.exitCode, 1);
    t.regex(checked.output, new RegExp(`FAILURE +driver [^]*${says.source}`));
    t.false(existsSync(record));
  });

test('a dry run while NFS-Ganesha is down has every command, and says what it could not ask', async (t) => {
  const { a } = sharedSite(t);
  const whole = await a.here(['takeover', address, '--dry-run']);
  t.is(whole.exitCode, 0, whole.output);
  a.write('/dbus.json', '{ "inGrace": false, "exports": [], "isDown": true }');
  const dry = await a.here(['takeover', address, '--dry-run']);
  t.is(dry.exitCode, 3, dry.output);
  t.is(dry.stdout, whole.stdout);
  t.regex(dry.stdout, /findmnt .*not that of anything in "busctl .* ShowExports" that is not sec=krb5/);
  t.notRegex(dry.stdout, /exportfs/);
  t.regex(dry.stdout, /^ +busctl --system call org\.ganesha\.nfsd .* grace s 5:127\.78\.1\.1$/m);
  t.regex(
    dry.stderr,
    /2 things stand in its way:\n {2}- This host cannot do the lock manager driver ganesha: NFS-Ganesha is not on the D-Bus: .*\n {2}- NFS-Ganesha is not on the D-Bus/,
  );
  const refused = await a.here(['takeover', address]);
  t.is(refused.exitCode, 3);
  t.is(refused.stdout, '');
  t.regex(
    refused.stderr,
    /^nlm-failover: This host cannot do the lock manager driver ganesha: NFS-Ganesha is not/,
  );
  // What the configuration has wrong is another matter: there is no plan of it.
  a.write(
    '/etc/nlm-failover.toml',
    a.read('/etc/nlm-failover.toml').replace('driver = "ganesha"', 'driver = "lockd"'),
  );
  t.is((await a.here(['takeover', address, '--dry-run'])).stdout, '');
});
