// Everything the runner prints goes through here, so that a progress line never mixes with other output, nor a phase with one beside it.
import { AsyncLocalStorage } from 'node:async_hooks';
const terminal = process.stdout.isTTY === true && process.env.TERM !== 'dumb';
let progressShown = false;

/** What is to be written by whom: undefined for who writes at once. */
const held = new AsyncLocalStorage();

/** Runs something whose lines are kept until `release`, which writes them, and from then on as they come. */
export function holdBack(run) {
  const state = { lines: [] };
  const result = held.run(state, run);
  return {
    result,
    release: () => {
      const lines = state.lines ?? [];
      state.lines = undefined;
      for (const line of lines) write(line);
    },
  };
}

/** One line, for good. */
export function write(line) {
  const { lines } = held.getStore() ?? {};
  if (lines !== undefined) {
    lines.push(line);
    return;
  }
  clear();
  process.stdout.write(`${line}\n`);
}

/** One line that the next one replaces; only where somebody may be watching. */
export function progress(line) {
  if (!terminal || held.getStore()?.lines !== undefined) return;
  clear();
  process.stdout.write(line.slice(0, (process.stdout.columns ?? 80) - 1));
  progressShown = true;
}

function clear() {
  if (progressShown) process.stdout.write('\r\u001b[K');
  progressShown = false;
}

/** 1234 (milliseconds) as "1.2 s", 83000 as "1 min 23 s". */
export function seconds(ms) {
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const whole = Math.round(ms / 1000);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
