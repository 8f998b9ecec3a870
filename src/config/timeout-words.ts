import type { TimedStep, TimeoutsConfig } from './config.js';
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
};

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
  };
}
