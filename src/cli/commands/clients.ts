import type { Command } from 'commander';
import type { FailoverError } from '../../errors.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { reportError } from '../report-error.js';
import { addCommonOptions, type CommonOptions } from '../options.js';
import { table } from '../text/table.js';

/** nlm-failover clients [ADDRESS]: who would be notified. */
export function addClients(program: Command, io: Io, drivers: LoadDrivers): void {
  addCommonOptions(
    program
      .command('clients')
      .summary('who would be notified, for each floating IP')
      .description(
        'List the recorded clients: who would be notified at a takeover, for which fsid, since when, and which node recorded it. ' +
          'Ends with 1 where a record cannot be used, or, of the address that is given, not be reached; it says why, as status does, and shows the others.',
      )
      .argument('[address]', 'one floating IP (default: all of the configuration)'),
  ).action(async (address: string | undefined, options: CommonOptions) => {
    const { openReader } = await import('../open-reader.js');
    const { seenInRecord } = await import('../../failover/access/with-record.js');
    const { unreachable: unreachableError } = await import('../../failover/access/location.js');
    const reader = await openReader(drivers, address, options);
    const rows: string[][] = [];
    let readAny = false;
    const failures: FailoverError[] = [];
    for (const ip of reader.floatingIps) {
      const { value: clients, unreachable, error } = seenInRecord(reader, ip, (record) => record.clients());
      if (clients === undefined && error !== undefined) {
        if (options.json === true)
          io.out(`${JSON.stringify({ address: ip.address, recordError: asJson(error) })}\n`);
        failures.push(error);
      } else if (clients === undefined && unreachable !== undefined) {
        if (address !== undefined) throw unreachableError(reader.host, ip);
        io.out(
          options.json === true
            ? `${JSON.stringify({ address: ip.address, unreachable })}\n`
            : `${ip.address}: the record cannot be reached: ${unreachable}\n`,
        );
      }
      if (clients === undefined) continue;
      readAny = true;
      for (const { client, fsid, node, since } of clients) {
        const recorded = new Date(since).toISOString();
        if (options.json === true) {
          io.out(`${JSON.stringify({ address: ip.address, client, fsid, node, since: recorded })}\n`);
        } else {
          rows.push([ip.address, fsid, client, node, recorded]);
        }
      }
    }
    if (options.json !== true && rows.length > 0)
      io.out(table(['ADDRESS', 'FSID', 'CLIENT', 'RECORDED BY', 'SINCE'], rows));
    else if (options.json !== true && readAny) io.out('No clients recorded.\n');
    const last = failures.pop();
    for (const one of failures) reportError(io, one, false);
    if (last !== undefined) throw last;
  });
}

function asJson({ code, message, hint }: FailoverError) {
  return { code, message, hint: hint ?? null };
}
