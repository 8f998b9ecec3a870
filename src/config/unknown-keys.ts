import type { schemaOf } from './schema.js';
import type { Problem } from './problem.js';
import { entriesOf, itemOf, type Shape } from './schema-shape.js';

type Path = Problem['path'];

/**
 * Every key that the schema does not have, at every level, with the nearest one that it has.
 * valibot's own strict object stops at the first.
 */
export function unknownKeys(of: ReturnType<typeof schemaOf>, input: unknown): Problem[] {
  const top: Shape = of;
  return walk(top, input, [], tablesByKey(top));
}

function walk(shape: Shape, input: unknown, path: Path, elsewhere: ReadonlyMap<string, string>): Problem[] {
  const item = itemOf(shape);
  if (item) {
    return Array.isArray(input)
      ? input.flatMap((member, at) => walk(item, member, [...path, at], elsewhere))
      : [];
  }
  const entries = entriesOf(shape);
  if (!entries || typeof input !== 'object' || input === null || Array.isArray(input)) return [];
  return Object.entries(input).flatMap(([key, member]) => {
    const known = Object.hasOwn(entries, key) ? entries[key] : undefined;
    const at = [...path, key];
    return known
      ? walk(known, member, at, elsewhere)
      : [{ path: at, message: suggestion(key, Object.keys(entries), elsewhere.get(key)) }];
  });
}

function suggestion(key: string, known: readonly string[], table: string | undefined): string {
  // A right key in the wrong table is nearer than any other: TOML tables go on until the next header.
  if (table !== undefined) return `unknown key here; it belongs ${table}`;
  const sorted = byDistance(key, known);
  const [nearest = ''] = sorted;
  return distance(key, nearest) <= Math.max(2, nearest.length / 2)
    ? `unknown key; did you mean "${nearest}"?`
    : `unknown key; known here, nearest first: ${sorted.join(', ')}`;
}

/** Where each key of the language belongs, for those that have one place, or two. */
function tablesByKey(top: Shape): ReadonlyMap<string, string> {
  const places = new Map<string, Set<string>>();
  const visit = (shape: Shape, header: string): void => {
    const item = itemOf(shape);
    for (const [key, member] of Object.entries(entriesOf(item ?? shape) ?? {})) {
      places.set(key, (places.get(key) ?? new Set()).add(placeOf(header, item !== undefined)));
      visit(member, header === '' ? key : `${header}.${key}`);
    }
  };
  visit(top, '');
  return new Map([...places].flatMap(([key, set]) => (set.size <= 2 ? [[key, [...set].join(' or ')]] : [])));
}

function placeOf(header: string, many: boolean): string {
  if (header === '') return 'above the first [table]';
  return many ? `in [[${header}]]` : `in [${header}]`;
}

/** The Levenshtein distance: how many characters must be inserted, removed or replaced. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

/** The known words, nearest to `word` first; equally near ones stay in their order. */
function byDistance(word: string, known: readonly string[]): string[] {
  const lower = word.toLowerCase();
  return known
    .map((candidate) => ({ candidate, far: distance(lower, candidate.toLowerCase()) }))
    .toSorted((a, b) => a.far - b.far)
    .map(({ candidate }) => candidate);
}
