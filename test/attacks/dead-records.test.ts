// Records of clients that are no more cost whoever makes them a line each, or a packet; those of the living come first.
import test, { type ExecutionContext } from 'ava';
import { notify, type NotifyOptions } from '../../src/nsm/notify/notifier.js';
import type { MonitorRecord } from '../../src/record/record.js';
import { event, makeSite, type Site, wall } from '../record/helpers/site.js';
import { atFirst, Farm, registered, silent } from '../nsm/notify/farm.js';

function farmOf(t: ExecutionContext): Farm {
  const farm = new Farm();
  t.teardown(() => farm.close());
  return farm;
}

/** One datagram on its way, until it is answered: what arrives arrives in the order in which it was sent. */
const oneByOne = { window: 1, holdMs: 600_000, firstMs: 600_000, reportMs: 10 };

function send(farm: Farm, options: Partial<NotifyOptions> & Pick<NotifyOptions, 'clients'>) {
  return notify({
    source: { address: '127.0.0.2', family: 4 },
    names: ['127.0.0.2'],
    state: 7,
    deadlineMs: 20_000,
    rpcbindPort: farm.rpcbindPort,
    pace: oneByOne,
    ...options,
  });
}

/** The next grace of the address, of which nobody is notified but `notified`; `seen` are announced in it. */
async function grace(
  site: Site,
  record: MonitorRecord,
  seen: readonly string[],
  notified: readonly string[],
) {
  const epoch = record.claim({ node: 'A', fenced: true, now: wall });
  record.fold();
  record.beginGrace({ now: wall });
  await site.serve(record, { epoch });
  record.markNotified(notified, wall);
  site.append('A', ...seen.map((client) => event('add-client', client)));
  record.fold();
  record.setReleased('A', epoch, true);
}

const addresses = (part: number, count: number) =>
  Array.from({ length: count }, (_, index) => `127.${part}.0.${index + 1}`);

for (const [order, part] of [
  ['before the living, as text has them', 10],
  ['behind them', 90],
] as const) {
  test(`every living client is sent to before the first dead one: the dead sort ${order}`, async (t) => {
    const [living, dead] = [addresses(50, 30), addresses(part, 60)];
    const site = makeSite(t);
    const record = site.open();
    await grace(site, record, [...dead, ...living], []);
    await grace(site, record, living, living);
    await grace(site, record, [], []);
    const clients = record.toNotify();
    t.deepEqual(clients.toSorted(), [...dead, ...living].toSorted());
    t.is(record.seenToNotify(), living.length);

    const farm = farmOf(t);
    const heard: string[] = [];
    const stop = new AbortController();
    for (const address of living) {
      await farm.client(address, {
        rpcbind: (incoming) => {
          heard.push(address);
          return registered(incoming);
        },
      });
    }
    for (const address of dead) {
      await farm.client(address, {
        rpcbind: () => {
          heard.push(address);
          stop.abort();
          return [];
        },
      });
    }
    const { notified } = await send(farm, { clients, seen: record.seenToNotify(), signal: stop.signal });
    t.deepEqual(heard.slice(0, living.length).toSorted(), living.toSorted());
    t.is(heard.length, living.length + 1);
    t.deepEqual(notified.toSorted(), living.toSorted());
  });
}

test('who comes first: announced in this epoch, then whoever answered, then whoever was there of late', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  // First in the order of text, who comes last.
  await grace(site, record, ['a-long-gone'], []);
  await grace(site, record, [], []);
  await grace(site, record, ['b-gone', 'c-idle', 'd-new', 'e-back'], []);
  await grace(site, record, [], []);
  await grace(site, record, ['d-new', 'e-back'], ['c-idle', 'e-back']);
  await grace(site, record, [], []);
  t.deepEqual(record.toNotify(), ['e-back', 'd-new', 'c-idle', 'b-gone', 'a-long-gone']);
  t.is(record.seenToNotify(), 3);
});

test('a takeover that was stopped before it notified anybody does not mix the living with the dead', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  await grace(site, record, ['a-dead', 'z-living'], []);
  await grace(site, record, ['z-living'], ['z-living']);
  await grace(site, record, [], []);
  await grace(site, record, [], []);
  t.deepEqual(record.toNotify(), ['z-living', 'a-dead']);
});

test('what is lost on the way to the living does not wait for the first try of all the dead', async (t) => {
  const farm = farmOf(t);
  await farm.client('127.50.0.1', { rpcbind: atFirst(2, silent, registered) });
  const stop = new AbortController();
  const { notified, notNotified } = await send(farm, {
    // Nobody is there: it would take 1,000 s.
    clients: [
      '127.50.0.1',
      ...Array.from({ length: 200_000 }, (_, n) => `127.${60 + (n >> 16)}.${(n >> 8) & 255}.${n & 255}`),
    ],
    seen: 1,
    deadlineMs: 60_000,
    signal: stop.signal,
    onNotified: () => stop.abort(),
    pace: { window: 1, holdMs: 5, firstMs: 20, capMs: 20, reportMs: 10 },
  });
  t.deepEqual(notified, ['127.50.0.1']);
  t.is(notNotified.length, 200_000);
});

test('of many nobody is begun with before it can be sent to: what is not tried is said', async (t) => {
  const farm = farmOf(t);
  const clients = Array.from({ length: 20_000 }, (_, n) => `127.60.${n >> 8}.${n & 255}`);
  const asked = new AbortController();
  const first = await farm.client(clients[0] ?? '', {
    rpcbind: () => {
      asked.abort();
      return [];
    },
  });
  const { notNotified } = await send(farm, { clients, deadline: asked.signal });
  t.is(first.asked, 1);
  const untried = notNotified.filter(({ reason }) => reason === 'not tried before the deadline');
  t.true(untried.length > 19_900, `${untried.length}`);
});

test('a name server that does not answer holds up nobody who has an address', async (t) => {
  const farm = farmOf(t);
  const living = addresses(50, 20);
  for (const address of living) await farm.client(address);
  const stop = new AbortController();
  const { notified } = await send(farm, {
    clients: [...Array.from({ length: 500 }, (_, n) => `host${n}.example.com`), ...living],
    signal: stop.signal,
    resolve: () => new Promise(() => undefined),
    onProgress: (progress) => {
      if (progress.notified === living.length) stop.abort();
    },
  });
  t.deepEqual(notified.toSorted(), living.toSorted());
});
