import { type Command, InvalidArgumentError, Option } from 'commander';
import type { FailoverError } from '../../errors.js';
import type { Operation } from '../../record/record.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions, type CommonOptions } from '../options.js';

interface HistoryOptions extends CommonOptions {
  readonly last: number;
}

/** As many as a record keeps, and those that it keeps longer (operations.ts); of a million addresses nobody asks for all. */
const mostShown = 1000;

/** nlm-failover history [ADDRESS]: the operations with their steps and times. */
export function addHistory(program: Command, io: Io, drivers: LoadDrivers): void {
  addCommonOptions(
    program
      .command('history')
      .summary('the operations of each floating IP, with their steps and times')
      .description(
        'List the releases, takeovers and notifies of any node as the record has them, the newest last: when, on which node, how each step went and how ' +
          'long it took, how it ended, on whose word an address was taken from a node that had not released it, how many clients were notified, and how many locks were lost. ' +
          'A record keeps its last 200. Where it lies on a volume of the address, A-4 is not in it: the volume was unmounted. ' +
          'Ends with 1 where a record cannot be used, or, of the address that is given, not be reached.',
      )
      .argument('[address]', 'one floating IP (default: all of the configuration)')
      .addOption(
        new Option('--last <number>', 'only so many, the newest')
          .argParser(parseCount)
          .default(mostShown, 'all'),
      ),
  ).action(async (address: string | undefined, options: HistoryOptions) => {
    const { openReader } = await import('../open-reader.js');
    const { seenInRecord } = await import('../../failover/access/with-record.js');
    const { endWith, sayUnseen } = await import('../say-unseen.js');
    const { historyJson, historyText, inOneOrder } = await import('../text/history-text.js');
    const reader = await openReader(drivers, address, options);
    const json = options.json === true;
    const how = { io, reader, json, isAsked: address !== undefined };
    const failures: FailoverError[] = [];
    const records: { readonly address: string; readonly operations: readonly Operation[] }[] = [];
    for (const ip of reader.floatingIps) {
      const seen = seenInRecord(reader, ip, (record) => record.lastOperations(options.last));
      if (seen.value !== undefined) records.push({ address: ip.address, operations: seen.value });
      else {
        const failure = sayUnseen(how, ip, seen);
        if (failure !== undefined) failures.push(failure);
      }
    }
    const shown = inOneOrder(records).slice(-options.last);
    for (const one of shown) io.out(json ? `${JSON.stringify(historyJson(one))}\n` : historyText(one));
    if (shown.length === 0 && records.length > 0 && !json) io.out('No operation recorded.\n');
    endWith(io, failures);
  });
}

function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > mostShown)
    throw new InvalidArgumentError(`It takes a whole number between 1 and ${mostShown}.`);
  return count;
}
