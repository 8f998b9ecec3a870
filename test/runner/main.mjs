// Runs the phases in order and ends with the one line that counts: "N passed, N failed, N skipped".
// What a phase is, and which there are, is in phases.mjs. Says first what comes, and how long it will take here.
import { exitCodeOf, lastLines, newTally } from './tally.mjs';
import { keepCosts, readCosts } from './costs.mjs';
import { machine } from './machine.mjs';
import { phases } from './phases.mjs';
import { chooseFrom } from './choice.mjs';
import { planLines, planOf, totalOf } from './plan.mjs';
import { seconds, write } from './screen.mjs';

const ci = process.env.CI === 'true';
const chosen = chooseFrom(phases, process.argv.slice(2));
if (typeof chosen === 'string') {
  write(chosen);
  process.exit(2);
}

const costs = readCosts();
const plan = planOf(chosen, costs);
for (const line of planLines(plan, machine)) write(line);

const tally = newTally();
const started = performance.now();
for (const phase of chosen) {
  const begun = performance.now();
  write(`\n== ${phase.name}: ${phase.headline}`);
  const before = { ...tally };
  const files = (await phase.run(tally)) ?? {};
  const took = performance.now() - begun;
  const failed = tally.failed - before.failed;
  const counts = `${tally.passed - before.passed} passed, ${failed} failed`;
  const skipped = tally.skipped - before.skipped;
  write(`   ${counts}${skipped > 0 ? `, ${skipped} skipped` : ''} in ${seconds(took)}`);
  Object.assign(costs.files, files);
  costs.phases[phase.name] = Math.ceil(took / 1000);
  if (phase.files !== undefined) costs.tests[phase.name] = tally.passed - before.passed + failed;
  if (failed > 0 && phase.needed) {
    write('   the phases after it need this one and were not run');
    break;
  }
}
keepCosts(costs, phases);
write(
  `\nall of it took ${seconds(performance.now() - started)}; ${seconds(totalOf(plan) * 1000)} were expected`,
);
for (const line of lastLines(tally, { ci })) write(line);
// Not process.exit(): output to a pipe may still be on its way.
process.exitCode = exitCodeOf(tally, { ci });
