// node build/test/bench/bystander.js: how long the client of another address waits for a lock while the
// taking node takes an address over, with both drivers in one run. Prints the plot that stands in the README.
import { watchBystander } from '../lab/bystander-steps.js';
import { bootLab } from '../lab/lab.js';
import { summary } from '../lab/lock-loop.js';
import type { Driver } from '../lab/site.js';

const width = 50;

async function measure(driver: Driver) {
  const lab = await bootLab({ onKernels: { A: 'system', B: 'system', C: 'system' } });
  try {
    const { rounds, reclaimed } = await watchBystander(lab, { driver });
    if (!reclaimed) throw new Error(`${driver}: the moving client did not reclaim, so this run says nothing`);
    return { driver, grace: lab.graceSeconds, ...summary(rounds) };
  } finally {
    await lab.stop();
  }
}

const results = [await measure('lockd-netns'), await measure('lockd')];
const longest = Math.max(...results.map((result) => result.longest));
const bar = (ms: number) => '#'.repeat(Math.max(1, Math.round((ms / longest) * width)));
const time = (ms: number) => (ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`);
for (const { driver, grace, median, longest: wait, rounds } of results) {
  process.stdout.write(
    `${driver.padEnd(12)} ordinary  ${bar(median)} ${time(median)}  (median of ${rounds} locks)\n`,
  );
  process.stdout.write(
    `${''.padEnd(12)} takeover  ${bar(wait)} ${time(wait)}  (the longest; the grace was ${grace} s)\n`,
  );
}
