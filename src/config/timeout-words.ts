import type { CtdbTimeouts, TimedStep, TimeoutsConfig } from './config.js';
import type { Problem } from './problem.js';
import { wholeNumber } from './driver-settings.js';

// The values of [timeouts].

/** At most an hour: what takes longer is a hang. */
export const wholeSeconds = wholeNumber('whole seconds from 1 to 3600', 1n, 3600n);

/** Two steps move as much data as there is: mount(8) replays a journal, umount(8) writes back what is dirty. */
const bulk: Partial<Record<TimedStep, number>> = { 'A-4': 300, 'B-1': 300 };

/** The table as the file has it; `step` is for every step without a key of its own. */
type Given = {
  readonly [
    Key in TimedStep | 'B-3' | 'step' | 'settle' | 'busy' | 'record' | 'fencing' | 'barrier'
  ]?: number;
} & { readonly [Key in `ctdb_${keyof CtdbTimeouts}`]?: number };

/**
 * What was seen, three nodes on a busy machine: 1 s until all refused, 3 s until all had stopped, 4 s from the first start to the last, the last client
 * notified 6 s after that. takeip and releaseip are 0.1 s apart, and ipreallocated comes 1 s after them. A Linux client that was refused in grace
 * asks again after 5 s (fs/lockd/clntproc.c).
 */
const ctdbDefaults: CtdbTimeouts = {
  wait: 10,
  spread: 10,
  notify: 10,
  reclaim: 10,
  refuse: 30,
  closed: 40,
  quiet: 3,
};

function toCtdb(given: Given): CtdbTimeouts {
  const of = (name: keyof CtdbTimeouts) => given[`ctdb_${name}`] ?? ctdbDefaults[name];
  return {
    wait: of('wait'),
    spread: of('spread'),
    notify: of('notify'),
    reclaim: of('reclaim'),
    refuse: of('refuse'),
    closed: of('closed'),
    quiet: of('quiet'),
  };
}

/** Where the waits of CTDB's barrier do not fit into each other; `table` is [timeouts] as the file has it. */
export function ctdbProblems(table: Readonly<Record<string, unknown>>): Problem[] {
  const given: Record<string, number> = {};
  for (const name of Object.keys(ctdbDefaults)) {
    const value = wholeSeconds.read(table[`ctdb_${name}`]);
    if (typeof value === 'number') given[`ctdb_${name}`] = value;
  }
  const { wait, spread, refuse, closed } = toCtdb(given);
  const problem = (name: keyof CtdbTimeouts, message: string): Problem => ({
    path: ['timeouts', `ctdb_${name}`],
    message,
  });
  const least = 2 * wait + spread;
  return [
    ...(refuse < least
      ? [
          problem(
            'refuse',
            `a node whose process is killed must refuse until the others are in grace: write ${least} or more, twice ctdb_wait and ctdb_spread`,
          ),
        ]
      : []),
    ...(closed <= 2 * wait
      ? [
          problem(
            'closed',
            `a node that waits for the others in both phases must not open meanwhile: write more than ${2 * wait}, twice ctdb_wait`,
          ),
        ]
      : []),
  ];
}

export function toTimeouts(given: Given): TimeoutsConfig {
  const { step, settle = 15, busy = 5, record = 15, fencing = 120, barrier = 60, 'B-3': notify } = given;
  const of = (name: TimedStep) => given[name] ?? step ?? bulk[name] ?? 120;
  return {
    steps: {
      'A-1': of('A-1'),
      'A-2': of('A-2'),
      'A-3': of('A-3'),
      'A-4': of('A-4'),
      'B-1': of('B-1'),
      'B-2': of('B-2'),
      'B-4': of('B-4'),
      'B-5': of('B-5'),
    },
    ...(notify === undefined ? {} : { notify }),
    step: step ?? 120,
    settle,
    busy,
    record,
    fencing,
    barrier,
    ctdb: toCtdb(given),
  };
}
