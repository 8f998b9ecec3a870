// Whatever happened before the database was lost, the rebuilt record names everybody whom the lost one named.
// More of it: NLM_FULL=1 npx ava build/test/record/rebuild/rebuild.properties.test.js
import test from 'ava';
import fc from 'fast-check';
import { event, missing, Site, wall } from '../helpers/site.js';

const numRuns = process.env['NLM_FULL'] === '1' ? 3000 : 60;
const fsids = ['1', '2'];
const node = fc.constantFrom('A', 'B', 'C');
const client = fc.constantFrom('c1', 'c2', 'c3', '10.10.1.21');

const happening = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      what: fc.constantFrom('add-client' as const, 'del-client' as const),
      node,
      client,
      fsid: fc.option(fc.constantFrom(...fsids), { nil: undefined, freq: 3 }),
    }),
  },
  // A takeover; stopped before B-2; a release.
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant('serve' as const),
      node,
      some: fc.subarray(fsids, { minLength: 1 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constantFrom('claim' as const, 'release' as const), node }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('adopt' as const), client }) },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant('torn' as const), node, length: fc.nat({ max: 40 }) }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constantFrom('fold' as const, 'rebuild' as const) }) },
);

test('for any history of journals, nobody is missing in the rebuilt record', async (t) => {
  let removed = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { maxLength: 30 }), async (happenings) => {
      const site = new Site();
      try {
        let record = site.open();
        /** Nodes that have a journal. */
        const begun = new Set<string>();
        const serve = async (by: string, some: readonly string[], now: number) => {
          const epoch = record.claim({ node: by, fenced: true, now });
          await site.serve(record, { node: by, epoch, fsids: some, now });
          begun.add(by);
        };
        await serve('A', fsids, wall);
        for (const [index, now] of happenings.entries()) {
          const { owner, epoch } = record.ownership();
          if (now.what === 'add-client' || now.what === 'del-client') {
            if (begun.has(now.node)) site.append(now.node, event(now.what, now.client, index, now.fsid));
          } else if (now.what === 'serve') await serve(now.node, now.some, wall + index);
          else if (now.what === 'claim') record.claim({ node: now.node, fenced: true, now: wall + index });
          else if (now.what === 'release') {
            if (owner !== undefined) record.setReleased(owner, epoch, true);
          } else if (now.what === 'adopt') {
            if (owner !== undefined && begun.has(owner))
              record.adopt({ node: owner, clients: [now.client], fsids, now: 7, myName: owner });
          } else if (now.what === 'torn') {
            if (begun.has(now.node))
              site.append(now.node, '@1 1234.56 add-client c1 A - '.slice(0, now.length));
          } else if (now.what === 'rebuild') {
            // One that is rebuilt can be lost again.
            record.fold();
            record.close();
            site.rebuild({ force: true });
            record = site.open();
          } else record.fold();
        }
        record.fold();
        const lost = record.clients();
        if (happenings.some((now) => now.what === 'del-client') && lost.length < 8) removed += 1;
        const { epoch } = record.ownership();
        record.close();
        site.rebuild({ force: true });
        const rebuilt = site.open();
        t.deepEqual(missing(lost, rebuilt.clients()), []);
        t.deepEqual(rebuilt.fold().journals, []);
        t.true(rebuilt.ownership().epoch <= epoch + 1);
        rebuilt.close();
      } finally {
        site.remove();
      }
    }),
    { numRuns },
  );
  t.true(removed > 0);
  t.log(`${numRuns} histories, nobody missing`);
});
