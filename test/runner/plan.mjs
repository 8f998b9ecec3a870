// What npm test says first: what comes, and how long it takes here.
import { secondsOf } from './costs.mjs';
import { seconds as duration } from './screen.mjs';

/**
 * How long the phases take, in seconds, by what they and their files took before.
 *
 * @param phases with `name`, and those of test files with `files` and `atOnce`
 * @returns {{ name: string, beside: string | undefined, after: string | undefined, files: number, atOnce: number, tests: number | undefined, seconds: number }[]}
 */
export function planOf(phases, costs) {
  return phases.map(({ name, beside, after, files = [], atOnce = 1 }) => ({
    name,
    beside,
    after,
    files: files.length,
    atOnce,
    tests: costs.tests[name],
    seconds:
      files.length === 0
        ? (costs.phases[name] ?? 1)
        : spread(
            files.map((file) => secondsOf(costs.files, file)),
            atOnce,
          ),
  }));
}

/** When the last of these ends, the longest first, each begun as soon as one of so many at once has ended. */
export function spread(lengths, atOnce) {
  const ends = Array.from({ length: atOnce }, () => 0);
  for (const length of lengths.toSorted((a, b) => b - a)) {
    const free = ends.indexOf(Math.min(...ends));
    ends[free] += length;
  }
  return Math.max(...ends);
}

/** Seconds for all of a plan: a phase begins with the one it is beside, or when the one it is after has ended, else when those before it have. */
export function totalOf(plan) {
  const begins = new Map();
  const ends = new Map();
  let ended = 0;
  for (const { name, beside, after, seconds } of plan) {
    begins.set(name, begins.get(beside) ?? ends.get(after) ?? ended);
    ends.set(name, begins.get(name) + seconds);
    ended = Math.max(ended, ends.get(name));
  }
  return ended;
}

/** The plan in lines for people. */
export function planLines(plan, { cpus, gigabytes }) {
  const lines = plan.map(({ name, beside, files, atOnce, tests, seconds }) => {
    const what =
      files === 0
        ? 'a check'
        : `${files} files${atOnce > 1 ? `, ${atOnce} at once` : ''}${tests === undefined ? '' : `, ${tests} tests the last time`}${beside === undefined ? '' : `, beside ${beside}`}`;
    return `   ${name.padEnd(6)}  ${duration(seconds * 1000).padStart(10)}  ${what}`;
  });
  return [
    `what comes, and how long it takes here, on ${cpus} CPU${cpus === 1 ? '' : 's'} and ${gigabytes} GB: ${duration(totalOf(plan) * 1000)}`,
    ...lines,
  ];
}
