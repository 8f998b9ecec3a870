import type { Command } from 'commander';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions, type CommonOptions } from '../options.js';
import { table } from '../text/table.js';

/** nlm-failover clients [ADDRESS]: who would be notified. */
export function addClients(program: Command, io: Io, drivers: LoadDrivers): void {
  addCommonOptions(
    program
      .command('clients')
      .summary('who would be notified, for each floating IP')
      .description(
        'List the recorded clients: who would be notified at a takeover, for which fsid, since when, and which node recorded it.',
      )
      .argument('[address]', 'one floating IP (default: all of the configuration)'),
  ).action(async (address: string | undefined, options: CommonOptions) => {
    const { openReader } = await import('../open-reader.js');
    const { withFoldedView } = await import('../../failover/access/with-record.js');
    const reader = await openReader(drivers, address, options);
    const rows: string[][] = [];
    let readAny = false;
    for (const ip of reader.floatingIps) {
      const clients = withFoldedView(reader, ip, (record) => record.clients());
      if (clients === undefined) {
        if (options.json !== true) io.out(`${ip.address}: no record can be reached from this node\n`);
        continue;
      }
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
    if (options.json === true) return;
    if (rows.length > 0) io.out(table(['ADDRESS', 'FSID', 'CLIENT', 'RECORDED BY', 'SINCE'], rows));
    else if (readAny) io.out('No clients recorded.\n');
  });
}
