import test from 'ava';
import { notify } from '../../../src/nsm/notify/notifier.js';
import { refusedNames } from '../../helpers/hostile-names.js';
import { Farm } from './farm.js';

const pace = { firstMs: 20, capMs: 40 };
const common = { source: { address: '127.0.0.2', family: 4 }, names: ['nfs1'], state: 3, pace } as const;

test('a host name is resolved in the family of the floating IP, again until it does', async (t) => {
  const farm = new Farm();
  t.teardown(() => {
    farm.close();
  });
  await farm.client('127.0.0.20');
  const asked: string[] = [];
  const result = await notify({
    ...common,
    clients: ['client1.example.com'],
    deadlineMs: 20_000,
    rpcbindPort: farm.rpcbindPort,
    resolve: (name, family) => {
      asked.push(`${name} ${family}`);
      return Promise.resolve(asked.length > 2 ? '127.0.0.20' : undefined);
    },
  });
  t.deepEqual(result.notified, ['client1.example.com']);
  t.deepEqual(asked, Array(3).fill('client1.example.com 4'));
});

test("by the host's own resolver, /etc/hosts included", async (t) => {
  const farm = new Farm();
  t.teardown(() => {
    farm.close();
  });
  await farm.client('127.0.0.1');
  const result = await notify({
    ...common,
    clients: ['localhost'],
    deadlineMs: 20_000,
    rpcbindPort: farm.rpcbindPort,
  });
  t.deepEqual(result.notified, ['localhost']);
});

test('a name that does not resolve, resolves to nowhere, or never answers is reported', async (t) => {
  const answers: Record<string, Promise<string | undefined>> = {
    hangs: new Promise(() => undefined),
    multicast: Promise.resolve('224.0.0.1'),
    nowhere: Promise.resolve(undefined),
  };
  const { notNotified } = await notify({
    ...common,
    clients: Object.keys(answers),
    deadlineMs: 200,
    rpcbindPort: 1,
    resolve: (name) => answers[name] ?? Promise.reject(new Error(name)),
  });
  t.deepEqual(Object.fromEntries(notNotified.map(({ client, reason }) => [client, reason])), {
    hangs: 'name does not resolve',
    multicast: 'not a unicast address',
    nowhere: 'name does not resolve',
  });
});

test('text that is neither address nor name is never looked up or sent to', async (t) => {
  const clients = [
    ...refusedNames,
    '010.0.0.1',
    '0x7f000001',
    '0x0a010101',
    '1.2.3',
    '10.1.1.1.',
    '224.0.0.1',
  ];
  const lookedUp: string[] = [];
  const { notNotified } = await notify({
    ...common,
    clients,
    deadlineMs: 200,
    resolve: (name) => {
      lookedUp.push(name);
      return Promise.resolve(undefined);
    },
  });
  t.deepEqual(notNotified.map(({ client }) => client).toSorted(), clients.toSorted());
  // Not for the record, but a host name in practice.
  t.deepEqual([...new Set(lookedUp)], ['_x']);
});
