// nlm-failover history on a rehearsal host: what two nodes did, in what order, on whose word.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';
import { historyText, inOneOrder } from '../../../src/cli/text/history-text.js';
import type { Operation } from '../../../src/record/record.js';
import { startLoopbackClient } from '../../demo/loopback-client.js';
import { makeRehearsal } from '../../helpers/rehearsal-site.js';
import { addClient, jsonLines } from '../../helpers/rehearsal-steps.js';

const floatingIp = '127.77.41.1';

interface Line {
  readonly [key: string]: unknown;
  readonly steps: readonly { readonly step: string; readonly state: string; readonly ms: number }[];
}

test('two nodes: every operation with its steps, the newest last, and who forced it', async (t) => {
  const client = await startLoopbackClient('127.77.41.9', 0, () => undefined);
  const site = makeRehearsal({
    address: floatingIp,
    rpcbindPort: client.port,
    stateDirectory: '/shared',
    others: [{ address: '127.77.41.2', fsid: 99 }],
  });
  t.teardown(() => site.remove());
  const { a, b } = site;
  mkdirSync(path.join(site.directory, 'shared'));
  for (const node of [a, b]) node.link('/shared', path.join(site.directory, 'shared'));

  const none = await a.here(['history']);
  t.deepEqual([none.exitCode, none.stdout], [0, '']);
  const refused = await a.here(['history', floatingIp]);
  t.deepEqual([refused.exitCode, refused.stdout], [1, '']);
  t.regex(refused.stderr, /There is no record of 127\.77\.41\.1/);

  t.is((await a.here(['takeover', floatingIp])).exitCode, 0);
  addClient(a, client.address);
  addClient(a, '127.77.41.66'); // nobody is there
  t.is((await a.here(['release', floatingIp])).exitCode, 0);
  t.is((await b.here(['takeover', floatingIp, '--no-wait', '--notify-deadline', '1'])).exitCode, 5);
  // B is dead.
  mkdirSync(a.path('/proc/self'), { recursive: true });
  a.write('/proc/self/loginuid', '1000');
  const forced = await a.here(['takeover', '--fenced', floatingIp, '--no-wait', '--notify-deadline', '1']);
  t.is(forced.exitCode, 5, forced.stdout + forced.stderr);
  client.close();
  a.write('/proc/fs/lockd/nlm_end_grace', 'Y\n');
  const audit = await a.here(['audit', floatingIp]);
  t.is(audit.exitCode, 6, audit.stdout + audit.stderr);

  const { exitCode, stdout, stderr } = await b.here(['history', '--json']);
  t.is(exitCode, 0, stderr);
  const lines = jsonLines(stdout) as unknown as Line[];
  t.deepEqual(
    lines.map(({ kind, node, epoch, outcome, forced: by }) => [kind, node, epoch, outcome, by]),
    [
      ['takeover', 'A', 1, 'done', null],
      ['release', 'A', 1, 'done', null],
      ['takeover', 'B', 2, 'not-notified', null],
      ['takeover', 'A', 3, 'not-notified', '--fenced, login uid 1000: B had not released it'],
    ],
  );
  const [first, release, second, third] = lines;
  t.deepEqual(
    release?.steps.map(({ step, state }) => `${step} ${state}`),
    ['A-1 done', 'A-2 done', 'A-3 skipped', 'A-4 done'],
  );
  t.true(release?.steps.every(({ ms }) => Number.isInteger(ms)));
  t.deepEqual(
    [first?.['clients'], release?.['clients'], second?.['clients'], third?.['clients']],
    [null, null, { notified: 1, notNotified: 1 }, { notified: 1, notNotified: 1 }],
  );
  // Of the last one there was an audit.
  t.deepEqual([second?.['lost'], third?.['lost']], [null, 1]);

  const text = await b.here(['history', floatingIp, '--last', '2']);
  t.is(text.exitCode, 0, text.stderr);
  const heads = text.stdout.split('\n').filter((line) => /^\S/.test(line));
  t.is(heads.length, 2);
  t.regex(
    heads[0] ?? '',
    /^\S+Z  takeover 127\.77\.41\.1 on B, epoch 2: done in \d+\.\d s, 1 of 2 clients notified$/,
  );
  t.regex(heads[1] ?? '', /^\S+Z  takeover 127\.77\.41\.1 on A, epoch 3: done in .*, 1 LOST$/);
  t.notRegex(text.stdout, /clients? not notified$/m);
  t.regex(text.stdout, /^  FORCED: --fenced, login uid 1000: B had not released it$/m);
  t.regex(text.stdout, /^  B-2  grace {9,} *\d+ ms  fsid 1234/m);

  for (const wrong of ['0', '-1', 'all', '1001'])
    t.is((await a.here(['history', '--last', wrong])).exitCode, 2, wrong);

  writeFileSync(path.join(site.directory, `shared/sm_${floatingIp}/monitors.db`), 'x'.repeat(4096));
  const bad = await a.here(['history', '--json']);
  t.is(bad.exitCode, 1);
  t.like(jsonLines(bad.stdout)[0], { recordError: { code: 'RECORD_CORRUPT' } });
  t.is((await a.here(['history', '127.77.41.2'])).exitCode, 1, 'there is none yet');
});

const operation = (node: string, startedAt: number): Operation => ({
  id: 1,
  kind: 'release',
  node,
  epoch: 1,
  startedAt,
  endedAt: undefined,
  outcome: undefined,
  detail: undefined,
  forced: undefined,
  fencing: undefined,
  notified: undefined,
  notNotified: undefined,
  lost: undefined,
  steps: [],
});

test('of one address the order is that of its record, also where a clock went back', (t) => {
  const shown = inOneOrder([
    { address: 'one', operations: [operation('A', 20), operation('B', 10), operation('A', 30)] },
    { address: 'two', operations: [operation('A', 15), operation('A', 25)] },
  ]);
  t.deepEqual(
    shown.map(({ address, operation: { startedAt } }) => `${address} ${startedAt}`),
    ['two 15', 'one 20', 'one 10', 'two 25', 'one 30'],
  );
});

test('what a record says stays on its line', (t) => {
  const text = historyText({
    address: '10.10.1.1',
    operation: {
      ...operation('A\nroot', 0),
      forced: 'x\u001b[2J',
      steps: [{ step: 'B-9', state: 'done', ms: 1.4, detail: 'a\nb', at: 0 }],
    },
  });
  t.is(text.split('\n').length, 4);
  t.notRegex(text, /\u001b/);
  t.regex(text, /^  B-9 {20,}1 ms  a/m);
});
