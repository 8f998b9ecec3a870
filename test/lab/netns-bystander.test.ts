// The client of another address on the taking node: with lockd-netns it does not notice, with lockd it waits out the grace.
import { watchBystander } from './bystander-steps.js';
import { summary } from './lock-loop.js';
import { logSteps, scenario } from './scenario.js';

for (const driver of ['lockd-netns', 'lockd'] as const) {
  scenario(`${driver}: a bystander during a takeover`, async (t, lab) => {
    const seen = await watchBystander(lab, driver);
    const { longest, median, rounds } = summary(seen.rounds);
    logSteps(t, 'takeover', seen.takeover);
    t.log(`${driver}: ${rounds} locks, median ${median} ms, longest ${longest} ms`);
    t.true(seen.reclaimed);
    // Not a timing but an order of magnitude: a grace here is 10 s, and nothing else takes as long.
    if (driver === 'lockd') t.true(longest >= 5_000);
    else t.true(longest < 5_000);
  });
}
