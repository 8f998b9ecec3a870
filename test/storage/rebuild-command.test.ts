// nlm-failover rebuild as people run it, and what comes after it: the takeover notifies everybody; who serves goes on.
import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { startLoopbackClient } from '../demo/loopback-client.js';
import { makeRehearsal } from '../helpers/rehearsal-site.js';
import { addClient, jsonLines } from '../helpers/rehearsal-steps.js';
import { lockOperation } from '../../src/rundir/operation-lock.js';

let next = 1;

async function fixture(t: ExecutionContext) {
  next += 1;
  const address = `127.77.13.${next}`;
  const notified: string[] = [];
  const states: number[] = [];
  const first = await startLoopbackClient(`127.77.14.${next}`, 0, (_, state) => {
    notified.push('first');
    states.push(state);
  });
  const second = await startLoopbackClient(`127.77.15.${next}`, first.port, () => notified.push('second'));
  const site = makeRehearsal({ address, rpcbindPort: first.port, stateDirectory: '/shared_storage' });
  t.teardown(() => {
    first.close();
    second.close();
    site.remove();
  });
  mkdirSync(path.join(site.directory, 'storage'));
  for (const node of [site.a, site.b]) node.link('/shared_storage', path.join(site.directory, 'storage'));
  const taken = await site.a.here(['takeover', address, '--no-wait']);
  t.is(taken.exitCode, 0, taken.stderr);
  addClient(site.a, first.address);
  addClient(site.a, second.address);
  const directory = path.join(site.directory, 'storage', `sm_${address}`);
  return {
    address,
    site,
    notified,
    states,
    first,
    second,
    directory,
    database: path.join(directory, 'monitors.db'),
  };
}

test('a node is dead and the record corrupt: rebuild, takeover --fenced, and everybody is notified', async (t) => {
  const { address, site, notified, states, database, directory } = await fixture(t);
  const before = Number(readFileSync(path.join(directory, 'nsm-states'), 'utf8').trim().split('\n').at(-1));
  truncateSync(database, 5000);
  const refused = await site.b.here(['takeover', address, '--fenced', '--no-wait']);
  t.is(refused.exitCode, 1);
  t.regex(refused.stderr, new RegExp(`\\n {2}Run "nlm-failover rebuild ${address}"`));
  const rebuilt = await site.b.here(['rebuild', address]);
  t.is(rebuilt.exitCode, 0, rebuilt.stderr);
  t.regex(rebuilt.stdout, /^rebuild .*: done, from the journals of A\n/);
  t.regex(
    rebuilt.stdout,
    /clients +2\n +owner +A, epoch 1, as its journal has it\n +former +.*monitors\.db\./,
  );
  t.regex(rebuilt.stdout, /takeover --fenced\. The next takeover notifies every client\./);
  t.deepEqual(notified, [], 'rebuild notifies nobody');
  const without = await site.b.here(['takeover', address, '--no-wait']);
  t.is(without.exitCode, 4);
  t.regex(without.stderr, /rebuilt from the journals/);
  const status = await site.b.here(['status', address]);
  t.regex(status.stdout, /A, epoch 1 \(as the journals have it: rebuilt\)/);
  const taken = await site.b.here(['takeover', address, '--fenced', '--no-wait', '--json']);
  t.is(taken.exitCode, 0, taken.stderr);
  t.deepEqual([...new Set(notified)].toSorted(), ['first', 'second']);
  t.true(states.every((state) => state > before && state % 2 === 1));
});

test('the node that serves goes on: records, releases, and the other takes over without --fenced', async (t) => {
  const { address, site, notified, database, first } = await fixture(t);
  rmSync(database);
  const rebuilt = await site.a.here(['rebuild', address]);
  t.regex(rebuilt.stdout, /It is recorded here, and goes on\./);
  addClient(site.a, '127.77.15.200');
  addClient(site.a, '127.77.15.200', 'del-client');
  addClient(site.a, first.address, 'del-client');
  const clients = jsonLines((await site.a.here(['clients', address, '--json'])).stdout);
  t.is(clients.length, 1, 'what came after the rebuild counts, both ways');
  const ran = await site.a.here(['notify', address]);
  t.is(ran.exitCode, 0, ran.stderr);
  t.deepEqual(notified, [], 'nobody is notified outside of a grace');
  const released = await site.a.here(['release', address]);
  t.is(released.exitCode, 0, released.stderr);
  const taken = await site.b.here(['takeover', address, '--no-wait']);
  t.is(taken.exitCode, 0, taken.stderr);
  t.deepEqual([...new Set(notified)], ['second']);
});

test('status and clients: one bad record does not hide the others, and ends with 1', async (t) => {
  const { address, site, database } = await fixture(t);
  const other = '127.77.13.200';
  const config = readFileSync(site.a.config, 'utf8');
  const block = config.slice(config.indexOf('[[floating_ip]]'));
  const second = block
    .replaceAll(address, other)
    .replaceAll('1234', '99')
    .replaceAll('/mnt/vol1', '/mnt/other')
    .replaceAll('/dev/vol1', '/dev/other')
    .replaceAll('nfs.example.com', 'other.example.com');
  writeFileSync(site.a.config, `${config}\n${second}`);
  truncateSync(database, 5000);
  const { exitCode, stdout } = await site.a.here(['status']);
  t.is(exitCode, 1);
  t.regex(
    stdout,
    new RegExp(
      `${address} .*\\n +record +CANNOT BE USED: .*monitors\\.db.*\\n +Run "nlm-failover rebuild ${address}`,
    ),
  );
  t.regex(stdout, new RegExp(`${other}  not served here\\n +record +none yet`));
  const listed = await site.a.here(['clients']);
  t.is(listed.exitCode, 1);
  t.regex(listed.stderr, new RegExp(`rebuild ${address}`));
});

test('one operation of an address at a time, rebuild too', async (t) => {
  const { address, site, database } = await fixture(t);
  rmSync(database);
  const lock = lockOperation(site.a.path('/run/nlm-failover'), address, 'takeover');
  const { exitCode, stderr } = await site.a.here(['rebuild', address]);
  lock.release();
  t.is(exitCode, 1);
  t.regex(stderr, /Another nlm-failover is working on/);
  t.is((await site.a.here(['rebuild', address])).exitCode, 0);
});
