// A takeover from a node that has not released the address: by what it is proved that the node is down, what is left where it is
// not, and who is said to have proved it. Pacemaker's answers are those of a real cluster (fixtures).
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { Prover } from '../../src/fencing/prover.js';
import { takeover } from '../../src/failover/operations/takeover.js';
import { planTakeover } from '../../src/failover/plan.js';
import { openRecord } from '../../src/record/record.js';
import { type Answers, asOf, changed, recordedAnswers } from '../helpers/cluster-answers.js';
import { rehearsalContext } from '../helpers/rehearsal-context.js';
import { makeRehearsal, type RehearsalNode, type RehearsalSite } from '../helpers/rehearsal-site.js';
import { jsonLines } from '../helpers/rehearsal-steps.js';
import { runHere } from '../fault/site.js';
import { treeOf } from '../helpers/tree.js';

const address = '127.77.46.1';
const resource = 'nfs-10.10.1.1-locks';
const shared = '/shared_storage';

/** A has the address, has not released it, and is not heard of again. */
async function ownedByA(t: ExecutionContext, where: 'shared' | 'state volume' = 'shared') {
  const site = makeRehearsal({
    address,
    rpcbindPort: 1,
    ...(where === 'shared' ? { stateDirectory: shared } : {}),
  });
  t.teardown(() => site.remove());
  if (where === 'shared') {
    mkdirSync(path.join(site.directory, 'storage'));
    for (const node of [site.a, site.b]) node.link(shared, path.join(site.directory, 'storage'));
  }
  const taken = await run(site, 'A', ['takeover', address, '--no-wait']);
  t.is(taken.exitCode, 0, taken.output);
  return site;
}

/** In this process, with --json. */
function run(site: RehearsalSite, node: 'A' | 'B', args: readonly string[]) {
  return runHere(site.directory, node, args);
}

function configure(node: RehearsalNode, text: string): void {
  node.write('/etc/nlm-failover.toml', `${node.read('/etc/nlm-failover.toml')}\n${text}\n`);
}

function answer(node: RehearsalNode, answers: Answers): void {
  // At once: it may be read at this moment.
  node.write('/pacemaker.new', JSON.stringify(answers));
  renameSync(node.path('/pacemaker.new'), node.path('/pacemaker.json'));
}

const byPacemaker = ['takeover', address, '--resource', resource, '--no-wait'];

async function lastOfHistory(site: RehearsalSite) {
  const { output } = await run(site, 'B', ['history', address]);
  return jsonLines(output).at(-1) as unknown as Record<string, unknown>;
}

/** Everything of both nodes and of the storage, but for the lock by which only one operation of an address runs. */
function everything(site: RehearsalSite): string[] {
  return treeOf(site.directory, ['B/run/nlm-failover']);
}

/** Refused with that, and nothing is otherwise than before. */
async function refused(t: ExecutionContext, site: RehearsalSite, args: readonly string[], why: RegExp) {
  const before = everything(site);
  const ended = await run(site, 'B', args);
  t.is(ended.exitCode, 4, ended.output);
  t.regex(ended.output, /"code":"NOT_FENCED"/);
  t.regex(ended.output, why);
  t.deepEqual(everything(site), before);
}

/** Fenced right now, as far as the fencing history says. */
const fencedNow = (name = 'fenced') => asOf(recordedAnswers(name), Date.now() + 1000);

test('fenced since: taken over, and the takeover and the history say who proved it', async (t) => {
  const site = await ownedByA(t);
  answer(site.b, fencedNow());
  const { exitCode, output } = await run(site, 'B', byPacemaker);
  t.is(exitCode, 0, output);
  const said =
    /^fencing: A was fenced \(reboot\) by B \(Pacemaker, 20[-0-9T:.]+Z\), before epoch 2 was claimed$/;
  t.regex(String((jsonLines(output).at(-1) as unknown as Record<string, unknown>)['fencing']), said);
  const last = await lastOfHistory(site);
  t.regex(String(last['fencing']), said);
  t.is(last['forced'], null);
  const text = await site.b.here(['history', address]);
  t.regex(text.stdout, /^  fencing: A was fenced/m);
  t.notRegex(text.stdout, /FORCED/);
});

test("the record on the address's own volume: it is mounted to read the owner, and unmounted again without a proof", async (t) => {
  const site = await ownedByA(t, 'state volume');
  answer(site.b, recordedAnswers('both-online'));
  const disks = () => treeOf(path.join(site.directory, 'disks'));
  const before = disks();
  const without = await run(site, 'B', byPacemaker);
  t.is(without.exitCode, 4, without.output);
  t.regex(without.output, /NOT_FENCED.*A is a member of the cluster/);
  t.is(site.b.read('/proc/self/mountinfo'), '');
  t.is(site.b.read('/addresses.json'), '[]');
  t.deepEqual(disks(), before);

  answer(site.b, fencedNow());
  const text = await site.b.here(byPacemaker);
  t.is(text.exitCode, 0, text.stderr);
  t.regex(text.stdout, /epoch 2, after A, which had not released it: A was fenced \(reboot\) by B/);
  t.regex(text.stdout, /^  fencing: A was fenced .*, before epoch 2 was claimed$/m);
});

test('somebody confirmed it to Pacemaker: that is a proof, and said to be a human being', async (t) => {
  const site = await ownedByA(t);
  answer(site.b, fencedNow('confirmed-by-a-human'));
  t.is((await run(site, 'B', byPacemaker)).exitCode, 0);
  t.regex(
    String((await lastOfHistory(site))['fencing']),
    /A was confirmed to be down by a human \(Pacemaker/,
  );
});

test('no proof, as real clusters answered: nothing is touched', async (t) => {
  const site = await ownedByA(t);
  for (const [name, why] of [
    ['both-online', /A is a member of the cluster, and has not been fenced since/],
    [
      'left-cleanly',
      /A is not in the cluster, and has not been fenced since.*it was fenced 2026-11-27T14:53:14.000Z/,
    ],
    ['fenced', /A is not in the cluster, and has not been fenced since/], // at the time of the recording, before A took the address over
    ['never-seen', /the cluster knows no node A yet/],
    ['stonith-enabled-false', /fencing is off in the cluster/],
    ['fencing-enabled-false', /fencing is off in the cluster/],
    ['requires-quorum-of-the-group', /has requires="quorum"/],
    ['requires-nothing-by-default', /has requires="nothing"/],
  ] as const) {
    answer(site.b, recordedAnswers(name));
    await refused(t, site, byPacemaker, why);
  }
});

test('a fence device that leaves the node running proves nothing, and what a person confirms is a proof all the same', async (t) => {
  for (const where of ['shared', 'state volume'] as const) {
    const site = await ownedByA(t, where);
    const fabric = (name: string) => asOf(recordedAnswers(name, 'fabric'), Date.now() + 1000);
    answer(site.b, fabric('fenced'));
    const ended = await run(site, 'B', byPacemaker);
    t.is(ended.exitCode, 4, ended.output);
    t.regex(
      ended.output,
      /NOT_FENCED.*A was fenced \(reboot\) by B .*, and fence_scsi cuts a node off from its disks or its network, and leaves it running\. Switch it off, and say so to Pacemaker/,
    );
    answer(site.b, fabric('confirmed-by-a-human'));
    t.is((await run(site, 'B', byPacemaker)).exitCode, 0);
  }
});

test('fence devices of which nobody can say what they do prove nothing', async (t) => {
  const site = await ownedByA(t);
  const devices = 'cibadmin --query --xpath //resources';
  const metadata = 'stonith_admin --metadata --agent fence_ipmilan';
  const mute = { exitCode: 105, stdout: '', stderr: "Can't get fence agent meta-data: No such device\n" };
  const now = () => fencedNow();
  for (const [change, why] of [
    [{ [metadata]: mute }, /stonith_admin --metadata --agent fence_ipmilan.*exited with 105/],
    [{ [devices]: mute }, /cibadmin --query --xpath \/\/resources.*exited with 105/],
    [{ [metadata]: { ...mute, exitCode: 0, stdout: 'none' } }, /printed what cannot be read/],
    [
      { [devices]: { exitCode: 0, stderr: '', stdout: changedAction(now()[devices]?.stdout ?? '') } },
      /a fence device does \\"diag\\" instead \(pcmk_reboot_action\)/,
    ],
  ] as const) {
    answer(site.b, { ...now(), ...change });
    await refused(t, site, byPacemaker, why);
  }
});

test('a helper among the fence devices is asked after in the topology, which a cluster need not have', async (t) => {
  const site = await ownedByA(t);
  const devices = 'cibadmin --query --xpath //resources';
  const topology = 'cibadmin --query --xpath //fencing-topology';
  const ping = '<primitive id="ping" class="stonith" type="fence_heuristics_ping"/></resources>';
  const now = () => {
    const answers = fencedNow();
    const resources = answers[devices]?.stdout ?? '';
    return {
      ...answers,
      [devices]: { exitCode: 0, stderr: '', stdout: resources.replace('</resources>', ping) },
      'stonith_admin --metadata --agent fence_heuristics_ping': {
        exitCode: 0,
        stderr: '',
        stdout: '<resource-agent/>',
      },
    };
  };
  // As cibadmin 2.1.5 answers.
  const none = { exitCode: 105, stdout: '', stderr: 'Call failed: No such device or address\n' };
  answer(site.b, { ...now(), [topology]: none });
  await refused(t, site, byPacemaker, /fence_heuristics_ping fences nothing by itself, and no level/);
  const [, power = ''] = /<primitive id="([^"]+)" class="stonith"/.exec(now()[devices]?.stdout ?? '') ?? [];
  const level = `<fencing-topology><fencing-level id="l" index="1" target="A" devices="ping,${power}"/></fencing-topology>`;
  answer(site.b, { ...now(), [topology]: { exitCode: 0, stderr: '', stdout: level } });
  const ended = await run(site, 'B', byPacemaker);
  t.is(ended.exitCode, 0, ended.output);
});

function changedAction(resources: string): string {
  return resources.replace('name="pcmk_reboot_action" value="off"', 'name="pcmk_reboot_action" value="diag"');
}

test('the fencing of another node proves nothing of this one', async (t) => {
  const site = await ownedByA(t);
  answer(
    site.b,
    changed(fencedNow(), (text, command) =>
      command.startsWith('stonith_admin') ? text.replaceAll('target="A"', 'target="C"') : text,
    ),
  );
  await refused(t, site, byPacemaker, /A is not in the cluster, and has not been fenced since/);
});

test('where Pacemaker does not answer, or calls this node otherwise, nothing is proved', async (t) => {
  const site = await ownedByA(t);
  await refused(t, site, byPacemaker, /"crm_node --name" exited with 102/);
  const answers = fencedNow();
  answer(site.b, { ...answers, 'crm_node --name': { exitCode: 0, stdout: 'b.example.com\n', stderr: '' } });
  await refused(
    t,
    site,
    byPacemaker,
    /this node is "b\.example\.com" in the cluster and "B" in the configuration/,
  );
  answer(
    site.b,
    changed(answers, (text, command) => (command.includes('//node_state ') ? text.slice(0, -9) : text)),
  );
  await refused(t, site, byPacemaker, /printed what cannot be read/);
});

test('Pacemaker is at it: waited for, then taken over; for ever: refused in time', async (t) => {
  const site = await ownedByA(t);
  configure(site.b, '[timeouts]\nfencing = 4');
  answer(site.b, recordedAnswers('lost'));
  await refused(
    t,
    site,
    byPacemaker,
    /Pacemaker to fence A, which it is at was waited for, for 4 s \(\[timeouts\]\.fencing\)/,
  );

  configure(site.b, '');
  site.b.write(
    '/etc/nlm-failover.toml',
    site.b.read('/etc/nlm-failover.toml').replace('fencing = 4', 'fencing = 60'),
  );
  const running = run(site, 'B', byPacemaker);
  await new Promise<void>((resolve) => setTimeout(resolve, 2500));
  answer(site.b, fencedNow());
  const ended = await running;
  t.is(ended.exitCode, 0, ended.output);
});

test("this node's own crash needs no proof, and a person's word is a person's, whatever can be asked", async (t) => {
  const site = await ownedByA(t);
  t.is((await run(site, 'A', byPacemaker)).exitCode, 0);
  t.is((await run(site, 'B', [...byPacemaker, '--fenced'])).exitCode, 0);
  const last = await lastOfHistory(site);
  t.regex(String(last['forced']), /^--fenced/);
  t.is(last['fencing'], null);
});

test('another machine of this name: nobody is asked, and nothing proved', async (t) => {
  const site = await ownedByA(t);
  site.b.write(
    '/etc/nlm-failover.toml',
    site.b.read('/etc/nlm-failover.toml').replace('node = "B"', 'node = "A"'),
  );
  answer(site.b, fencedNow());
  const namesake = await run(site, 'B', byPacemaker);
  t.is(namesake.exitCode, 4);
  t.regex(namesake.output, /NOT_RELEASED.*another machine that is called A too/);
});

/** A prover that finds the owner down, after something has happened in the record. */
function proving(said: string, meanwhile: () => void): Prover {
  return {
    name: 'test',
    asks: () => [],
    prove: async () => {
      meanwhile();
      return said;
    },
  };
}

for (const [what, meanwhile] of [
  [
    'C has taken it over',
    (record: NonNullable<ReturnType<typeof openRecord>>) =>
      record.claim({ node: 'C', fenced: true, now: Date.now() }),
  ],
  [
    'A goes on with it',
    (record: NonNullable<ReturnType<typeof openRecord>>) =>
      record.beginOperation({ kind: 'takeover', node: 'A', epoch: 1, now: Date.now() }),
  ],
] as const)
  test(`proved of A, and then ${what}: the proof holds no more`, async (t) => {
    const site = await ownedByA(t);
    const directory = path.join(site.directory, 'storage', `sm_${address}`);
    const voucher = proving('A was fenced', () => {
      const record = openRecord({ directory, node: 'C', machine: 'f'.repeat(32), create: false });
      if (record !== undefined) meanwhile(record);
      record?.close();
    });
    const context = await rehearsalContext(site.b, { voucher });
    const plan = planTakeover(context.floatingIp, context.driver, { node: 'B', order: 'safe' });
    const error = await t.throwsAsync(
      takeover(plan, context, { begin: () => undefined, end: () => undefined }),
      {
        code: 'NOT_RELEASED',
      },
    );
    t.is((error as { exitCode?: number }).exitCode, 4);
    t.is(site.b.read('/proc/self/mountinfo'), '');
  });

/** Where the fence command of a node lies, and what it does. */
function fenceCommand(node: RehearsalNode, script: string): void {
  mkdirSync(node.path('/usr'), { recursive: true });
  node.write('/usr/fence', `#!/bin/sh\n${script}\n`);
  chmodSync(node.path('/usr/fence'), 0o755);
  configure(
    node,
    '[fencing]\ncommand = ["/usr/fence", "--off", "host={node}.mgmt", "$(id); *"]\n[timeouts]\nfencing = 2',
  );
}

const plainly = ['takeover', address, '--no-wait'];

test('[fencing] command: run for the owner alone, its words as they are, and its success is the proof', async (t) => {
  const site = await ownedByA(t);
  fenceCommand(
    site.b,
    `printf '%s\\n' "$@" >"${site.directory}/ran"; echo one; printf 'Success: Powered \\033[1mOFF\\n'`,
  );
  const taken = await run(site, 'B', plainly);
  t.is(taken.exitCode, 0, taken.output);
  t.is(readFileSync(path.join(site.directory, 'ran'), 'utf8'), '--off\nhost=A.mgmt\n$(id); *\n');
  const { fencing } = await lastOfHistory(site);
  t.regex(
    String(fencing),
    /^fencing: A was fenced by \/usr\/fence, 20[-0-9T:.]+Z: Success: Powered \?\[1mOFF, before epoch 2 was claimed$/,
  );
});

test('[fencing] command that fails, is killed, hangs, prints without an end, or garbage: no proof', async (t) => {
  const site = await ownedByA(t);
  fenceCommand(site.b, 'exit 1');
  for (const [script, why] of [
    [
      'echo first >&2; echo "Failed: Unable to connect" >&2; exit 1',
      /ended with 1: Failed: Unable to connect/,
    ],
    ['kill -9 $$', /ended with 137/],
    ['sleep 600', /did not end in time/],
    ['yes', /did not end in time/],
    ["head -c 100000 /dev/urandom; printf '\\033[2J'; exit 3", /ended with 3/],
  ] as const) {
    site.b.write('/usr/fence', `#!/bin/sh\n${script}\n`);
    await refused(t, site, plainly, why);
  }
});

test('[fencing] command that others can write, or that is not there: not run', async (t) => {
  const site = await ownedByA(t);
  fenceCommand(site.b, `touch "${site.directory}/ran"`);
  chmodSync(site.b.path('/usr/fence'), 0o777);
  await refused(t, site, plainly, /was not run: .*can be written by others than root/);
  site.b.remove('/usr/fence');
  await refused(t, site, plainly, /was not run: it is not there/);
  t.false(existsSync(path.join(site.directory, 'ran')));
});

test('--dry-run says what would be asked, and fences nobody; nor does a takeover that something else stands in the way of', async (t) => {
  const site = await ownedByA(t);
  fenceCommand(site.b, `touch "${site.directory}/ran"`);
  const before = everything(site);
  const shown = await site.b.here(['takeover', address, '--dry-run']);
  t.is(shown.exitCode, 0, shown.stderr);
  t.regex(
    shown.stdout,
    /^ {5}\/usr\/fence --off host=NODE\.mgmt '\$\(id\); \*' {3}# only where another node has not released 127\.77\.46\.1; NODE is that node$/m,
  );
  t.deepEqual(everything(site), before);
  const pacemaker = await site.b.here(['takeover', address, '--dry-run', '--resource', resource]);
  t.regex(pacemaker.stdout, /stonith_admin --history NODE --verbose --output-as=xml {3}# only where/);

  site.b.write('/links.json', '[]');
  site.b.write(
    '/etc/nlm-failover.toml',
    site.b.read('/etc/nlm-failover.toml').replace('type = "ext4"', 'type = "ext4"\n  options = "bind"'),
  );
  const stopped = await run(site, 'B', plainly);
  t.not(stopped.exitCode, 0);
  t.false(existsSync(path.join(site.directory, 'ran')));
});

test('--resource takes the id of a resource, and nothing else', async (t) => {
  const site = await ownedByA(t);
  for (const id of ['', '-r', 'a b', '1st', 'a:0', '$(id)', 'ü']) {
    const { exitCode, stderr } = await site.b.here(['takeover', address, '--resource', id]);
    t.is(exitCode, 2, `${id}: ${stderr}`);
  }
});
