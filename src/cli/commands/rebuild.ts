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
        'Where monitors.db of an address is missing, empty or corrupt: make it anew from the journals beside it, and put the old one aside. ' +
          'Everybody whom a journal names is in it, also who has left meanwhile: the next takeover notifies all of them, rather one too many. ' +
          'The owner is who served last as the journals have it, which is all they know: it goes on recording, and may release; every takeover ' +
          'needs --fenced until one of the two has happened. Lost are who was not notified at the last takeover, what was held at the last release, and the log. ' +
          'It may run while the address is served, here or elsewhere, where the record can be reached; it touches nothing but monitors.db, and nobody is notified.',
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

/** What is to be done now. */
function nextText(owner: string | undefined, isServedHere: boolean): string {
  if (owner === undefined) return 'The next takeover is the first one of a new record.';
  if (isServedHere)
    return 'It is recorded here, and goes on. Where its last takeover had not ended, run it again with --fenced: it notifies everybody.';
  return `If ${owner} still has it, leave it or release it there; else run takeover --fenced. The next takeover notifies everybody.`;
}
