import type { ExecutionContext } from 'ava';
import { Guest } from './guest.js';

/**
 * Opens a lab, uses it and stops it. Where that lasts longer than so many minutes, the test fails with what ran in the guests: the
 * lab is stopped, and so whatever the test waits for ends. Ava's own limit would fail the test and leave it waiting.
 */
export async function useLab<L extends { stop(): Promise<void> }>(
  t: ExecutionContext,
  minutes: number,
  open: () => Promise<L>,
  use: (lab: L) => Promise<void>,
): Promise<void> {
  t.timeout((minutes + 5) * 60_000);
  const lab = await open();
  let sight: string | undefined;
  const limit = setTimeout(() => {
    sight = '';
    const guests = Object.values<unknown>({ ...lab }).filter((value) => value instanceof Guest);
    void Promise.all(guests.map((guest) => guest.sight())).then((all) => {
      sight = all.join('\n');
      return lab.stop();
    });
  }, minutes * 60_000);
  try {
    await use(lab);
  } catch (error) {
    if (sight === undefined) throw error;
    throw new Error(`after ${minutes} minutes the lab was stopped.\n${sight}`, { cause: error });
  } finally {
    clearTimeout(limit);
    await lab.stop();
  }
}
