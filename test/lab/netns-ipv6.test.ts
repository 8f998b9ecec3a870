// lockd-netns: an IPv6 floating IP, end to end, with an ipvlan for a link.
import {
  assertSurvived,
  lockThrough,
  logSteps,
  prepareServers,
  reclaimed,
  scenario,
  startAddress,
} from './scenario.js';
import { nlmFailover } from './site.js';

scenario('lockd-netns: an IPv6 floating IP, on an ipvlan', async (t, lab) => {
  const { a, b, disks, moving } = lab;
  await prepareServers(lab, [moving], { driver: 'lockd-netns', link: 'ipvlan' });
  await startAddress(a, moving);
  const locked = await lockThrough(lab, moving);
  await nlmFailover(a, ['release', moving.address]);
  const taken = await nlmFailover(b, ['takeover', moving.address]);
  logSteps(t, 'takeover', taken);
  t.true((taken.lines.at(-1)?.clients?.notified ?? 0) >= 1);
  t.true(await reclaimed(b, disks.vol1.device));
  await assertSurvived(t, lab, locked);
});
