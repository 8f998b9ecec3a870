import type { Command } from 'commander';
import type { RebuildResult } from '../../failover/operations/rebuild.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions, type CommonOptions } from '../options.js';

interface RebuildOptions extends CommonOptions {
  readonly force?: boolean;
}

/** nlm-failover rebuild ADDRESS: a lost database, made anew from the journals. */
export function addRebuild(program: Command, io: Io, drivers: LoadDrivers): void {
  addCommonOptions(
    program
      .command('rebuild')
      .summary('make a lost record anew from the journals')
      .description(
        'Make a lost record anew from the journals beside it, where monitors.db is missing, empty or corrupt; the old file is put aside. ' +
          'It runs on any node that reaches the record, also while the address is served. It touches nothing but monitors.db, and notifies nobody.\n\n' +
          'Every client that a journal names is in the new record, also those that have left: the next takeover notifies all of them, rather one too many. ' +
          'Its owner is the node that served last, as far as the journals know. That node goes on, and may release; every takeover ' +
          'needs --fenced until one of the two has happened. Lost are the list of those who were not notified, the locks noted at the last release, and the log of operations.',
      )
      .argument('<address>', 'the floating IP, as in the configuration')
      .option(
        '--force',
        'also replace a database that is sound, of a newer version or unreadable (it is put aside), or make an empty one where there is no journal',
      ),
  ).action(async (address: string, options: RebuildOptions) => {
    const { openReader } = await import('../open-reader.js');
    const { rebuild } = await import('../../failover/operations/rebuild.js');
    const reader = await openReader(drivers, address, options);
    for (const ip of reader.floatingIps) {
      const result = await rebuild(reader, ip, options.force === true);
      io.out(
        options.json === true
          ? `${JSON.stringify(rebuildJson(result))}\n`
          : rebuildText(result, reader.config.node),
      );
    }
  });
}

function rebuildJson({
  owner,
  nsmState,
  aside,
  address,
  clients,
  epoch,
  journals,
  badLines,
  recordingHere,
}: RebuildResult) {
  return {
    result: 'done',
    address,
    clients,
    owner: owner ?? null,
    epoch,
    nsmState: nsmState ?? null,
    journals,
    badLines,
    aside: aside ?? null,
    recordingHere,
  };
}

function rebuildText(result: RebuildResult, node: string): string {
  const { address, clients, owner, epoch, journals, badLines, aside, recordingHere, directory } = result;
  const from =
    journals.length === 0 ? 'empty, as there is no journal' : `from the journals of ${journals.join(', ')}`;
  const lines = [
    `rebuild ${address}: done, ${from}`,
    `  record      ${directory}/monitors.db`,
    `  clients     ${clients}`,
    `  owner       ${owner === undefined ? 'nobody' : `${owner}, epoch ${epoch}, as its journal has it`}`,
  ];
  if (badLines > 0) lines.push(`  journals    ${badLines} lines could not be used`);
  if (aside !== undefined) lines.push(`  former      ${aside}`);
  lines.push(`  ${nextText(owner, recordingHere && owner === node)}`);
  return `${lines.join('\n')}\n`;
}

/** What the reader should do next. */
function nextText(owner: string | undefined, isServedHere: boolean): string {
  if (owner === undefined) return 'The next takeover is the first one of a new record.';
  if (isServedHere)
    return 'It is recorded here, and goes on. If its last takeover had not ended, run that again with --fenced: it notifies every client.';
  return `If ${owner} still has it, leave it there, or release it there. Else run takeover --fenced. The next takeover notifies every client.`;
}
