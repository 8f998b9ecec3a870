// A node that was stopped (SIGSTOP) for longer than a step may take has not waited: it goes on where it was, or finds that the
// address is another's, as one that was stopped for a moment does. See two-owners.test.ts.
import test, { type ExecutionContext } from 'ava';
import { makeRehearsal, type RehearsalSite } from '../helpers/rehearsal-site.js';
import { waitFor } from '../wire/wait-for.js';
import { runStopped, runStruck } from './strike.js';

const address = '127.77.8.1';

/** A release on A, stopped in its first step for longer than that may take, and what it ends with. */
async function release(t: ExecutionContext, meanwhile: (site: RehearsalSite) => Promise<void>) {
  t.timeout(120_000);
  const site = makeRehearsal({ address, rpcbindPort: 1 });
  t.teardown(() => site.remove());
  const { a, directory } = site;
  t.is((await a.here(['takeover', address, '--no-wait'])).exitCode, 0);
  const { effects } = await runStruck(directory, 'A', ['release', address], {});
  const strike = effects.find(({ what }) => what.endsWith('/addresses.json'))?.number ?? 0;
  t.is((await a.here(['takeover', address, '--no-wait'])).exitCode, 0);
  const text = a.read('/etc/nlm-failover.toml');
  const timeouts = '[timeouts]\nstep = 2\nrecord = 1\n\n[lock_manager]';
  a.write('/etc/nlm-failover.toml', text.replace('[lock_manager]', timeouts));
  const ended = await runStopped(directory, 'A', ['release', address], strike, async () => {
    const since = performance.now();
    await meanwhile(site);
    // Beyond the step's time, and that of the watchdog.
    await waitFor('the time of the step to pass', async () => performance.now() - since > 6_000);
  });
  return { site, ...ended };
}

test('stopped for longer than the step may take: it goes on', async (t) => {
  const { exitCode, stderr, site } = await release(t, async () => undefined);
  t.is(exitCode, 0, stderr);
  t.is(site.a.read('/addresses.json'), '[]');
});

test('stopped for longer than the step may take, and another node took over: exit code 4', async (t) => {
  const { exitCode, stderr, site } = await release(t, async ({ b }) => {
    t.is((await b.here(['takeover', address, '--fenced', '--no-wait'])).exitCode, 0);
  });
  t.is(exitCode, 4, stderr);
  t.true(site.a.read('/proc/self/mountinfo').includes('/mnt/vol1'), 'nothing more was touched');
});
