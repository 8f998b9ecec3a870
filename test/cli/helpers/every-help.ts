// Prints the help of nlm-failover and of each of its commands, one after the other, as the program would here; and how each ended.
import { CommanderError } from 'commander';
import { processIo } from '../../../src/cli/io.js';
import { buildProgram } from '../../../src/cli/program.js';

const program = () => buildProgram(processIo, () => undefined);
const names = program().commands.map((one) => one.name());
for (const name of ['', ...names]) {
  try {
    await program().parseAsync([...(name === '' ? [] : [name]), '--help'], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    processIo.out(`--- ${name} ended with ${error.exitCode}\n`);
  }
}
