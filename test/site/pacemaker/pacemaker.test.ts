// What a cluster is told, computed from configurations; and what is kept of what people have added to it. No program is run.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import * as fc from 'fast-check';
import { FailoverError } from '../../../src/errors.js';
import type { CommandResult, Host } from '../../../src/host/host.js';
import { realHost } from '../../../src/host/real.js';
import { drivers } from '../../../src/lockmanager/drivers.js';
import { groupExample } from '../../../src/man/sections/pacemaker.js';
import { configurationOf } from '../../../src/site/pacemaker/cib/elements.js';
import { merge } from '../../../src/site/pacemaker/cib/merge.js';
import { all, childrenOf, parse, withId, xmlText } from '../../../src/site/pacemaker/cib/xml.js';
import { crmText, pcsCommands } from '../../../src/site/pacemaker/commands.js';
import { formats } from '../../../src/site/pacemaker/formats.js';
import { type ClusterConfig, isGroup, primitivesOf } from '../../../src/site/pacemaker/model.js';
import { planCluster } from '../../../src/site/pacemaker/plan.js';
import { fencingRemarks, preferRemarks, stillRemarks } from '../../../src/site/pacemaker/remarks.js';
import { removeText, tearDown } from '../../../src/site/pacemaker/teardown.js';
import { timeoutsOf } from '../../../src/site/pacemaker/timeouts.js';
import { parse as parseToml } from '../../config/sample.js';
import { sites } from './sites.js';

async function plan(
  toml: string,
  options: { prefer?: string; isThere?: (id: string) => boolean; only?: number } = {},
) {
  const config = parseToml(toml);
  const { only, prefer, isThere = () => false } = options;
  return planCluster(
    { host: realHost, config, drivers, run: '/run/nlm-failover', callout: '/callout' },
    {
      floatingIps: only === undefined ? config.floatingIps : config.floatingIps.slice(only, only + 1),
      prefer,
      isThere,
    },
  );
}

async function refused(toml: string): Promise<FailoverError> {
  const error: unknown = await plan(toml).catch((reason: unknown) => reason);
  if (error instanceof FailoverError) return error;
  throw new Error('it was not refused', { cause: error });
}

const cibOf = (config: ClusterConfig) => `<cib>${xmlText(configurationOf(config))}</cib>`;

test('one resource where nothing is managed by others, a group of stock agents where everything is', async (t) => {
  const { config } = await plan(sites.both, { prefer: 'A' });
  t.deepEqual(
    config.resources.flatMap(primitivesOf).map(({ id, provider, type }) => `${id} ${provider}:${type}`),
    [
      'nfs-10.10.1.1 nlm-failover:address',
      // The state volume first, though it is the last in the file.
      'nfs-fd00--2-fs1 heartbeat:Filesystem',
      'nfs-fd00--2-fs2 heartbeat:Filesystem',
      'nfs-fd00--2-locks nlm-failover:locks',
      'nfs-fd00--2-export1 heartbeat:exportfs',
      'nfs-fd00--2-export2 heartbeat:exportfs',
      'nfs-fd00--2-ip heartbeat:IPaddr2',
      'nfs-fd00--2-notify nlm-failover:notify',
    ],
  );
  const values = Object.fromEntries(
    config.resources.flatMap(primitivesOf).map(({ id, parameters }) => [id, Object.fromEntries(parameters)]),
  );
  t.like(values['nfs-fd00--2-fs1'], {
    device: '/dev/disk/by-label/state\\x20two',
    directory: '/srv/state2',
    fstype: 'ext4',
  });
  t.deepEqual(values['nfs-fd00--2-export1'], {
    clientspec: '[fd00::]/64',
    directory: '/srv/vol2',
    fsid: '1235',
    options: 'rw,no_subtree_check',
    unlock_on_stop: '0',
    wait_for_leasetime_on_stop: '0',
    rmtab_backup: 'none',
  });
  t.deepEqual(values['nfs-fd00--2-ip'], { ip: 'fd00::2', cidr_netmask: '64', nic: 'eth0' });
  t.deepEqual(
    config.orders.map(({ id }) => id),
    ['nfs-serialize-10.10.1.1-fd00--2'],
  );
  t.deepEqual(
    config.preferences.map(({ id, node, score }) => [id, node, score]),
    [
      ['nfs-10.10.1.1-prefer', 'A', 2000],
      ['nfs-fd00--2-prefer', 'A', 8000],
    ],
  );
  for (const { meta } of config.resources)
    t.like(Object.fromEntries(meta), { requires: 'fencing', 'resource-stickiness': '1000' });
});

test('the example of the manual makes the group that it stands beside', async (t) => {
  const { config } = await plan(groupExample);
  t.deepEqual(
    config.resources.flatMap(primitivesOf).map(({ id, type }) => `${id} ${type}`),
    [
      'nfs-10.10.1.1-fs1 Filesystem',
      'nfs-10.10.1.1-fs2 Filesystem',
      'nfs-10.10.1.1-locks locks',
      'nfs-10.10.1.1-export1 exportfs',
      'nfs-10.10.1.1-ip IPaddr2',
      'nfs-10.10.1.1-notify notify',
    ],
  );
});

test('where others only mount, Filesystem stands before ocf:nlm-failover:address', async (t) => {
  const { config } = await plan(sites.group.replace('["mount", "export", "address"]', '["mount"]'));
  t.deepEqual(
    config.resources.flatMap(primitivesOf).map(({ id }) => id),
    ['nfs-fd00--2-fs1', 'nfs-fd00--2-fs2', 'nfs-fd00--2-address'],
  );
});

for (const [why, from, to, said] of [
  [
    'a combination that no group can start',
    '["mount", "export", "address"]',
    '["mount", "export"]',
    /no order/,
  ],
  [
    'a driver that has the address inside',
    'driver = "lockd"',
    'driver = "lockd-netns"',
    /lockd-netns: managed_by_others/,
  ],
  ['a path that the stock agents take apart', '/srv/vol2', '/srv/vol 2', /cannot have " "/],
  ['a pattern in a path', '/srv/vol2', '/srv/vol*', /cannot have "\*"/],
  ['no type', 'type = "xfs"\n', '', /has no "type"/],
  ['no device', 'device = "/dev/vg0/vol2"\n', '', /has no "device"/],
  ['what is no device', '"/dev/vg0/vol2"', '"tank/vol2"', /does not mount "tank\/vol2"/],
] as const) {
  test(`refused, with exit code 3: ${why}`, async (t) => {
    const toml = sites.group.replaceAll(from, to);
    t.not(toml, sites.group);
    const error = await refused(toml);
    t.is(error.exitCode, 3);
    t.regex(error.message, said);
  });
}

test('two takeovers that restart one lock manager wait for each other, and only those', async (t) => {
  const alone = await plan(sites.both, { only: 0 });
  t.deepEqual(alone.config.orders, []);
  t.regex(alone.remarks.map(({ message }) => message).join(), /A takeover of fd00::2 restarts/);
  const beside = await plan(sites.both, { only: 0, isThere: (id) => id === 'nfs-fd00--2' });
  t.is(beside.config.orders.length, 1);
  t.deepEqual(beside.remarks, []);
  const apart = await plan(sites.both.replace('"lockd"', '"nlm-fsid"'));
  t.deepEqual([apart.config.orders, apart.remarks], [[], []]);
});

test('each timeout is beyond the sum of what is waited for within it', (t) => {
  const seconds = fc.integer({ min: 1, max: 3600 });
  const names = ['A-1', 'A-2', 'A-3', 'A-4', 'B-1', 'B-2', 'B-4', 'B-5'] as const;
  const property = fc.property(
    fc.tuple(...names.map(() => seconds)),
    seconds,
    seconds,
    fc.integer({ min: 1, max: 9 }),
    (lengths, step, grace, filesystems) => {
      const text = names.map((name, at) => `${name} = ${lengths[at] ?? 1}`).join('\n');
      const { timeouts } = parseToml(`${sites.single}\n[timeouts]\nstep = ${step}\n${text}\n`);
      const { steps } = timeouts;
      const { address, locks, notify } = timeoutsOf(timeouts, { grace, filesystems });
      const b2 = filesystems * steps['B-2'];
      t.true(address.start > steps['B-1'] + b2 + steps['B-4'] + steps['B-5'] + 2 * grace + 3 * step);
      t.true(
        address.stop > steps['A-1'] + steps['A-2'] + filesystems * steps['A-3'] + steps['A-4'] + 2 * step,
      );
      t.true(locks.start > steps['B-1'] + b2 && locks.stop >= address.stop && notify.start > 2 * grace);
    },
  );
  fc.assert(property, { numRuns: 50 });
});

test('what every format says has the same resources, constraints and values, whatever the values', async (t) => {
  const { config } = await plan(sites.both, { prefer: 'B' });
  const value = fc.stringMatching(/^[ -~]{1,20}$/u);
  const property = fc.property(fc.array(value, { minLength: 3, maxLength: 3 }), (values) => {
    const hostile: ClusterConfig = {
      ...config,
      resources: config.resources.map((resource) =>
        isGroup(resource)
          ? resource
          : { ...resource, parameters: values.map((one, at) => [`p${at}`, one] as const) },
      ),
    };
    const tree = parse(xmlText(configurationOf(hostile)), 'the test');
    const [set] = all(tree).filter(({ name }) => name === 'instance_attributes');
    t.deepEqual(
      set === undefined ? [] : childrenOf(set).map(({ attributes }) => attributes['value']),
      values,
    );
    const words = pcsCommands(hostile, 'f').flat();
    for (const [at, one] of values.entries()) t.true(words.includes(`p${at}=${one}`));
    for (const { id } of [
      ...hostile.resources.flatMap(primitivesOf),
      ...hostile.orders,
      ...hostile.preferences,
    ]) {
      t.truthy(withId(tree, id));
      t.true(words.some((word) => word === id || word === `id=${id}`));
    }
    // crmsh cannot read all of them: then it is refused, and never written otherwise.
    try {
      const lines = crmText(hostile).split('\n');
      for (const one of values.filter((text) => /^\w+$/.test(text)))
        t.true(lines.some((line) => line.includes(`=${one}`)));
    } catch (error) {
      t.true(
        error instanceof FailoverError &&
          error.code === 'CLUSTER_UNFIT' &&
          values.some((text) => text.includes('\\')),
      );
    }
  });
  fc.assert(property, { numRuns: 100 });
});

test('a tree that is read and written is the same', (t) => {
  const attribute = fc
    .string({ unit: 'grapheme' })
    .filter((text) => !/[\p{Cc}\p{Cs}\uFFFE\uFFFF]/u.test(text));
  const property = fc.property(attribute, (value) => {
    const made = { name: 'nvpair', attributes: { id: 'a', value }, children: [{ comment: ' b ' }] };
    t.deepEqual(parse(xmlText(made), 'the test'), made);
  });
  fc.assert(property);
});

test('what people have added to ours stays, and what is otherwise is said', async (t) => {
  const { config } = await plan(sites.both);
  const ours = cibOf(config)
    .replace(
      'name="requires" value="fencing"/>',
      'name="requires" value="nothing"/><nvpair id="x1" name="target-role" value="Stopped"/>',
    )
    .replace('name="start" interval="0s" timeout="', 'name="start" on-fail="block" interval="0s" timeout="1')
    .replace(
      '<primitive id="nfs-fd00--2-ip"',
      '<primitive id="portblock" class="ocf" provider="heartbeat" type="portblock"/><primitive id="nfs-fd00--2-ip"',
    );
  const { cib, parts } = merge(parse(ours, 'the test'), config);
  const [single, group] = parts;
  t.like(single, { id: 'nfs-10.10.1.1', state: 'updated' });
  t.regex(
    single?.details.join('; ') ?? '',
    /requires=fencing, was nothing; .*start timeout=\d+s, was start timeout=1\d+s/,
  );
  t.is(group?.state, 'unchanged');
  const text = xmlText(cib);
  t.regex(text, /name="target-role" value="Stopped"/);
  t.regex(text, /on-fail="block"/);
  t.regex(text, /nfs-fd00--2-export2"[^]*id="portblock"[^]*id="nfs-fd00--2-ip"/);
  t.true(merge(cib, config).parts.every(({ state }) => state === 'unchanged'));
});

test('an interval is the same however it is written, and another one is another operation', async (t) => {
  const { config } = await plan(sites.single);
  const ours = cibOf(config);
  for (const same of ['10', '10sec']) {
    const cib = ours.replace(
      'name="monitor" interval="10s" timeout="20s"',
      `name="monitor" interval="${same}" timeout="20"`,
    );
    t.not(cib, ours);
    t.is(merge(parse(cib, 'the test'), config).parts[0]?.state, 'unchanged', same);
  }
  for (const other of ['10min', '10m', '10000ms']) {
    const cib = ours.replace('name="monitor" interval="10s"', `name="monitor" interval="${other}"`);
    const merged = merge(parse(cib, 'the test'), config);
    t.regex(
      merged.parts[0]?.details.join('; ') ?? '',
      /monitor interval=10s .*which was not there; .* goes$/,
      other,
    );
    t.is(merge(merged.cib, config).parts[0]?.state, 'unchanged', other);
  }
});

test('a second set of values says nothing else than ours, unless it has a rule', async (t) => {
  const { config } = await plan(sites.single);
  const second = (inside: string) =>
    cibOf(config).replace(
      '<operations>',
      `<meta_attributes id="mine" score="10">${inside}<nvpair id="m1" name="requires" value="nothing"/><nvpair id="m2" name="priority" value="5"/></meta_attributes><operations>`,
    );
  const { cib, parts } = merge(parse(second(''), 'the test'), config);
  t.like(parts[0], { state: 'updated', details: ['nfs-10.10.1.1: requires=nothing of mine goes'] });
  t.regex(xmlText(cib), /name="priority" value="5"/);
  t.notRegex(xmlText(cib), /value="nothing"/);
  t.is(merge(cib, config).parts[0]?.state, 'unchanged');
  const ruled = second('<rule id="r" score="INFINITY" boolean-op="and"/>');
  t.is(merge(parse(ruled, 'the test'), config).parts[0]?.state, 'unchanged');
});

test('what keeps an address from starting is said, and a node to come home to that is not there', async (t) => {
  const { config } = await plan(sites.both);
  const said = (name: string, value: string, id: string) =>
    stillRemarks(
      parse(
        cibOf(config).replace(
          `<meta_attributes id="${id}-meta_attributes">`,
          `$&<nvpair id="x" name="${name}" value="${value}"/>`,
        ),
        'the test',
      ),
      ['nfs-10.10.1.1', 'nfs-fd00--2'],
    ).map(({ message }) => message);
  for (const id of ['nfs-10.10.1.1', 'nfs-fd00--2']) {
    t.deepEqual(said('target-role', 'Stopped', id), [
      `${id} is disabled (target-role=Stopped), and is not started`,
    ]);
    t.regex(said('is-managed', 'false', id).join(), new RegExp(`^${id} is not managed \\(is-managed=false`));
    t.regex(said('maintenance', 'on', id).join(), new RegExp(`^${id} is not managed \\(maintenance=on`));
    for (const [name, value] of [
      ['target-role', 'Started'],
      ['is-managed', 'true'],
      ['maintenance', 'false'],
      ['priority', '1'],
    ] as const)
      t.deepEqual(said(name, value, id), []);
  }
  const cluster = (inside: string) =>
    parse(`<cib><configuration>${inside}</configuration></cib>`, 'the test');
  const maintenance =
    '<crm_config><cluster_property_set id="c"><nvpair id="n" name="maintenance-mode" value="true"/></cluster_property_set></crm_config>';
  t.regex(
    stillRemarks(cluster(maintenance), [])
      .map(({ message }) => message)
      .join(),
    /maintenance mode/,
  );
  const nodes = cluster('<nodes><node id="1" uname="A"/><node id="2" uname="B"/></nodes>');
  t.regex(
    preferRemarks(nodes, 'a')
      .map(({ message }) => message)
      .join(),
    /no node a: it has A, B/,
  );
  for (const [tree, prefer] of [
    [nodes, 'B'],
    [nodes, undefined],
    [cluster('<nodes/>'), 'a'],
  ] as const)
    t.deepEqual(preferRemarks(tree, prefer), []);
});

test('an export that is new or gone changes the group, a file system that is gone is refused', async (t) => {
  const { config } = await plan(sites.group);
  const cib = parse(cibOf(config), 'the test');
  const fewer = await plan(
    sites.group.replace(/ {4}\[\[floating_ip\.filesystem\.export\]\]\n {4}clients = "\*[^[]*/, ''),
  );
  const { parts, cib: next } = merge(cib, fewer.config);
  t.regex(parts[0]?.details.join() ?? '', /nfs-fd00--2-export2: gone/);
  t.is(withId(next, 'nfs-fd00--2-export2'), undefined);
  t.regex(merge(next, config).parts[0]?.details.join() ?? '', /nfs-fd00--2-export2: new/);
  const without = await plan(
    sites.group
      .replace(/ {2}\[\[floating_ip\.filesystem\]\]\n {2}device = "LABEL[^]*$/, '')
      .replace('state_directory = "/srv/state2"', 'state_directory = "/srv/vol2/.nlm"\ntrust_clients = true'),
  );
  t.throws(() => merge(cib, without.config), { message: /nfs-fd00--2-fs2 is a file system/ });
});

for (const [what, cib, said] of [
  [
    'an id that is that of another agent',
    '<primitive id="nfs-10.10.1.1" class="ocf" provider="heartbeat" type="Dummy"/>',
    /is ocf:heartbeat:Dummy/,
  ],
  [
    'another shape',
    '<group id="nfs-10.10.1.1"><primitive id="x" class="ocf" provider="heartbeat" type="Dummy"/></group>',
    /is a group, not ocf:nlm-failover:address/,
  ],
  [
    'another address',
    '<primitive id="nfs-10.10.1.1" class="ocf" provider="nlm-failover" type="address"><instance_attributes id="x"><nvpair id="y" name="address" value="10.10.1.9"/></instance_attributes></primitive>',
    /nfs-10\.10\.1\.1 is in the cluster for another address, "10\.10\.1\.9", not for 10\.10\.1\.1/,
  ],
  [
    'a clone of it',
    '<clone id="twice"><primitive id="nfs-10.10.1.1" class="ocf" provider="nlm-failover" type="address"/></clone>',
    /nfs-10\.10\.1\.1 is in the clone twice/,
  ],
  [
    'an id that a set of values has',
    '<primitive id="x" class="ocf" provider="heartbeat" type="Dummy"><meta_attributes id="nfs-10.10.1.1-meta_attributes"/></primitive>',
    /nfs-10\.10\.1\.1-meta_attributes is in the cluster already, as a meta_attributes/,
  ],
] as const) {
  test(`nothing is taken for ours: ${what}`, async (t) => {
    const { config } = await plan(sites.single);
    const tree = parse(`<cib><configuration><resources>${cib}</resources></configuration></cib>`, 'the test');
    t.throws(() => merge(tree, config), { message: said });
  });
}

test('it warns where fencing is off under either name, and where nothing can fence', (t) => {
  const property = (name: string, value: string) =>
    `<cluster_property_set id="c"><nvpair id="n" name="${name}" value="${value}"/></cluster_property_set>`;
  const device = '<primitive id="f" class="stonith" type="fence_x"/>';
  const levels = (inside: string, attributes = '') =>
    fencingRemarks(parse(`<cib${attributes}><configuration>${inside}</configuration></cib>`, 'the test')).map(
      ({ level, message }) => `${level} ${message}`,
    );
  t.deepEqual(levels(device), []);
  t.deepEqual(levels(property('stonith-enabled', 'true') + device), []);
  for (const name of ['stonith-enabled', 'fencing-enabled']) {
    for (const value of ['false', 'off', '0', 'No'])
      t.regex(
        levels(property(name, value) + device).join(),
        new RegExp(`^WARNING Fencing is off \\(${name}`),
      );
  }
  t.regex(levels('').join(), /^WARNING .*no fencing device/);
  t.deepEqual(levels(property('stonith-watchdog-timeout', '10s'), ' have-watchdog="true"'), []);
  t.regex(levels(property('stonith-watchdog-timeout', '10s')).join(), /no fencing device/);
  t.like(fencingRemarks(undefined), [{ level: 'NOTE' }]);
});

for (const [what, constraint] of [
  [
    'a location of another resource',
    '<rsc_location id="nfs-10.10.1.1-prefer" rsc="web" node="B" score="5"/>',
  ],
  [
    'a colocation',
    '<rsc_colocation id="nfs-10.10.1.1-prefer" rsc="nfs-10.10.1.1" with-rsc="web" score="5"/>',
  ],
  [
    'a rule',
    '<rsc_location id="nfs-10.10.1.1-prefer" rsc="nfs-10.10.1.1"><rule id="r" score="5"/></rsc_location>',
  ],
] as const) {
  test(`a constraint of an id of ours stays what somebody means by it: ${what}`, async (t) => {
    const { config } = await plan(sites.single, { prefer: 'A' });
    const tree = parse(
      `<cib><configuration><resources/><constraints>${constraint}</constraints></configuration></cib>`,
      'the test',
    );
    t.throws(() => merge(tree, config), { message: /nfs-10\.10\.1\.1-prefer is in the cluster, and is not/ });
  });
}

test('a preference for another node is changed, and teardown leaves a constraint that only has an id of ours', async (t) => {
  const toA = await plan(sites.single, { prefer: 'A' });
  const toB = await plan(sites.single, { prefer: 'B' });
  const { parts } = merge(parse(cibOf(toA.config), 'the test'), toB.config);
  t.deepEqual(
    parts.map(({ state }) => state),
    ['unchanged', 'updated'],
  );
  const { config } = await plan(sites.single);
  const { floatingIps } = parseToml(sites.single);
  const foreign = '<rsc_location id="nfs-10.10.1.1-prefer" rsc="web" node="B" score="5"/>';
  const full = cibOf(config).replace(
    '</configuration>',
    `<constraints>${foreign}</constraints></configuration>`,
  );
  const { host, ran } = clusterHost(
    [full, disabled(full, 'nfs-10.10.1.1'), '<cib><configuration/></cib>'],
    0,
  );
  const gone = await tearDown(host, floatingIps, { limit: () => 20 });
  t.deepEqual(
    gone.map(({ id }) => id),
    ['nfs-10.10.1.1'],
  );
  t.is(ran.filter((line) => line.startsWith('cibadmin --patch')).length, 1);
});

/** A cluster that answers with this CIB, or with these, the last one from then on, and in which every resource runs on A as long as `stops` is not yet over. */
function clusterHost(cibs: string | readonly string[], stops: number) {
  const answers = typeof cibs === 'string' ? [cibs] : [...cibs];
  const ran: string[] = [];
  let asked = 0;
  let clock = 0;
  const answer = (stdout = ''): CommandResult => ({ exitCode: 0, stdout, stderr: '' });
  const host: Host = {
    ...realHost,
    now: () => clock,
    delay: async (ms) => {
      clock += ms;
    },
    run: async (argv) => {
      const [program, ...words] = argv;
      if (program === 'cibadmin' && words[0] === '--query')
        return answer(answers.length > 1 ? answers.shift() : answers[0]);
      ran.push(argv.join(' '));
      if (words.includes('--locate'))
        return answer(asked++ < stops ? '<r><nodes><node>A</node></nodes></r>' : '<r/>');
      if (program === 'crm_mon') return answer('<r/>');
      if (program === 'crm_diff') return { ...answer('<diff/>'), exitCode: 1 };
      return answer();
    },
  };
  return { host, ran };
}

/** With what crm_resource writes. */
function disabled(cib: string, id: string): string {
  return cib.replace(
    new RegExp(`(<meta_attributes id="${id}-meta_attributes">)`),
    `$1<nvpair id="${id}-meta_attributes-target-role" name="target-role" value="Stopped"/>`,
  );
}

test('of a teardown that is printed nothing is run after what has failed', async (t) => {
  const { config } = await plan(sites.both);
  const directory = mkdtempSync(path.join(tmpdir(), 'nlm-failover-teardown-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  for (const program of ['pcs', 'crm', 'crm_resource', 'cibadmin'])
    writeFileSync(
      path.join(directory, program),
      '#!/bin/sh\necho called >>calls\n[ "$(wc -l <calls)" -lt "$LIMIT" ]\n',
      { mode: 0o755 },
    );
  for (const format of formats) {
    const text = removeText(config, format);
    const count = text.split('\n').length - 1;
    t.true(count >= 4);
    for (let limit = 1; limit <= count; limit++) {
      writeFileSync(path.join(directory, 'calls'), '');
      const { status } = spawnSync('sh', {
        input: text,
        cwd: directory,
        env: { PATH: `${directory}:/usr/bin:/bin`, LIMIT: `${limit}` },
      });
      t.not(status, 0);
      t.is(readFileSync(path.join(directory, 'calls'), 'utf8').split('\n').length - 1, limit, format);
    }
  }
});

test('teardown stops first, and removes nothing while it runs', async (t) => {
  const { config } = await plan(sites.single);
  const { floatingIps } = parseToml(sites.single);
  const cib = cibOf(config);
  const stuck = clusterHost([cib, cib], 1000);
  const told: string[] = [];
  const stopping = (id: string, places: readonly string[], seconds: number) =>
    void told.push(`${id} ${places.join()} ${seconds}`);
  const error = await t.throwsAsync(tearDown(stuck.host, floatingIps, { limit: () => 20, stopping }), {
    instanceOf: FailoverError,
  });
  t.regex(
    error?.message ?? '',
    /nfs-10\.10\.1\.1 still runs on A, 20 s after it was disabled.*nothing was removed/,
  );
  t.is(stuck.ran.filter((line) => line.startsWith('cibadmin --patch')).length, 0);
  t.deepEqual(told, ['nfs-10.10.1.1 A 20'], 'once');
  const slow = clusterHost([cib, disabled(cib, 'nfs-10.10.1.1')], 5);
  // The CIB of this cluster does not change then, so that what was removed is found again.
  const again = await t.throwsAsync(tearDown(slow.host, floatingIps, { limit: () => 20 }), {
    instanceOf: FailoverError,
  });
  t.regex(again?.message ?? '', /nfs-10\.10\.1\.1 is still in the cluster/);
  const order = slow.ran.map((line) => line.split(' ').slice(0, 2).join(' '));
  t.deepEqual(order.slice(0, 3), [
    'crm_resource --resource',
    'crm_mon --one-shot',
    'crm_resource --resource',
  ]);
  t.regex(slow.ran[2] ?? '', /target-role --parameter-value Stopped$/);
  t.deepEqual(order.slice(-2), ['crm_diff --original', 'cibadmin --patch']);
});

for (const [what, change, said] of [
  [
    'a constraint',
    '<constraints><rsc_location id="mine" rsc="nfs-10.10.1.1" node="A" score="5"/></constraints>',
    /constraint mine names/,
  ],
  [
    'a set',
    '<constraints><rsc_order id="mine"><resource_set id="s"><resource_ref id="nfs-10.10.1.1"/></resource_set></rsc_order></constraints>',
    /constraint mine names/,
  ],
  [
    'a colocation',
    '<constraints><rsc_colocation id="mine" rsc="web" with-rsc="nfs-10.10.1.1" score="5"/></constraints>',
    /constraint mine names/,
  ],
  [
    'an order of an id of ours',
    '<constraints><rsc_order id="nfs-serialize-mine" first="nfs-10.10.1.1" then="web" kind="Mandatory"/></constraints>',
    /constraint nfs-serialize-mine names/,
  ],
  [
    'a preference of an id of ours, by a rule',
    '<constraints><rsc_location id="nfs-10.10.1.1-prefer" rsc="nfs-10.10.1.1"><rule id="r" score="5"/></rsc_location></constraints>',
    /constraint nfs-10\.10\.1\.1-prefer names/,
  ],
  [
    'a target-role by a rule',
    (cib: string) =>
      cib.replace(
        '<meta_attributes id="nfs-10.10.1.1-meta_attributes">',
        '<meta_attributes id="nights"><rule id="r" score="0"/><nvpair id="n" name="target-role" value="Stopped"/></meta_attributes>$&',
      ),
    /nights of nfs-10\.10\.1\.1 has target-role by a rule/,
  ],
  ['a tag', '<tags><tag id="mine"><obj_ref id="nfs-10.10.1.1"/></tag></tags>', /tag mine names/],
  [
    'an access rule',
    '<acls><acl_role id="mine"><acl_permission id="p" kind="read" reference="nfs-10.10.1.1"/></acl_role></acls>',
    /acl_role mine names/,
  ],
  [
    'values of ours in another resource',
    (cib: string) =>
      cib.replace(
        '</resources>',
        '<primitive id="mine" class="ocf" provider="heartbeat" type="Dummy"><meta_attributes id-ref="nfs-10.10.1.1-meta_attributes"/></primitive></resources>',
      ),
    /primitive mine names/,
  ],
  ['a group', within('group'), /nfs-10\.10\.1\.1 is in the group mine/],
  ['a clone', within('clone'), /nfs-10\.10\.1\.1 is in the clone mine/],
  [
    'a template',
    (cib: string) =>
      cib.replace(/<primitive (id="nfs-10\.10\.1\.1"[^]*?)<\/primitive>/, '<template $1</template>'),
    /nfs-10\.10\.1\.1 is in the cluster, and nlm-failover did not make it/,
  ],
  [
    'another address',
    (cib: string) => cib.replace('name="address" value="10.10.1.1"', 'name="address" value="10.10.1.9"'),
    /for another address, "10\.10\.1\.9"/,
  ],
] as const) {
  const changed = (cib: string) =>
    typeof change === 'string' ? cib.replace('</configuration>', `${change}</configuration>`) : change(cib);

  test(`teardown touches nothing where somebody else's configuration needs it: ${what}`, async (t) => {
    // Of two the second one is refused: the first must not be stopped before that is seen.
    const { config } = await plan(sites.both);
    const { floatingIps } = parseToml(sites.both);
    const { host, ran } = clusterHost(changed(cibOf(config)), 0);
    const error = await t.throwsAsync(tearDown(host, [...floatingIps].toReversed(), { limit: () => 20 }), {
      instanceOf: FailoverError,
    });
    t.regex(error?.message ?? '', said);
    t.deepEqual(ran, []);
  });

  test(`teardown removes nothing where that came while it stopped: ${what}`, async (t) => {
    const { config } = await plan(sites.single);
    const { floatingIps } = parseToml(sites.single);
    const cib = cibOf(config);
    const { host, ran } = clusterHost([cib, changed(disabled(cib, 'nfs-10.10.1.1'))], 3);
    const error = await t.throwsAsync(tearDown(host, floatingIps, { limit: () => 20 }), {
      instanceOf: FailoverError,
    });
    t.regex(error?.message ?? '', said);
    t.regex(error?.message ?? '', /changed while nfs-10\.10\.1\.1 was stopped; nothing was removed/);
    t.regex(error?.hint ?? '', /stays disabled/);
    t.deepEqual(
      ran.filter((line) => line.startsWith('cibadmin')),
      [],
    );
  });
}

test('teardown disables no second address that came to be needed while the first one stopped', async (t) => {
  const { config } = await plan(sites.both);
  const { floatingIps } = parseToml(sites.both);
  const cib = cibOf(config);
  const tagged = disabled(cib, 'nfs-10.10.1.1').replace(
    '</configuration>',
    '<tags><tag id="mine"><obj_ref id="nfs-fd00--2"/></tag></tags></configuration>',
  );
  const { host, ran } = clusterHost([cib, tagged], 3);
  await t.throwsAsync(tearDown(host, floatingIps, { limit: () => 20 }), {
    message: /tag mine names nfs-fd00--2.*while nfs-10\.10\.1\.1 was stopped/,
  });
  t.deepEqual(
    ran.filter((line) => line.includes('target-role')).map((line) => line.split(' ')[2]),
    ['nfs-10.10.1.1'],
  );
});

/** The resource in something that somebody made around it. */
function within(name: string): (cib: string) => string {
  return (cib) =>
    cib.replace(/(<primitive id="nfs-10\.10\.1\.1"[^]*?<\/primitive>)/, `<${name} id="mine">$1</${name}>`);
}

test('teardown removes nothing where somebody enabled it again', async (t) => {
  const { config } = await plan(sites.single);
  const { floatingIps } = parseToml(sites.single);
  const { host, ran } = clusterHost(cibOf(config), 0);
  await t.throwsAsync(tearDown(host, floatingIps, { limit: () => 20 }), {
    message: /nfs-10\.10\.1\.1 was enabled again by somebody else/,
  });
  t.false(ran.some((line) => line.startsWith('cibadmin')));
});
