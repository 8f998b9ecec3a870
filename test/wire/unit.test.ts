// The unit of an address, run by a real systemd that is the first process of namespaces of its own: what it takes for served, and releases.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { projectRoot } from '../lab/project-root.js';
import { netnsUnavailable } from '../helpers/netns.js';

const systemd = '/lib/systemd/systemd';
const namespaces = ['-mpfnCiu', '--mount-proc', '--kill-child'];
const missing =
  netnsUnavailable() ??
  (existsSync(systemd) ? undefined : 'no systemd here') ??
  (spawnSync('unshare', [...namespaces, 'mount', '-t', 'cgroup2', 'cgroup2', '/sys/fs/cgroup']).status === 0
    ? undefined
    : 'no cgroup2 here');

/** Stands for nlm-failover: writes down what it was asked, and ends and says as the case has it. */
const tool = `#!/bin/sh
echo "$*" >>/run/calls
case $1 in
takeover) exit "$(cat /run/code)" ;;
status) cat /run/status; exit 1 ;;
esac
`;

/** $1: what `drive` prints; $2: the unit; $3: the tool. Nothing of the machine's units is there, and its kernel's settings are read-only. */
const firstProcess = `set -e
mount --bind -o ro /proc/sys /proc/sys
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /run/bin '/run/units/nlm-failover@10.0.0.2.service.d'
printf %s "$3" >/run/bin/nlm-failover
chmod +x /run/bin/nlm-failover
sed 's,/usr/sbin/nlm-failover,/run/bin/nlm-failover,' "$2" >/run/units/nlm-failover@.service
printf '[Service]\\nEnvironment=TAKEOVER_OPTIONS=--fenced\\n' >/run/units/nlm-failover@10.0.0.2.service.d/alone.conf
for target in sysinit basic shutdown first; do
  printf '[Unit]\\nDefaultDependencies=no\\n' >"/run/units/$target.target"
done
for place in /etc/systemd/system /usr/lib/systemd/system; do mount --bind /run/units "$place"; done
mount -t tmpfs tmpfs /usr/lib/systemd/system-generators
sh -c "$4" drive >"$1" 2>&1 &
container=test exec ${systemd} --system --unit=first.target --log-target=null --show-status=0
`;

const drive = `
until [ -S /run/systemd/private ]; do sleep 0.05; done
run() {
  echo "$2" >/run/code; echo "$1  $3" >/run/status; : >/run/calls
  systemctl start "nlm-failover@$1.service" 2>/dev/null
  echo "$2, $3: $(systemctl show --value --property=ActiveState "nlm-failover@$1.service")"
  systemctl stop "nlm-failover@$1.service"
  grep -v status /run/calls
  systemctl reset-failed "nlm-failover@$1.service" 2>/dev/null
}
for code in 0 1 4 5 6; do run 10.0.0.1 $code 'served here'; done
for code in 1 3 4; do run 10.0.0.1 $code 'not served here'; done
run fd00::1 1 'recorded here, but not up'
run 10.0.0.2 0 'served here'
echo end
`;

/** keepalived's script where that systemd runs: $1 is the address, the rest what keepalived says. */
const elected = `
until [ -S /run/systemd/private ]; do sleep 0.05; done
home=/run/home; mkdir -p $home/bin $home/callouts
cp -r ${path.join(projectRoot(), 'callouts/keepalived')} $home/callouts/
cat >$home/bin/nlm-failover <<'END'
#!/bin/sh
echo "$*" >>/run/calls
case $1 in
takeover) exit "$(cat /run/code)" ;;
release) until [ -e /run/go ]; do sleep 0.05; done; echo released >>/run/calls ;;
status) cat /run/status; exit 1 ;;
esac
END
chmod +x $home/bin/nlm-failover; cp $home/bin/nlm-failover /run/bin/nlm-failover
touch /run/go
keepalived() { state=$1; shift; $home/callouts/keepalived/nlm-failover-notify 10.0.0.1 "$@" INSTANCE nfs $state 100; echo "$state: $?"; }
unit=nlm-failover@10.0.0.1.service
left=nlm-failover-left@10.0.0.1.service
settled() {
  while systemctl list-jobs | grep -q 10.0.0.1; do sleep 0.05; done
  echo "  $(systemctl show --value --property=ActiveState $unit)"
  grep -v status /run/calls | sed 's/^/  /'; : >/run/calls
}
: >/run/calls
echo "0" >/run/code; echo "10.0.0.1  served here" >/run/status
keepalived MASTER; settled
keepalived BACKUP; settled
echo "1" >/run/code; echo "10.0.0.1  not served here" >/run/status
keepalived MASTER; settled
keepalived FAULT; settled
rm /run/go; keepalived FAULT; keepalived BACKUP; echo "0" >/run/code; echo "10.0.0.1  served here" >/run/status; keepalived MASTER
touch /run/go; settled
keepalived STOP --config /run/other.toml; settled
keepalived MASTER --config /run/other.toml; settled
mkdir -p /run/systemd/system/$unit.d
printf '[Service]\\nEnvironment=NLM_FAILOVER_CONFIG=/run/other.toml\\n' >/run/systemd/system/$unit.d/config.conf
systemctl daemon-reload
keepalived MASTER --config /run/other.toml; settled
echo end
`;

/** What `drive` has printed at its end, run beside a systemd of its own. */
async function underSystemd(t: ExecutionContext, driven: string): Promise<string[]> {
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-unit-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const said = path.join(directory, 'said');
  writeFileSync(said, '');
  const unit = path.join(projectRoot(), 'callouts/systemd/nlm-failover@.service');
  const child = spawn('unshare', [...namespaces, 'sh', '-c', firstProcess, 'sh', said, unit, tool, driven], {
    stdio: 'ignore',
  });
  const ended = once(child, 'exit');
  while (!/^end$/m.test(readFileSync(said, 'utf8')) && child.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 100));
  child.kill('SIGKILL');
  await ended;
  return readFileSync(said, 'utf8').trim().split('\n');
}

const title =
  'active is what is served, whatever the exit code, and that is released; --fenced is of one address';
(missing === undefined ? test.serial : test.serial.skip)(title, async (t) => {
  t.timeout(120_000);
  const said = await underSystemd(t, drive);
  const served = (code: number) => [`${code}, served here: active`, 'takeover 10.0.0.1', 'release 10.0.0.1'];
  const not = (code: number) => [`${code}, not served here: failed`, 'takeover 10.0.0.1'];
  t.deepEqual(said, [
    ...[0, 1, 4, 5, 6].flatMap(served),
    ...[1, 3, 4].flatMap(not),
    '1, recorded here, but not up: failed',
    'takeover fd00::1',
    '0, served here: active',
    'takeover --fenced 10.0.0.2',
    'release 10.0.0.2',
    'end',
  ]);
});

const electedTitle =
  "keepalived's script: what a unit has left that failed or was never started is released, before it is started anew";
(missing === undefined ? test.serial : test.serial.skip)(electedTitle, async (t) => {
  t.timeout(120_000);
  const said = await underSystemd(t, elected);
  const released = (...more: string[]) => [`  ${['release 10.0.0.1', ...more].join(' ')}`, '  released'];
  const config = ['--config', '/run/other.toml'];
  const refused = said.filter((line) => line.startsWith('nlm-failover-notify'));
  t.deepEqual(
    said.filter((line) => !refused.includes(line)),
    [
      'MASTER: 0',
      '  active',
      '  takeover 10.0.0.1',
      // By the unit when it stops, and by what sees to it.
      'BACKUP: 0',
      '  inactive',
      ...released(),
      ...released(),
      'MASTER: 0',
      '  failed',
      '  takeover 10.0.0.1',
      'FAULT: 0',
      '  failed',
      ...released(),
      // Three while one is at work: it is not disturbed, and the takeover comes after it.
      'FAULT: 0',
      'BACKUP: 0',
      'MASTER: 0',
      '  active',
      ...released(),
      '  takeover 10.0.0.1',
      'STOP: 0',
      '  inactive',
      ...released(),
      ...released(...config),
      'MASTER: 1',
      '  inactive',
      'MASTER: 0',
      '  active',
      '  takeover 10.0.0.1',
      'end',
    ],
  );
  t.regex(refused[0] ?? '', /nlm-failover@10\.0\.0\.1\.service has not the configuration \/run\/other\.toml/);
  t.is(refused.length, 2);
});
