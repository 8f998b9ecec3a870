// Which node an address comes home to, computed; what the agent and the rules of the addresses have in common; how long a barrier may take.
import { readFileSync } from 'node:fs';
import test from 'ava';
import * as fc from 'fast-check';
import { FailoverError } from '../../../src/errors.js';
import { realHost } from '../../../src/host/real.js';
import { drivers } from '../../../src/lockmanager/drivers.js';
import { homesOf, scoresOf } from '../../../src/site/ganesha-ha/homes.js';
import { nodeAgent, planNodes } from '../../../src/site/ganesha-ha/plan.js';
import { timeoutsOf } from '../../../src/site/pacemaker/timeouts.js';
import { parse } from '../../config/sample.js';
import { agentFile } from '../../helpers/ocf-agent.js';
import { sites } from '../pacemaker/sites.js';

const toml = `
node = "b"
[state]
directory = "/srv/state"
[lock_manager]
driver = "ganesha"
ganesha_bus = "unix:path=/run/other"
[[shared_filesystem]]
export_id = 77
path = "/gv"
nodes = ["b", "a"]
[[floating_ip]]
address = "10.10.1.1/24"
interface = "eth0"
`;

const plan = (text: string) => ({
  host: realHost,
  config: parse(text),
  drivers,
  run: '/run/nlm-failover',
  callout: '/callout',
});

test('the first address is at home on the first node, and so on around', (t) => {
  const homes = homesOf({
    addresses: ['1', '2', '3', '4'],
    nodes: ['b', 'a', 'c'],
    current: () => undefined,
  });
  t.deepEqual(
    [...homes],
    [
      ['1', 'b'],
      ['2', 'a'],
      ['3', 'c'],
      ['4', 'b'],
    ],
  );
});

test('each address has one of the nodes, none has more than its share, and nobody moves without need', (t) => {
  const names: fc.Arbitrary<string[]> = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e'), {
    minLength: 1,
  });
  const property = fc.property(
    fc.uniqueArray(fc.nat(20).map(String), { minLength: 1, maxLength: 8 }),
    names,
    names,
    (addresses, before, nodes) => {
      const first = homesOf({ addresses, nodes: before, current: () => undefined });
      const next = homesOf({ addresses, nodes, current: (address) => first.get(address) });
      const share = Math.ceil(addresses.length / nodes.length);
      for (const node of nodes) t.true([...next.values()].filter((home) => home === node).length <= share);
      for (const address of addresses) t.true(nodes.includes(next.get(address) ?? ''));
      const again = homesOf({ addresses, nodes, current: (address) => next.get(address) });
      t.deepEqual([...again].toSorted(), [...next].toSorted());
      const isOnlyMore = before.every((node) => nodes.includes(node)) && addresses.length <= before.length;
      if (isOnlyMore) t.deepEqual([...next].toSorted(), [...first].toSorted());
    },
  );
  fc.assert(property, { numRuns: 200 });
});

test('home has the highest score, the node before it in the ring the next one', (t) => {
  t.deepEqual(scoresOf('b', ['a', 'b', 'c', 'd']), [
    ['c', 1000],
    ['d', 2000],
    ['a', 3000],
    ['b', 4000],
  ]);
});

test('the nodes are in the order of the file, and the agent is told the bus', async (t) => {
  const { config } = await planNodes(plan(toml), { nodes: ['b', 'a'], unit: undefined, cib: undefined });
  t.deepEqual(plan(toml).config.floatingIps[0]?.shared?.nodes, ['b', 'a']);
  const [clone] = config.resources;
  t.true(
    clone !== undefined &&
      'instance' in clone &&
      clone.instance.parameters.some((pair) => pair.join('=') === 'bus=unix:path=/run/other'),
  );
  t.is(config.preferences.at(-1)?.node, 'b');
});

test('the agent sets the attribute by which the addresses go', (t) => {
  const { attribute } = nodeAgent(plan(toml));
  t.true(readFileSync(agentFile('ganesha'), 'utf8').includes(`\nattribute=${attribute}\n`));
});

test('it is for shared file systems alone', (t) => {
  const error = t.throws(() => nodeAgent(plan(sites.single)), { instanceOf: FailoverError });
  t.regex(error?.message ?? '', /has no \[\[shared_filesystem\]\]/);
});

test('the timeouts of what is shared are beyond the barrier', (t) => {
  const { timeouts } = parse(`${toml}[timeouts]\nbarrier = 1000\n`);
  const [own, shared] = [false, true].map(
    (isShared) => timeoutsOf(timeouts, { grace: 90, filesystems: 1, isShared }).address,
  );
  t.deepEqual(shared, { start: (own?.start ?? 0) + 2000, stop: (own?.stop ?? 0) + 1000 });
});
