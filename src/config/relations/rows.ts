import { type Problem, Wrong } from '../problem.js';

// The raw file, as far as it is what it should be: for what its values must be to each other.

/** A table of the file, unjudged, and the path that leads to it. */
export interface Row {
  readonly at: Problem['path'];
  readonly row: Readonly<Record<string, unknown>>;
}

/** The tables of an array, if it is one. */
export function rows(value: unknown, path: Problem['path']): Row[] {
  return Array.isArray(value) ? value.map((row, at) => ({ at: [...path, at], row: record(row) })) : [];
}

/** A table; an empty one where it is none. */
export function record(value: unknown): Row['row'] {
  return isTable(value) ? value : {};
}

function isTable(value: unknown): value is Row['row'] {
  return typeof value === 'object' && value !== null;
}

/** Reads a string; what is none is wrong in itself, which others say. */
export function ofString(read: (text: string) => string | Wrong): (value: unknown) => string | Wrong {
  return (value) => (typeof value === 'string' ? read(value) : new Wrong('not a string'));
}
