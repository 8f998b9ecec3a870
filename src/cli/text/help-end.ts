import type { Command } from 'commander';
import { environmentTexts } from '../../environment.js';
import { exitCodeTexts } from '../../errors.js';

/** What --help of the program says below the commands: exit codes, environment, and where there is more. */
export function helpEnd(program: Command): string {
  const sections = [
    ['Exit codes:', exitCodeTexts],
    ['Environment:', environmentTexts],
  ] as const;
  const help = program.createHelp();
  help.prepareContext({});
  const parts = sections.map(([title, texts]) => {
    const width = Math.max(...Object.keys(texts).map((term) => term.length));
    return [title, ...Object.entries(texts).map((row) => help.formatItem(row[0], width, row[1], help))].join(
      '\n',
    );
  });
  return `\n${parts.join('\n\n')}\n\nMore: nlm-failover(8), nlm-failover.toml(5), nlm-failover-recovery(7).`;
}
