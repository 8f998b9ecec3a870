import fc from 'fast-check';
import type { EventLine, JournalLine } from '../../../src/record/journal/journal.js';

const letter = 'abcdefXYZ0123456789'.split('');
const inner = [...letter, '.', '_', ':', '%', '-'];

/** Any name that may be recorded, of up to 255 bytes. */
export const clientName = fc
  .tuple(fc.constantFrom(...letter, ':'), fc.array(fc.constantFrom(...inner), { maxLength: 254 }))
  .map(([first, rest]) => first + rest.join(''));

const node = fc
  .tuple(fc.constantFrom(...letter), fc.array(fc.constantFrom(...letter, '.', '_', '-'), { maxLength: 63 }))
  .map(([first, rest]) => first + rest.join(''));
const fsid = fc.oneof(fc.nat().map(String), fc.uuid());
const hundredths = fc.nat({ max: 1_000_000_000 }).map((n) => n / 100);
const ms = fc.nat({ max: 4_000_000_000_000 });
const myName = fc.option(clientName, { nil: undefined });

export const eventLine: fc.Arbitrary<EventLine> = fc.record({
  kind: fc.constantFrom('add-client' as const, 'del-client' as const),
  uptime: hundredths,
  client: clientName,
  myName,
  fsid: fc.option(fsid, { nil: undefined }),
});

/** Any line of a journal. */
export const journalLine: fc.Arbitrary<JournalLine> = fc.oneof(
  eventLine,
  fc.record({
    kind: fc.constant('serving' as const),
    uptime: hundredths,
    node,
    epoch: fc.nat(),
    wall: ms,
    bootId: fc.oneof(fc.uuid(), fc.constant('-')),
    fsids: fc.array(fsid, { minLength: 1, maxLength: 5 }),
  }),
  fc.record({
    kind: fc.constant('recorded' as const),
    uptime: hundredths,
    client: clientName,
    myName,
    fsid,
    node,
    since: ms,
  }),
);
