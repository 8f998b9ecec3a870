import type { Config } from '../../config/config.js';
import type { Obstacle } from '../../host/action.js';
import { barrierName, isOperating, watcherHere } from '../../rundir/operating.js';

const notServed: Obstacle = {
  message:
    '"nlm-failover ctdb serve" does not run here: no client keeps its locks when CTDB moves an address',
  hint: 'Start it: systemctl start nlm-failover-ctdb.service ("nlm-failover setup --ctdb" makes and enables it). CTDB in nlm-failover(8).',
};

/** A look may wait for that of another address, beside the grace itself. */
const spareSeconds = 15;

/**
 * Why nobody on this node would answer a call into grace; undefined: somebody would, as far as can be seen, or no other node calls. `run`: the
 * node's directory of serving links. `together`: all nodes start their lock managers together, which `ctdb serve` does.
 */
export function whyUnheard(
  run: string,
  { floatingIps, timeouts }: Config,
  together = false,
): Obstacle | undefined {
  if (together) return isOperating(run, barrierName) ? undefined : notServed;
  if (!floatingIps.some(({ shared }) => shared !== undefined && shared.nodes.length > 1)) return undefined;
  const watcher = watcherHere(run);
  const inVain = 'whoever takes an address over, or releases one, waits for this node in vain';
  if (watcher === undefined)
    return {
      message: `"nlm-failover join-grace --watch" does not run here: ${inVain}`,
      hint: 'Have it run always, as nlm-failover-join-grace.service does ("nlm-failover setup" enables it, "systemctl start" begins it now), or the OCF agent: SHARED FILE SYSTEMS in nlm-failover(8).',
    };
  const { looked } = watcher;
  if (looked !== undefined && looked <= timeouts.barrier + spareSeconds) return undefined;
  return {
    message: `"nlm-failover join-grace --watch" runs here, and ${looked === undefined ? 'has not been able to look for calls yet' : `could not look for calls for ${looked} s`}: ${inVain}`,
    hint: 'It says why where it writes to, the journal or syslog: the storage of the record is gone, or it is stopped.',
  };
}
