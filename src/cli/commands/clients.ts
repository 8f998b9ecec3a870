import type { Command } from 'commander';
import type { FloatingIp } from '../../config/config.js';
import type { RecordedClient } from '../../record/record.js';
import type { FailoverError } from '../../errors.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions, type CommonOptions } from '../options.js';
import { Table } from '../text/table.js';

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
    const { endWith, sayUnseen } = await import('../say-unseen.js');
    const reader = await openReader(drivers, address, options);
    const how = { io, reader, json: options.json === true, isAsked: address !== undefined };
    const failures: FailoverError[] = [];
    const out = inPieces(io);
    /** One after another: there may be a million. False where there is nothing to read, which is said. */
    const eachClient = (ip: FloatingIp, use: (client: RecordedClient) => void): boolean => {
      const seen = seenInRecord(reader, ip, (record) => {
        record.eachClient(use);
        return true;
      });
      if (seen.value === true) return true;
      const failure = sayUnseen(how, ip, seen);
      if (failure !== undefined) failures.push(failure);
      return false;
    };
    if (options.json === true) {
      for (const ip of reader.floatingIps) {
        eachClient(ip, ({ client, fsid, node, since }) =>
          out.add(`${JSON.stringify({ address: ip.address, client, fsid, node, since: timeOf(since) })}\n`),
        );
        out.end();
      }
    } else {
      const table = new Table(['ADDRESS', 'FSID', 'CLIENT', 'RECORDED BY', 'SINCE']);
      const rowOf = ({ address: of }: FloatingIp, { client, fsid, node, since }: RecordedClient) => {
        return [of, fsid, client, node, timeOf(since)];
      };
      let count = 0;
      const reached = reader.floatingIps.filter((ip) =>
        eachClient(ip, (client) => {
          count += 1;
          table.measure(rowOf(ip, client));
        }),
      );
      if (count > 0) out.add(table.head);
      else if (reached.length > 0) io.out('No clients recorded.\n');
      if (count > 0)
        for (const ip of reached) eachClient(ip, (client) => out.add(table.line(rowOf(ip, client))));
      out.end();
    }
    endWith(io, failures);
  });
}

function timeOf(ms: number): string {
  return new Date(ms).toISOString();
}

/** In characters: a line each would be a system call each. */
const pieceLength = 1 << 16;

/** Writes what is added, in pieces. */
function inPieces(io: Io): { add(text: string): void; end(): void } {
  let piece = '';
  const end = (): void => {
    if (piece !== '') io.out(piece);
    piece = '';
  };
  return {
    add: (text) => {
      piece += text;
      if (piece.length >= pieceLength) end();
    },
    end,
  };
}
