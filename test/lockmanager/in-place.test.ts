// An action where an address is served: on the node itself, or in a part of it that B-2 makes.
import test from 'ava';
import type { Host } from '../../src/host/host.js';
import { realHost } from '../../src/host/real.js';
import { inPlace, unlessGone } from '../../src/lockmanager/in-place.js';
import type { LockManagerAction, LockManagerContext } from '../../src/lockmanager/port.js';

const inside: Host = { ...realHost };
const context: LockManagerContext = {
  host: realHost,
  nlmRegistered: async () => true,
  registeredAt: async () => true,
};

/** What it was done on, each time. */
function action(): { readonly action: LockManagerAction; readonly hosts: Host[] } {
  const hosts: Host[] = [];
  const note =
    <T>(answer: T) =>
    ({ host }: LockManagerContext): T => {
      hosts.push(host);
      return answer;
    };
  return {
    hosts,
    action: {
      commands: ['ls'],
      check: note(false),
      act: note(Promise.resolve(undefined)),
      verify: note(undefined),
    },
  };
}

async function done(one: LockManagerAction): Promise<boolean> {
  if (await one.check(context)) return false;
  await one.act(context);
  await one.verify(context);
  return true;
}

test('on the node itself an action stays as it is', (t) => {
  const { action: one } = action();
  t.is(inPlace({ host: inside, enter: [], absence: () => undefined }, one), one);
});

test('elsewhere it is checked, done and verified there, and its commands say how to get there', async (t) => {
  for (const wrap of [inPlace, unlessGone]) {
    const { action: one, hosts } = action();
    const there = wrap(
      { host: inside, enter: ['nsenter', '--net=a b', '--'], absence: () => undefined },
      one,
    );
    t.true(await done(there));
    t.deepEqual(there.commands, ["nsenter '--net=a b' -- ls"]);
    t.is(hosts.length, 3);
    t.true(hosts.every((host) => host === inside));
  }
});

test('where that place is not, nothing is served from it, as the driver says, and nothing has to be taken away', async (t) => {
  const { action: one, hosts } = action();
  const place = { host: inside, enter: ['nsenter', '--'], absence: () => 'The shop is closed' };
  const error = await t.throwsAsync(async () => done(inPlace(place, one)));
  t.like(error, { code: 'NOT_VERIFIED', message: 'The shop is closed', hint: 'Run B-2 first.' });
  t.false(await done(unlessGone(place, one)));
  t.deepEqual(hosts, []);
});
