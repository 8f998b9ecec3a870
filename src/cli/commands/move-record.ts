import type { Command } from 'commander';
import type { MoveResult } from '../../failover/operations/move-record.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions, type CommonOptions } from '../options.js';

interface MoveOptions extends CommonOptions {
  readonly from: string;
}

/** nlm-failover move-record ADDRESS --from DIRECTORY: to where the configuration has it now. */
export function addMoveRecord(program: Command, io: Io, drivers: LoadDrivers): void {
  addCommonOptions(
    program
      .command('move-record')
      .summary('move a record to where state_directory says now')
      .description(
        'Move the record of a floating IP from a former state directory to that of the configuration, such as a state volume. The address ' +
          'must be released, and both file systems mounted here; WHERE THE RECORD LIES in nlm-failover(8) has the commands.\n\n' +
          'Owner, epoch, NSM state, clients, journals and what was locked at the release stay. The new record is complete before it ' +
          'takes its name, and only then the former one is marked as moved: no node uses it any more. After a crash, run the same ' +
          'command again. It may be run again at any time, and takes in what a callout has written to the former journals since.',
      )
      .argument('<address>', 'the floating IP, as in the configuration')
      .requiredOption('--from <directory>', 'the former state_directory'),
  ).action(async (address: string, options: MoveOptions) => {
    const { openReader } = await import('../open-reader.js');
    const { moveTo } = await import('../../failover/operations/move-record.js');
    const reader = await openReader(drivers, address, options);
    for (const ip of reader.floatingIps) {
      const result = await moveTo(reader, ip, options.from);
      io.out(options.json === true ? `${JSON.stringify(jsonOf(result))}\n` : textOf(result));
    }
  });
}

function jsonOf({ isNew, ...result }: MoveResult) {
  return { result: isNew ? 'done' : 'unchanged', ...result };
}

function textOf({ address, from, to, isNew, clients, late, open }: MoveResult): string {
  const lines = [
    `move-record ${address}: ${isNew ? 'done' : 'it had been moved before'}`,
    `  record      ${to}`,
    `  clients     ${clients}${late.length === 0 ? '' : `, of them ${late.length} that came while it was moved`}`,
    ...(open.length === 0
      ? []
      : [`  still open  by ${open.join(', ')}: run the same command again when it has ended`]),
    `  former      ${from} is marked, and used no more; remove it when all nodes have the new configuration`,
  ];
  return `${lines.join('\n')}\n`;
}
