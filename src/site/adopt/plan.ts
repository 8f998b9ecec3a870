import type { FloatingIp } from '../../config/config.js';
import { recordMounts } from '../../failover/plan.js';
import { refuseExposed } from '../../failover/steps/exposed.js';
import { proveCallout, recordMissed } from '../../failover/steps/recorded-clients.js';
import { startRecording, thawRecord } from '../../failover/steps/recording.js';
import type { Plan, Step } from '../../failover/steps/steps.js';
import type { FailoverContext } from '../../failover/context.js';
import { type Action, notSo } from '../../host/action.js';
import type { LockManager } from '../../lockmanager/port.js';
import { recordDirectory } from '../../record/safe-files/layout.js';
import { isRecording } from '../../rundir/serving.js';
import { expectServed } from './as-served.js';
import { claimNew } from './claim-new.js';
import { recordNamed, sayRecorded } from './record-named.js';
import { sayUnknown } from './unknown-clients.js';

export interface AdoptPlanOptions {
  /** This node's name. */
  readonly node: string;
  /** Clients to be recorded beside those that rpc.statd monitors. */
  readonly clients: readonly string[];
}

/**
 * What of B-1 and B-2 an address needs that is served already: its record, and recording. No lock is dropped, no grace entered, nobody
 * notified. The steps have the names of those that they stand for, so that takeover and release go on from there.
 */
export function planAdopt(ip: FloatingIp, driver: LockManager, { node, clients }: AdoptPlanOptions): Plan {
  const { address, filesystems, stateDirectory } = ip;
  return {
    kind: 'adopt',
    address,
    steps: [
      {
        name: 'B-1',
        title: 'record',
        subject: recordDirectory(stateDirectory, address),
        actions: [
          expectServed(ip),
          sayUnknown(ip, clients),
          ...recordMounts(ip),
          ...(ip.trustClients ? [] : [refuseExposed(ip, driver)]),
          claimNew(ip),
        ],
      },
      ...filesystems.map(({ fsid, mountpoint }, index): Step => {
        const first: Partial<Step> = {
          mends: [recordMissed(ip), recordNamed(ip, clients), proveCallout(ip, driver)],
          actions: [
            // First the link, then statd's list: whoever comes between the two is in both.
            startRecording(ip, node, driver),
            recordNamed(ip, clients),
            proveCallout(ip, driver),
            sayRecorded(ip),
          ],
        };
        return {
          name: 'B-2',
          title: 'recording',
          fsid,
          subject: `fsid ${fsid} (${mountpoint})`,
          skipReason: (context) => isDone(context, fsid),
          actions: [recordedToo(ip)],
          ...(index === 0 ? first : {}),
        };
      }),
      {
        name: 'B-3',
        title: 'notify nobody',
        subject: 'no lock was dropped',
        skipReason: ({ session }) =>
          session.opened.stepDone({ epoch: session.epoch, step: 'B-3' }) ? 'as before' : undefined,
        mends: [thawRecord(ip, driver)],
        actions: [recordedToo(ip), thawRecord(ip, driver)],
      },
    ],
  };
}

/** Why recording need not be begun; undefined: it must. */
function isDone({ session, run, floatingIp }: FailoverContext, fsid: string): string | undefined {
  const { epoch } = session;
  return isRecording(run, floatingIp.address) && session.opened.stepDone({ epoch, step: 'B-2', fsid })
    ? `recorded here in epoch ${epoch}`
    : undefined;
}

/** Nothing more: a further file system, whose clients are recorded with the first one's, and B-3. Done, as takeover asks for each. */
function recordedToo({ address }: FloatingIp): Action<FailoverContext> {
  return {
    commands: [],
    check: () => false,
    act: async () => undefined,
    verify: ({ run }) => {
      if (!isRecording(run, address)) throw notSo('B-2', `${address} is not recorded here`);
    },
  };
}
