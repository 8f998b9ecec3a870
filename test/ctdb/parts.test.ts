// What the barrier reads and writes: CTDB's answers, ports, notes, rules, and what is wanted.
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { graceNeeded, whyTooShort } from '../../src/ctdb/grace.js';
import { limitsOf, usualLimits } from '../../src/ctdb/limits.js';
import {
  closedSince,
  lastCovered,
  movedNow,
  noteClosed,
  noteCovered,
  noteMoved,
  noteSettled,
  settledMove,
} from '../../src/ctdb/local.js';
import { holderIn, membersIn } from '../../src/ctdb/members.js';
import { believable, nobodyBehind, type Note, phases } from '../../src/ctdb/note.js';
import { readNotes, writeNote } from '../../src/ctdb/note-files.js';
import { lockPortsIn, refusalText } from '../../src/ctdb/refusal.js';
import { boundLog } from '../../src/ctdb/serve.js';
import { wantedBy } from '../../src/ctdb/wanted.js';
import { FailoverError } from '../../src/errors.js';

function directory(t: ExecutionContext): string {
  const made = mkdtempSync(path.join(tmpdir(), 'nlm-ctdb-'));
  t.teardown(() => rmSync(made, { recursive: true }));
  return made;
}

test("CTDB's nodes: connected whatever else they are; fields by their names", (t) => {
  const text = `|Node|IP|Disconnected|Banned|Disabled|Unhealthy|Stopped|Inactive|PartiallyOnline|ThisNode|
|0|10.0.0.1|0|0|0|0|0|0|0|N|
|1|10.0.0.2|0|1|1|1|1|1|0|N|
|2|10.0.0.3|1|0|0|1|0|1|0|N|
|4|10.0.0.5|0|0|0|0|0|0|0|Y|
`;
  t.deepEqual(membersIn(text), { self: 4, connected: new Set([0, 1]) });
  t.deepEqual(
    membersIn(text.replaceAll('|Banned', '').replaceAll(/^((?:\|[^|\n]*){3})\|[^|\n]*/gm, '$1')),
    undefined,
  );
  t.is(membersIn('Failed to connect to CTDB daemon'), undefined);
  t.is(membersIn(''), undefined);
});

test('which node has a public address: by the names of the fields, in any spelling, or none', (t) => {
  const text = `|Public IP|Node|ActiveInterface|AvailableInterfaces|ConfiguredInterfaces|
|10.1.1.1|1||eth2,eth3|eth2,eth3|
|10.1.1.2|-1||eth2|eth2|
|FD00:0::1|0|eth3|eth3|eth3|
`;
  const of = (address: string) => holderIn(text, address);
  t.deepEqual(['10.1.1.1', '10.1.1.2', '10.1.1.3', 'fd00::1'].map(of), [1, undefined, undefined, 0]);
  t.is(holderIn('|Node|Public IP|\n|7|10.1.1.1|\n', '10.1.1.1'), 7);
  t.is(holderIn('', '10.1.1.1'), undefined);
});

test('the ports of lockd, of either family, each once; not what others have registered for it', (t) => {
  const one = { program: 100_021, version: 4, netid: 'tcp', address: '0.0.0.0.15.205', owner: 'superuser' };
  const found = lockPortsIn([
    { ...one, program: 100_000, address: '0.0.0.0.0.111' },
    { ...one, netid: 'udp', version: 1 },
    { ...one, netid: 'udp' },
    one,
    { ...one, netid: 'tcp6', address: '::.160.1' },
    { ...one, netid: 'local', address: '/run/x.0.1' },
    { ...one, version: 9, address: '0.0.0.0.0.22' },
    { ...one, version: 3, address: '0.0.0.0.17.27', owner: '65534' },
    { ...one, version: 3, address: '0.0.0.0.17.27', owner: 'unknown' },
    { ...one, version: 3, address: '0.0.0.0.17.27 superuser\n', owner: 'superuser' },
  ]);
  t.deepEqual(found, [
    { protocol: 'udp', port: 4045 },
    { protocol: 'tcp', port: 4045 },
    { protocol: 'tcp', port: 40_961 },
  ]);
  t.deepEqual(lockPortsIn([]), []);
});

test('the refusal: a timeout of whole seconds with each element, none of less than one', (t) => {
  const text = refusalText(
    { ports: [{ protocol: 'tcp', port: 4045 }], addresses: ['10.1.1.1', 'fd00::1'] },
    1500,
  );
  t.regex(text, /elements = \{ tcp \. 4045 timeout 2s \}/);
  t.regex(text, /ipv4_addr; flags timeout; elements = \{ 10\.1\.1\.1 timeout 2s \}/);
  t.regex(text, /ipv6_addr; flags timeout; elements = \{ fd00::1 timeout 2s \}/);
  t.regex(refusalText({ ports: [{ protocol: 'udp', port: 1 }], addresses: [] }, 0), /timeout 1s/);
  t.notRegex(refusalText({ ports: [], addresses: [] }, 1000), /elements/);
});

test('notes: what was written is read, whatever lies beside it', (t) => {
  const notes = path.join(directory(t), 'ctdb');
  t.deepEqual(readNotes(notes), new Map());
  t.is(statSync(notes).mode & 0o777, 0o711);
  const note = {
    generation: 7,
    phase: 'refusing',
    behind: { refusing: [2], stopped: [] },
    beat: 9,
    node: 'A',
    bootId: 'x',
  } as const;
  writeNote(notes, 12, note);
  t.is(statSync(path.join(notes, 'node.12')).mode & 0o777, 0o600);
  for (const name of ['node.012', 'node.x', 'node.', 'node.1234567', '.node.3.new', 'other'])
    writeFileSync(path.join(notes, name), JSON.stringify(note));
  for (const [name, text] of [
    ['node.1', '{'],
    ['node.2', JSON.stringify({ ...note, generation: -1 })],
    ['node.3', JSON.stringify({ ...note, generation: 1.5 })],
    ['node.4', JSON.stringify({ ...note, phase: 'other' })],
    ['node.5', JSON.stringify({ ...note, beat: '9' })],
    ['node.6', ''],
    ['node.7', 'x'.repeat(70_000)],
    ['node.9', JSON.stringify({ ...note, node: '\u001B[2J' })],
    ['node.10', JSON.stringify({ ...note, generation: 2 ** 53 })],
    ['node.11', JSON.stringify(note).replace(':7', ':1e999')],
    ['node.13', JSON.stringify({ ...note, generation: Number.NaN })],
  ] as const)
    writeFileSync(path.join(notes, name), text);
  const told: string[] = [];
  const tell = (pnn: number, why: string) => void told.push(`${pnn}: ${why}`);
  t.deepEqual([...readNotes(notes, tell)], [[12, note]]);
  const nothing = 'it holds nothing that a node has written';
  t.deepEqual(told.toSorted(), [
    '10: its "generation" is no number of one',
    '11: its "generation" is no number of one',
    '13: its "generation" is no number of one',
    `1: ${nothing}`,
    '2: its "generation" is no number of one',
    '3: its "generation" is no number of one',
    '4: its "phase" is no phase',
    '5: its "beat" is no whole number',
    `6: ${nothing}`,
    `7: ${nothing}`,
    '9: its "node" is no name of a node',
  ]);
  writeFileSync(path.join(notes, 'node.8'), JSON.stringify({ ...note, behind: { refusing: 'x' } }));
  t.deepEqual(readNotes(notes).get(8)?.behind, { refusing: [], stopped: [] });
});

test('notes: a generation that nobody can have begun makes no note, the own one goes on beside the others', (t) => {
  const of = (...generations: number[]) =>
    new Map(
      generations.map((generation, pnn): [number, Note] => [
        pnn,
        { generation, phase: 'stopped', behind: nobodyBehind, beat: 1 },
      ]),
    );
  const believed = (own: number | undefined, ...generations: number[]) =>
    [...believable(of(...generations), 0, own)].map(([pnn, { generation }]) => `${pnn}: ${generation}`);
  const most = Number.MAX_SAFE_INTEGER;
  const far = 2 ** 40;
  t.deepEqual(believed(5, 5, 7, most), ['0: 5', '1: 7']);
  t.deepEqual(believed(far, far, far + 9, 3), [`0: ${far}`, `1: ${far + 9}`, '2: 3'], 'as it came that far');
  // A process that has just begun.
  t.deepEqual(believed(undefined, 5, 7, most), ['0: 5', '1: 7']);
  t.deepEqual(believed(undefined, most, 7, 6), ['0: 7', '1: 7', '2: 6']);
  t.deepEqual(believed(undefined, most), ['0: 0']);
  t.deepEqual(believed(undefined, most, most), ['0: 0'], 'whoever else says so');
});

test('notes: a link is not followed, and nothing is made where the storage is not mounted', (t) => {
  const state = directory(t);
  const notes = path.join(state, 'ctdb');
  mkdirSync(notes, { mode: 0o711 });
  symlinkSync('/etc/passwd', path.join(notes, 'node.0'));
  mkdirSync(path.join(notes, 'node.1'));
  execFileSync('mkfifo', [path.join(notes, 'node.2')]);
  const told: string[] = [];
  t.deepEqual(
    [...readNotes(notes, (pnn, why) => void told.push(`${pnn}: ${why}`))],
    [],
    'and keeps no other one from being read',
  );
  t.deepEqual(
    told.toSorted(),
    [0, 1, 2].map((pnn) => `${pnn}: it is not a regular file`),
  );
  writeNote(notes, 0, {
    generation: 1,
    phase: 'idle',
    behind: { refusing: [], stopped: [] },
    beat: 1,
    node: 'A',
    bootId: 'x',
  });
  t.false(readFileSync('/etc/passwd', 'utf8').includes('generation'));
  t.throws(() => readNotes(path.join(state, 'unmounted', 'ctdb')), { instanceOf: FailoverError });
});

test('every phase and number comes through', (t) => {
  const notes = path.join(directory(t), 'ctdb');
  const whole = fc.integer({ min: 0, max: 2 ** 40 });
  const pnns = fc.array(fc.integer({ min: 0, max: 999_999 }), { maxLength: 4 });
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 999_999 }),
      fc.record(
        {
          generation: whole,
          phase: fc.constantFrom(...phases),
          behind: fc.record({ refusing: pnns, stopped: pnns }, { noNullPrototype: true }),
          beat: whole,
          node: fc.constantFrom('A', 'node-1.example.com'),
          bootId: fc.uuid(),
        },
        { noNullPrototype: true },
      ),
      (pnn, note) => {
        writeNote(notes, pnn, note);
        t.deepEqual(readNotes(notes).get(pnn), note);
      },
    ),
    { numRuns: 30 },
  );
});

test('what is wanted: after an event when CTDB has done, or when it is quiet; without one, when it stays so', (t) => {
  const base = {
    now: 1000,
    addresses: ['a'],
    moved: 'x',
    settled: undefined,
    covered: { moved: '', addresses: ['a'] },
  };
  const first = wantedBy(base, undefined, 3000);
  t.is(first.wanted, undefined);
  t.is(wantedBy({ ...base, settled: 'x' }, first.since, 3000).wanted, 'event');
  t.is(wantedBy({ ...base, settled: 'w' }, first.since, 3000).wanted, undefined, 'of the move before');
  t.is(wantedBy({ ...base, now: 4000 }, first.since, 3000).wanted, 'event');
  const second = wantedBy({ ...base, now: 3900, moved: 'y' }, first.since, 3000);
  t.is(
    wantedBy({ ...base, now: 4000, moved: 'y' }, second.since, 3000).wanted,
    undefined,
    'another one came',
  );
  const covered = { moved: 'x', addresses: ['a'] };
  t.is(wantedBy({ ...base, covered }, first.since, 3000).wanted, undefined);
  const other = wantedBy({ ...base, covered, addresses: [] }, undefined, 3000);
  t.is(other.wanted, undefined);
  t.is(wantedBy({ ...base, covered, addresses: [], now: 4000 }, other.since, 3000).wanted, 'found');
  const booted = { ...base, moved: undefined, covered: undefined, addresses: [] };
  t.is(wantedBy(booted, undefined, 0).wanted, undefined, 'it has nothing, and nothing has come');
});

test('what the process and the events remember of each other', (t) => {
  const run = path.join(directory(t), 'run');
  t.is(movedNow(run), undefined);
  t.is(lastCovered(run), undefined);
  noteSettled(run);
  t.is(settledMove(run), undefined, 'nothing had moved');
  noteMoved(run);
  const first = movedNow(run);
  noteSettled(run);
  t.is(settledMove(run), first);
  noteMoved(run);
  t.not(movedNow(run), first);
  noteCovered(run, { moved: first ?? '', addresses: ['10.1.1.1'] });
  t.deepEqual(lastCovered(run), { moved: first ?? '', addresses: ['10.1.1.1'] });
  noteClosed(run, 1234);
  t.is(closedSince(run), 1234);
  noteClosed(run, undefined);
  t.is(closedSince(run), undefined);
  t.is(statSync(path.join(run, 'ctdb')).mode & 0o777, 0o700);
  writeFileSync(path.join(run, 'ctdb', 'covered'), '{"moved":1}');
  t.is(lastCovered(run), undefined);
});

test('the grace covers the spread of the starts, the notification and the reclaim, and the waits fit into each other', (t) => {
  t.is(whyTooShort(graceNeeded()), undefined);
  t.regex(whyTooShort(graceNeeded() - 1) ?? '', /^a grace of 29 s is too short: .* together 30 s$/);
  const { waitMs, spreadMs, ruleMs, closedMs, freshMs } = usualLimits;
  t.true(ruleMs >= 2 * waitMs + spreadMs, 'who is killed refuses until the others are in grace');
  t.true(closedMs > 2 * waitMs, 'whoever waits is not overdue before that');
  t.true(freshMs > 3 * 5000);
  const others = { wait: 1, spread: 2, notify: 3, reclaim: 4, refuse: 5, closed: 6, quiet: 7 };
  t.like(limitsOf(others), { waitMs: 1000, spreadMs: 2000, ruleMs: 5000, closedMs: 6000 });
  t.regex(
    whyTooShort(8, others) ?? '',
    /^a grace of 8 s is too short: .* 2 s .* 3 s, and their reclaims 4 s, together 9 s$/,
  );
  t.is(whyTooShort(9, others), undefined);
});

test('the log is bounded, one old one is kept, no line is lost, and nothing is followed', (t) => {
  const run = directory(t);
  mkdirSync(path.join(run, 'ctdb'));
  const log = path.join(run, 'ctdb', 'log');
  const victim = path.join(run, 'victim');
  writeFileSync(victim, 'kept');
  symlinkSync(victim, `${log}.1`);
  // As the process has it, and a child that has inherited it.
  const [fd, inherited] = [openSync(log, 'a'), openSync(log, 'a')];
  t.teardown(() => [fd, inherited].forEach((one) => closeSync(one)));
  let longest = 0;
  for (let line = 0; line < 2500; line += 1) {
    writeSync(line % 7 === 0 ? inherited : fd, `${line} ${'x'.repeat(600)}\n`);
    boundLog(run, fd);
    longest = Math.max(longest, statSync(log).size);
  }
  const lines = `${readFileSync(`${log}.1`, 'utf8')}${readFileSync(log, 'utf8')}`.trim().split('\n');
  t.deepEqual(
    lines.map((line) => Number(line.split(' ')[0])),
    lines.map((_, at) => at),
  );
  t.is(lines.length, 2500);
  t.true(longest < 1.1 * 2 ** 20, `${longest}`);
  t.is(readFileSync(victim, 'utf8'), 'kept');
  t.is(statSync(`${log}.1`).mode & 0o777, 0o600);
  for (let line = 0; line < 2500; line += 1) {
    writeSync(fd, `${line} ${'y'.repeat(600)}\n`);
    boundLog(run, fd);
  }
  t.true(statSync(`${log}.1`).size < 1.1 * 2 ** 20, 'in the place of the one before');
  // Whoever starts it by hand into another file has that as it is.
  const other = openSync(victim, 'a');
  t.teardown(() => closeSync(other));
  writeSync(other, 'z'.repeat(2 ** 21));
  boundLog(run, other);
  t.true(statSync(victim).size > 2 ** 21);
});
