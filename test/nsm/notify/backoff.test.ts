import test from 'ava';
import { Backoff } from '../../../src/nsm/notify/backoff.js';

const series = (backoff: Backoff): number[] => Array.from({ length: 6 }, () => Math.round(backoff.next()));

test('doubles to the cap, and starts over when the client was heard', (t) => {
  const backoff = new Backoff({ firstMs: 400, capMs: 4000 }, () => 0.5);
  t.deepEqual(series(backoff), [400, 800, 1600, 3200, 4000, 4000]);
  backoff.reset();
  t.is(Math.round(backoff.next()), 400);
});

test('is off by at most 10 % either way', (t) => {
  t.deepEqual(series(new Backoff({ firstMs: 100, capMs: 100 }, () => 0)), [90, 90, 90, 90, 90, 90]);
  t.deepEqual(series(new Backoff({ firstMs: 100, capMs: 100 }, () => 1)), [110, 110, 110, 110, 110, 110]);
});

test('comes more often towards the deadline, but never more often than at first', (t) => {
  let left = 20_000;
  const backoff = new Backoff(
    { firstMs: 400, capMs: 4000 },
    () => 0.5,
    () => left,
  );
  const tries: number[] = [];
  for (; left > 0; left -= tries.at(-1) ?? 0) tries.push(Math.round(backoff.next()));
  t.deepEqual(tries, [400, 800, 1600, 3200, 3500, 2625, 1969, 1477, 1107, 831, 623, 467, 400, 400, 400, 400]);
});
