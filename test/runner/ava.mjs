// Runs ava and counts from its TAP output; an ava that crashed or found nothing has failed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { bundleWorker } from './ava-worker.mjs';
import { withLocalBin } from './check.mjs';
import { fileOfTitle } from './file-of-title.mjs';
import { startMeasuring } from './costs.mjs';
import { progress, seconds, write } from './screen.mjs';
import { tapReader } from './tap.mjs';

const marks = { passed: 'ok  ', failed: 'FAIL', skipped: 'skip' };

/**
 * Adds the outcome of the test files to the tally. Resolves to the seconds that each took, of those that ran.
 *
 * @param options.env what is in their environment beside what is in this one
 * @param options.nice by how much its CPU time comes after that of others
 * @param options.missing why none of them can be run here, if so: each file counts as skipped
 * @param options.each show every test with what it logged, and how far into the phase it ended, not only those that failed
 */
export async function runAva(tally, { files, args, env = {}, nice = 0, missing, each = false }) {
  if (files.length === 0) {
    tally.failed++;
    write('   FAILED: there is no test file for this phase');
    return {};
  }
  if (missing !== undefined) {
    tally.skipped += files.length;
    write(`   skipped: ${missing} sh test/setup says how to get what Debian has.`);
    for (const file of files) write(`   skip ${file}`);
    return {};
  }
  await bundleWorker();
  const failedTitles = [];
  const tap = tapReader(reporter(each, failedTitles));
  const measuring = startMeasuring();
  // Not a shell's expansion and not ava's: exactly these files.
  // Killed with this process, as it would notice only when it has something to say.
  const niceness = ['nice', '-n', String(nice)];
  const command = [...niceness, process.execPath, 'test/runner/ava-cli.mjs', '--tap', ...args, ...files];
  const ava = spawn('setpriv', ['--pdeathsig', 'KILL', ...command], {
    env: withLocalBin({ ...process.env, ...env, ...measuring.env }),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(ava, 'close').catch((error) => [error.message]);
  for await (const line of createInterface({ input: ava.stdout })) tap.line(line);
  const [code, signal] = await ended;
  // TAP leaves the source lines out; ava's own report has them.
  const again = new Set(failedTitles.map((title) => fileOfTitle(files, title)).filter(Boolean));
  for (const file of again) write(`   to see the source lines: npx ava ${file}`);
  const { passed, failed, skipped } = withCrash(tap.result(), signal ?? code);
  tally.passed += passed;
  tally.failed += failed;
  tally.skipped += skipped;
  return measuring.seconds();
}

/** Says and counts what ava's own counts do not have. */
function withCrash(result, end) {
  const { passed, failed, complete } = result;
  let problem;
  if (!complete) problem = `ava did not finish (${end})`;
  else if (passed + failed === 0) problem = 'ava ran no test';
  else if (end !== 0 && failed === 0) problem = `ava ended with ${end}, although no test failed`;
  if (problem === undefined) return result;
  write(`   FAILED: ${problem}`);
  return { ...result, failed: failed + 1 };
}

function reporter(each, failedTitles) {
  let count = 0;
  let shown = false;
  const begun = performance.now();
  return {
    onTest({ state, title }) {
      shown = each || state !== 'passed';
      if (shown)
        write(`   ${marks[state]} ${title}${each ? ` (at ${seconds(performance.now() - begun)})` : ''}`);
      if (state === 'failed') failedTitles.push(title);
      progress(`   ${++count}  ${title}`);
    },
    onDetail(line) {
      if (shown) write(`        ${line}`);
    },
  };
}
