/** The Levenshtein distance: how many characters must be inserted, removed or replaced. */
export function distance(from: string, to: string): number {
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
export function byDistance(word: string, known: readonly string[]): string[] {
  const lower = word.toLowerCase();
  return known
    .map((candidate) => ({ candidate, far: distance(lower, candidate.toLowerCase()) }))
    .toSorted((a, b) => a.far - b.far)
    .map(({ candidate }) => candidate);
}
