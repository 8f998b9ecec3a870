import { isIP } from 'node:net';
import { canonicalAddress } from '../config/address.js';
import { exitCodes, FailoverError, messageOf } from '../errors.js';
import { cutConnections } from '../host/actions/connections.js';
import type { Host } from '../host/host.js';
import { localAddresses } from '../host/reading/addresses.js';
import { within } from '../host/running/deadline.js';
import { stopServing } from '../rundir/serving.js';
import type { CtdbEvent } from './event-names.js';
import { type Looked, noteMoved, noteSettled, sinceBoot } from './local.js';

// What CTDB's events say to the barrier's process (ctdb(7), EVENT SCRIPTS). None of them waits for anything that is not on this node: CTDB kills a monitor that is under way when a
// takeover begins, and takes what lasts 30 s for done, without ending it. So each is a hint, may come late, twice or never, and is done with at once.

export interface EventPlace {
  readonly host: Host;
  readonly run: string;
}

/** Cutting connections is worth so long, s; the configuration is not read for it. */
const cutLimit = { seconds: 5, key: 'Nothing', settle: 5, busy: 5, record: 5 };

/**
 * Notes what an event says. `words`: its arguments. Returns what is worth a person's attention. Throws FailoverError CTDB_EVENT (exit code 2) for
 * arguments that are none of this event.
 */
export async function noteEvent(
  place: EventPlace,
  event: CtdbEvent,
  words: readonly string[],
): Promise<string[]> {
  switch (event) {
    case 'takeip':
      addressOf(event, words);
      noteMoved(place.run);
      return [];
    case 'releaseip':
      return released(place, addressOf(event, words));
    // An old CTDB has nothing better than "recovered" to say that all is where it belongs.
    case 'ipreallocated':
    case 'recovered':
      noteSettled(place.run);
      return [];
    case 'startup':
    case 'shutdown':
    case 'monitor':
    case 'startipreallocate':
      return [];
  }
}

/**
 * Nobody is recorded for the address any more, and its TCP connections go: one that outlives a release and a take-back answers each segment with
 * another. Its locks stay until the barrier's second phase. A releaseip that hangs is left to run: when it comes to its end the address may be back, so
 * that whether it is here is asked right before, and then nothing is touched.
 */
async function released({ host, run }: EventPlace, address: string): Promise<string[]> {
  const remarks: string[] = [];
  const isHere = async () => (await localAddresses(host)).some((one) => one.address === address);
  try {
    if (!(await isHere())) {
      stopServing(run, address);
      const limit = { ...cutLimit, what: `Cutting the connections of ${address}` };
      const cut = cutConnections({ address, family: isIP(address) === 6 ? 6 : 4 });
      await within(limit, async () => {
        if (!(await cut.check({ host }))) await cut.act({ host });
      });
    } else remarks.push(`${address} is here (again): nothing was touched`);
  } catch (error) {
    if (!(error instanceof FailoverError)) throw error;
    remarks.push(messageOf(error));
  }
  noteMoved(run);
  return remarks;
}

/** takeip and releaseip: IFACE IP MASKBITS. */
function addressOf(event: CtdbEvent, [, text = '']: readonly string[]): string {
  const address = canonicalAddress(text);
  if (address !== undefined) return address;
  throw new FailoverError(`ctdb ${event}: takes an interface, an address and its prefix length`, {
    code: 'CTDB_EVENT',
    exitCode: exitCodes.usage,
    operation: `ctdb ${event}`,
    hint: `As CTDB has it: nlm-failover ctdb ${event} eth0 10.10.1.1 24`,
  });
}

/** Longer than any act without a look beside it, ms. */
const silentMs = 20_000;

/** What `monitor` says: `isUnwell` where CTDB is to have another node take the addresses. */
export function monitorText(
  looked: Looked | undefined,
  isRunning: boolean,
  now = sinceBoot(),
): { readonly isUnwell: boolean; readonly lines: readonly string[] } {
  if (!isRunning)
    return {
      isUnwell: true,
      lines: [
        '"nlm-failover ctdb serve" does not run: no client keeps its locks. Start it: systemctl start nlm-failover-ctdb.service',
      ],
    };
  if (looked === undefined) return { isUnwell: false, lines: ['"nlm-failover ctdb serve" has just begun'] };
  const { at, phase, generation, wrong, remarks } = looked;
  const silent = now - at;
  const state = `generation ${generation}: ${phase}`;
  const lines = [...(phase === 'idle' ? [] : [state]), ...wrong, ...remarks];
  if (silent <= silentMs) return { isUnwell: wrong.length > 0, lines };
  const text = `"nlm-failover ctdb serve" has stood still for ${Math.round(silent / 1000)} s (${state}): see the storage of the record`;
  return { isUnwell: true, lines: [text, ...lines] };
}
