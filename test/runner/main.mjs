// Runs the phases in order and ends with the one line that counts: "N passed, N failed, N skipped".
// What a phase is, and which there are, is in phases.mjs.
import { exitCodeOf, lastLines, newTally } from './tally.mjs';
import { phases } from './phases.mjs';
import { chooseFrom } from './choice.mjs';
import { seconds, write } from './screen.mjs';

const ci = process.env.CI === 'true';
const chosen = chooseFrom(phases, process.argv.slice(2));
if (typeof chosen === 'string') {
  write(chosen);
  process.exit(2);
}

const tally = newTally();
const started = performance.now();
for (const phase of chosen) {
  const begun = performance.now();
  write(`\n== ${phase.name}: ${phase.headline}`);
  const before = { ...tally };
  await phase.run(tally);
  const failed = tally.failed - before.failed;
  const counts = `${tally.passed - before.passed} passed, ${failed} failed`;
  const skipped = tally.skipped - before.skipped;
  write(`   ${counts}${skipped > 0 ? `, ${skipped} skipped` : ''} in ${seconds(performance.now() - begun)}`);
  if (failed > 0 && phase.needed) {
    write('   the phases after it need this one and were not run');
    break;
  }
}
write(`\nall of it took ${seconds(performance.now() - started)}`);
for (const line of lastLines(tally, { ci })) write(line);
// Not process.exit(): output to a pipe may still be on its way.
process.exitCode = exitCodeOf(tally, { ci });
