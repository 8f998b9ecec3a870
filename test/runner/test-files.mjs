// Which compiled test file belongs to which phase: build/test/wire and build/test/lab by their folder. By their sources, so that it
// can be said before anything is compiled.
import { readdirSync } from 'node:fs';

const root = 'build/test';

/** @returns {{ unit: string[], wire: string[], lab: string[] }} paths from the project's top, sorted */
export function testFiles() {
  const names = readdirSync('test', { recursive: true }).toSorted();
  const all = [
    ...names
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => `${root}/${name.replace(/ts$/, 'js')}`),
    ...names.filter((name) => name.endsWith('.test.mjs')).map((name) => `test/${name}`),
  ];
  const wire = all.filter((file) => file.startsWith(`${root}/wire/`));
  // There and back again, and again, is for the full run: LAB_FAILOVERS=20 npm test -- lab. A -> B -> A is in
  // netns-two-addresses in every run.
  const full = process.env.LAB_FAILOVERS !== undefined;
  const inLab = all.filter((file) => file.startsWith(`${root}/lab/`));
  // Corosync and Pacemaker make a guest's every step dear: LAB_CLUSTER=1 npm test -- lab.
  const clusters = process.env.LAB_CLUSTER !== undefined;
  const lab = inLab.filter(
    (file) =>
      (full || !file.endsWith('/netns-failback.test.js')) && (clusters || !file.includes('/lab/cluster-')),
  );
  return { unit: all.filter((file) => !wire.includes(file) && !inLab.includes(file)), wire, lab };
}
