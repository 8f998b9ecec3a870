import test from 'ava';
import { graceEndText } from '../../src/cli/text/audit-text.js';

test('the end of a grace, or why it goes on, as a sentence', (t) => {
  const why = '2 of 2 locks held again, 1 of 1 client notified';
  t.is(graceEndText({ grace: { ended: true, why }, graceLeft: 0 }), `grace ended: ${why}`);
  t.is(graceEndText({ grace: { ended: true, why }, graceLeft: 6 }), `grace ended: ${why}; new locks in 6 s`);
  const grace = { ended: false, why: '1 client not notified' };
  t.is(graceEndText({ grace, graceLeft: 31 }), 'grace goes on for 31 s: 1 client not notified');
  t.is(graceEndText({ graceLeft: 31 }), '', 'where that was no question');
});
