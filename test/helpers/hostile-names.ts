import fc from 'fast-check';

/**
 * Names that anybody on the network may give a client (mon_name) or a node (my_name): one corpus and one generator for
 * the callout, the journal, the record, the commands' output and the notifier. One character a byte (latin1): an argument
 * or a file's name may hold any byte but NUL.
 */

/** What would leave a file "pwned" in the working directory, if anything executed the name. */
const executed = [
  '$(>pwned)',
  '`>pwned`',
  ';>pwned',
  'a;>pwned;',
  'a|tee pwned',
  'a&>pwned',
  'a>pwned',
  '\n>pwned\n',
  '";>pwned;"',
  "';>pwned;'",
  '\'"`$(>pwned)',
  'a[$(>pwned)]',
  '${x:=$(>pwned)}',
  "a'.system('>pwned').'",
];

/** None of these is a host name or an address. */
export const refusedNames: readonly string[] = [
  ...executed,
  '',
  '.',
  '..',
  '../../etc/passwd',
  '/etc/passwd',
  '/dev/full',
  'a/b',
  'a/../b',
  'a\\b',
  '-',
  '--',
  '-rf',
  '-n',
  '--help',
  '_x',
  '%s',
  '%n%s%p%1000000d',
  '\\077\\n',
  '\\c',
  ' ',
  ' a',
  'a ',
  'a b',
  'a\tb',
  'a\nb',
  '\n',
  'a\n',
  'a .\n@1 0 add-client evil B -',
  'a - - .\n@1 1.00 add-client evil - - .',
  '@1 1.00 del-client a - - .',
  'a\r',
  'a\r\n',
  '\x01',
  '\x08\x08\x08',
  '\x1b[2J',
  '\x1b]0;title\x07',
  '\x7f',
  '\x9b2J',
  "'",
  '"',
  '\\',
  "a'; DROP TABLE clients; --",
  "' OR 1=1 --",
  '${IFS}',
  '$HOME',
  '$0',
  '*',
  '?',
  '[a]',
  '~',
  '~root',
  '!x',
  '#x',
  '{a,b}',
  '(a)',
  'a@b',
  'a,b',
  'a=b',
  'a+b',
  '[::1]',
  '\xff\xfe',
  '\xc3\xa9',
  '\xc3',
  '\xc0\x80',
  '\xed\xa0\x80',
  '\xe2\x80\xae',
  '\xf4\x90\x80\x80',
  'a'.repeat(256),
  'a'.repeat(1024),
  'a'.repeat(1025),
  'a'.repeat(100_000),
  '\x1b'.repeat(1024),
  `${'a'.repeat(200)}\n${'\x1b'.repeat(100)}`,
];

/** Odd, but each a name or an address, or so near to one that nothing can be done with it. */
export const acceptedNames: readonly string[] = [
  'a',
  '0',
  '::',
  '::1',
  '::ffff:10.10.1.21',
  'fe80::1%eth0',
  '010.010.001.021',
  '0x0a010101',
  '1.2.3',
  '10.1.1.1.',
  'a%s%n',
  'a%1000000d',
  'a-b_c.example.com.',
  'UPPER',
  'refused',
  'a..',
  'a'.repeat(255),
];

const allowed = new Set(Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:._%-'));
const allowedFirst = new Set([...allowed].filter((byte) => !'._%-'.includes(String.fromCodePoint(byte))));

/**
 * The rule in the plainest words: 1 to 255 of these bytes, the first a letter, a digit or a colon. Neither the shell's
 * pattern nor the regular expression: what both are compared with.
 */
export function mayBeRecorded(name: string): boolean {
  const bytes = [...Buffer.from(name, 'latin1')];
  const [first] = bytes;
  if (first === undefined || bytes.length > 255 || !allowedFirst.has(first)) return false;
  return bytes.every((byte) => allowed.has(byte));
}

const anyByte = fc.integer({ min: 1, max: 255 }).map((code) => String.fromCodePoint(code));
const near = fc.constantFrom(...'abzAZ019.-_:%/ \n@$\'"`\\'.split(''));
const good = fc.constantFrom(...'abzAZ019.-_:%'.split(''));
const joined = (characters: fc.Arbitrary<string>, min: number, max: number): fc.Arbitrary<string> =>
  fc.array(characters, { minLength: min, maxLength: max }).map((all) => all.join(''));

/** Any bytes but NUL; the longest is 100,000. Half of them are near what is allowed. */
export const anyName: fc.Arbitrary<string> = fc.oneof(
  joined(anyByte, 0, 20),
  joined(near, 0, 12),
  joined(good, 1, 12),
  joined(good, 250, 260),
  fc.constantFrom(...refusedNames, ...acceptedNames),
  fc.tuple(fc.constantFrom(...acceptedNames), anyByte).map(([name, byte]) => name + byte),
  fc.tuple(good, fc.constantFrom(255, 256, 1024, 1025, 100_000)).map(([byte, times]) => byte.repeat(times)),
  fc.oneof(fc.ipV4(), fc.ipV4Extended(), fc.ipV6(), fc.domain()),
);
