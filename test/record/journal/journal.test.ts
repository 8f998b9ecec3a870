import test from 'ava';
import fc from 'fast-check';
import { formatLine, parseJournal, type JournalLine } from '../../../src/record/journal/journal.js';
import { journalLine } from '../helpers/arbitraries.js';

function parse(text: string) {
  return parseJournal(Buffer.from(text, 'latin1'));
}

function linesOf(text: string): (JournalLine | undefined)[] {
  return parse(text).entries.map(({ line }) => line);
}

const add = '@1 12.34 add-client 10.10.1.21 B - .\n';
const added = { kind: 'add-client', uptime: 12.34, client: '10.10.1.21', myName: 'B', fsid: undefined };

test('each kind of line', (t) => {
  t.deepEqual(linesOf(add), [added as JournalLine]);
  t.deepEqual(linesOf('@1 12 del-client fe80::1%eth0 - 1234 .\n'), [
    { kind: 'del-client', uptime: 12, client: 'fe80::1%eth0', myName: undefined, fsid: '1234' },
  ]);
  t.deepEqual(linesOf('@1 1.00 serving A 7 1700000000000 - 1,ABCD-ef .\n'), [
    {
      kind: 'serving',
      uptime: 1,
      node: 'A',
      epoch: 7,
      wall: 1700000000000,
      bootId: '-',
      fsids: ['1', 'abcd-ef'],
    },
  ]);
  t.deepEqual(linesOf('@1 0.00 recorded c - 1 B 5 .\n'), [
    { kind: 'recorded', uptime: 0, client: 'c', myName: undefined, fsid: '1', node: 'B', since: 5 },
  ]);
});

test('a last line without a newline is left', (t) => {
  for (let length = 0; length < add.length; length += 1) {
    const { entries, consumed } = parse(add + add.slice(0, length));
    t.is(consumed, add.length);
    t.is(entries.length, 1);
  }
});

test('a torn line is distinguished from the one after it, wherever it was torn', (t) => {
  for (let length = 1; length < add.length - 1; length += 1) {
    const { entries, consumed } = parse(add.slice(0, length) + add);
    const [torn, whole] = entries;
    t.is(consumed, length + add.length);
    t.is(torn?.text, add.slice(0, length));
    // Only its newline is missing: whole.
    t.is(torn?.line !== undefined, length === add.length - 1);
    t.deepEqual(whole?.line, added as JournalLine);
    t.is(whole?.offset, length);
  }
});

test('a line that lacks only its newline is whole', (t) => {
  t.deepEqual(linesOf(add.trimEnd() + add), [added as JournalLine, added as JournalLine]);
});

for (const bad of [
  '',
  ' ',
  '\0\0\0\0',
  '#!/bin/sh',
  add.trimEnd().slice(1),
  `${add.trimEnd()} `,
  `${add.trimEnd()}\0`,
  `\0${add.trimEnd().slice(1)}`,
  '@2 12.34 add-client 10.10.1.21 B - .',
  '@1 12.34 add-client 10.10.1.21 B - ',
  '@1 12.34 add-client 10.10.1.21 B -.',
  '@1  12.34 add-client 10.10.1.21 B - .',
  '@1 12.345 add-client 10.10.1.21 B - .',
  '@1 -1 add-client 10.10.1.21 B - .',
  '@1 12.34 add-client ../etc B - .',
  '@1 12.34 add-client -rf B - .',
  '@1 12.34 add-client . B - .',
  '@1 12.34 add-client a/b B - .',
  '@1 12.34 add-client a$(id) B - .',
  "@1 12.34 add-client a'-- B - .",
  '@1 12.34 add-client \xff\xfe B - .',
  '@1 12.34 add-client a\rb B - .',
  `@1 12.34 add-client ${'a'.repeat(256)} B - .`,
  '@1 12.34 add-client a B 12.5 .',
  `@1 12.34 add-client a B ${'1'.repeat(37)} .`,
  '@1 12.34 serving A 1 2 - .',
  '@1 12.34 serving A 1 2 - 1,,2 .',
  '@1 12.34 serving ../A 1 2 - 1 .',
  '@1 12.34 serving A -1 2 - 1 .',
  '@1 12.34 erase-client a B - .',
]) {
  test(`not a line: ${JSON.stringify(bad.slice(0, 60))}${bad.length > 60 ? ` (${bad.length} bytes)` : ''}`, (t) => {
    const { entries, consumed } = parse(`${bad}\n${add}`);
    t.is(consumed, bad.length + 1 + add.length);
    t.deepEqual(
      entries.map(({ line }) => line),
      [undefined, added as JournalLine],
    );
    t.is(entries[0]?.text, bad);
  });
}

test('what is written is read back', (t) => {
  fc.assert(
    fc.property(fc.array(journalLine), (lines) => {
      t.deepEqual(linesOf(lines.map(formatLine).join('')), lines);
    }),
  );
});

test('no bytes make it throw, and every one of them is accounted for', (t) => {
  const bytes = fc.oneof(
    fc.uint8Array({ max: 0xff, maxLength: 400 }),
    // Bytes that mean something, so that near misses are common.
    fc
      .array(
        fc.oneof(
          fc.constantFrom('@1 ', ' .', '\n', '@', ' ', '\0', add.trimEnd()),
          fc.string({ maxLength: 3 }),
        ),
      )
      .map((parts) => Buffer.from(parts.join(''), 'latin1')),
  );
  fc.assert(
    fc.property(bytes, (given) => {
      const buffer = Buffer.from(given);
      const { entries, consumed } = parseJournal(buffer);
      const text = buffer.toString('latin1', 0, consumed);
      t.is(consumed, buffer.lastIndexOf(0x0a) + 1);
      for (const entry of entries)
        t.is(text.slice(entry.offset, entry.offset + entry.text.length), entry.text);
      t.is(entries.map((entry) => entry.text).join(''), text.replaceAll('\n', ''));
    }),
    { numRuns: 2000 },
  );
});
