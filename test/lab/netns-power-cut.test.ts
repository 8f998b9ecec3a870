// lockd-netns: A dies; and a crash of the command itself in the middle of B-2. The link is a veth into a bridge.
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

scenario('lockd-netns: power cut, and what a crashed takeover left on B is cleared', async (t, lab) => {
  const { a, b, disks, moving } = lab;
  const state = disks.state1.device;
  await prepareServers(lab, [moving], { driver: 'lockd-netns', link: 'veth' });
  await startAddress(a, moving);
  const locked = await lockThrough(lab, moving);
  // Who says --fenced of a node that is alive: the disk says no, and who has it.
  const refused = await nlmFailover(b, ['takeover', moving.address, '--fenced'], false);
  t.is(refused.exitCode, 4, refused.stdout + refused.stderr);
  t.regex(refused.stdout, /"DEVICE_IN_USE".*is mounted on A, and its file system refuses a second mount/);
  t.false((await b.mounts()).some(({ device }) => [state, disks.vol1.device].includes(device)));
  await a.powerCut();
  // A half-built instance, as a takeover leaves it that is killed in the middle of B-2.
  await b.run(`ip netns add nfs-${moving.address}
    ip link add link br0 name leftover type macvlan mode bridge
    ip link set leftover netns nfs-${moving.address} name nfs0
    ip netns exec nfs-${moving.address} sleep 600 >/dev/null 2>&1 &
    mkdir -p /run/nlm-failover/instances/${moving.address}`);
  const taken = await nlmFailover(b, ['takeover', moving.address, '--fenced']);
  logSteps(t, 'takeover --fenced', taken);
  t.regex(taken.stdout, /cleared what was left of an earlier instance/);
  t.true(await reclaimed(b, disks.vol1.device));
  await assertSurvived(t, lab, locked);
  t.is((await b.run('ps -eo args | grep -c "[s]leep 600"', { reject: false })).stdout, '0\n');
});
