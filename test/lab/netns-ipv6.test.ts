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
import { nlmFailover, type SiteIp } from './site.js';

const moving6: SiteIp = {
  address: 'fd00:10:10:1::1',
  filesystems: [{ disk: 'vol1', fsid: 1234 }],
};

scenario('lockd-netns: an IPv6 floating IP, on an ipvlan', async (t, lab) => {
  const { a, b, disks } = lab;
  await prepareServers(lab, [moving6], { driver: 'lockd-netns', link: 'ipvlan' });
  await startAddress(a, moving6);
  const locked = await lockThrough(lab, moving6);
  await nlmFailover(a, ['release', moving6.address]);
  const taken = await nlmFailover(b, ['takeover', moving6.address]);
  logSteps(t, 'takeover', taken);
  t.true((taken.lines.at(-1)?.clients?.notified ?? 0) >= 1);
  t.true(await reclaimed(b, disks.vol1.device));
  await assertSurvived(t, lab, locked);
});
