// nlm-failover metrics: what OpenMetrics and the text format of Prometheus have in common, read by a parser that takes nothing else.
import {
  chownSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { AddressStatus } from '../../../src/failover/status/status.js';
import { metricsText } from '../../../src/cli/text/metrics-text.js';
import { startLoopbackClient } from '../../demo/loopback-client.js';
import { makeRehearsal } from '../../helpers/rehearsal-site.js';
import { addClient } from '../../helpers/rehearsal-steps.js';

const metricName = '[a-zA-Z_:][a-zA-Z0-9_:]*';
const label = '[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\\\\n]|\\\\["\\\\n])*"';
const sampleLine = new RegExp(`^(${metricName})\\{(${label}(?:,${label})*)\\} (-?[0-9]+(?:\\.[0-9]+)?)$`);

/**
 * Each sample by its name and labels. Fails where a line is none of OpenMetrics' (its ABNF, for gauges), a family is not in one piece with
 * its HELP and TYPE before it, a sample comes twice, or the end is not `# EOF`.
 */
function parse(t: ExecutionContext, text: string): Map<string, number> {
  t.true(text.endsWith('\n# EOF\n'));
  const seen = new Set<string>();
  const samples = new Map<string, number>();
  let family = '';
  let isTyped = false;
  for (const line of text.split('\n').slice(0, -2)) {
    const [, help, said] = /^# HELP (\S+) ([^"\\]+)$/.exec(line) ?? [];
    const [, typed] = /^# TYPE (\S+) gauge$/.exec(line) ?? [];
    if (help !== undefined) {
      t.regex(help, new RegExp(`^${metricName}$`));
      t.false(seen.has(help), `${help} comes in two pieces`);
      t.notRegex(help, /_(?:total|bucket|count|sum|info_info)$/, 'a name that a counter or histogram has');
      t.regex(said ?? '', /[.]$/);
      seen.add(help);
      [family, isTyped] = [help, false];
    } else if (typed !== undefined) {
      t.deepEqual([typed, isTyped], [family, false]);
      isTyped = true;
    } else {
      const [, name = '', labels = '', value = ''] = sampleLine.exec(line) ?? [];
      t.is(name, family, line);
      t.true(isTyped, line);
      t.false(samples.has(`${name}{${labels}}`), line);
      samples.set(`${name}{${labels}}`, Number(value));
    }
  }
  return samples;
}

test('served here, served elsewhere, and a record that cannot be used', async (t) => {
  const address = '127.77.42.1';
  const client = await startLoopbackClient('127.77.42.9', 0, () => undefined);
  const site = makeRehearsal({
    address,
    rpcbindPort: client.port,
    others: [{ address: 'fd77::42', fsid: 9 }],
  });
  t.teardown(() => {
    client.close();
    site.remove();
  });
  const { a, b } = site;
  t.is((await a.here(['takeover', address, '--no-wait'])).exitCode, 0);
  addClient(a, client.address);
  addClient(a, '127.77.42.66'); // nobody is there
  t.is((await a.here(['release', address])).exitCode, 0);
  t.is((await b.here(['takeover', address, '--no-wait', '--notify-deadline', '1'])).exitCode, 5);

  const [here, there] = await Promise.all([b.here(['metrics']), a.here(['metrics'])]);
  t.deepEqual([here.exitCode, there.exitCode], [0, 0], here.stderr + there.stderr);
  const of = (name: string, more = '') => `nlm_failover_${name}{address="${address}"${more}}`;
  const last = ',kind="takeover",node="B"';
  const served = parse(t, here.stdout);
  for (const [sample, value] of [
    ['nlm_failover_served_here{address="fd77::42"}', 0],
    [of('status_read'), 1],
    [of('served_here'), 1],
    [of('wrong'), 0],
    [of('record_readable'), 1],
    [of('owner_here'), 1],
    [of('epoch'), 2],
    [of('clients'), 2],
    [of('clients_not_notified'), 1],
    [of('findings', ',verdict="lost"'), 0],
    [of('last_operation_outcome', `${last},outcome="not-notified"`), 1],
    [of('last_operation_outcome', `${last},outcome="done"`), 0],
  ] as const)
    t.is(served.get(sample), value, sample);
  const took = served.get(of('last_operation_duration_seconds', last)) ?? 0;
  t.true(took > 0.5 && took < 60, 'in seconds');
  const at = served.get(of('last_operation_start_timestamp_seconds', last)) ?? 0;
  t.true(Math.abs(Date.now() / 1000 - at) < 600);

  const elsewhere = parse(t, there.stdout);
  t.is(elsewhere.get(of('served_here')), 0);
  t.is(elsewhere.get(of('record_readable')), 0);
  t.is(elsewhere.get(of('wrong')), 0, 'that it is served elsewhere is not wrong');
  t.is(elsewhere.get(of('clients')), undefined);

  // With the command of the unit, whatever lies in the way of the file.
  const unit = readFileSync('callouts/systemd/nlm-failover-metrics.service', 'utf8');
  const [, words = ''] = /^ExecStart=\/usr\/sbin\/nlm-failover (.*)$/m.exec(unit) ?? [];
  const file = b.path(words.split(' ').at(-1) ?? '');
  const directory = path.dirname(file);
  const absent = await b.here(words.split(' '));
  t.is(absent.exitCode, 2);
  t.regex(absent.stderr, /The directory \S+\/node-exporter is not there/);
  mkdirSync(directory, { recursive: true });
  const victim = path.join(site.directory, 'victim');
  writeFileSync(victim, 'mine');
  symlinkSync(victim, file);
  const linked = await b.here(words.split(' '));
  t.is(linked.exitCode, 2);
  t.regex(linked.stderr, /nlm-failover\.prom is there, and is not a regular file: it was left as it is/);
  t.is(readlinkSync(file), victim);
  rmSync(file);
  symlinkSync(victim, path.join(directory, '.nlm-failover.prom.new'));
  const written = await b.tool(words.split(' '));
  t.deepEqual([written.exitCode, written.stdout], [0, ''], written.stderr);
  t.deepEqual(readdirSync(directory), ['nlm-failover.prom']);
  t.is(readFileSync(victim, 'utf8'), 'mine');
  t.is(statSync(file).mode & 0o777, 0o644);
  t.deepEqual([...parse(t, readFileSync(file, 'utf8')).keys()], [...served.keys()]);
  for (const name of ['', '-', `${file}/`])
    t.is((await b.here(['metrics', '--output', name])).exitCode, 2, name);

  // The directory may be a daemon's own; where a link of such a user leads is nobody's.
  if (process.getuid?.() === 0) {
    const aside = `${directory}.aside`;
    renameSync(directory, aside);
    symlinkSync(site.directory, directory);
    lchownSync(directory, 65534, 65534);
    const turned = await b.here(words.split(' '));
    t.is(turned.exitCode, 2);
    t.regex(turned.stderr, /node-exporter, on the way to \S+, is a symbolic link of uid 65534/);
    t.false(readdirSync(site.directory).includes('nlm-failover.prom'));
    rmSync(directory);
    symlinkSync(aside, directory);
    chownSync(aside, 65534, 65534);
    t.is((await b.here(words.split(' '))).exitCode, 0, 'a link of the administrator');
  }

  writeFileSync(path.join(b.path('/dev/state1'), `sm_${address}/monitors.db`), 'x'.repeat(4096));
  const bad = await b.here(['metrics']);
  t.is(bad.exitCode, 0, 'it was looked at, and that is what there is to say');
  t.is(parse(t, bad.stdout).get(of('record_readable')), 0);
  t.true((parse(t, bad.stdout).get(of('wrong')) ?? 0) > 0);
});

const status: AddressStatus = {
  address: '10.10.1.1',
  here: { addressUp: true, recording: false },
  marks: [],
  unrecorded: [],
  isHere: true,
  ill: [],
  wrong: ['one', 'two'],
};

test('labels are escaped, and an address whose status could not be read has a line', (t) => {
  const lastOperation = {
    kind: 'release',
    node: 'a"b\\c\nd',
    outcome: 'running or interrupted',
    detail: '',
    startedAt: '2026-11-27T10:00:00.500Z',
    endedAt: null,
  };
  const record = {
    owner: null,
    ownerHere: false,
    epoch: 3,
    released: true,
    nsmState: null,
    clients: 1,
    notNotified: 0,
    badLines: 0,
    remarks: [],
    findings: ['lost', 'lost', 'silent'].map((verdict) => ({
      verdict: verdict as 'lost' | 'silent',
      clients: [],
      epoch: 3,
      at: '',
      acknowledged: null,
    })),
    lastOperation,
  };
  const health = { inGrace: true, graceLeft: 7, clients: 2, counts: {} };
  const lockManager = {
    driver: 'lockd-netns',
    daemons: { 'rpc.statd': 'running', nfsd: 'dead' } as const,
    ...health,
  };
  const text = metricsText('1', [
    { address: '10.10.1.1', status: { ...status, record, lockManager }, graceLeft: 7, monitored: 2 },
    { address: 'fd00::1', status: undefined },
  ]);
  const samples = parse(t, text);
  const escaped = ',kind="release",node="a\\"b\\\\c\\nd"';
  for (const [sample, value] of [
    ['status_read{address="fd00::1"}', 0],
    ['served_here{address="10.10.1.1"}', 0],
    ['wrong{address="10.10.1.1"}', 2],
    ['findings{address="10.10.1.1",verdict="lost"}', 2],
    ['findings{address="10.10.1.1",verdict="silent"}', 1],
    ['grace_left_seconds{address="10.10.1.1"}', 7],
    ['clients_monitored{address="10.10.1.1"}', 2],
    ['daemon_up{address="10.10.1.1",daemon="rpc.statd"}', 1],
    ['daemon_up{address="10.10.1.1",daemon="nfsd"}', 0],
    [`last_operation_outcome{address="10.10.1.1"${escaped},outcome="unfinished"}`, 1],
    [
      `last_operation_start_timestamp_seconds{address="10.10.1.1"${escaped}}`,
      Date.parse(lastOperation.startedAt) / 1000,
    ],
    [`last_operation_duration_seconds{address="10.10.1.1"${escaped}}`, undefined],
  ] as const)
    t.is(samples.get(`nlm_failover_${sample}`), value, sample);
  t.is([...samples.keys()].filter((sample) => sample.includes('fd00::1')).length, 1);
});
