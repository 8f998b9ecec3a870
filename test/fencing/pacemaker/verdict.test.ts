// What Pacemaker's tools print, and what it proves. The answers are those of a real cluster (fixtures); the newer formats are made after
// lib/pengine/unpack.c and xml/api of Pacemaker 3.0.2, and say so.
import test from 'ava';
import fc from 'fast-check';
import {
  type FenceEvent,
  type NodeState,
  readBoolean,
  readFenceDevices,
  readFenceLevels,
  readFenceEvents,
  readHistoryOwners,
  readNodeNames,
  readNodeStates,
  readTime,
  readUnfencing,
} from '../../../src/fencing/pacemaker/answers.js';
import { whyRunsOn } from '../../../src/fencing/pacemaker/devices.js';
import { isResourceId } from '../../../src/fencing/pacemaker/resource-id.js';
import { type Cluster, judge, type Verdict } from '../../../src/fencing/pacemaker/verdict.js';
import { recordedAnswers } from '../../helpers/cluster-answers.js';

function clusterOf(name: string): Cluster {
  const answers = recordedAnswers(name);
  const of = (part: string) =>
    Object.entries(answers).find(([command]) => command.includes(part))?.[1].stdout ?? '';
  return {
    localName: of('crm_node').trim(),
    enabled: [of('stonith-enabled').trim(), of('fencing-enabled').trim()],
    requires: of('requires').trim(),
    nodes: readNodeNames(of('//nodes/node')),
    states: readNodeStates(of('//node_state --no')),
    withHistory: readHistoryOwners(of('//node_state/lrm')),
    events: readFenceEvents(of('stonith_admin')),
  };
}

/** A has the address since a moment before its last fencing in that recording, or a moment after. */
function suspectOf(cluster: Cluster, offset: number, node = 'A') {
  const last = Math.max(
    0,
    ...cluster.events.flatMap(({ status, completed = 0 }) => (status === 'success' ? [completed] : [])),
  );
  return { address: '10.10.1.1', node, epoch: 4, lastWrite: last + offset };
}

type Is = Verdict['is'];
const rows: readonly (readonly [fixture: string, before: Is, after: Is])[] = [
  ['fenced', 'proved', 'unproved'],
  ['fenced-at-startup', 'proved', 'unproved'],
  ['confirmed-by-a-human', 'proved', 'unproved'],
  // Back in the cluster: only a fencing that is younger by more than clocks are apart.
  ['rejoined', 'unproved', 'unproved'],
  ['both-online', 'unproved', 'unproved'],
  ['back-after-leaving', 'unproved', 'unproved'],
  // Down as the cluster sees it, but it came back after the fencing: whoever left cleanly may run on with what Pacemaker does not manage.
  ['left-cleanly', 'unproved', 'unproved'],
  ['left-in-maintenance', 'unproved', 'unproved'],
  ['lost', 'awaited', 'awaited'],
  ['fencing-failed', 'awaited', 'awaited'],
  ['never-seen', 'unproved', 'unproved'],
  ['stonith-enabled-false', 'unproved', 'unproved'],
  ['fencing-enabled-false', 'unproved', 'unproved'],
  ['requires-quorum-of-the-group', 'unproved', 'unproved'],
  ['requires-nothing-by-default', 'unproved', 'unproved'],
];

for (const [fixture, before, after] of rows)
  test(`as recorded: ${fixture}`, (t) => {
    const cluster = clusterOf(fixture);
    t.is(judge(cluster, suspectOf(cluster, -1), 'B').is, before, 'the record was written before');
    t.is(judge(cluster, suspectOf(cluster, 0), 'B').is, after, 'in the same moment');
    t.is(judge(cluster, suspectOf(cluster, 1), 'B').is, after, 'the record was written after');
    for (const node of ['B', 'C', 'a', '*', ''])
      t.is(judge(cluster, suspectOf(cluster, -1, node), 'B').is, 'unproved', `of ${node}`);
    t.is(judge(cluster, suspectOf(cluster, -1), 'b').is, 'unproved', 'of whoever this is');
  });

test('a node that is back: what was fenced a minute after the record was written', (t) => {
  const cluster = clusterOf('rejoined');
  t.is(judge(cluster, suspectOf(cluster, -60_000), 'B').is, 'unproved');
  t.like(judge(cluster, suspectOf(cluster, -60_001), 'B'), {
    is: 'proved',
    said: 'A was fenced (reboot) by B (Pacemaker, 2026-11-27T14:55:16.000Z)',
  });
});

test('of whoever must be down at this moment, no fencing of before counts where it is back', (t) => {
  for (const [fixture, is] of [
    ['fenced', 'proved'],
    ['confirmed-by-a-human', 'proved'],
    ['rejoined', 'unproved'],
    ['both-online', 'unproved'],
    ['back-after-leaving', 'unproved'],
    ['left-cleanly', 'unproved'],
    ['left-in-maintenance', 'unproved'],
    ['lost', 'awaited'],
  ] as const) {
    const cluster = clusterOf(fixture);
    // It has never answered, so that nothing is known of what it did last.
    const suspect = { ...suspectOf(cluster, 0), lastWrite: 0, mustBeDown: true as const };
    t.is(judge(cluster, suspect, 'B').is, is, fixture);
  }
});

test('real fence agents: one that takes the power, one that takes the disks', (t) => {
  for (const [kind, agent, is] of [
    ['power', 'fence_ipmilan', false],
    ['fabric', 'fence_scsi', true],
  ] as const) {
    const answers = recordedAnswers('fenced', kind);
    const devices = readFenceDevices(answers['cibadmin --query --xpath //resources']?.stdout ?? '');
    t.deepEqual(devices.agents, [agent]);
    t.is(devices.isUnfencing, is);
    t.is(readUnfencing(answers[`stonith_admin --metadata --agent ${agent}`]?.stdout ?? ''), is);
  }
});

test('whatever device may leave a node running: nothing is proved', (t) => {
  const look = (resources: string, ...unfencing: readonly string[]) => {
    const devices = readFenceDevices(`<resources>${resources}</resources>`);
    return whyRunsOn(
      devices,
      devices.agents.map((agent) => ({ agent, isUnfencing: unfencing.includes(agent) })),
      [],
      'A',
    );
  };
  const device = (type: string, pair = '') =>
    `<primitive id="${type}" class="stonith" type="${type}"><meta_attributes id="m">${pair}</meta_attributes></primitive>`;
  const pair = (name: string, value: string) => `<nvpair id="p" name="${name}" value="${value}"/>`;
  t.is(look(''), undefined);
  t.is(look(device('fence_ipmilan')), undefined);
  // The meta-data of an agent that is no fence device is not asked for.
  t.is(look('<primitive id="x" class="ocf" provider="heartbeat" type="Dummy"/>', 'Dummy'), undefined);
  for (const action of ['off', 'reboot'])
    for (const name of ['pcmk_off_action', 'pcmk_reboot_action'])
      t.is(look(device('fence_ipmilan', pair(name, action))), undefined);
  for (const name of ['pcmk_off_action', 'pcmk_reboot_action'])
    for (const action of ['on', 'monitor', 'metadata', 'diag', ''])
      t.regex(look(device('fence_ipmilan', pair(name, action))) ?? '', /^a fence device does "/);
  for (const action of ['off', 'reboot'])
    t.is(look(device('fence_ipmilan', pair('action', action))), undefined);
  t.regex(
    look(device('fence_ipmilan', pair('action', 'diag'))) ?? '',
    /^a fence device does "diag" instead [(]action[)]/,
  );
  // Of another resource it says nothing, unless its values may be the device's too.
  const other = `<primitive id="x" class="ocf" type="Dummy"><instance_attributes id="s">${pair('action', 'diag')}</instance_attributes></primitive>`;
  t.is(look(device('fence_ipmilan') + other), undefined);
  t.regex(look(device('fence_ipmilan', '<instance_attributes id-ref="s"/>') + other) ?? '', /does "diag"/);
  t.regex(look(device('a') + device('fence_mpath'), 'fence_mpath') ?? '', /^fence_mpath cuts/);
  t.regex(look(device('a', pair('provides', 'Unfencing'))) ?? '', /provides=unfencing cuts/);
  // A value that stands somewhere else in the CIB, under this name or another one.
  for (const nvpair of ['<nvpair id-ref="x"/>', '<nvpair id-ref="x" name="action"/>'])
    t.regex(look(device('fence_ipmilan', nvpair)) ?? '', /takes one of its values from elsewhere/);
  t.is(look(`${device('fence_ipmilan')}<primitive id="x"><nvpair id-ref="x"/></primitive>`), undefined);
  for (const [name, value, is] of [
    ['network-fencing', 'true', true],
    ['network_fencing', '1', true],
    ['network-fencing', '', true],
    ['network-fencing', 'false', false],
  ] as const)
    t.is(look(device('fence_azure_arm', pair(name, value)))?.includes('has network-fencing') ?? false, is);
  for (const agent of ['fence_dummy', 'fence_crosslink', 'null', 'ssh', 'external/ssh'])
    t.is(look(device('a') + device(agent)), `${agent} says so of a node that runs on`);
  for (const agent of ['fence_aws_vpc', 'fence_aws_vpc_net'])
    t.is(
      look(device('a') + device(agent)),
      `${agent} cuts a node off from its network, and leaves it running`,
    );
  t.regex(look(device('fence_legacy', pair('plugin', 'null'))) ?? '', /^null says so/);
  t.regex(look('<template id="t" class="stonith" type="fence_scsi"/>', 'fence_scsi') ?? '', /^fence_scsi/);
  for (const [metadata, is] of [
    ['<a><action name="on" automatic="1"/></a>', true],
    ['<a><action name="on" automatic="true"/></a>', true],
    ['<a><action name="on" required="1"/></a>', true],
    ['<a><action name="on" automatic="0"/><action name="off" automatic="1"/></a>', false],
    ['<a><action name="on"/></a>', false],
    ['<a/>', false],
  ] as const)
    t.is(readUnfencing(metadata), is, metadata);
});

test('a helper fences nothing by itself: it counts beside another device, in every level, of this node', (t) => {
  const resources = `<resources>
    <template id="ping" class="stonith" type="fence_heuristics_ping"/><primitive id="h" template="ping"/>
    <primitive id="i" class="stonith" type="fence_ipmilan"/></resources>`;
  const devices = readFenceDevices(resources);
  const look = (levels: string, node: string | undefined = 'A') =>
    whyRunsOn(devices, [], readFenceLevels(levels && `<fencing-topology>${levels}</fencing-topology>`), node);
  const level = (target: string, names: string) =>
    `<fencing-level id="l" index="1" ${target} devices="${names}"/>`;
  t.regex(
    look('') ?? '',
    /^fence_heuristics_ping fences nothing by itself, and no level of a topology for A/,
  );
  for (const target of ['target="A"', 'target-pattern="^[AB]$"'])
    t.is(look(level(target, 'h,i')), undefined, target);
  t.is(look(level('target="A"', 'h,i') + level('target="A"', 'i')), undefined);
  for (const target of ['target="B"', 'target-pattern="^B"', 'target-pattern="("', 'target-attribute="rack"'])
    t.regex(look(level(target, 'h,i')) ?? '', /no level of a topology for A has another device/, target);
  for (const names of ['h', 'h,absent'])
    t.regex(look(level('target="A"', 'h,i') + level('target="A"', names)) ?? '', /is alone in a level/);
  // As check asks, of no node in particular.
  t.is(whyRunsOn(devices, [], readFenceLevels(`<a>${level('target="B"', 'h,i')}</a>`), undefined), undefined);
  t.regex(whyRunsOn(devices, [], [], undefined) ?? '', /no level of a topology has another device/);
  for (const helper of ['fence_evacuate', 'fence_nlm_failover'])
    t.regex(
      whyRunsOn(readFenceDevices(resources.replace('fence_heuristics_ping', helper)), [], [], 'A') ?? '',
      new RegExp(`^${helper} fences nothing by itself`),
    );
  const both = readFenceDevices(
    resources.replace(
      '</resources>',
      '<primitive id="e" class="stonith" type="fence_evacuate"/></resources>',
    ),
  );
  const levels = (names: string) => readFenceLevels(`<a>${level('target="A"', names)}</a>`);
  t.regex(whyRunsOn(both, [], levels('h,e'), 'A') ?? '', /is alone in a level/, 'two helpers');
  t.is(whyRunsOn(both, [], levels('h,i,e'), 'A'), undefined);
});

// Made after unpack_node_member() and unpack_node_online() of Pacemaker 3.0.2: times since feature set 3.18.0.
test('node states since feature set 3.18.0', (t) => {
  const state = (attributes: string) => readNodeStates(`<node_state id="1" uname="A" ${attributes}/>`)[0];
  t.like(state('in_ccm="1795790555" crmd="1795790556" join="member" expected="member"'), {
    isMember: true,
    isOnline: true,
  });
  t.like(state('in_ccm="0" crmd="0" join="down" expected="down"'), { isMember: false, isOnline: false });
  t.like(state('in_ccm="-1" crmd="soon"'), { isMember: undefined, isOnline: true });
  t.like(state(''), { isMember: undefined, isOnline: false });
});

test('times: with a zone, in the spellings of 2.1.5 and of 3.0.2; else none', (t) => {
  const at = Date.UTC(2026, 10, 27, 14, 48, 15);
  t.is(readTime('2026-11-27 14:48:15Z'), at);
  t.is(readTime('2026-11-27 15:48:15 +01:00'), at);
  // Made after pcmk__timespec2str with crm_time_usecs (3.0.2).
  t.is(readTime('2026-11-27 14:48:15.123456Z'), at + 123);
  t.is(readTime('2026-11-27 09:18:15.999999 -05:30'), at + 999);
  for (const text of [
    '2026-11-27 14:48:15',
    '14:48:15Z',
    'now',
    '',
    '2026-13-27 14:48:15Z',
    '1795790895',
    '2026-11-27 14:48:15Z x',
  ])
    t.is(readTime(text), undefined, text);
  t.is(readTime(undefined), undefined);
});

test('what is no answer is an error: not well-formed, an entity, text around it, nothing', (t) => {
  for (const text of [
    '',
    'Error performing operation: No such device or address',
    '<node_state id="1" uname="A"',
    '<node_state uname="A" uname="B"/>',
    '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/shadow">]><node_state uname="&x;"/>',
    '<a/><b/>',
  ])
    t.throws(() => readNodeStates(text), undefined, text);
});

test('an event of an unknown status, and attributes with names of JavaScript, are passed over', (t) => {
  t.deepEqual(
    readFenceEvents(
      '<l><fence_event status="maybe" action="off" target="A" completed="2026-11-27 14:48:15Z"/></l>',
    ),
    [],
  );
  t.deepEqual(readFenceEvents('<l><fence_event __proto__="x" constructor="y"/></l>'), []);
  t.like(readNodeStates('<node_state __proto__="x" uname="A"/>')[0], { name: 'A', isMember: undefined });
});

test('the booleans of Pacemaker', (t) => {
  for (const yes of ['true', 'TRUE', 'on', 'yes', 'y', '1', ' true\n']) t.is(readBoolean(yes), true, yes);
  for (const no of ['false', 'off', 'no', 'n', '0']) t.is(readBoolean(no), false, no);
  for (const none of ['', 'maybe', '2', 'truefalse']) t.is(readBoolean(none), undefined, none);
  for (const one of ['', 'maybe', '2'])
    t.is(
      judge({ ...clusterOf('fenced'), enabled: ['true', one] }, suspectOf(clusterOf('fenced'), -1), 'B').is,
      'unproved',
    );
});

test('the id of a resource', (t) => {
  for (const id of ['nfs-10.10.1.1', 'nfs-10.10.1.1-locks', '_x', 'A']) t.true(isResourceId(id), id);
  for (const id of ['', '-r', '1', 'a b', 'a:0', 'a\n', 'ä', 'a/b', `a${'b'.repeat(255)}`])
    t.false(isResourceId(id), id);
});

const names = fc.constantFrom('A', 'B', 'C', '', 'a', '__proto__', 'A ', '*');
const events: fc.Arbitrary<FenceEvent> = fc.record({
  status: fc.constantFrom('success', 'failed', 'pending'),
  action: fc.constantFrom('off', 'reboot', 'on', '', 'OFF'),
  target: names,
  delegate: fc.constantFrom('B', 'a human', undefined),
  completed: fc.option(fc.integer({ min: 0, max: 300_000 }), { nil: undefined }),
});
const states: fc.Arbitrary<NodeState> = fc.record({
  id: fc.constantFrom('1', '2', '3'),
  name: names,
  isMember: fc.constantFrom(true, false, undefined),
  isOnline: fc.boolean(),
  join: fc.constantFrom('member', 'down', 'pending', 'banned', undefined),
  expected: fc.constantFrom('member', 'down', undefined),
});
const clusters: fc.Arbitrary<Cluster> = fc.record({
  localName: fc.constantFrom('B', 'B', 'A'),
  enabled: fc.array(fc.constantFrom('true', 'true', '1', 'false', ''), { minLength: 2, maxLength: 2 }),
  requires: fc.constantFrom('', '', 'fencing', 'unfencing', 'quorum', 'nothing', 'x'),
  nodes: fc.array(names),
  states: fc.array(states, { maxLength: 4 }),
  withHistory: fc.array(fc.constantFrom('1', '2', '3')),
  events: fc.array(events, { maxLength: 6 }),
});
const writes = fc.integer({ min: 0, max: 300_000 });
const suspect = (node: string, lastWrite: number) => ({ address: '10.10.1.1', node, epoch: 4, lastWrite });

test('whatever it answers: proved is only who was fenced since, by a cluster that fences', (t) => {
  let proofs = 0;
  fc.assert(
    fc.property(clusters, names, writes, (cluster, node, lastWrite) => {
      if (judge(cluster, suspect(node, lastWrite), 'B').is !== 'proved') return;
      proofs += 1;
      t.is(cluster.localName, 'B');
      t.not(node, 'B');
      t.true(cluster.enabled.every((one) => one === 'true' || one === '1'));
      t.true(['', 'fencing', 'unfencing'].includes(cluster.requires));
      t.is(cluster.states.filter(({ name }) => name === node).length, 1);
      t.true(
        cluster.events.some(
          ({ status, action, target, completed = 0 }) =>
            status === 'success' &&
            ['off', 'reboot'].includes(action) &&
            target === node &&
            completed > lastWrite,
        ),
      );
    }),
    { numRuns: 40_000 },
  );
  t.true(proofs > 0);
});

test('whatever it answers: later writes, and what became of other nodes, never make a proof', (t) => {
  fc.assert(
    fc.property(clusters, names, writes, writes, fc.array(events), (cluster, node, first, more, others) => {
      const early = judge(cluster, suspect(node, first), 'B').is;
      if (early !== 'proved') t.not(judge(cluster, suspect(node, first + more), 'B').is, 'proved');
      const beside = {
        ...cluster,
        events: [...cluster.events, ...others.filter(({ target }) => target !== node)],
      };
      t.is(judge(beside, suspect(node, first), 'B').is, early);
    }),
    { numRuns: 2000 },
  );
});

test('whatever is printed: a value or an Error', (t) => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: 'binary' }),
    fc
      .tuple(fc.string(), fc.string())
      .map(
        ([name, value]) =>
          `<x><node_state uname="${name}" in_ccm="${value}"/><fence_event status="${value}"/></x>`,
      ),
  );
  fc.assert(
    fc.property(text, (printed) => {
      for (const read of [readNodeStates, readNodeNames, readHistoryOwners, readFenceEvents, readUnfencing]) {
        try {
          const value = read(printed);
          t.true(Array.isArray(value) || typeof value === 'boolean');
        } catch (error) {
          t.true(error instanceof Error);
        }
      }
    }),
  );
});
