// The comparison at the end of a grace, alone: what is held, who is back, what is said of it.
import test from 'ava';
import fc from 'fast-check';
import { isLoss, judge, reclaimedOf, type JudgedClient } from '../../../src/failover/reclaim/reclaim.js';
import type { HeldLock } from '../../../src/record/record.js';

const mode = fc.constantFrom('READ' as const, 'WRITE' as const);
const fsid = fc.constantFrom('1', '2');
const inode = fc.integer({ min: 1, max: 3 });

/** Locks that do not touch one another: slot n is bytes 100 n to 100 n + 99, the last one to EOF. */
const apart = fc
  .uniqueArray(fc.record({ fsid, inode, mode, slot: fc.integer({ min: 0, max: 4 }) }), {
    selector: (one) => `${one.fsid} ${one.inode} ${one.slot}`,
    maxLength: 12,
  })
  .map((all) =>
    all.map(({ slot, ...lock }): HeldLock => {
      const end = slot === 4 ? 'EOF' : String(slot * 100 + 99);
      return { ...lock, start: String(slot * 100), end, copy: 0 };
    }),
  );

/** Any locks, alike ones and overlapping ones too. */
const any = fc
  .array(fc.record({ fsid, inode, mode, first: fc.nat(3), last: fc.option(fc.nat(3)) }), { maxLength: 12 })
  .map((all) => {
    const seen = new Map<string, number>();
    return all.map(({ first, last, ...lock }): HeldLock => {
      const end = last === null ? 'EOF' : String(first + last);
      const one = { ...lock, start: String(first), end };
      const key = JSON.stringify(one);
      const copy = seen.get(key) ?? 0;
      seen.set(key, copy + 1);
      return { ...one, copy };
    });
  });

test('what is held again as it was is reclaimed, each copy once, and nothing else is said of it', (t) => {
  fc.assert(
    fc.property(any, any, (before, now) => {
      t.deepEqual(new Set(reclaimedOf(before, before)), new Set(before));
      t.deepEqual(reclaimedOf(before, []), []);
      const back = reclaimedOf(before, now);
      t.is(new Set(back).size, back.length);
      t.true(back.every((lock) => before.includes(lock)));
    }),
  );
  t.pass();
});

test('no lock that is held now answers for two', (t) => {
  const holding = (locks: readonly HeldLock[], byte: number, of: HeldLock) =>
    locks.filter(
      (lock) =>
        ['fsid', 'inode', 'mode'].every((key) => lock[key as 'fsid'] === of[key as 'fsid']) &&
        Number(lock.start) <= byte &&
        (lock.end === 'EOF' || byte <= Number(lock.end)),
    ).length;
  fc.assert(
    fc.property(any, any, (before, now) => {
      const back = reclaimedOf(before, now);
      for (const one of back)
        for (const byte of [0, 1, 2, 3, 4, 5, 6, 7])
          t.true(
            holding(back, byte, one) <= holding(now, byte, one),
            `byte ${byte} of ${JSON.stringify(one)}`,
          );
    }),
  );
  const wide: HeldLock = { fsid: '1', inode: 1, mode: 'READ', start: '0', end: '99', copy: 0 };
  const [left, right] = [
    { ...wide, end: '9' },
    { ...wide, start: '5', end: '19' },
  ];
  t.deepEqual(
    reclaimedOf([left, right], [wide]),
    [left],
    'two owners on bytes 5 to 9, and one of them is back',
  );
});

test('a lock that is not there is the one that is missed', (t) => {
  fc.assert(
    fc.property(apart, fc.nat(), (before, nth) => {
      fc.pre(before.length > 0);
      const lost = before[nth % before.length];
      const back = reclaimedOf(
        before,
        before.filter((lock) => lock !== lost),
      );
      t.deepEqual(
        before.filter((lock) => !back.includes(lock)),
        [lost],
      );
    }),
  );
  t.pass();
});

test('of shared locks that are alike as many are missed as are gone', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.nat(6), (owners, there) => {
      const before = Array.from({ length: owners }, (_, copy): HeldLock => ({
        fsid: '1',
        inode: 9,
        mode: 'READ',
        start: '0',
        end: 'EOF',
        copy,
      }));
      t.is(reclaimedOf(before, before.slice(0, there)).length, Math.min(owners, there));
    }),
  );
  t.pass();
});

test('the same bytes cut in another way are the same lock; with a byte missing, or in another mode, they are not', (t) => {
  const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 99 }), { maxLength: 5 });
  fc.assert(
    fc.property(cuts, fc.boolean(), (at, toEof) => {
      const whole: HeldLock = {
        fsid: '1',
        inode: 9,
        mode: 'WRITE',
        start: '0',
        end: toEof ? 'EOF' : '99',
        copy: 0,
      };
      const edges = [0, ...at.toSorted((a, b) => a - b), 100];
      const pieces = edges.slice(0, -1).map((start, index) => ({
        ...whole,
        start: String(start),
        end: index === edges.length - 2 ? whole.end : String((edges[index + 1] ?? 0) - 1),
      }));
      t.deepEqual(reclaimedOf([whole], pieces), [whole]);
      const asRead = pieces.map((piece) => ({ ...piece, mode: 'READ' as const }));
      t.deepEqual(reclaimedOf([whole], asRead), []);
      for (const hole of pieces)
        t.deepEqual(
          reclaimedOf(
            [whole],
            pieces.filter((piece) => piece !== hole),
          ),
          [],
        );
    }),
  );
  t.pass();
});

/** What a client may do between release and the end of the grace, and what of it can be seen. */
const behaviours = {
  reclaims: { notified: true, back: true, answers: true, keeps: true },
  refused: { notified: true, back: true, answers: true, keeps: false },
  'lets go of all': { notified: true, back: false, answers: true, keeps: false },
  'is not reached': { notified: false, back: false, answers: false, keeps: false },
  'freezes when notified': { notified: true, back: false, answers: false, keeps: false },
} as const;
type Behaviour = keyof typeof behaviours;
const gone: readonly Behaviour[] = ['is not reached', 'freezes when notified'];

const cluster = fc
  .array(fc.constantFrom(...(Object.keys(behaviours) as Behaviour[])), { minLength: 1, maxLength: 6 })
  .chain((kinds) =>
    fc.record({
      kinds: fc.constant(kinds),
      owners: fc.array(fc.nat(kinds.length - 1), { maxLength: 10 }),
    }),
  );

test('after a release: whoever is gone is named for its locks, whoever is there never', (t) => {
  fc.assert(
    fc.property(cluster, ({ kinds, owners }) => {
      const clients = kinds.map((kind, number): JudgedClient => {
        const { notified, back, answers } = behaviours[kind];
        return { client: `c${number}`, notified, back, answers };
      });
      const missing = owners.flatMap((owner, number): HeldLock[] => {
        const kind = kinds[owner];
        if (kind === undefined || behaviours[kind].keeps) return [];
        return [{ fsid: '1', inode: number, mode: 'WRITE', start: '0', end: 'EOF', copy: owner }];
      });
      const found = judge({ planned: true, graceEntered: true, seesClients: true, missing, clients });
      t.is(found.length, missing.length);
      const away = kinds.flatMap((kind, number) => (gone.includes(kind) ? [`c${number}`] : []));
      for (const finding of found) {
        t.is(finding.verdict, away.length > 0 ? 'lost' : 'not-reclaimed');
        t.deepEqual(finding.clients, away);
      }
      for (const { inode: number, copy: owner } of missing) {
        const kind = kinds[owner];
        const finding = found.find(({ lock }) => lock?.inode === number);
        if (kind !== undefined && gone.includes(kind)) t.true(finding?.clients.includes(`c${owner}`));
      }
    }),
  );
  t.pass();
});

test('after a crash: everybody who is not back is named, each as what is known of it', (t) => {
  fc.assert(
    fc.property(cluster, ({ kinds }) => {
      const clients = kinds.map((kind, number) => ({ client: `c${number}`, ...behaviours[kind] }));
      const found = judge({ planned: false, graceEntered: true, seesClients: true, missing: [], clients });
      t.deepEqual(
        found.map((finding) => [...finding.clients, finding.verdict]),
        kinds.flatMap((kind, number) => {
          if (kind === 'is not reached') return [[`c${number}`, 'not-notified']];
          if (kind === 'freezes when notified') return [[`c${number}`, 'silent']];
          return kind === 'lets go of all' ? [[`c${number}`, 'idle']] : [];
        }),
      );
    }),
  );
  t.pass();
});

const lock: HeldLock = { fsid: '1', inode: 9, mode: 'WRITE', start: '0', end: 'EOF', copy: 0 };

test('without a grace, and without a client in the record, what is missing is lost', (t) => {
  const back: JudgedClient = { client: 'c', notified: true, back: true, answers: true };
  const noGrace = judge({
    planned: true,
    graceEntered: false,
    seesClients: true,
    missing: [lock],
    clients: [back],
  });
  t.like(noGrace[0], { verdict: 'lost', clients: ['c'] });
  const nobody = judge({
    planned: true,
    graceEntered: true,
    seesClients: true,
    missing: [lock],
    clients: [],
  });
  t.like(nobody[0], { verdict: 'lost', clients: [] });
  t.deepEqual([...noGrace, ...nobody].map(isLoss), [true, true]);
});

test('of a time in which the callout recorded nobody nothing is claimed', (t) => {
  const answering = { client: 'c1', notified: true, back: false, answers: true };
  const verdicts = (seesClients: boolean) =>
    judge({ planned: false, graceEntered: true, seesClients, missing: [], clients: [answering] }).map(
      ({ verdict }) => verdict,
    );
  t.deepEqual(verdicts(true), ['idle']);
  t.deepEqual(verdicts(false), ['unseen']);
  t.false(isLoss({ verdict: 'unseen' }));
});
