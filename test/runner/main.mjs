// Runs the phases in order and ends with the one line that counts: "N passed, N failed, N skipped".
// What a phase is, and which there are, is in phases.mjs. Says first what comes, and how long it will take here.
import { addTo, exitCodeOf, lastLines, newTally } from './tally.mjs';
import { keepCosts, readCosts } from './costs.mjs';
import { machine } from './machine.mjs';
import { phases } from './phases.mjs';
import { chooseFrom } from './choice.mjs';
import { planLines, planOf, totalOf } from './plan.mjs';
import { holdBack, seconds, write } from './screen.mjs';

const ci = process.env.CI === 'true';
// Node reads these certificates at every start, which costs it as much again as the rest; no test asks anybody on the Internet.
delete process.env.NODE_EXTRA_CA_CERTS;
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
/** Of a phase that has begun: what comes of it, and `release` of what it says, which is held back until its turn has come. */
const begun = new Map();

/** With those that begin with it, or when it has ended. */
function begin(phase) {
  begun.set(
    phase,
    holdBack(() => run(phase)),
  );
  const beginAll = (which) => chosen.filter(which).forEach(begin);
  beginAll(({ beside }) => beside === phase.name);
  begun.get(phase).result.then(
    () => beginAll(({ after }) => after === phase.name),
    () => undefined,
  );
}

async function run(phase) {
  const start = performance.now();
  const own = newTally();
  const files = (await phase.run(own)) ?? {};
  return { own, files, took: performance.now() - start };
}

for (const phase of chosen) {
  if (!begun.has(phase)) begin(phase);
  write(`\n== ${phase.name}: ${phase.headline}`);
  begun.get(phase).release();
  const { own, files, took } = await begun.get(phase).result;
  addTo(tally, own);
  const { passed, failed, skipped } = own;
  write(
    `   ${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''} in ${seconds(took)}`,
  );
  Object.assign(costs.files, files);
  costs.phases[phase.name] = Math.ceil(took / 1000);
  if (phase.files !== undefined) costs.tests[phase.name] = passed + failed;
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
