// Which compiled test file belongs to which phase: build/test/wire and build/test/lab by their folder. By their sources, so that it
// can be said before anything is compiled.
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';

const root = 'build/test';

/** What the scenarios of a cluster do too, without one: for where no Pacemaker is; GlusterFS without Pacemaker, as two of its volumes at once, beside all else, are slower than what they are to prove; and CTDB, whose nodes share a kernel there, with its mutex of nfsd: a node that hangs may stop another. */
const onlyInFullRun = [
  'netns-failback',
  'netns-power-cut',
  'netns-two-addresses',
  'gluster-moves',
  'ctdb',
  'ctdb-stock',
  'ctdb-trouble',
];

/** A phase of its own, beside others. */
const waitsMost = 'gluster-cluster';

/** @returns {{ unit: string[], wire: string[], lab: string[], gluster: string[] }} paths from the project's top, sorted */
export function testFiles() {
  const names = readdirSync('test', { recursive: true }).toSorted();
  const all = [
    ...names
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => `${root}/${name.replace(/ts$/, 'js')}`),
    ...names.filter((name) => name.endsWith('.test.mjs')).map((name) => `test/${name}`),
  ];
  const wire = all.filter((file) => file.startsWith(`${root}/wire/`));
  const inLab = all.filter((file) => file.startsWith(`${root}/lab/`));
  const full = ['NLM_FULL', 'LAB_FAILOVERS'].some((name) => process.env[name] !== undefined);
  const inThisRun = inLab.filter((file) => full || !onlyInFullRun.includes(basename(file, '.test.js')));
  const [gluster, lab] = [true, false].map((waits) =>
    inThisRun.filter((file) => (basename(file, '.test.js') === waitsMost) === waits),
  );
  return { unit: all.filter((file) => !wire.includes(file) && !inLab.includes(file)), wire, lab, gluster };
}
