import type { TimeoutsConfig } from '../../config/config.js';

/** How long Pacemaker waits for what an agent of an address does, seconds. */
export interface AgentTimeouts {
  readonly start: number;
  readonly stop: number;
}

export interface AddressTimeouts {
  /** ocf:nlm-failover:address. */
  readonly address: AgentTimeouts;
  readonly locks: AgentTimeouts;
  readonly notify: AgentTimeouts;
  readonly filesystem: AgentTimeouts;
  readonly exportfs: AgentTimeouts;
  readonly ip: AgentTimeouts;
  /** A monitor of depth 10, which starts a program. */
  readonly deepMonitor: number;
}

/** A monitor that only looks at files, as those of the stock agents do. */
export const shallowMonitor = 20;

/** For the starts of the program itself, on a node that is busy. */
const begins = 30;

/**
 * Each is beyond the sum of what the operation itself waits for ([timeouts] in nlm-failover.toml(5); failover/limits.ts), so that every
 * wait ends with its own sentence, and Pacemaker ends what does not end by itself: its SIGKILL says nothing. `grace`: of the driver;
 * `filesystems`: those that are exported, for each of which A-3 and B-2 come. `isShared`: both wait for the other nodes too.
 */
export function timeoutsOf(
  timeouts: TimeoutsConfig,
  {
    grace,
    filesystems,
    isShared = false,
  }: { readonly grace: number; readonly filesystems: number; readonly isShared?: boolean },
): AddressTimeouts {
  const { step, steps, fencing } = timeouts;
  // The devices are found, the driver is chosen, and every step looks ahead, each for as long as a step at the most. An agent asks for the status
  // before a start (callouts/lib/ocf.sh, ocf_validate), and after a stop that is refused.
  const status = begins + 2 * step;
  const before = status + begins + 3 * step;
  const notify = (timeouts.notify ?? grace) + step;
  const audit = grace + step;
  // Where the grace is over before anybody could be notified it is entered once more.
  const barrier = isShared ? timeouts.barrier : 0;
  const graces = 2 * (filesystems * steps['B-2'] + barrier);
  const stop = before + steps['A-1'] + steps['A-2'] + filesystems * steps['A-3'] + barrier + steps['A-4'];
  return {
    address: {
      start: before + fencing + steps['B-1'] + graces + steps['B-5'] + steps['B-4'] + 2 * notify + audit,
      stop,
    },
    // Its stop is a whole release, of which little is left to do.
    locks: { start: before + fencing + steps['B-1'] + graces, stop },
    notify: { start: before + 2 * notify + audit, stop: before + steps['A-1'] },
    filesystem: { start: steps['B-1'], stop: steps['A-4'] },
    exportfs: { start: steps['B-5'], stop: steps['A-2'] },
    ip: { start: steps['B-4'], stop: steps['A-1'] },
    deepMonitor: status,
  };
}
