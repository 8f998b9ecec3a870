// setup on a host of its own, with the real programs that read what it writes: nfsconf, rpc.statd, systemctl, mke2fs.
import { createHash } from 'node:crypto';
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { projectRoot } from '../lab/project-root.js';
import { imageFile, loopDevice } from '../helpers/loop-device.js';
import { type Netns, withNetns } from '../helpers/netns.js';
import { netnsTest as test } from './netns-test.js';
import { startRpcbind } from './statd.js';

const tool = '/run/tool';
const callout = `${tool}/callouts/ha-callout`;
const dropIn = '/etc/nfs.conf.d/nlm-failover.conf';
const unitFile = '/etc/systemd/system/nlm-failover@.service';
const wants = '/etc/systemd/system/multi-user.target.wants/nlm-failover@';

interface SetupHost {
  readonly host: Netns;
  /** Runs setup: its exit code, what it said, and the state of each item by its name. */
  readonly setup: (
    ...args: string[]
  ) => Promise<{ code: number; text: string; states: Record<string, string> }>;
  /** Every file that setup may touch, with what is in it. */
  readonly tree: () => Promise<string>;
}

/** With an /etc and a /var/lib of its own, this installation where everybody can reach it, and a kernel that has the files of 2006. */
async function setupHost(t: ExecutionContext, device = '/dev/null'): Promise<SetupHost> {
  t.timeout(240_000);
  const host = await withNetns(t);
  await host.run(
    'sh',
    '-ec',
    `cp -a /etc /run/etc && mount --bind /run/etc /etc
     rm -rf /etc/nfs.conf.d
     echo '[statd]' >/etc/nfs.conf
     mkdir -p /run/nfs /run/upper /run/work /run/nfsd /run/srv /srv ${tool}
     mount --bind /var/lib/nfs /run/nfs
     mount -t overlay -o lowerdir=/var/lib,upperdir=/run/upper,workdir=/run/work overlay /var/lib
     mount --bind /run/nfs /var/lib/nfs
     mount --bind /run/srv /srv
     : >/run/nfsd/nlm_unlock; : >/run/nfsd/nlm_set_ip_grace`,
  );
  for (const part of ['bin', 'dist', 'callouts'])
    cpSync(path.join(projectRoot(), part), host.path(`${tool}/${part}`), { recursive: true });
  symlinkSync(path.join(projectRoot(), 'node_modules'), host.path(`${tool}/node_modules`));
  await host.run('chmod', '-R', 'a+rX', tool);
  configure(host, ip('10.10.1.1', device));
  return {
    host,
    setup: async (...args) => {
      const run = host.start(process.execPath, [`${tool}/bin/nlm-failover`, 'setup', ...args], {
        PATH: `${process.env['PATH'] ?? ''}:/usr/sbin`,
      });
      const code = await run.exited;
      const rows = [
        ...run.output().matchAll(/^ {2}(\S+(?: \S+)*) {2,}(unchanged|to do|done|by hand|left) {2,}/gm),
      ];
      return {
        code,
        text: run.output(),
        states: Object.fromEntries(rows.map(([, name = '', state = '']) => [name, state])),
      };
    },
    tree: () =>
      host.run(
        'sh',
        '-c',
        'find /etc /srv /var/lib/nlm-failover \\( -type l -o -type d \\) -printf "%p %l %m\\n" 2>/dev/null | sort; find /etc/nfs* /etc/systemd /var/lib/nlm-failover -type f -exec md5sum {} + 2>/dev/null | sort',
      ),
  };
}

function configure(host: Netns, ...ips: string[]): void {
  writeFileSync(
    host.path('/etc/nlm-failover.toml'),
    `node = "A"\n[lock_manager]\nnfsd = "/run/nfsd"\n${ips.join('')}`,
  );
}

function ip(address: string, device: string, more = ''): string {
  const last = address.replace(/^.*[.:]/, '');
  return `
[[floating_ip]]
address = "${address}/${address.includes(':') ? 64 : 24}"
interface = "lo"
state_directory = "/srv/state${last}"
${more}
  [[floating_ip.filesystem]]
  device = "${device}"
  mountpoint = "/srv/state${last}"
  type = "ext4"

  [[floating_ip.filesystem]]
  fsid = ${1000 + Number(`0x${last}`)}
  device = "/dev/vol${last}"
  mountpoint = "/srv/our data/vol${last}"
  type = "ext4"

    [[floating_ip.filesystem.export]]
    clients = "*"
`;
}

/** An empty device, or what `fill` makes of it; whoever holds it is not seen from the host. */
async function loop(t: ExecutionContext, ...fill: string[]): Promise<string> {
  const [command = 'true', ...args] = fill;
  return loopDevice(await withNetns(t), imageFile(t, command, ...args));
}

/** One partition, of Linux, from sector 2048 on. */
const masterBootRecord = `
  printf '\\0\\0\\0\\0\\203\\0\\0\\0\\0\\10\\0\\0\\0\\10\\0\\0' | dd of="$1" bs=1 seek=446 conv=notrunc status=none
  printf '\\125\\252' | dd of="$1" bs=1 seek=510 conv=notrunc status=none`;

function digest(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

test('all that a node needs, once; again nothing; and --undo takes back exactly that', async (t) => {
  const empty = await loop(t);
  const { host, setup, tree } = await setupHost(t, empty);
  const before = await tree();
  const content = digest(empty);
  const dry = await setup('--dry-run', '--state-device', empty);
  t.is(dry.code, 0, dry.text);
  t.is(await tree(), before, 'a dry run touches nothing');
  t.is(digest(empty), content);
  for (const line of [
    `ha-callout=${callout}`,
    'lift-grace=n',
    `mke2fs -q -t ext4 -O mmp -E mmp_update_interval=1 ${empty}`,
    "mkdir -p '/srv/our data/vol1'",
    'systemctl enable nlm-failover@10.10.1.1.service',
  ])
    t.true(dry.text.includes(`\n${' '.repeat(28)}${line}\n`), `${line}\n${dry.text}`);

  const first = await setup('--state-device', empty);
  t.is(first.code, 0, first.text);
  t.deepEqual(first.states, {
    callout: 'unchanged',
    'nfs.conf': 'done',
    'rpc.statd': 'unchanged',
    'mount points': 'done',
    'state volume': 'done',
    'unit file': 'done',
    unit: 'done',
  });
  t.is((await host.run('nfsconf', '--get', 'statd', 'ha-callout')).trim(), callout);
  t.is((await host.run('nfsconf', '--get', 'sm-notify', 'lift-grace')).trim(), 'n');
  t.regex(await host.run('dumpe2fs', '-h', empty), /^Filesystem features:.* mmp /m);
  t.is((await host.run('readlink', `${wants}10.10.1.1.service`)).trim(), unitFile);
  t.regex(
    await host.run('cat', unitFile),
    new RegExp(
      `^ExecStart=-${process.execPath} ${tool}/bin/nlm-failover takeover \\$TAKEOVER_OPTIONS %i$`,
      'm',
    ),
  );
  const made = await tree();

  const again = await setup('--state-device', empty);
  t.is(again.code, 0, again.text);
  t.deepEqual([...new Set(Object.values(again.states))], ['unchanged'], again.text);
  t.is(await tree(), made);

  const undone = await setup('--undo');
  t.is(undone.code, 1, 'the file system is left');
  t.is(await tree(), before, undone.text);
  t.is(undone.states['state volume'], 'left');
  t.regex(await host.run('blkid', '-p', empty), /TYPE="ext4"/);
  t.deepEqual((await setup('--undo')).states, {});
});

test('rpc.statd: what it read before the drop-in does not count; started anew it runs the callout', async (t) => {
  const { host, setup } = await setupHost(t, await loop(t, 'mkfs.ext4', '-q', '-O', 'mmp'));
  await startRpcbind(host);
  const old = host.start('rpc.statd', ['-F', '--no-notify']);
  await host.run('sh', '-c', 'until rpcinfo -p | grep -q " 100024 "; do sleep 0.05; done');
  const first = await setup();
  t.is(first.code, 1, first.text);
  t.is(first.states['rpc.statd'], 'by hand');
  t.regex(first.text, /restart rpc\.statd, as it read nfs\.conf before this/);
  t.is((await setup()).states['rpc.statd'], 'by hand', 'the file alone is not enough');
  const check = host.start(process.execPath, [`${tool}/bin/nlm-failover`, 'check']);
  await check.exited;
  t.regex(
    check.output(),
    /FAILURE +callout +rpc\.statd \(pid \d+\) read nfs\.conf before it said ha-callout=/,
  );
  await host.run('sh', '-c', 'kill $(pidof rpc.statd)');
  await old.exited;
  host.start('rpc.statd', ['-F', '--no-notify']);
  await host.run('sh', '-c', 'until rpcinfo -p | grep -q " 100024 "; do sleep 0.05; done');
  const second = await setup();
  t.is(second.code, 0, second.text);
  t.regex(second.text, new RegExp(`rpc\\.statd +unchanged +pid \\d+ runs ${callout}`));
});

test('a device is written to only where nothing is on it, and nobody has it', async (t) => {
  const { host, setup } = await setupHost(t);
  const bytes = (seek: number) => [
    'sh',
    '-c',
    `printf x | dd of="$1" bs=1 seek=${seek} conv=notrunc status=none`,
    'sh',
  ];
  const [ext4, table, swap, first, last] = await Promise.all([
    loop(t, 'mkfs.ext4', '-q'),
    loop(t, 'sh', '-c', masterBootRecord, 'sh'),
    loop(t, 'mkswap', '-q'),
    loop(t, ...bytes(70_000)),
    loop(t, ...bytes(16 * 1024 ** 2 - 1)),
  ]);
  const large = await loop(t, 'truncate', '-s', '2G');
  const small = await loop(t, 'truncate', '-s', '100K');
  const readOnly = await loop(t);
  await host.run('blockdev', '--setro', readOnly);
  // That stays with the device whatever it is made of next (Linux block/ioctl.c, blkdev_roset).
  t.teardown(() => host.run('blockdev', '--setrw', readOnly));
  const upper = await loop(t);
  await loopDevice(host, upper);
  const opened = await loop(t);
  const reader = host.start('sh', ['-c', 'exec 9<"$1"; echo open; exec sleep 600', 'sh', opened]);
  await reader.saw(/open/);
  for (const [one, why] of [
    [table, /by hand .*has no file system, but a partition table/],
    [swap, /by hand .*has swap, and the configuration says ext4/],
    [first, /is not all zero \((?:byte|char) 70001/],
    [last, /is not all zero \((?:byte|char) 16777216/],
    [large, /has 2048 MB, which is large for a state volume/],
    [small, /has 100 KB, which is too small for a state volume/],
    [readOnly, /is read-only: no file system was made/],
    [upper, /is in use: \/dev\/loop\d+ is made of it/],
    [opened, /is open in sleep \(pid \d+\)/],
  ] as const) {
    configure(host, ip('10.10.1.1', one));
    const content = one === large ? '' : digest(one);
    const { code, text } = await setup('--state-device', one);
    t.not(code, 0, text);
    t.regex(text, why);
    if (one !== large) t.is(digest(one), content, text);
  }
  configure(host, ip('10.10.1.1', ext4));
  const content = digest(ext4);
  const { code, text } = await setup('--state-device', ext4);
  t.is(code, 0, text);
  t.regex(text, /state volume +unchanged .*without multiple mount protection/);
  t.is(digest(ext4), content, 'what is there already is never made again');

  const empty = await loop(t);
  const other = await loop(t);
  configure(host, ip('10.10.1.1', empty), ip('fd00::2', '/dev/null'));
  const wrong = await setup('--state-device', other);
  t.is(wrong.code, 3);
  t.regex(wrong.text, /is the state volume of no address/);
  const none = await setup('10.10.1.1');
  t.is(none.code, 1);
  t.regex(none.text, new RegExp(`state volume +by hand .*\\n +mke2fs .* ${empty}\\n`));
  t.regex(digest(other), new RegExp(digest(empty)), 'both are empty still');
});

test('a state volume that is named by its label gets that label; two that are not there yet: which one is asked', async (t) => {
  const empty = await loop(t);
  const { host, setup } = await setupHost(t);
  const label = `nlm${path.basename(empty)}`;
  configure(host, ip('10.10.1.1', `LABEL=${label}`), ip('fd00::2', 'LABEL=nlm-nowhere'));
  const both = await setup('--state-device', empty);
  t.regex(both.text, /may be that of 10\.10\.1\.1 or fd00::2: name the address/);
  const one = await setup('10.10.1.1', '--state-device', empty);
  t.is(one.code, 0, one.text);
  t.is((await host.run('blkid', '-p', '-o', 'value', '-s', 'LABEL', empty)).trim(), label);
  t.is(one.states['unit order'], undefined, 'nothing is before it');
  const six = await setup('fd00::2');
  const order = '/etc/systemd/system/nlm-failover@fd00::2.service.d/nlm-failover.conf';
  t.regex(await host.run('cat', order), /^After=nlm-failover@10\.10\.1\.1\.service$/m);
  t.is(six.code, 1);
  t.is(six.states['state volume'], 'by hand');
  t.is((await host.run('readlink', `${wants}fd00::2.service`)).trim(), unitFile);
  t.is((await setup('fd00::2')).states['unit order'], 'unchanged');
  await setup('--undo');
  t.regex(
    await host.run('sh', '-c', `ls -d ${order} "\${1%/*}" 2>&1 || :`, 'sh', order),
    /No such file[^]*No such file/,
  );
});

test('what others wrote is left, and named; what cannot work is refused before anything is touched', async (t) => {
  const { host, setup, tree } = await setupHost(t, await loop(t, 'mkfs.ext4', '-q', '-O', 'mmp'));
  await host.run('chmod', '700', `${tool}/callouts`);
  const before = await tree();
  const refused = await setup();
  t.is(refused.code, 3);
  t.regex(refused.text, /callout .*ha-callout cannot record as its user, uid [1-9]/);
  t.is(await tree(), before);
  // The whole plan all the same, and the refusal at its end.
  const planned = await setup('--dry-run');
  t.is(planned.code, 3);
  t.like(planned.states, {
    callout: 'by hand',
    'nfs.conf': 'to do',
    'mount points': 'to do',
    'unit file': 'to do',
  });
  t.regex(planned.text, /^nlm-failover: .*ha-callout cannot record as its user/m);
  t.is(await tree(), before);
  await host.run('chmod', '755', `${tool}/callouts`);

  // Without nfs.conf nfsconf(8) says nothing, and rpc.statd reads the drop-in all the same.
  await host.run('mv', '/etc/nfs.conf', '/run/nfs.conf');
  t.is((await setup('--no-enable')).states['nfs.conf'], 'done');
  await host.run('mv', '/run/nfs.conf', '/etc/nfs.conf');
  t.is((await setup('--undo')).code, 0);
  t.is(await tree(), before);

  // A later file has the last word.
  await host.run('mkdir', '/etc/nfs.conf.d');
  writeFileSync(host.path('/etc/nfs.conf.d/zz.conf'), '[statd]\nha-callout=/bin/true\n');
  const overruled = await setup();
  t.is(overruled.code, 1);
  t.is(overruled.states['nfs.conf'], 'by hand');
  t.regex(overruled.text, /says \/bin\/true with .*another file has the last word/);
  t.true(
    (await host.run('ls', '/etc/nfs.conf.d')).trim() === 'zz.conf',
    'what does not count is not left there',
  );
  // Set by hand, as the README has it, it is right as it is.
  writeFileSync(
    host.path('/etc/nfs.conf.d/zz.conf'),
    `[statd]\nha-callout=${callout}\n[sm-notify]\nlift-grace=no\n`,
  );
  t.is((await setup()).states['nfs.conf'], 'unchanged');
  await host.run('rm', '/etc/nfs.conf.d/zz.conf');

  t.is((await setup()).code, 0);
  await host.run('sh', '-c', `echo "port=4000" >>${dropIn}; echo "# mine" >>${unitFile}`);
  const changed = await setup();
  t.is(changed.states['unit file'], 'left');
  const undone = await setup('--undo');
  t.is(undone.code, 1);
  t.regex(undone.text, new RegExp(`left +${dropIn} was changed since`));
  t.regex(undone.text, new RegExp(`left +${unitFile.replace('.', '\\.')} was changed since`));
  t.regex(await host.run('cat', dropIn), /port=4000/);

  await host.run(
    'sh',
    '-c',
    'mkdir -p /run/nlm-failover/serving && ln -s /nowhere /run/nlm-failover/serving/10.10.1.1',
  );
  const served = await setup('--undo');
  t.is(served.code, 3);
  t.regex(served.text, /10\.10\.1\.1 is served here, and needs what setup has made/);
  // A lock manager of its own has its links in a /run of its own; also what a killed takeover left needs the callout.
  await host.run(
    'sh',
    '-c',
    'rm -r /run/nlm-failover/serving && mkdir -p /run/nlm-failover/instances/10.10.1.1',
  );
  const instance = await setup('--undo', '10.10.1.1');
  t.is(instance.code, 3);
  t.regex(instance.text, /An instance of 10\.10\.1\.1 is here, and needs what setup has made/);
});

test('--alone is said of one address, and stays; --undo of one takes back what is its own', async (t) => {
  const { host, setup, tree } = await setupHost(t);
  const volume = () => loop(t, 'mkfs.ext4', '-q', '-O', 'mmp');
  configure(host, ip('10.10.1.1', await volume()), ip('fd00::2', await volume()));
  const before = await tree();
  const alone = '/etc/systemd/system/nlm-failover@10.10.1.1.service.d/nlm-failover-alone.conf';
  const first = await setup('--alone', '10.10.1.1');
  t.is(first.states['alone'], 'done', first.text);
  t.regex(await host.run('cat', alone), /^Environment=TAKEOVER_OPTIONS=--fenced$/m);
  t.notRegex(await host.run('cat', unitFile), /--fenced %i|OPTIONS=--/, 'not in what all addresses have');
  const all = await setup();
  t.is(all.states['alone'], 'unchanged', all.text);
  t.regex(all.text, /10\.10\.1\.1 keeps --fenced, by an earlier --alone/);
  t.is(
    (await host.run('grep', '-rl', 'fenced$', '/etc/systemd/system')).trim(),
    alone,
    'of one address only',
  );
  const made = await tree();
  await host.run(
    'sh',
    '-c',
    'mkdir -p /run/nlm-failover/serving && ln -s /nowhere /run/nlm-failover/serving/fd00::2',
  );
  const one = await setup('--undo', '10.10.1.1');
  t.is(one.code, 0, one.text);
  const left = await tree();
  for (const gone of [alone, `${wants}10.10.1.1.service`, '/srv/our data/vol1 ', '/srv/state1 ']) {
    t.true(made.includes(gone), gone);
    t.false(left.includes(gone), gone);
  }
  for (const kept of [unitFile, dropIn, `${wants}fd00::2.service`, '/srv/our data/vol2 ', '/srv/state2 '])
    t.true(left.includes(kept), kept);
  t.regex((await setup('--undo', 'fd00::2')).text, /fd00::2 is served here/);
  await host.run('rm', '/run/nlm-failover/serving/fd00::2');
  t.is((await setup('--undo')).code, 0);
  t.is(await tree(), before);
});

test('what others could change, or is no file, is not read, written or waited for', async (t) => {
  const { host, setup } = await setupHost(t, await loop(t, 'mkfs.ext4', '-q', '-O', 'mmp'));
  const kept = '/var/lib/nlm-failover';
  for (const [make, why, undo] of [
    [`mkdir ${kept}; chown 1000 ${kept}`, /nlm-failover, on the way to .*setup\.json, belongs to uid 1000/],
    [
      `mkdir /run/theirs; chown 1000 /run/theirs; ln -s /run/theirs ${kept}`,
      /\/run\/theirs, on the way to .* belongs to uid 1000/,
    ],
    [`mkdir ${kept}; mkfifo ${kept}/setup.json`, /setup\.json is not a regular file/],
    [`mkdir ${kept}; truncate -s 3G ${kept}/setup.json`, /setup\.json has 3072 MB/],
    [`mkdir -p /etc/nfs.conf.d; mkfifo ${dropIn}`, /nlm-failover\.conf is not a regular file/, dropIn],
    [`mkdir -p ${dropIn}`, /nlm-failover\.conf is not a regular file/, dropIn],
    [
      `mkdir -p /etc/nfs.conf.d; chmod 777 /etc/nfs.conf.d`,
      /nfs\.conf\.d, on the way to .* can be written by others/,
      '/etc/nfs.conf.d',
    ],
    [
      `mkdir -m 777 '/srv/our data'`,
      /our data, on the way to .*vol1, can be written by others/,
      '/srv/our data',
    ],
  ] as const) {
    await host.run('sh', '-ec', make);
    const refused = await setup();
    t.true([1, 3].includes(refused.code), refused.text);
    t.regex(refused.text, why);
    t.deepEqual(refused.states, {}, 'nothing was done');
    await host.run('sh', '-ec', `rm -rf ${kept} "$1"`, 'sh', undo ?? '/run/theirs');
  }
  t.is((await setup()).code, 0);
});

test('--pacemaker: the agents are where a cluster manager looks, and no unit is started at boot; --undo takes the link away', async (t) => {
  const { host, setup } = await setupHost(t);
  const link = '/usr/lib/ocf/resource.d/nlm-failover';
  await host.run(
    'sh',
    '-ec',
    'mkdir /run/lib /run/lib2; mount -t overlay -o lowerdir=/usr/lib,upperdir=/run/lib,workdir=/run/lib2 overlay /usr/lib; rm -rf /usr/lib/ocf',
  );
  t.is((await setup()).states['unit'], 'done');
  const first = await setup('--pacemaker');
  t.like(first.states, { unit: 'done', 'ocf agents': 'done' }, first.text);
  await t.throwsAsync(host.run('readlink', `${wants}10.10.1.1.service`));
  t.is((await host.run('readlink', link)).trim(), `${tool}/callouts/ocf`);
  for (const name of ['address', 'locks', 'notify'])
    t.is(await host.run('env', 'OCF_RESKEY_address=10.10.1.1', `${link}/${name}`, 'validate-all'), '', name);
  const again = await setup('--pacemaker');
  t.like(again.states, { unit: 'unchanged', 'ocf agents': 'unchanged' }, again.text);

  await setup('--undo');
  await t.throwsAsync(
    host.run('ls', '-d', '/usr/lib/ocf'),
    undefined,
    'with the directories that it was put in',
  );
  await host.run('mkdir', '-p', '/usr/lib/ocf/resource.d');
  await host.run('ln', '-s', '/elsewhere', link);
  const other = await setup('--pacemaker');
  t.is(other.states['ocf agents'], 'left');
  t.true(other.text.includes(`ln -sfn ${tool}/callouts/ocf ${link}`));
  t.is((await host.run('readlink', link)).trim(), '/elsewhere');
  await setup('--undo');
  t.is((await host.run('readlink', link)).trim(), '/elsewhere');
});

test('before nfsd is loaded all the rest is made ready', async (t) => {
  const { host, setup } = await setupHost(t, await loop(t, 'mkfs.ext4', '-q', '-O', 'mmp'));
  await host.run(
    'sh',
    '-c',
    'rm /run/nfsd/*; echo driver = \\"nlm-fsid\\" >/run/x; sed -i "/lock_manager/r /run/x" /etc/nlm-failover.toml',
  );
  const early = await setup();
  t.is(early.code, 1, early.text);
  t.like(early.states, { driver: 'by hand', 'nfs.conf': 'done', 'mount points': 'done', unit: 'done' });
  t.regex(early.text, /driver +by hand +.*nlm_unlock/);
});

test('the unit: systemd accepts it, with a configuration elsewhere and --alone; others that manage an address keep it', async (t) => {
  const { host, setup } = await setupHost(t, await loop(t, 'mkfs.ext4', '-q', '-O', 'mmp'));
  await host.run('mv', '/etc/nlm-failover.toml', '/etc/my site.toml');
  const done = await setup('--config', '/etc/my site.toml', '--alone');
  t.is(done.code, 0, done.text);
  const unit = await host.run('cat', unitFile);
  t.regex(unit, /^Environment="NLM_FAILOVER_CONFIG=\/etc\/my site\.toml"$/m);
  t.regex(unit, /^ExecStart=-\S+ \S+ takeover \$TAKEOVER_OPTIONS %i$/m);
  t.notRegex(unit, /\/usr\/sbin\/nlm-failover/);
  const said = await host.run('systemd-analyze', 'verify', '--man=no', 'nlm-failover@10.10.1.1.service');
  t.is(said.trim(), '');
  await host.run('mv', '/etc/my site.toml', '/etc/nlm-failover.toml');
  configure(host, ip('10.10.1.2', '/dev/null', 'managed_by_others = ["mount"]'));
  const others = await setup();
  t.is(others.states['unit'], 'unchanged');
  t.regex(others.text, /nlm-failover@10\.10\.1\.2\.service is left to others/);
  t.is((await setup('--no-enable')).states['unit'], undefined);
});

test('what answers calls into grace: its unit is written and enabled, systemd accepts it, and --undo takes it back', async (t) => {
  const { host, setup, tree } = await setupHost(t);
  writeFileSync(
    host.path('/etc/nlm-failover.toml'),
    `node = "A"
[lock_manager]
driver = "ganesha"
[[shared_filesystem]]
export_id = 1
path = "/gv"
nodes = ["A", "B"]
[[floating_ip]]
address = "10.10.1.1/24"
interface = "lo"
state_directory = "/srv"
`,
  );
  const before = await tree();
  const done = await setup('--pacemaker');
  t.is(done.states['grace unit'], 'done', done.text);
  const watchUnit = '/etc/systemd/system/nlm-failover-join-grace.service';
  const link = '/etc/systemd/system/multi-user.target.wants/nlm-failover-join-grace.service';
  t.is((await host.run('readlink', link)).trim(), watchUnit);
  t.regex(await host.run('cat', watchUnit), /^ExecStart=\S+ \S+ join-grace --watch$/m);
  await host.run('systemd-analyze', 'verify', '--man=no', watchUnit);
  t.is((await setup('--pacemaker')).states['grace unit'], 'unchanged');
  t.is((await setup('--undo')).code, 0);
  t.is(await tree(), before);
});

const ctdbText = `node = "A"
[state]
directory = "/srv"
[lock_manager]
driver = "lockd"
restart = ["rpc.nfsd", "8"]
[[shared_filesystem]]
fsid = 7
mountpoint = "/srv/vol"
nodes = ["A", "B"]
[[floating_ip]]
address = "10.10.1.1/24"
interface = "lo"
managed_by_others = ["address"]
`;

test('--ctdb: our event scripts are on and those of CTDB for NFS off, the process starts at boot; --undo puts all of it back', async (t) => {
  const { host, setup, tree } = await setupHost(t);
  const legacy = '/etc/ctdb/events/legacy';
  writeFileSync(host.path('/etc/nlm-failover.toml'), ctdbText);
  await host.run('rm', '-rf', '/etc/ctdb');
  const without = await setup('--ctdb');
  t.is(without.code, 3, without.text);
  t.regex(without.text, /CTDB is not installed here: there is no \/etc\/ctdb\/events\/legacy/);
  // One as "ctdb event script enable" makes it, one as an older CTDB has it.
  await host.run(
    'sh',
    '-ec',
    `find /etc/systemd/system -name 'nfs-server.service' -delete
     mkdir -p ${legacy} /run/ctdb-data
     printf '#!/bin/sh\\n' >/run/ctdb-data/60.nfs.script; chmod 755 /run/ctdb-data/60.nfs.script
     ln -s /run/ctdb-data/60.nfs.script ${legacy}/
     cp /run/ctdb-data/60.nfs.script ${legacy}/06.nfs.script; chmod 754 ${legacy}/06.nfs.script
     cp -P ${legacy}/60.nfs.script ${legacy}/10.interface.script
     mkdir -p /etc/dlm /run/sbin /run/sbin-work
     mount -t overlay -o lowerdir=/usr/sbin,upperdir=/run/sbin,workdir=/run/sbin-work overlay /usr/sbin`,
  );
  const agent = '/usr/sbin/fence_nlm_failover';
  const scripts = () => host.run('sh', '-c', `find ${legacy} -mindepth 1 -printf "%f %y %l %m\\n" | sort`);
  const before = [await tree(), await scripts()];
  const dry = await setup('--ctdb', '--dry-run');
  t.is(dry.code, 0, dry.text);
  // This kernel may have no nfsd.
  const driverless = (states: Record<string, string>) => [
    ...new Set(Object.entries(states).flatMap(([name, state]) => (name === 'driver' ? [] : [state]))),
  ];
  for (const line of [
    'ctdb event script disable legacy 60.nfs',
    `ln -sfn ${tool}/callouts/ctdb/06.nlm-failover.script ${legacy}/06.nlm-failover.script`,
    'systemctl enable nlm-failover-ctdb.service',
  ])
    t.true(dry.text.includes(`\n${' '.repeat(28)}${line}\n`), `${line}\n${dry.text}`);
  t.deepEqual([await tree(), await scripts()], before, 'a dry run touches nothing');

  // Whose event would be for nobody, or for both.
  await host.run('ip', 'address', 'add', '10.10.1.1/32', 'dev', 'lo');
  const served = await setup('--ctdb');
  t.is(served.code, 3);
  t.regex(served.text, /10\.10\.1\.1 is on this node, and CTDB's scripts are not exchanged under it/);
  t.deepEqual([await tree(), await scripts()], before, 'what is refused has touched nothing');
  await host.run('ip', 'address', 'del', '10.10.1.1/32', 'dev', 'lo');

  const done = await setup('--ctdb');
  t.is(done.states['nfs script'], 'done', done.text);
  t.is(done.states['event script'], 'done');
  t.is(done.states['ctdb unit'], 'done');
  t.is((await host.run('readlink', agent)).trim(), `${tool}/callouts/ctdb/fence_nlm_failover`);
  t.regex(await host.run(agent, '--action=metadata'), /<resource-agent name="fence_nlm_failover"/);
  t.is(done.states['nfs server'], 'by hand', 'nobody starts it any more');
  t.is(done.code, 1);
  t.is(
    await scripts(),
    [
      '06.nfs.script f  644',
      `06.nlm-failover.script l ${tool}/callouts/ctdb/06.nlm-failover.script 777`,
      '10.interface.script l /run/ctdb-data/60.nfs.script 777',
      `62.nlm-failover.script l ${tool}/callouts/ctdb/62.nlm-failover.script 777`,
      '',
    ].join('\n'),
  );
  const unit = '/etc/systemd/system/nlm-failover-ctdb.service';
  t.regex(await host.run('cat', unit), /^ExecStart=\S+ \S+ ctdb serve$/m);
  await host.run('systemd-analyze', 'verify', '--man=no', unit);
  t.is(
    (
      await host.run('readlink', '/etc/systemd/system/multi-user.target.wants/nlm-failover-ctdb.service')
    ).trim(),
    unit,
  );
  t.notRegex(done.text, /nlm-failover@|join-grace/, 'neither takes an address over');
  t.regex(await host.run(`${legacy}/62.nlm-failover.script`, 'init'), /^$/);

  const check = async () => {
    const run = host.start(process.execPath, [`${tool}/bin/nlm-failover`, 'check', '10.10.1.1']);
    await run.exited;
    return run.output();
  };
  t.regex(await check(), /ok +sharing +NLM is refused by (?:nftables|iptables)$/m);
  await host.run('sh', '-c', 'cd /usr/sbin; rm -f nft iptables-restore');
  t.regex(
    await check(),
    /FAILURE +sharing +Neither nft nor iptables is installed: NLM cannot be refused\n +Install the package nftables/,
  );

  // Also while an address is here, and by a setup that does not say so.
  await host.run('ip', 'address', 'add', '10.10.1.1/32', 'dev', 'lo');
  const made = [await tree(), await scripts()];
  for (const args of [['--ctdb'], []]) {
    const again = await setup(...args);
    t.deepEqual(driverless(again.states), ['unchanged'], again.text);
    t.notRegex(again.text, /only ganesha/);
    t.deepEqual([await tree(), await scripts()], made);
  }
  // It would stop a lock manager beside CTDB's own script.
  const serve = host.start(process.execPath, [`${tool}/bin/nlm-failover`, 'ctdb', 'serve']);
  await host.run('sh', '-c', 'until [ -s /run/nlm-failover/locks/ctdb.holder ]; do sleep 0.05; done');
  t.regex((await setup('--undo', '--dry-run')).text, /ctdb serve +by hand +end "nlm-failover ctdb serve"/);
  await host.run(
    'sh',
    '-c',
    'kill $(sed -n "s/.*pid \\([0-9]*\\).*/\\1/p" /run/nlm-failover/locks/ctdb.holder)',
  );
  await serve.exited;
  const undone = await setup('--undo');
  t.is(undone.code, 0, undone.text);
  t.deepEqual([await tree(), await scripts()], before);
  await host.run('sh', '-c', `! [ -L ${agent} ]`);
  t.deepEqual((await setup('--undo')).states, {});
});

test('--ctdb refuses what it cannot do, and --undo leaves what was changed since', async (t) => {
  const { host, setup } = await setupHost(t);
  const legacy = '/etc/ctdb/events/legacy';
  const refused = async (text: string, says: RegExp, code = 3) => {
    writeFileSync(host.path('/etc/nlm-failover.toml'), text);
    const { code: ended, text: said } = await setup('--ctdb');
    t.is(ended, code, said);
    t.regex(said, says);
  };
  await host.run('sh', '-ec', `rm -rf /etc/ctdb; mkdir -p ${legacy}`);
  await refused(
    ctdbText.replace('managed_by_others = ["address"]', ''),
    /CTDB moves 10\.10\.1\.1, and .* does not say so/,
  );
  await refused(ctdbText.replace('"lockd"', '"auto"'), /driver is "auto", which needs no barrier/);
  writeFileSync(host.path('/etc/nlm-failover.toml'), ctdbText);
  for (const words of [['10.10.1.1'], ['--undo'], ['--pacemaker'], ['--keepalived'], ['--alone']])
    t.is((await setup('--ctdb', ...words)).code, 2, words.join(' '));
  for (const file of ['callouts/ctdb/common.sh', 'bin/nlm-failover']) {
    await host.run('chmod', 'o+w', `${tool}/${file}`);
    await refused(ctdbText, new RegExp(`CTDB would run \\S*${file} as root, and others could change it`));
    await host.run('chmod', 'o-w', `${tool}/${file}`);
  }
  await host.run('chmod', 'o+w', `${tool}/callouts/ctdb`);
  await refused(ctdbText, /CTDB would run \S*06\.nlm-failover\.script as root, and others could change it/);
  await host.run('chmod', 'o-w', `${tool}/callouts/ctdb`);

  await host.run(
    'sh',
    '-ec',
    `ln -s /bin/false ${legacy}/62.nlm-failover.script; printf '#!/bin/sh\\n' >${legacy}/60.nfs.script; chmod 755 ${legacy}/60.nfs.script`,
  );
  const other = await setup('--ctdb');
  t.is(other.code, 1);
  t.regex(other.text, /event script +left +\S*62\.nlm-failover\.script was not made by setup/);
  await host.run('chmod', '600', `${legacy}/60.nfs.script`);
  const left = await setup('--undo');
  t.is(left.code, 1, left.text);
  t.regex(
    left.text,
    /nfs script +left +\S*60\.nfs\.script was changed since setup had it out of the way \(mode 755\)/,
  );
  t.is((await host.run('readlink', `${legacy}/62.nlm-failover.script`)).trim(), '/bin/false');
  await host.run('chmod', '755', `${legacy}/60.nfs.script`);
  const again = await setup('--undo');
  t.is(again.code, 0, again.text);
});

test('installed as a package the unit is there, and setup writes none, but where it must say more', async (t) => {
  const { host, setup } = await setupHost(t, await loop(t, 'mkfs.ext4', '-q', '-O', 'mmp'));
  const overlays = ['/usr/sbin', '/usr/lib/systemd/system'].map(
    (place, index) => `mkdir -p /run/u${index} /run/w${index}
      mount -t overlay -o lowerdir=${place},upperdir=/run/u${index},workdir=/run/w${index} overlay ${place}`,
  );
  await host.run(
    'sh',
    '-ec',
    `${overlays.join('\n')}
     mv ${tool}/callouts/systemd/* /usr/lib/systemd/system/
     rmdir ${tool}/callouts/systemd
     ln -s ${tool}/bin/nlm-failover /usr/sbin/nlm-failover`,
  );
  const packaged = '/usr/lib/systemd/system/nlm-failover@.service';
  const first = await setup();
  t.is(first.code, 0, first.text);
  t.regex(first.text, new RegExp(`unit file +unchanged +${packaged}`));
  t.is((await host.run('readlink', '-f', `${wants}10.10.1.1.service`)).trim(), packaged);
  await host.run('cp', '/etc/nlm-failover.toml', '/etc/other.toml');
  const other = await setup('--config', '/etc/other.toml');
  t.is(other.states['unit file'], 'done', other.text);
  t.regex(await host.run('cat', unitFile), /NLM_FAILOVER_CONFIG=\/etc\/other\.toml/);
  const again = await setup('--alone');
  t.is(again.states['unit file'], 'done', again.text);
  t.is((await host.run('sh', '-c', `ls ${unitFile} || :`)).replace(/^ls: .*\n/, ''), '');
});
