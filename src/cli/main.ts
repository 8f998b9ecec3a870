import { CommanderError } from 'commander';
import { exitCodes } from '../errors.js';
import { processIo } from './io.js';
import { buildProgram } from './program.js';
import { reportError } from './report-error.js';

async function main(argv: readonly string[]): Promise<number> {
  let exitCode: number = exitCodes.done;
  try {
    await buildProgram(processIo, (code) => (exitCode = code)).parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    // commander has printed its own sentence; --help and --version end here too, with 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    return reportError(processIo, error, argv.includes('--json'));
  }
}

async function run(): Promise<void> {
  process.exitCode = await main(process.argv.slice(2));
}

void run();
