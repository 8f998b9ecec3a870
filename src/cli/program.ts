import { Command } from 'commander';
import { version } from '../version.js';
import { addAudit } from './commands/audit.js';
import { addClients } from './commands/clients.js';
import { addExec } from './commands/exec.js';
import type { Io } from './io.js';
import { addNotify } from './commands/notify.js';
import { addNotifyWorker } from './commands/notify-worker.js';
import { addRebuild } from './commands/rebuild.js';
import { addRelease } from './commands/release.js';
import { addStatus } from './commands/status.js';
import { addTakeover } from './commands/takeover.js';
import { helpEnd } from './text/help-end.js';
import type { LoadDrivers } from './open-reader.js';

const allDrivers: LoadDrivers = async () => (await import('../lockmanager/drivers.js')).drivers;

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
    .version(version, '-V, --version')
    .showHelpAfterError('(nlm-failover --help lists the commands)')
    .configureOutput({ writeOut: (text) => io.out(text), writeErr: (text) => io.err(text) })
    .addHelpText('after', ({ command }) => helpEnd(command))
    .exitOverride();
  addRelease(program, io, drivers, exit);
  addTakeover(program, io, drivers, exit);
  addNotify(program, io, drivers, exit);
  addAudit(program, io, drivers, exit);
  addClients(program, io, drivers);
  addStatus(program, io, drivers, exit);
  addRebuild(program, io, drivers);
  addExec(program, io, drivers, exit);
  addNotifyWorker(program, io);
  return program;
}
