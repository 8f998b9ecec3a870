// Names from a corpus and a generator. 5,000 generated ones under each shell: NLM_FULL=1 npx ava build/test/callouts/hostile-names.test.js
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { isClientName } from '../../src/names.js';
import { parseJournal } from '../../src/record/journal/journal.js';
import { allMarks } from '../helpers/all-marks.js';
import { acceptedNames, anyName, mayBeRecorded, refusedNames } from '../helpers/hostile-names.js';
import { treeOf } from '../helpers/tree.js';
import { type CalloutSite, makeCalloutSite, shells, type Shell } from './helpers/callout.js';

const numRuns = process.env['NLM_FULL'] === '1' ? 250 : 5;
/** Generated names that the callout is given in one go. */
const batch = 20;
/** The only files that an event may change, below the site's top. */
const changeable = ['journals/journal.10.10.1.1', 'run/marks/refused'];

/** Where the callout works there is what its user may write to, and the names would leave a file there. */
function untouched(site: CalloutSite): () => boolean {
  const before = treeOf(site.top, changeable).join('\n');
  return () => treeOf(site.top, changeable).join('\n') === before && !existsSync(site.canary);
}

/** Nothing of the name had an effect but in the one mark: as long as it may be, and safe to show. */
function onlyMarked(site: CalloutSite): boolean {
  const [mark, ...others] = allMarks(site.run);
  return (
    mark?.address === 'refused' &&
    others.length === 0 &&
    /^[ -~]+$/u.test(mark.text) &&
    statSync(join(site.run, 'marks', 'refused')).size < 300
  );
}

for (const shell of Object.keys(shells) as Shell[]) {
  test(`${shell}: the canary is seen where a name is executed`, (t) => {
    const site = makeCalloutSite(t);
    const isUntouched = untouched(site);
    site.execute(shell, '$(>pwned)');
    t.true(existsSync(site.canary));
    t.false(isUntouched());
  });

  test(`${shell}: hostile names of clients are refused, visibly`, (t) => {
    const site = makeCalloutSite(t);
    site.serve('10.10.1.1');
    const isUntouched = untouched(site);
    const shapes: ((name: string) => string[])[] = [
      (name) => ['add-client', name, 'B'],
      (name) => ['del-client', name, 'B'],
      (name) => ['add-client', '10.10.1.1', name, '1'],
      // Otherwise it would be no name, but a path below serving.
      (name) => ['add-client', name, 'c', '1'],
    ];
    for (const shape of shapes) {
      t.is(site.calls(shell, refusedNames.map(shape)), 123);
      t.deepEqual(site.lines('10.10.1.1'), []);
      t.true(onlyMarked(site) && isUntouched());
    }
    // One that is long and hostile leaves no longer a mark.
    t.is(site.call(shell, 'add-client', `\u001B[2J${'a'.repeat(100_000)}`, 'B').code, 123);
    t.true(onlyMarked(site) && isUntouched());
  });

  test(`${shell}: hostile fsids are refused, visibly`, (t) => {
    const site = makeCalloutSite(t);
    site.serve('10.10.1.1');
    const isUntouched = untouched(site);
    const fsids = [...refusedNames, '-', '-1', '1.5', 'x', '0x1', 'g', '1'.repeat(37)];
    const events = fsids.map((fsid) => ['add-client', '10.10.1.1', 'c', fsid]);
    t.is(site.calls(shell, events), 123);
    t.deepEqual(site.lines('10.10.1.1'), []);
    t.true(onlyMarked(site) && isUntouched());
  });

  test(`${shell}: a hostile my_name does not cost the client its locks`, (t) => {
    const site = makeCalloutSite(t);
    site.serve('10.10.1.1');
    const events = refusedNames.map((name) => ['add-client', 'c', name]);
    t.is(site.calls(shell, events), 0);
    t.deepEqual(site.lines('10.10.1.1'), Array(refusedNames.length).fill('@1 T add-client c - - .'));
    t.deepEqual(allMarks(site.run), []);
  });

  test(`${shell}: odd names that are none the less names`, (t) => {
    const site = makeCalloutSite(t);
    site.serve('10.10.1.1');
    const events = acceptedNames.map((name) => ['add-client', name, name]);
    t.is(site.calls(shell, events), 0);
    t.deepEqual(
      site.lines('10.10.1.1'),
      acceptedNames.map((name) => `@1 T add-client ${name} ${name} - .`),
    );
  });

  test(`${shell}: shell and record have the same rules, for any bytes, and nothing else is touched`, (t) => {
    t.timeout(3_600_000);
    const site = makeCalloutSite(t);
    const journal = site.serve('10.10.1.1');
    const isUntouched = untouched(site);
    let before = 0;
    const event = fc.tuple(fc.constantFrom('add-client', 'del-client'), anyName, anyName);
    fc.assert(
      fc.property(fc.array(event, { minLength: batch, maxLength: batch, size: 'max' }), (events) => {
        const verdicts = events.map(([, client]) => mayBeRecorded(client));
        t.is(site.calls(shell, events), verdicts.every(Boolean) ? 0 : 123);
        t.deepEqual(
          verdicts,
          events.map(([, client]) => isClientName(client)),
        );
        const bytes = readFileSync(journal);
        const { entries, consumed } = parseJournal(bytes.subarray(before));
        t.is(before + consumed, bytes.length, 'whole lines, or none');
        before = bytes.length;
        t.deepEqual(
          entries.map(({ line }) =>
            line?.kind === 'add-client' || line?.kind === 'del-client'
              ? [line.kind, line.client, line.myName]
              : line,
          ),
          events
            .filter((_, at) => verdicts[at])
            .map(([kind, client, myName]) => [kind, client, mayBeRecorded(myName) ? myName : undefined]),
        );
        t.true(isUntouched());
      }),
      { numRuns },
    );
  });
}
