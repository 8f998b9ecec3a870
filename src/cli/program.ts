import { Command } from 'commander';
import { exitCodes } from '../errors.js';
import { version } from '../version.js';
import { addAdopt } from './site/adopt.js';
import { addAudit } from './commands/audit.js';
import { addClients } from './commands/clients.js';
import { addHistory } from './daily/history.js';
import { addCompletion } from './daily/completion.js';
import { addMetrics } from './daily/metrics.js';
import { addSmDirectory } from './daily/sm-directory.js';
import { addCtdb } from './commands/ctdb.js';
import { addExec } from './commands/exec.js';
import type { Io } from './io.js';
import { addJoinGrace } from './commands/join-grace.js';
import { addNotify } from './commands/notify.js';
import { addNotifyWorker } from './commands/notify-worker.js';
import { addMoveRecord } from './commands/move-record.js';
import { addRebuild } from './commands/rebuild.js';
import { addRelease } from './commands/release.js';
import { addStatus } from './commands/status.js';
import { addTakeover } from './commands/takeover.js';
import { addCommonOptions, handDown } from './options.js';
import { addCheck } from './site/check.js';
import { addInit } from './site/init.js';
import { addGaneshaHa } from './site/ganesha-ha.js';
import { addPacemaker } from './site/pacemaker.js';
import { addSetup } from './site/setup.js';
import { addTryStorage } from './site/try-storage.js';
import { helpEnd } from './text/help-end.js';
import type { LoadDrivers } from './open-reader.js';
import { calloutPath, closedToOthers } from './own-callout.js';

const allDrivers: LoadDrivers = async () => (await import('../lockmanager/drivers.js')).drivers;

/** No wider where the terminal is: long lines are hard to read. */
const helpWidth = 80;

/**
 * The command tree: what --help prints, the man page is made from, and main runs.
 * `exit` gets the exit code of a command that ended without an error; `drivers` loads the lock managers that it can work with.
 */
export function buildProgram(
  io: Io,
  exit: (code: number) => void,
  drivers: LoadDrivers = allDrivers,
): Command {
  const program = new Command('nlm-failover')
    .description(
      "Move a floating IP with its NFSv3 exports, and its clients' locks, from one NFS server to another.",
    )
    // The first that anybody runs: before the version itself is printed, and the program ends.
    .on('option:version', () => {
      const closed = closedToOthers(calloutPath());
      if (closed !== undefined) io.err(`nlm-failover: ${closed}\n`);
    })
    .version(version, '-V, --version')
    .showHelpAfterError('  nlm-failover --help lists the commands.')
    .configureOutput({
      writeOut: (text) => io.out(text),
      writeErr: (text) => io.err(text),
      outputError: (text, write) => write(text.replace(/^error: /u, 'nlm-failover: ')),
      getOutHelpWidth: () => Math.min(process.stdout.columns ?? helpWidth, helpWidth),
      getErrHelpWidth: () => Math.min(process.stderr.columns ?? helpWidth, helpWidth),
    })
    // Without "[options]", which all of them have: it leaves no room for what they do.
    .configureHelp({ subcommandTerm: (command) => [command.name(), ...argumentTerms(command)].join(' ') })
    .addHelpText('after', ({ command }) => helpEnd(command))
    .hook('preAction', handDown)
    .exitOverride();
  addCommonOptions(program);
  addRelease(program, io, drivers, exit);
  addTakeover(program, io, drivers, exit);
  addNotify(program, io, drivers, exit);
  addJoinGrace(program, io, drivers, exit);
  addAudit(program, io, drivers, exit);
  addClients(program, io, drivers);
  addStatus(program, io, drivers, exit);
  addHistory(program, io, drivers);
  addInit(program, io);
  addCheck(program, io, drivers, exit);
  addTryStorage(program, io, drivers);
  addSetup(program, io, drivers, exit);
  addPacemaker(program, io, drivers);
  addGaneshaHa(program, io, drivers, exit);
  addCtdb(program, io, drivers, exit);
  addRebuild(program, io, drivers);
  addMoveRecord(program, io, drivers);
  addAdopt(program, io, drivers, exit);
  addMetrics(program, io, drivers, exit);
  addSmDirectory(program, io, drivers);
  addCompletion(program, io);
  addExec(program, io, drivers, exit);
  addNotifyWorker(program, io);
  for (const command of program.commands)
    command.showHelpAfterError(`  nlm-failover ${command.name()} --help has its options.`);
  return program;
}

/** `help NAME`: commander shows all of the help, as an error, where there is no such command; it is to say so. */
export function refuseUnknownHelp(program: Command, [first, name]: readonly string[]): void {
  if (first !== 'help' || name === undefined || name.startsWith('-')) return;
  if ([...program.commands.map((command) => command.name()), 'help'].includes(name)) return;
  program.error(`error: unknown command '${name}'`, { exitCode: exitCodes.usage });
}

function argumentTerms(command: Command): string[] {
  return command.registeredArguments.map((argument) => {
    const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
    return argument.required ? `<${name}>` : `[${name}]`;
  });
}
