import { existsSync, readdirSync } from 'node:fs';
import { type Mark, marksDirectory, readMarks } from '../../src/rundir/marks.js';

/** Every mark in a run directory, whatever its name. */
export function allMarks(run: string): Mark[] {
  const directory = marksDirectory(run);
  return existsSync(directory) ? readMarks(run, readdirSync(directory)) : [];
}
