import test, { type ExecutionContext } from 'ava';
import { netnsUnavailable } from '../helpers/netns.js';

const missing = netnsUnavailable();

/** ava's test, one at a time in a file, for tests that make namespaces: skipped, saying why, where there can be none. */
export function netnsTest<A extends unknown[]>(
  title: string,
  implementation: (t: ExecutionContext, ...args: A) => void | Promise<void>,
  ...args: A
): void {
  if (missing === undefined) test.serial(title, implementation, ...args);
  else test.serial.skip(`${title} (${missing})`, implementation, ...args);
}
