// The trial of shared storage: what is said of it where nothing is lost, and where nothing can be known. What loses is in test/wire.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { isMountedAlike } from '../../../src/record/trial/mounted-as.js';
import {
  holdsFor,
  lastVerdict,
  type Trial,
  tryStorage,
  type Verdict,
} from '../../../src/record/trial/trial.js';
import { makeTrial, openTrial } from '../../../src/record/trial/writing.js';
import { holdDirectory } from '../../../src/record/safe-files/held-directory.js';
import { startProcess } from '../helpers/process.js';

const mount = { type: 'ext4', source: '/dev/x', options: ['rw'] };

function stateDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'nlm-failover-trial-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** What one side said last. */
async function runSide(
  t: ExecutionContext,
  directory: string,
  ...args: readonly string[]
): Promise<Partial<Verdict> & { readonly code?: string; readonly message?: string }> {
  const process = startProcess(t, 'try-storage.js', [directory, ...args]);
  let last = '{}';
  for (let line = await process.line(); line !== undefined; line = await process.line()) last = line;
  return JSON.parse(last) as object;
}

test('two processes that write at once on one directory: nothing is lost, both keep that, and nothing else is left', async (t) => {
  const directory = stateDirectory(t);
  // Of a trial that was killed.
  mkdirSync(join(directory, 'storage-trial'), { mode: 0o700 });
  for (const [name, text] of [
    ['A+B.db', 'no database'],
    ['A+B.db-journal', 'no journal'],
    ['A+B.db.B', '      1\n'],
    ['A.0123456789abcdef.7', '{"is":"done","written":3,"why":[]}'],
    [
      'B.0123456789abcdef.1',
      '{"is":"here","side":{"node":"B","machine":"b","bootId":"b","device":2},"sees":[],"chosen":""}',
    ],
    ['C.0123456789abcdef.1', 'half a mess'],
    ['.B.0123456789abcdef.2', ''],
  ] as const)
    writeFileSync(join(directory, 'storage-trial', name), text);

  const both = await Promise.all([
    runSide(t, directory, 'A', 'a', '1', '30'),
    runSide(t, directory, 'B', 'b', '2', '30'),
  ]);

  for (const [index, node] of ['A', 'B'].entries()) {
    const said = both[index];
    t.like(said, { node, other: node === 'A' ? 'B' : 'A', kept: true, why: [], mount });
    t.true(Math.min(...Object.values(said?.written ?? {})) >= 25, JSON.stringify(said));
    t.deepEqual(lastVerdict(directory, node), said as Verdict);
  }
  t.is(lastVerdict(directory, 'C'), undefined);
  const left = readdirSync(join(directory, 'storage-trial')).map((name) => name.replace(/[.]\d+$/u, ''));
  t.deepEqual([...new Set(left)].map((name) => name.replace(/[0-9a-f]{16}$/u, 'RUN')).toSorted(), [
    'A.RUN',
    'A.verdict',
    'B.RUN',
    'B.verdict',
    'C.RUN',
  ]);
});

test('where nobody comes, or only somebody who proves nothing, nothing is kept', async (t) => {
  const directory = stateDirectory(t);
  const alone = await runSide(t, directory, 'A', 'a', '1', '0.2');
  t.like(alone, { code: 'STORAGE_UNTRIED' });
  t.regex(
    alone.message ?? '',
    /no other node came to .* in 0\.2 s, or only one that tried with another one$/u,
  );
  for (const [node, machine, says] of [
    ['A', 'b', /the other node is called A too$/u],
    ['B', 'a', /[AB] is this machine, with the same mount$/u],
  ] as const) {
    const both = await Promise.all([
      runSide(t, directory, 'A', 'a', '1', '20'),
      runSide(t, directory, node, machine, '1', '3'),
    ]);
    for (const { code, message } of both) {
      t.is(code, 'STORAGE_UNTRIED');
      t.regex(message ?? '', says);
    }
  }
  t.is(lastVerdict(directory, 'A'), undefined);
});

test('of five that come at once four try it, two and two, and the fifth says that nobody was left', async (t) => {
  const directory = stateDirectory(t);
  const all = await Promise.all(
    ['A', 'B', 'C', 'D', 'E'].map((node, index) => runSide(t, directory, node, node, String(index), '12')),
  );
  const partners = new Map(all.filter(({ kept }) => kept === true).map(({ node, other }) => [node, other]));
  t.is(partners.size, 4, JSON.stringify(all));
  for (const [node, other] of partners) t.is(partners.get(other), node);
  const [last] = all.filter(({ kept }) => kept !== true);
  t.is(last?.code, 'STORAGE_UNTRIED');
  t.regex(last?.message ?? '', /or only one that tried with another one$/u);
});

/** One side in this process, with a clock of its own; `onLook` is called each time it waits. */
function trial(directory: string, onLook: (files: readonly string[]) => void): Trial {
  let ms = 0;
  return {
    directory,
    named: '/shared',
    side: { node: 'A', machine: 'a', bootId: 'b', device: 1 },
    mount,
    waitSeconds: 20,
    busyMs: 1000,
    now: () => ms,
    delay: async (more) => {
      ms += more;
      onLook(readdirSync(join(directory, 'storage-trial')));
    },
    onOther: () => undefined,
  };
}

test('another node that does not go on is waited for, and not for ever', async (t) => {
  const directory = stateDirectory(t);
  const here = trial(directory, (files) => {
    const run = files.map((file) => /^A[.]([0-9a-f]{16})[.]/u.exec(file)?.[1]).find(Boolean) ?? '';
    const side = { node: 'B', machine: 'b', bootId: 'b', device: 1 };
    const file = join(directory, 'storage-trial', 'B.0123456789abcdef.1');
    writeFileSync(file, JSON.stringify({ is: 'here', side, sees: [run], chosen: run }));
  });
  const error = await t.throwsAsync(tryStorage(here));
  t.regex(
    error.message,
    /^Nothing was tried in \/shared: B did not go on for 360 s \(it did not say "(?:made|open)"\)$/u,
  );
  t.is(lastVerdict(directory, 'A'), undefined);
});

/** The other side, which has come first and made the database, with what it has written there; it says what it is given. */
async function besides(
  t: ExecutionContext,
  said: { readonly written: number; readonly why: readonly string[]; readonly verdict?: readonly string[] },
  rows: readonly (readonly [number, string, number])[] = [],
  holdsLock = false,
): Promise<Verdict> {
  const directory = stateDirectory(t);
  const run = '0000000000000000';
  let isDone = false;
  return tryStorage(
    trial(directory, (files) => {
      if (isDone) return;
      isDone = true;
      const other = files.map((file) => /^A[.]([0-9a-f]{16})[.]/u.exec(file)?.[1]).find(Boolean) ?? '';
      const held = holdDirectory(join(directory, 'storage-trial'));
      if (held === undefined) throw new Error(files.join(' '));
      const place = { held, name: 'A+B.db', me: 'B', other: 'A', busyMs: 1000 };
      makeTrial(place);
      const db = openTrial(place);
      for (const row of rows) db.prepare('INSERT INTO written VALUES (?, ?, ?)').run(...row);
      db.prepare('UPDATE counter SET n = ?').run(rows.length);
      if (holdsLock) {
        db.exec('BEGIN IMMEDIATE');
        t.teardown(() => db.close());
      } else db.close();
      held.close();
      const side = { node: 'B', machine: 'b', bootId: 'b', device: 1 };
      const messages = [
        { is: 'here', side, sees: [other], chosen: other },
        { is: 'made' },
        { is: 'done', written: said.written, why: said.why },
        { is: 'verdict', why: said.verdict ?? [] },
      ];
      for (const [index, message] of messages.entries())
        writeFileSync(join(directory, 'storage-trial', `B.${run}.${index + 1}`), JSON.stringify(message));
    }),
  );
}

test('whatever is missing is said by who misses it', async (t) => {
  const rows = [1, 2, 3].map((n) => [n, 'B', 0] as const);
  const lost = await besides(t, { written: 4, why: [] }, rows);
  t.false(lost.kept);
  const own = lost.written['A'] ?? 0;
  t.deepEqual(lost.why, [
    'B wrote 4 times, and A found 3 of them',
    `both counted up ${own + 4} times in all, and A found ${own + 3}`,
  ]);
  const unseen = await besides(t, { written: 3, why: [] }, [...rows, [4, 'B', 2]]);
  t.deepEqual(unseen.why, ['B had appended 2 lines, and A read 0 of them']);
  const theirs = await besides(t, { written: 3, why: ['B found nothing of it'] }, rows);
  t.deepEqual(theirs.why, ['B found nothing of it']);
  const later = await besides(t, { written: 4, why: [], verdict: ['B missed one'] }, rows);
  t.true(later.why.includes('B missed one'));
  await t.throwsAsync(besides(t, { written: 3, why: [] }, rows), {
    code: 'STORAGE_UNTRIED',
    message: /: A wrote \d+ times? and B 3 times, hardly one beside the other$/u,
  });
});

test('the other node has given up: that says nothing of the storage', async (t) => {
  const directory = stateDirectory(t);
  const here = trial(directory, (files) => {
    const run = files.map((file) => /^A[.]([0-9a-f]{16})[.]/u.exec(file)?.[1]).find(Boolean) ?? '';
    const side = { node: 'B', machine: 'b', bootId: 'b', device: 1 };
    const messages = [
      { is: 'here', side, sees: [run], chosen: run },
      { is: 'given up', because: 'no space' },
    ];
    for (const [index, message] of messages.entries())
      writeFileSync(
        join(directory, 'storage-trial', `B.0123456789abcdef.${index + 1}`),
        JSON.stringify(message),
      );
  });
  const error = await t.throwsAsync(tryStorage(here));
  t.is(error.message, 'Nothing was tried in /shared: B gave up: no space');
  t.is(lastVerdict(directory, 'A'), undefined);
});

test('a lock that is not to be had says nothing of the storage', async (t) => {
  await t.throwsAsync(besides(t, { written: 3, why: [] }, [], true), { code: 'RECORD_BUSY' });
});

test('a directory of the trial that somebody else could change is not used', async (t) => {
  const directory = stateDirectory(t);
  const place = join(directory, 'storage-trial');
  mkdirSync(place);
  chmodSync(place, 0o777);
  await t.throwsAsync(tryStorage(trial(directory, () => undefined)), { message: /is writable by others/ });
  t.throws(() => lastVerdict(directory, 'A'), { message: /is writable by others/ });
});

test('a verdict is one of how the storage was mounted; one that cannot be read is none', (t) => {
  const directory = stateDirectory(t);
  const place = join(directory, 'storage-trial');
  mkdirSync(place, { mode: 0o700 });
  for (const text of ['', '{"format":2}', '[]', 'null', '{"format":1']) {
    writeFileSync(join(place, 'A.verdict'), text);
    t.is(lastVerdict(directory, 'A'), undefined, text);
  }
  const verdict = { format: 1, node: 'A', other: 'B', mount } as unknown as Verdict;
  t.true(holdsFor(verdict, { ...mount }));
  t.false(holdsFor(verdict, { ...mount, options: ['ro'] }));
  t.false(holdsFor(verdict, undefined));
  t.true(holdsFor({ ...verdict, mount: null }, undefined));
  t.false(isMountedAlike(mount, { ...mount, source: '/dev/y' }));
  t.is(readFileSync(join(place, 'A.verdict'), 'utf8'), '{"format":1');
});
