// The few requests of man(7) that our pages need, and the escaping that makes any text safe in them.

/** Source lines of a page are kept this short, as mandoc -Tlint wants them. */
const LINE_MAX = 78;

const special = new Map([
  ['\\', '\\e'],
  // A plain "-" may come out as a hyphen, which nobody can paste into a shell.
  ['-', '\\-'],
  ["'", '\\(aq'],
  ['"', '\\(dq'],
  ['`', '\\(ga'],
  ['^', '\\(ha'],
  ['~', '\\(ti'],
]);

/** Text as roff shows it literally, on one line, wherever it stands in that line. */
export function escape(text: string): string {
  const literal = text
    .replaceAll(/[\\\-'"`^~]/g, (c) => special.get(c) ?? c)
    .replaceAll(/[\u0000-\u001f\u007f]+/g, ' ')
    .replaceAll(/[^\u0000-\u007f]/gu, (c) => `\\[u${codePoint(c)}]`);
  // A control line begins with "." or "'"; "'" is gone already.
  return literal.replace(/^\./, '\\&.');
}

function codePoint(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
}

/** .SH or .SS with its title. */
export function heading(request: 'SH' | 'SS', title: string): string {
  return `.${request} "${escape(title)}"`;
}

/** Paragraphs; blank lines in the text part them. */
export function paragraphs(text: string): string[] {
  return text
    .split(/\n\s*\n/)
    .filter((part) => part.trim() !== '')
    .flatMap((part) => ['.PP', ...filled(part)]);
}

/** A term and, indented below it, what it means. */
export function tagged([term, text]: readonly [string, string]): string[] {
  const [first = '', ...more] = text.split(/\n\s*\n/);
  return [
    '.TP',
    `\\fB${escape(term)}\\fR`,
    ...filled(first),
    ...more.flatMap((part) => ['.IP', ...filled(part)]),
  ];
}

/** Lines that stay as they are. */
export function example(text: string): string[] {
  const lines = text.replace(/\n$/, '').split('\n');
  // An empty line in roff is a request of its own; ".sp" says it.
  return [
    '.PP',
    '.RS 4',
    '.nf',
    ...lines.map((line) => (line.trim() === '' ? '.sp' : escape(line))),
    '.fi',
    '.RE',
  ];
}

/** Running text: a new line for each sentence (roff knows its end there), none too long. */
function filled(text: string): string[] {
  const sentences = text
    .trim()
    .replaceAll(/\s+/g, ' ')
    .split(/(?<=[.!?:]) (?=[A-Z])/);
  return sentences.flatMap((sentence) => wrapped(inBold(sentence)));
}

/** Escapes, and makes `this` bold; a backtick without a second one is a backtick. */
function inBold(text: string): string {
  const parts = text.split('`');
  if (parts.length % 2 === 0) return escape(text);
  return parts.map((part, at) => (at % 2 === 1 ? `\\fB${escape(part)}\\fR` : escape(part))).join('');
}

function wrapped(line: string): string[] {
  const lines: string[] = [];
  for (const word of line.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= LINE_MAX)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word.startsWith('.') ? `\\&${word}` : word);
  }
  return lines;
}
