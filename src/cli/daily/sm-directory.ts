import path from 'node:path';
import type { Command } from 'commander';
import { counted } from '../../counted.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions, type CommonOptions } from '../options.js';

/** nlm-failover sm-directory ADDRESS DIR: the record for stock sm-notify. */
export function addSmDirectory(program: Command, io: Io, drivers: LoadDrivers): void {
  addCommonOptions(
    program
      .command('sm-directory')
      .summary('write the record as a directory for stock sm-notify -P')
      .description(
        'Write who is recorded as a directory that the stock sm-notify notifies from (sm-notify -P), or an rpc.statd of the 2006 proposal: for a node without nlm-failover, or a night on which it fails. ' +
          "The record stays as it is, but for an NSM state that is used up: sm-notify sends that. The directory belongs to rpc.statd's user, which sm-notify becomes.",
      )
      .argument('<address>', 'the floating IP, as in the configuration')
      .argument('<directory>', 'is made, or is empty; nobody but root can write where it lies'),
  ).action(async (address: string, directory: string, options: CommonOptions) => {
    const { notifyNames } = await import('../../config/floating-ip.js');
    const { openReader } = await import('../open-reader.js');
    const { writeSmDirectory } = await import('../../failover/operations/sm-directory.js');
    const { commandText } = await import('../../host/host.js');
    const reader = await openReader(drivers, address, options);
    const place = path.resolve(directory);
    for (const ip of reader.floatingIps) {
      const { clients, state, owner } = await writeSmDirectory(reader, ip, place);
      if (options.json === true) {
        const json = {
          result: 'done',
          address: ip.address,
          directory: place,
          clients,
          state,
          uid: owner.uid,
        };
        io.out(`${JSON.stringify(json)}\n`);
        continue;
      }
      const named = notifyNames(ip).find((one) => one !== ip.address);
      const command = commandText(['sm-notify', '-d', '-v', named ?? ip.address, '-P', place]);
      // sm-notify sends nothing where the address of -v has no name (nfs-utils utils/statd/sm-notify.c, smn_verify_my_name).
      const nameless =
        named === undefined
          ? `  ${ip.address} must have a name there, which the configuration does not say (\`names\`): write a line "${ip.address} NAME" into /etc/hosts first.\n`
          : '';
      io.out(
        `sm-directory ${ip.address}: ${counted(clients, 'client')} in ${place}, NSM state ${state}\n` +
          (clients === 0
            ? '  With nobody to notify sm-notify ends the grace period of every address on the node: do not run it.\n'
            : `  While lockd is in grace, and ${ip.address} is up, on the node that takes it: ${command}\n${nameless}`),
      );
    }
  });
}
