// lockd-netns where systemd runs: the daemons of an instance are its transient units, and gone with the instance.
import {
  assertSurvived,
  lockThrough,
  prepareServers,
  reclaimed,
  scenario,
  startAddress,
} from './scenario.js';
import { nlmFailover } from './site.js';

scenario(
  'lockd-netns: under systemd a daemon that dies comes back, rpcbind does not, and release leaves no unit',
  async (t, lab) => {
    const { a, b, disks, moving, site } = lab;
    await prepareServers(lab, [moving], { driver: 'auto' });
    await startAddress(a, moving);
    const unit = (name: string) => `nlm-failover-${moving.address}-${name}.service`;
    const mainPid = async (name: string) =>
      (await a.run(['systemctl', 'show', '--property=MainPID', '--value', unit(name)])).stdout.trim();
    const units = async () =>
      (await a.run(['systemctl', 'list-units', '--all', '--plain', '--no-legend', 'nlm-failover-*'])).stdout
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => line.split(/\s+/).slice(0, 4).join(' '));
    t.deepEqual(
      await units(),
      ['rpc.mountd', 'rpc.statd', 'rpcbind'].map((name) => `${unit(name)} loaded active running`),
    );
    const before = await mainPid('rpc.statd');
    await a.run(['kill', '-9', before]);
    // systemd starts it anew after 100 ms (RestartSec); then status has nothing to say against it.
    let status = await nlmFailover(a, ['status'], false);
    for (let look = 0; look < 60 && status.exitCode !== 0; look += 1)
      status = await nlmFailover(a, ['status'], false);
    t.is(status.exitCode, 0);
    t.not(await mainPid('rpc.statd'), before);
    // The new one announces whom lockd monitors now: the lock's holder gets into the record.
    const locked = await lockThrough(lab, moving);
    t.true((await nlmFailover(a, ['clients'])).stdout.includes(site.addressOf(locked.holder)));

    await a.run(['kill', '-9', await mainPid('rpcbind')]);
    t.is((await nlmFailover(a, ['status'], false)).exitCode, 1);
    await nlmFailover(a, ['release', moving.address]);
    t.deepEqual(await units(), []);

    await nlmFailover(b, ['takeover', moving.address]);
    t.true(await reclaimed(b, disks.vol1.device));
    await assertSurvived(t, lab, locked);
  },
  { systemdOnA: true },
);
