// Counting, and what the counts mean.

/** @returns {{ passed: number, failed: number, skipped: number }} */
export function newTally() {
  return { passed: 0, failed: 0, skipped: 0 };
}

/** Adds what one phase has counted. */
export function addTo(tally, { passed, failed, skipped }) {
  tally.passed += passed;
  tally.failed += failed;
  tally.skipped += skipped;
}

/** What is said at the end; the last line stands alone, so that programs can read it. */
export function lastLines(tally, { ci }) {
  const { passed, failed, skipped } = tally;
  const lines = [];
  if (ci && skipped > 0) lines.push(`${skipped} skipped: in CI everything must run, so this is a failure`);
  if (passed + failed + skipped === 0) lines.push('nothing was run, so this is a failure');
  lines.push(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  return lines;
}

/** 0 if all is well: nothing failed, something passed, and in CI nothing was skipped. */
export function exitCodeOf({ passed, failed, skipped }, { ci }) {
  return failed > 0 || passed === 0 || (ci && skipped > 0) ? 1 : 0;
}
