// The unit of an address, run by a real systemd that is the first process of namespaces of its own: what it takes for served, and releases.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
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

const title =
  'active is what is served, whatever the exit code, and that is released; --fenced is of one address';
(missing === undefined ? test.serial : test.serial.skip)(title, async (t) => {
  t.timeout(120_000);
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-unit-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  const said = path.join(directory, 'said');
  writeFileSync(said, '');
  const unit = path.join(projectRoot(), 'callouts/systemd/nlm-failover@.service');
  const child = spawn('unshare', [...namespaces, 'sh', '-c', firstProcess, 'sh', said, unit, tool, drive], {
    stdio: 'ignore',
  });
  const ended = once(child, 'exit');
  while (!/^end$/m.test(readFileSync(said, 'utf8')) && child.exitCode === null)
    await new Promise((resolve) => setTimeout(resolve, 100));
  child.kill('SIGKILL');
  await ended;
  const served = (code: number) => [`${code}, served here: active`, 'takeover 10.0.0.1', 'release 10.0.0.1'];
  const not = (code: number) => [`${code}, not served here: failed`, 'takeover 10.0.0.1'];
  t.deepEqual(readFileSync(said, 'utf8').trim().split('\n'), [
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
