// What phases and test files take, in seconds: for the plan that npm test begins with, and so that the longest files begin first.
// Of the last runs here, in node_modules/.cache; else of costs.json, which is a copy of that from a machine with two CPUs.
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';

const shipped = 'test/runner/costs.json';
const own = 'node_modules/.cache/nlm-failover/costs.json';
/** Removed with build/ at the beginning of the next run, whatever becomes of this one. */
const allMeasured = 'build/costs';

/** @returns {{ phases: Record<string, number>, tests: Record<string, number>, files: Record<string, number> }} tests: how many, by phase */
export function readCosts() {
  const [first, later] = [shipped, own].map((file) =>
    existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {},
  );
  const both = (kind) => ({ ...first[kind], ...later[kind] });
  return { phases: both('phases'), tests: both('tests'), files: both('files') };
}

/** For the next run here. Of what is no phase or file any more nothing is kept. */
export function keepCosts(costs, phases) {
  const files = phases.flatMap((phase) => phase.files ?? []);
  const names = phases.map(({ name }) => name);
  const of = (kind, keys) => {
    const known = keys.filter((key) => costs[kind][key] !== undefined).toSorted();
    return Object.fromEntries(known.map((key) => [key, costs[kind][key]]));
  };
  const kept = { phases: of('phases', names), tests: of('tests', names), files: of('files', files) };
  mkdirSync(dirname(own), { recursive: true });
  writeFileSync(own, `${JSON.stringify(kept, null, 2)}\n`);
}

/** Seconds of a file; of one that is not known, as long as the one in the middle of its folder. */
export function secondsOf(files, file) {
  if (files[file] !== undefined) return files[file];
  const beside = Object.entries(files).filter(([other]) => dirname(other) === dirname(file));
  return beside.map(([, seconds]) => seconds).toSorted((a, b) => a - b)[Math.floor(beside.length / 2)] ?? 1;
}

const { files: known } = readCosts();

/** Compares two paths, for ava. */
export function longestFirst(a, b) {
  const [first, second] = [a, b].map((file) => secondsOf(known, relative('.', file)));
  return second - first;
}

/** From now on an ava with this environment notes what each file takes, until `seconds()` tells it, by file. */
export function startMeasuring() {
  mkdirSync(allMeasured, { recursive: true });
  // Two may run at once.
  const measured = mkdtempSync(join(allMeasured, 'ava-'));
  return {
    env: { NLM_TEST_COSTS: measured },
    seconds: () => {
      const notes = readdirSync(measured).map((name) =>
        JSON.parse(readFileSync(join(measured, name), 'utf8')),
      );
      rmSync(measured, { recursive: true });
      return Object.fromEntries(notes.map(({ file, seconds }) => [relative('.', file), Math.ceil(seconds)]));
    },
  };
}
