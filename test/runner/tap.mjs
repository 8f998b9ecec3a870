// Reads ava's TAP output (TAP 13), line by line.

const testLine = /^(not ok|ok) [0-9]+(?: - (.*?))?(?: # (SKIP|TODO)\b.*)?$/;

/**
 * A reader to be fed with lines. `onTest` gets each test at once; `onDetail` the lines that follow it: the
 * failure as YAML, and what the test logged. `result()` counts; `complete` is false if the output ended
 * before its plan, which a crash does.
 */
export function tapReader({ onTest, onDetail }) {
  const result = { passed: 0, failed: 0, skipped: 0, complete: false };
  return {
    line(text) {
      const test = testLine.exec(text);
      if (/^1\.\.[0-9]+/.test(text)) {
        result.complete = true;
      } else if (test) {
        const state = stateOf(test[1], test[3]);
        result[state]++;
        onTest({ state, title: test[2] ?? '' });
      } else if (!result.complete && text !== '' && !text.startsWith('TAP version')) {
        onDetail(text.replace(/^(#|) {1,3}/, ''));
      }
    },
    result: () => result,
  };
}

/** A todo is a test that is not there yet: it says nothing about the program, like a skipped one. */
function stateOf(ok, directive) {
  if (directive !== undefined) return 'skipped';
  return ok === 'ok' ? 'passed' : 'failed';
}
