import { CommanderError } from 'commander';
import { exitCodes } from '../errors.js';
import { openWatchdog } from '../host/running/watchdog.js';
import { endOfOutput, processIo } from './io.js';
import { printable } from './text/printable.js';
import { buildProgram, refuseUnknownHelp } from './program.js';
import { reportError } from './report-error.js';

async function main(argv: readonly string[]): Promise<number> {
  let exitCode: number = exitCodes.done;
  try {
    // What is made, by the commands and daemons that are started too, has its mode whoever runs this.
    process.umask(0o022);
    await openWatchdog(ownArguments(argv).includes('--json'), printable);
    const program = buildProgram(processIo, (code) => (exitCode = code));
    refuseUnknownHelp(program, argv);
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    // commander has printed its own sentence; --help and --version end here too, with 0.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    return reportError(processIo, error, ownArguments(argv).includes('--json'));
  }
}

/** The arguments before `--`: the rest is the command that `exec` runs. */
function ownArguments(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf('--');
  return end === -1 ? argv : argv.slice(0, end);
}

async function run(): Promise<void> {
  const ended = await main(process.argv.slice(2));
  process.exitCode = await endOfOutput(ended);
  // What a step has left behind when its time was over must neither go on nor keep this process. All output is written: on Linux
  // that is synchronous (process.stdout, "A note on process I/O").
  if (ended === exitCodes.stepFailed) process.exit();
}

void run();
