import type { FloatingIp } from '../../config/config.js';
import { limitOf } from '../../failover/limits.js';
import { within } from '../../host/running/deadline.js';
import { type AddressSite, type Check, type CheckReader, failure, type Finding, ofError } from './check.js';
import { addressChecks, nodeChecks } from './checks.js';
import { lookAround } from './looking.js';

/** One line: which check found what, of which address. */
export interface CheckLine extends Finding {
  /** Undefined: of the node. */
  readonly address: string | undefined;
  readonly check: string;
}

/**
 * Looks at everything that a failover of these addresses will need on this node, and touches nothing. `say` gets each line as soon
 * as it is known, those of the node first. What does not answer in time is a failure like any other.
 */
export async function runChecks(
  reader: CheckReader,
  floatingIps: readonly FloatingIp[],
  say: (line: CheckLine) => void,
): Promise<void> {
  const addresses: AddressSite[] = [];
  for (const ip of floatingIps) {
    try {
      addresses.push(
        await within(limitOf(`check ${ip.address}`, reader.config), () => lookAround(reader, ip)),
      );
    } catch (error) {
      say({ address: ip.address, check: 'driver', ...ofError(error) });
    }
  }
  const node = { reader, addresses };
  for (const check of nodeChecks) await run(check, node, undefined, reader, say);
  for (const site of addresses)
    for (const check of addressChecks) await run(check, site, site.ip.address, reader, say);
}

async function run<Site>(
  check: Check<Site>,
  site: Site,
  address: string | undefined,
  { config }: CheckReader,
  say: (line: CheckLine) => void,
): Promise<void> {
  const what = `check ${address === undefined ? '' : `${address}, `}${check.name}`;
  for (const finding of await found(() => within(limitOf(what, config), () => check.look(site))))
    say({ address, check: check.name, ...finding });
}

async function found(look: () => Promise<readonly Finding[]>): Promise<readonly Finding[]> {
  try {
    const findings = await look();
    return findings.length > 0 ? findings : [failure('it looked at nothing: please report that')];
  } catch (error) {
    return [ofError(error)];
  }
}
