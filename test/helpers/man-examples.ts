/** An example of a manual page as it is shown, by the section and the heading that it stands under. */
export interface ManExample {
  readonly section: string;
  /** Of the part of the section; empty before the first one. */
  readonly heading: string;
  readonly lines: readonly string[];
}

/** What roff shows of a line of a page: the few escapes that we write. */
export function shown(line: string): string {
  return line
    .replaceAll(/\\f[BR]|\\&/g, '')
    .replaceAll(
      /\\\((..)/g,
      (_, name: string) => ({ aq: "'", dq: '"', ga: '`', ha: '^', ti: '~' })[name] ?? '?',
    )
    .replaceAll('\\-', '-')
    .replaceAll('\\e', '\\');
}

/** Every example of a page that src/man/roff.ts wrote. */
export function manExamples(page: string): ManExample[] {
  const found: ManExample[] = [];
  let section = '';
  let heading = '';
  let lines: string[] | undefined;
  for (const line of page.split('\n')) {
    const [, request, title = ''] = /^\.(SH|SS) "(.*)"$/.exec(line) ?? [];
    if (request === 'SH') [section, heading] = [shown(title), ''];
    else if (request === 'SS') heading = shown(title);
    else if (line === '.nf') lines = [];
    else if (line === '.fi' && lines !== undefined) {
      found.push({ section, heading, lines });
      lines = undefined;
    } else if (line !== '.sp') lines?.push(shown(line));
  }
  return found;
}
