// The phases of `npm test`, fast ones first. `needed` ones are run whatever is asked for, and the phases
// after them are not run when they fail. One that is `beside` others begins with the first of them that is run, one that is `after`
// another when that has ended; both are shown in their turn. One that is `partOf` another is run where that one is asked for.
import { rmSync } from 'node:fs';
import { runAva } from './ava.mjs';
import { check } from './check.mjs';
import { inMemory, machine, missingForLab, missingForWire } from './machine.mjs';
import { manDrift } from './man-drift.mjs';
import { testFiles } from './test-files.mjs';

const files = testFiles();
/** One more than there are CPUs: a file or two of them wait, as for a record that a stopped process keeps locked. */
const unitAtOnce = machine.cpus + 1;

export const phases = [
  {
    name: 'format',
    headline: 'oxfmt has nothing to change',
    run: check(['oxfmt', '--check']),
  },
  {
    name: 'types',
    headline: 'the compiler accepts everything',
    needed: true,
    beside: 'format',
    run(tally) {
      // A test whose source is gone must not be run from an old build.
      rmSync('build', { recursive: true, force: true });
      return check(['tsc', '-p', 'tsconfig.json'])(tally);
    },
  },
  {
    name: 'lint',
    headline: 'oxlint, with the rules that know types',
    beside: 'format',
    run: check(['oxlint']),
  },
  {
    name: 'sqlite',
    headline: 'better-sqlite3 is there, or is compiled',
    needed: true,
    beside: 'format',
    run: check(['sh', 'test/setup', 'sqlite']),
  },
  {
    name: 'packages',
    headline: 'what Debian has for the tests, and newer kernels',
    needed: true,
    beside: 'format',
    run: check(['sh', 'test/setup', 'packages', 'newer_kernels'], { heard: true }),
  },
  {
    name: 'bundle',
    headline: 'one file for bin/nlm-failover',
    needed: true,
    run: check([process.execPath, 'esbuild.mjs']),
  },
  { name: 'man', headline: 'the manual pages are those of the commands', run: manDrift },
  {
    name: 'unit',
    headline: 'without network, root and kernels',
    files: files.unit,
    atOnce: unitAtOnce,
    run: (tally) =>
      runAva(tally, {
        files: files.unit,
        args: ['--timeout=6m', `--concurrency=${unitAtOnce}`],
        // What runs beside it has clocks: daemons that wait for one another, guests that are fenced when they do not answer.
        nice: 3,
        env: inMemory(),
      }),
  },
  // It waits more than it computes.
  {
    ...oneByOne('wire', 'real sockets, rpcbind and rpc.statd', missingForWire, 2 * machine.cpus),
    beside: 'unit',
  },
  // With nothing beside it but what is left of unit: a guest that gets no CPU is fenced by the others, and takes longer over everything.
  {
    ...oneByOne('lab', 'real kernels: two servers, a client, locks that move', missingForLab, machine.labs),
    after: 'wire',
  },
  // It takes as long as all others of the lab, and waits for most of it. No second one: what runs beside it has clocks.
  {
    ...oneByOne('gluster', 'the scenario of the lab that waits most', missingForLab, 1),
    partOf: 'lab',
    beside: ['unit', 'lab'],
  },
];

/** Each test shown as it ends, so many files at once; skipped as a whole where the machine cannot run them. */
function oneByOne(name, headline, missing, atOnce) {
  return {
    name,
    headline,
    files: files[name],
    atOnce,
    run: async (tally) =>
      runAva(tally, {
        files: files[name],
        // Not --serial, which is one file at a time whatever the concurrency (ava, lib/api.js): the tests themselves are serial.
        args: [`--concurrency=${atOnce}`, '--timeout=10m'],
        missing: await missing(),
        each: true,
      }),
  };
}
