import type { Config, FloatingIp } from '../config/config.js';
import { counted } from '../counted.js';
import { FailoverError, messageOf } from '../errors.js';
import type { FailoverContext } from '../failover/context.js';
import { renotify } from '../failover/operations/notify.js';
import { takeover } from '../failover/operations/takeover.js';
import { claimOwnership } from '../failover/steps/ownership.js';
import { proveCallout } from '../failover/steps/recorded-clients.js';
import { prepareNotification, startRecording } from '../failover/steps/recording.js';
import type { Plan } from '../failover/steps/steps.js';
import { notFenced, type Prover } from '../fencing/prover.js';
import type { Host } from '../host/host.js';
import { placesOf } from '../host/reading/addresses.js';
import { waitUntil } from '../host/running/wait.js';
import type { LockManager } from '../lockmanager/port.js';
import { freezeServing, servedAddresses, servingJournal, stopServing } from '../rundir/serving.js';
import { askHolder, hasLeader } from './members.js';

// What a reconfiguration does with the records of the public addresses: who is recorded, whose an address is, who is notified.

/** Of one address, for one use; `signal` ends it. */
export type ContextOf = (ip: FloatingIp, signal: AbortSignal) => FailoverContext;

/** The public addresses: those whose file systems every node exports. */
export function publicAddresses({ floatingIps }: Pick<Config, 'floatingIps'>): FloatingIp[] {
  return floatingIps.filter(({ shared }) => shared !== undefined);
}

/** Those of them that this node has, whatever CTDB or an event says; sorted by their text. */
export async function addressesHere(host: Host, config: Pick<Config, 'floatingIps'>): Promise<FloatingIp[]> {
  const here: FloatingIp[] = [];
  // Asked at each look: no process is started for it.
  for (const ip of publicAddresses(config))
    if ((await placesOf(host, ip.address, ip.interface)).length > 0) here.push(ip);
  return here.toSorted((a, b) => (a.address < b.address ? -1 : 1));
}

/**
 * Before the lock manager ends: nobody leaves the record of an address that this node has. As lockd ends it has statd forget the clients (seen on
 * Linux 6.12), each of whom would be taken for one that has left. Of an address that is not here any more nothing is recorded.
 */
export function freezeRecords(run: string, here: readonly FloatingIp[]): void {
  for (const address of servedAddresses(run)) {
    const journal = servingJournal(run, address);
    if (journal === undefined || !here.some((ip) => ip.address === address)) stopServing(run, address);
    else freezeServing(run, address, journal);
  }
}

/** The lock manager as one address sees it whose grace comes with that of the whole node: each address has a list of its own. */
export function forOneAddress(driver: LockManager): LockManager {
  return { ...driver, graceTakesLocksOf: 'address', graceTakesExports: false };
}

/**
 * While the lock manager is down: the address is this node's, whoever had it before, the list of whom to notify is made, and from now on is
 * recorded who comes. Returns what is worth a person's attention. Throws FailoverError.
 */
export async function takeRecord(context: FailoverContext): Promise<readonly string[]> {
  const { floatingIp: ip, driver, config } = context;
  const plan: Plan = {
    kind: 'takeover',
    address: ip.address,
    steps: [
      { name: 'B-1', subject: 'the record', actions: [claimOwnership(ip)] },
      {
        name: 'B-2',
        subject: 'the record',
        actions: [prepareNotification(ip), startRecording(ip, config.node, driver), proveCallout(ip, driver)],
      },
    ],
  };
  const { remarks, undone } = await takeover(plan, context, { begin: () => undefined, end: () => undefined });
  return [...remarks, ...undone];
}

/** With a ctdbd that does not answer. */
const patience = { seconds: 3, intervalMs: 500 };

/**
 * The word of CTDB that an address is this node's: in a reconfiguration nobody who had it before has a lock of it any more. A node that is cut off from the
 * others, which have its address meanwhile, says so too, but it knows no leader.
 */
export function byCtdb(host: Host): Prover {
  return {
    name: 'ctdb',
    onlyLooks: true,
    asks: () => [],
    prove: async (suspect) => {
      const { address, node } = suspect;
      // There is none for a while where one is elected.
      if (await waitUntil(host, 'a leader', () => hasLeader(host), patience))
        return `CTDB has moved ${address} from ${node} to this node`;
      throw notFenced(
        suspect,
        'CTDB on this node knows no leader of the cluster, as where it is cut off from the others',
        'See "ctdb status".',
      );
    },
  };
}

/**
 * Why an address that is here is another node's, by CTDB on this node, as a clause; undefined: it is this node's. One whose ctdbd was killed, or shut
 * down, has its addresses still, while another one gets them: it must not touch their records, as the claim of that one is no more good when the record
 * was written to meanwhile, and then nobody notifies.
 */
export async function whyNotOurs(host: Host, address: string): Promise<string | undefined> {
  let holder = await askHolder(host, address);
  // It may be in a recovery; but the others wait for this node's start.
  const hasAnswered = async () => {
    if (!holder.isAnswer) holder = await askHolder(host, address);
    return holder.isAnswer;
  };
  await waitUntil(host, 'CTDB', hasAnswered, patience);
  return holder.isSelf ? undefined : holder.said;
}

/** SM_NOTIFY to the clients of each address, all at once. Returns whom that did not reach, and why, as sentences. */
export async function notifyAll(
  here: readonly FloatingIp[],
  contextOf: ContextOf,
  signal: AbortSignal,
): Promise<string[]> {
  const all = await Promise.all(
    here.map(async (ip): Promise<string[]> => {
      try {
        const { notNotified, remarks } = await renotify(contextOf(ip, signal));
        const missed = notNotified.map(({ client, reason }) => `${client} (${reason})`).join(', ');
        return [
          ...(notNotified.length === 0
            ? []
            : [`${ip.address}: ${counted(notNotified.length, 'client')} NOT NOTIFIED: ${missed}`]),
          ...remarks.map((remark) => `${ip.address}: ${remark}`),
        ];
      } catch (error) {
        // What comes next notifies them.
        if (signal.aborted) return [];
        if (!(error instanceof FailoverError)) throw error;
        return [`${ip.address}: ${messageOf(error)}`];
      }
    }),
  );
  return all.flat();
}
