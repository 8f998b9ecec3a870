import type { Command } from 'commander';
import { escape, example, heading, paragraphs, tagged } from './roff.js';

/** A piece of a section: running text (blank lines part paragraphs), a list of terms, lines as they are, or a heading within it. */
export type ManBlock =
  | { readonly heading: string }
  | { readonly text: string }
  | { readonly terms: readonly (readonly [term: string, text: string])[] }
  | { readonly example: string };

/** A section: EXIT STATUS, FILES, EXAMPLES. */
export interface ManSection {
  readonly title: string;
  readonly blocks: readonly ManBlock[];
}

export interface ManPage {
  readonly name: string;
  /** What the version is of. */
  readonly program: string;
  /** The manual's section number: 8 for administration, 5 for files. */
  readonly section: number;
  readonly version: string;
  /** YYYY-MM-DD; given, not taken from a clock, so that the same definitions make the same page. */
  readonly date: string;
  /** What stands in the middle of the header line. */
  readonly manual: string;
  /** The half sentence after the name, which apropos(1) finds. */
  readonly summary: string;
  readonly sections: readonly ManSection[];
}

/** Of a program's page; `summary`: else the program's description. `sections`: those beyond what the commands say themselves. */
export type ManPageOptions = Omit<ManPage, 'name' | 'program' | 'summary' | 'sections'> &
  Partial<Pick<ManPage, 'summary' | 'sections'>>;

type Row = readonly [term: string, text: string];

/**
 * The manual page, man(7) for roff, of a program and its commands: the same definitions that --help prints.
 * In descriptions and sections, `text in backticks` becomes bold.
 */
export function manPage(program: Command, options: ManPageOptions): string {
  const { summary = program.description().replace(/\.$/, ''), sections = [] } = options;
  const commands = commandsBelow(program);
  const common = commonOptions(commands);
  // What the program takes too may stand before a command.
  const isEarly = without(common, optionRows(program)).length === 0;
  const own = isEarly ? without(optionRows(program), common) : optionRows(program);
  return assembled({ ...options, name: program.name(), program: program.name(), summary }, [
    heading('SH', 'SYNOPSIS'),
    ...(commands.length === 0 ? [program] : commands).flatMap((command) => synopsis(command)),
    heading('SH', 'DESCRIPTION'),
    ...paragraphs(program.description()),
    ...(commands.length === 0 ? [] : [heading('SH', 'COMMANDS')]),
    ...commands.flatMap((command) => commandPart(command, common)),
    heading('SH', 'OPTIONS'),
    ...(common.length === 0
      ? []
      : [
          ...paragraphs(
            `Every command takes${isEarly ? ', before or after its name; the later one counts' : ''}:`,
          ),
          ...common.flatMap(tagged),
        ]),
    ...(common.length === 0 ? [] : paragraphs('The program itself takes:')),
    ...own.flatMap(tagged),
    ...sections.flatMap(sectionPart),
  ]);
}

/** A page that consists of its sections. */
export function plainPage(page: ManPage): string {
  return assembled(page, page.sections.flatMap(sectionPart));
}

function assembled(
  { name, program, section, version, date, manual, summary }: Omit<ManPage, 'sections'>,
  body: readonly string[],
): string {
  const [page, source, center] = [name.toUpperCase(), `${program} ${version}`, manual].map(escape);
  const lines = [
    `.\\" Generated from the definitions in src. Change those, then run: npm run man`,
    // The date as it is: with "\-" in it mandoc does not know it for one.
    `.TH "${page}" "${section}" "${date}" "${source}" "${center}"`,
    heading('SH', 'NAME'),
    `${escape(name)} \\- ${escape(summary)}`,
    ...body,
    '',
  ];
  // A heading begins a paragraph by itself; mandoc complains of a second one.
  return lines.filter((line, at) => line !== '.PP' || !/^\.S[HS] /.test(lines[at - 1] ?? '')).join('\n');
}

/** Every command that is not hidden, below its parent, without the `help` that commander adds. */
function commandsBelow(parent: Command): Command[] {
  const own = parent.createHelp().visibleCommands(parent);
  return own
    .filter((command) => command.name() !== 'help')
    .flatMap((command) => [command, ...commandsBelow(command)]);
}

function fullName(command: Command): string {
  return command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();
}

/** Options that all of several commands have, word for word: printed once. */
function commonOptions(commands: readonly Command[]): Row[] {
  const [first, ...others] = commands.map((command) => optionRows(command));
  if (!first || others.length === 0) return [];
  return first.filter((row) => others.every((rows) => rows.some((other) => isSame(row, other))));
}

function optionRows(command: Command): Row[] {
  const help = command.createHelp();
  return help
    .visibleOptions(command)
    .map((option) => [help.optionTerm(option), help.optionDescription(option)]);
}

function argumentRows(command: Command): Row[] {
  const help = command.createHelp();
  return help.visibleArguments(command).map((arg) => [help.argumentTerm(arg), help.argumentDescription(arg)]);
}

function without(rows: readonly Row[], others: readonly Row[]): Row[] {
  return rows.filter((row) => !others.some((other) => isSame(row, other)));
}

function isSame(a: Row, b: Row): boolean {
  return a[0] === b[0] && a[1] === b[1];
}

function synopsis(command: Command): string[] {
  return ['.PP', `\\fB${escape(fullName(command))}\\fR ${escape(command.usage())}`.trimEnd()];
}

function commandPart(command: Command, common: readonly Row[]): string[] {
  const own = without(optionRows(command), common);
  return [
    heading('SS', `${fullName(command)} ${command.usage()}`.trimEnd()),
    ...paragraphs(command.description()),
    ...[...argumentRows(command), ...own].flatMap(tagged),
  ];
}

function sectionPart({ title, blocks }: ManSection): string[] {
  return [heading('SH', title), ...blocks.flatMap(blockPart)];
}

function blockPart(block: ManBlock): string[] {
  if ('heading' in block) return [heading('SS', block.heading)];
  if ('text' in block) return paragraphs(block.text);
  if ('terms' in block) return block.terms.flatMap(tagged);
  return example(block.example);
}
