// How an instance's daemons are started, with systemd and without: the commands. That systemd takes them is seen in test/lab/systemd.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { systemdRuns } from '../../../src/host/reading/boot.js';
import { startCommand, stopUnits } from '../../../src/lockmanager/lockd-netns/supervision.js';
import { rehearsalHost } from '../../../src/host/rehearsal/rehearsal.js';

const statd = {
  address: 'fd00::1',
  name: 'rpc.statd',
  argv: ['rpc.statd', '-F', '-H', '/a callout'],
  restarts: true,
} as const;
const inside = [
  'nsenter',
  '--net=/run/netns/nfs-fd00::1',
  '--mount=/run/nlm-failover/instances/fd00::1/mnt',
  '--',
  ...statd.argv,
];

test('a plain process without systemd, a transient unit with it', (t) => {
  const machine = mkdtempSync(path.join(tmpdir(), 'nlm-failover-machine-'));
  t.teardown(() => rmSync(machine, { recursive: true }));
  const host = rehearsalHost(machine);
  t.false(systemdRuns(host));
  t.deepEqual(startCommand(host, statd), inside as [string, ...string[]]);
  mkdirSync(path.join(machine, 'run/systemd/system'), { recursive: true });
  t.true(systemdRuns(host));
  const unit = startCommand(host, statd);
  t.deepEqual(unit.slice(0, 5), [
    'systemd-run',
    '--quiet',
    '--collect',
    '--service-type=exec',
    '--unit=nlm-failover-fd00::1-rpc.statd.service',
  ]);
  t.true(unit.includes('--property=Restart=on-failure'));
  // Else systemd ends it at a shutdown, beside the release.
  t.true(unit.includes('--property=DefaultDependencies=no'));
  t.deepEqual(unit.slice(unit.indexOf('--') + 1), inside);
  t.false(startCommand(host, { ...statd, restarts: false }).some((word) => word.includes('Restart')));
});

test("the units that are stopped are this address's, and no longer one's", (t) => {
  t.deepEqual(stopUnits('10.10.1.1'), ['systemctl', 'stop', 'nlm-failover-10.10.1.1-*.service']);
});
