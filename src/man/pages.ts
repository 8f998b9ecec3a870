import { buildProgram } from '../cli/program.js';
import { version } from '../version.js';
import { dateOf } from './changelog.js';
import { configSections } from './config-page.js';
import { manPage, plainPage } from './man-page.js';
import { manSections } from './sections/command.js';
import { recoverySections } from './recovery-page.js';

const quiet = { out: () => undefined, err: () => undefined, clearLine: () => undefined, isTerminal: false };

/** The manual pages by their file names. `changelog`: the text of CHANGELOG.md, which has their date. */
export function manPages(changelog: string): ReadonlyMap<string, string> {
  const date = dateOf(version, changelog);
  const program = buildProgram(quiet, () => undefined);
  const name = program.name();
  return new Map([
    [
      `${name}.8`,
      manPage(program, {
        section: 8,
        version,
        date,
        manual: 'System Administration',
        summary: 'move a floating IP with its NFSv3 exports and locks',
        sections: manSections(),
      }),
    ],
    [
      `${name}.toml.5`,
      plainPage({
        name: `${name}.toml`,
        program: name,
        section: 5,
        version,
        date,
        manual: 'File Formats',
        summary: `configuration of ${name}(8)`,
        sections: configSections(),
      }),
    ],
    [
      `${name}-recovery.7`,
      plainPage({
        name: `${name}-recovery`,
        program: name,
        section: 7,
        version,
        date,
        manual: 'System Administration',
        summary: `${name}(8) at 3 a.m., and every step by hand`,
        sections: recoverySections(),
      }),
    ],
  ]);
}
