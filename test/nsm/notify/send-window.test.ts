import test from 'ava';
import { ranks, SendWindow, type Rank } from '../../../src/nsm/notify/send-window.js';

test('admits as many as it has places, then whoever was heard last, then the new, then the silent', async (t) => {
  const window = new SendWindow(2);
  const admitted: string[] = [];
  const enter = async (name: string, rank: Rank): Promise<void> => {
    if (await window.enter(rank)) admitted.push(name);
  };
  const waits = [
    enter('first', ranks.retry),
    enter('second', ranks.retry),
    enter('silent', ranks.retry),
    enter('new', ranks.firstTry),
    enter('newer', ranks.firstTry),
    enter('heard', ranks.followUp),
  ];
  await waits[1];
  t.deepEqual(admitted, ['first', 'second']);
  for (const wait of [waits[5], waits[3], waits[4], waits[2]]) {
    window.leave();
    await wait;
  }
  t.deepEqual(admitted, ['first', 'second', 'heard', 'new', 'newer', 'silent']);
});

test('a place given back to nobody is there for the next', async (t) => {
  const window = new SendWindow(1);
  t.true(await window.enter(ranks.firstTry));
  window.leave();
  t.true(await window.enter(ranks.firstTry));
});

test('once stopped it admits nobody, waiting or coming', async (t) => {
  const window = new SendWindow(1);
  await window.enter(ranks.firstTry);
  const waiting = window.enter(ranks.followUp);
  window.stop();
  t.false(await waiting);
  t.false(await window.enter(ranks.followUp));
});
