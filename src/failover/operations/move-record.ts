import { realpathSync } from 'node:fs';
import type { FloatingIp } from '../../config/config.js';
import { exitCodes, FailoverError } from '../../errors.js';
import { holders } from '../../host/reading/holders.js';
import { machineIfKnown } from '../../host/reading/machine-id.js';
import { within } from '../../host/running/deadline.js';
import { waitUntil } from '../../host/running/wait.js';
import { driverHere } from '../../lockmanager/choose.js';
import { lateClients, moveRecord, type MoveRequest, wasMoved } from '../../record/move/move-record.js';
import { isOwnedBy, openRecord, type Ownership } from '../../record/record.js';
import { recordDirectory } from '../../record/safe-files/layout.js';
import { lockOperation } from '../../rundir/operation-lock.js';
import { isRecording } from '../../rundir/serving.js';
import { recordLocation, recordReachable, unreachable } from '../access/location.js';
import { makeStateDirectoryOf } from '../access/session.js';
import type { NodeReader } from '../access/with-record.js';
import { limitOf } from '../limits.js';

export interface MoveResult {
  readonly address: string;
  readonly from: string;
  readonly to: string;
  /** False: it had been moved before. */
  readonly isNew: boolean;
  readonly clients: number;
  /** Clients that came to the former journals while it was moved, or since, and are in the new record now. */
  readonly late: readonly string[];
  /** Processes that have a former journal open still, as `name (pid N)`: what they write there is for another run. */
  readonly open: readonly string[];
}

/**
 * `nlm-failover move-record`: the record of an address that is not served, from a former state directory to that of the
 * configuration. What is moved, and what a crash leaves: see moveRecord.
 */
export async function moveTo(reader: NodeReader, ip: FloatingIp, former: string): Promise<MoveResult> {
  const { host, run, config } = reader;
  const lock = lockOperation(run, ip.address, 'move-record');
  try {
    if (!recordReachable(host, ip)) throw unreachable(host, ip);
    const driver = await driverHere(reader.drivers, { ...reader, floatingIp: ip });
    const from = recordDirectory(realpathSync(host.path(former)), ip.address);
    const { directory: to } = recordLocation(host, ip);
    // Once it is moved, the callouts write to the new one.
    if (isRecording(driver?.run ?? run, ip.address) && !wasMoved({ from, to })) throw served(ip);
    makeStateDirectoryOf(host, ip);
    const me = { node: config.node, machine: machineIfKnown(host) };
    const request: MoveRequest = {
      from,
      to,
      me,
      busySeconds: config.timeouts.record,
      mayMove: (ownership) => {
        if (!ownership.released && ownership.owner !== undefined && !isOwnedBy(ownership, me))
          throw notReleased(ip, ownership);
      },
    };
    const isNew = moveRecord(request);
    await within(limitOf(`move-record ${ip.address}`, config), () =>
      waitUntil(host, `the callouts to close the journals in ${request.from}`, async () => {
        return holders(host, request.from).length === 0;
      }),
    );
    const open = holders(host, request.from);
    const late = lateClients(request);
    const record = openRecord({ directory: to, ...me, create: false, busySeconds: config.timeouts.record });
    try {
      record?.adopt({
        node: config.node,
        clients: late,
        fsids: ip.filesystems.map(({ fsid }) => fsid),
        now: host.now(),
        myName: config.node,
      });
      return {
        address: ip.address,
        from: request.from,
        to,
        isNew,
        clients: record?.clientNames().length ?? 0,
        late,
        open,
      };
    } finally {
      record?.close();
    }
  } finally {
    lock.release();
  }
}

function served({ address }: FloatingIp): FailoverError {
  return new FailoverError(`${address} is served here, and its callouts write to the record`, {
    code: 'RECORD_IN_USE',
    exitCode: exitCodes.stepFailed,
    operation: `moving the record of ${address}`,
    hint: `Run "nlm-failover release ${address}" first, with the configuration as it was: its clients keep their locks, as in any failover.`,
  });
}

function notReleased({ address }: FloatingIp, { owner = '' }: Ownership): FailoverError {
  return new FailoverError(`${owner} owns ${address} and has not released it`, {
    code: 'NOT_RELEASED',
    exitCode: exitCodes.notOwner,
    operation: `moving the record of ${address}`,
    hint: `Run "nlm-failover release ${address}" there first, with the configuration as it was.`,
  });
}
