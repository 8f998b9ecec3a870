// Who was notified when the grace was over: asked of the lock manager while SM_NOTIFY goes on being sent.
import test from 'ava';
import { LateCount } from '../../../src/failover/steps/notify-clients.js';

test('whoever is notified while it is asked is counted with the next question, and nobody waits for the answer', async (t) => {
  const answers: ((inGrace: boolean | undefined) => void)[] = [];
  const count = new LateCount({
    inGrace: () => new Promise((resolve) => answers.push(resolve)),
  });
  count.notified(1);
  count.notified(2);
  count.notified(4);
  t.is(answers.length, 1);
  answers[0]?.(true);
  await new Promise(setImmediate);
  t.is(answers.length, 2, 'one question for both');
  count.notified(8);
  answers[1]?.(false);
  await new Promise(setImmediate);
  answers[2]?.(undefined);
  t.is(await count.result(), 6);
  count.notified(16);
  answers[3]?.(false);
  t.is(await count.result(), 22);
});

test('nobody notified, nothing asked', async (t) => {
  const count = new LateCount({ inGrace: () => Promise.reject(new Error('asked')) });
  t.is(await count.result(), 0);
});

test('what the question throws is thrown once all is sent, and not before', async (t) => {
  const count = new LateCount({ inGrace: () => Promise.reject(new Error('the bus is gone')) });
  count.notified(1);
  await new Promise(setImmediate);
  await t.throwsAsync(count.result(), { message: 'the bus is gone' });
});
