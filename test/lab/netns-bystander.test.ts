// lockd-netns: an IPv6 floating IP, end to end, with an ipvlan for a link; and the client of another address on the taking node does not
// notice. How long that one waits is measured in test/bench/bystander.ts, beside the driver lockd.
import { stayingOf, watchBystander } from './bystander-steps.js';
import { summary } from './lock-loop.js';
import { assertSurvived, logSteps, scenario } from './scenario.js';
import { nlmFailover, tool } from './site.js';

interface Status {
  readonly record: { readonly nsmState: number; readonly notNotified: number };
}

scenario(
  'lockd-netns: an IPv6 floating IP, on an ipvlan; a bystander during a takeover is neither notified nor put into grace',
  async (t, lab) => {
    const { b } = lab;
    const staying = stayingOf(lab);
    const status = async () => {
      const { lines } = await nlmFailover(b, ['status', staying.address]);
      return (lines[0] as unknown as Status).record;
    };
    let before: number | undefined;
    const seen = await watchBystander(lab, { driver: 'lockd-netns', link: 'ipvlan' }, async () => {
      before = (await status()).nsmState;
    });
    const { longest, median, rounds } = summary(seen.rounds);
    logSteps(t, 'takeover', seen.takeover);
    t.log(`${rounds} locks, median ${median} ms, longest ${longest} ms`);
    t.true((seen.takeover.lines.at(-1)?.clients?.notified ?? 0) >= 1);
    t.true(seen.reclaimed);
    t.is((await status()).nsmState, before ?? 0);
    const grace = await b.run([tool, 'exec', staying.address, '--', 'cat', '/proc/fs/lockd/nlm_end_grace']);
    t.regex(grace.stdout, /^Y/);
    const threads = (await b.run(['cat', '/proc/fs/nfsd/threads'])).stdout;
    t.is(threads, '4\n', "the host's own nfsd was not restarted");
    await assertSurvived(t, lab, seen.locked);
  },
);
