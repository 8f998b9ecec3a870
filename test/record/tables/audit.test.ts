// What the record keeps for the comparison at the end of a grace, and when it counts.
import test, { type ExecutionContext } from 'ava';
import type { HeldLock, MonitorRecord } from '../../../src/record/record.js';
import { event, makeSite, type Site, wall } from '../helpers/site.js';

const lock: HeldLock = { fsid: '1', inode: 12, mode: 'WRITE', start: '0', end: 'EOF', copy: 0 };
const other: HeldLock = { ...lock, inode: 13 };

interface Released {
  readonly site: Site;
  readonly record: MonitorRecord;
}

/** A has the address, with a client in the record, and is releasing it: one lock is noted. */
async function noted(t: ExecutionContext): Promise<Released> {
  const site = makeSite(t);
  const record = site.open();
  const epoch = record.claim({ node: 'A', fenced: false, now: wall });
  await site.serve(record, { epoch });
  site.append('A', event('add-client', 'c'));
  record.fold();
  record.noteHeldLocks(epoch, [lock], undefined);
  return { site, record };
}

function takeOver(record: MonitorRecord, fenced = false): number {
  const epoch = record.claim({ node: 'B', fenced, now: wall });
  record.fold();
  record.beginGrace({ now: wall });
  return epoch;
}

test('what was held counts after a release', async (t) => {
  const { record } = await noted(t);
  record.setReleased('A', 1, true);
  takeOver(record);
  t.like(record.audit(), { planned: true, beganAt: wall, comparedAt: undefined });
  t.deepEqual(record.heldLocks(), [{ ...lock, reclaimed: false }]);
});

test('it does not count where the owner had not released: it may have served on', async (t) => {
  const { record } = await noted(t);
  takeOver(record, true);
  t.false(record.audit().planned);
  t.deepEqual(record.heldLocks(), []);
});

test('a second release notes anew, the same one again only adds', async (t) => {
  const { record } = await noted(t);
  record.noteHeldLocks(1, [other], undefined);
  t.deepEqual(
    record.heldLocks().map(({ inode }) => inode),
    [12, 13],
  );
  record.noteHeldLocks(1, [], undefined);
  t.is(record.heldLocks().length, 2);
  record.setReleased('A', 1, true);
  const epoch = takeOver(record);
  record.noteHeldLocks(epoch, [other], undefined);
  t.deepEqual(record.heldLocks(), [{ ...other, reclaimed: false }]);
});

test('a note is whole unless a gap is named, or a lock turns up after it; the same release again does not mend it', async (t) => {
  const { record } = await noted(t);
  const gap = () => record.audit().noteGap;
  t.is(gap(), undefined);
  record.noteHeldLocks(1, [lock], 'the file system was not mounted any more');
  record.noteHeldLocks(1, [], undefined);
  t.is(gap(), undefined, 'all was noted before A-3 dropped it');
  record.noteHeldLocks(1, [lock, other], undefined);
  t.is(gap(), 'locks were taken while it was being released');
  record.setReleased('A', 1, true);
  const epoch = takeOver(record);
  t.is(gap(), 'locks were taken while it was being released');
  record.noteHeldLocks(epoch, [lock], 'a gap');
  record.noteHeldLocks(epoch, [lock], undefined);
  t.is(gap(), 'a gap', 'what was not seen then is not known later');
  record.setReleased('B', epoch, true);
  const next = record.claim({ node: 'A', fenced: false, now: wall });
  record.noteHeldLocks(next, [], undefined);
  t.is(gap(), undefined, 'another release, another note');
});

test('what a version without gaps has noted may lack something', async (t) => {
  const site = makeSite(t);
  const record = site.open();
  t.is(record.audit().noteGap, 'an older version noted them');
});

test('the graces of an epoch are counted', async (t) => {
  const { record } = await noted(t);
  record.setReleased('A', 1, true);
  takeOver(record);
  t.is(record.audit().graces, 1);
  record.beginGrace({ now: wall });
  t.is(record.audit().graces, 2);
  record.setReleased('B', 2, true);
  record.claim({ node: 'A', fenced: false, now: wall });
  t.is(record.audit().graces, 0);
});

test('a grace that is entered again before anybody was notified has the same locks to compare, later ones have none', async (t) => {
  const { record } = await noted(t);
  record.setReleased('A', 1, true);
  takeOver(record);
  record.markReclaimed([lock], wall);
  record.beginGrace({ now: wall });
  t.deepEqual(
    record.heldLocks(),
    [{ ...lock, reclaimed: false }],
    'what was reclaimed went with the lock manager',
  );
  record.toNotify();
  record.markNotified(['c'], wall);
  record.beginGrace({ now: wall });
  t.false(record.audit().planned, 'clients were there in between, and did as they liked');
  t.deepEqual(record.heldLocks(), []);
});

test('back is whom this node has announced since the grace began: not who was recorded, adopted, or is known elsewhere', async (t) => {
  const { site, record } = await noted(t);
  site.append('A', event('add-client', 'adopted'), event('add-client', 'elsewhere'));
  record.fold();
  record.setReleased('A', 1, true);
  const epoch = takeOver(record);
  await site.serve(record, { node: 'B', epoch });
  record.adopt({ node: 'B', clients: ['adopted'], fsids: ['1'], now: wall, myName: 'B' });
  site.append('A', event('add-client', 'elsewhere'));
  record.fold();
  const back = () => record.auditedClients('B').filter((one) => one.back);
  t.deepEqual(back(), []);
  site.append('B', event('add-client', 'c'), event('del-client', 'c'));
  record.fold();
  t.deepEqual(
    back().map(({ client }) => client),
    ['c'],
    'once back it stays so',
  );
  record.beginGrace({ now: wall });
  t.deepEqual(back(), [], 'a new grace asks anew');
});

test('one comparison for each grace, and findings until somebody acknowledges them', async (t) => {
  const { record } = await noted(t);
  record.setReleased('A', 1, true);
  const epoch = takeOver(record);
  const { copy: _, ...found } = lock;
  const finding = { verdict: 'lost', lock: found, path: '/srv/a\nb', clients: ['c', 'd'] } as const;
  t.true(record.closeAudit({ epoch, now: wall + 1, findings: [finding], lost: 1 }));
  t.false(
    record.closeAudit({ epoch, now: wall + 2, findings: [{ verdict: 'silent', clients: ['x'] }], lost: 1 }),
  );
  t.is(record.audit().comparedAt, wall + 1);
  t.deepEqual(record.findings(), [{ ...finding, epoch, at: wall + 1, acknowledgedAt: undefined }]);
  record.beginGrace({ now: wall + 3 });
  t.is(record.audit().comparedAt, undefined);
  t.is(record.findings().length, 1, 'a new grace forgets nothing');
  t.is(record.acknowledgeFindings(wall + 4), 1);
  t.is(record.acknowledgeFindings(wall + 5), 0);
  t.is(record.findings()[0]?.acknowledgedAt, wall + 4);
});
