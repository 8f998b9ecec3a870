import test from 'ava';
import { manPage } from '../../src/man/man-page.js';
import { buildProgram } from '../../src/cli/program.js';

const quiet = { out: () => undefined, err: () => undefined, clearLine: () => undefined, isTerminal: false };

test('notify-worker is there, but neither --help nor the manual shows it', (t) => {
  const program = buildProgram(quiet, () => undefined);
  t.true(program.commands.some((command) => command.name() === 'notify-worker'));
  t.notRegex(program.helpInformation(), /notify-worker/);
  const page = manPage(program, { section: 8, version: '1', date: '2006-03-17', manual: 'x' });
  t.notRegex(page, /notify.{0,2}-worker/);
  t.regex(page, /nlm.{0,2}-failover exec/);
});
