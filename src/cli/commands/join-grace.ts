import type { Command } from 'commander';
import { exitCodes, FailoverError } from '../../errors.js';
import type { Joined } from '../../failover/sharing/join-calls.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions, type CommonOptions } from '../options.js';

interface JoinGraceOptions extends CommonOptions {
  readonly watch?: boolean;
}

/** Between two looks, ms. One look is a read of a small file for each address. */
const lookMs = 1000;

/** nlm-failover join-grace: this node enters grace with the others. */
export function addJoinGrace(
  program: Command,
  io: Io,
  drivers: LoadDrivers,
  exit: (code: number) => void,
): void {
  addCommonOptions(
    program
      .command('join-grace')
      .summary('enter grace with the other nodes that export a shared file system')
      .description(
        'Look whether a takeover or release on another node calls this one into grace, enter it, and answer. Only for file systems that every node ' +
          'exports (SHARED FILE SYSTEMS): until every node is in grace, one that is not may give a lock away that its holder is about to reclaim. ' +
          'Nobody calls: nothing is done. With --watch it goes on looking, once a second, until it is ended (SIGTERM): so it is to run on every node, always.',
      )
      .option('-w, --watch', 'go on looking until SIGTERM or SIGINT'),
  ).action(async (options: JoinGraceOptions) => {
    const { openReader } = await import('../open-reader.js');
    const { joinCalls } = await import('../../failover/sharing/join-calls.js');
    const { interruption } = await import('../interruption.js');
    const { reportError } = await import('../report-error.js');
    const json = options.json === true;
    const reader = await openReader(drivers, undefined, options);
    refuseUnshared(
      reader.config.file,
      reader.floatingIps.some(({ shared }) => shared !== undefined),
    );
    const signal = interruption();
    let complaint = '';
    do {
      try {
        const joined = await joinCalls(reader);
        for (const one of joined) io.out(json ? `${JSON.stringify(one)}\n` : `${sentence(one)}\n`);
        complaint = '';
        if (options.watch !== true && joined.some(({ state }) => state !== 'joined'))
          exit(exitCodes.stepFailed);
      } catch (error) {
        // The storage may come back: whoever watches says it once.
        if (options.watch !== true || !(error instanceof FailoverError)) throw error;
        if (error.message !== complaint) reportError(io, error, json);
        complaint = error.message;
      }
      if (options.watch === true) await reader.host.delay(lookMs, signal).catch(() => undefined);
    } while (options.watch === true && !signal.aborted);
  });
}

function sentence({ address, by, state, said }: Joined): string {
  const rest = said === '' ? '' : `: ${said}`;
  const titles = {
    joined: 'in grace',
    'in-grace': 'in grace, and not ready',
    failed: 'NOT IN GRACE',
  } satisfies Record<Joined['state'], string>;
  return `${address}, called by ${by}: ${titles[state]}${rest}`;
}

function refuseUnshared(file: string, isShared: boolean): void {
  if (isShared) return;
  throw new FailoverError(
    `${file} has no [[shared_filesystem]]: no node has to enter grace for another one`,
    {
      code: 'CONFIG_INVALID',
      exitCode: exitCodes.configuration,
      operation: 'join-grace',
      hint: 'Nothing was touched. See SHARED FILE SYSTEMS in nlm-failover(8).',
    },
  );
}
