// Pacemaker, one resource for each address (lockd-netns): two addresses of one client move, each alone; and what moves nothing.
import type { ExecutionContext } from 'ava';
import { Cluster, clusterCommands } from './cluster/cluster.js';
import { epochOf, resourceOf, startAddressesOnA } from './cluster/ours.js';
import type { Lab } from './lab.js';
import { startRivalLoop } from './rival-loop.js';
import { file, lockThrough, scenario } from './scenario.js';
import type { Server } from './server.js';
import type { SiteIp } from './site.js';

const secondFile = '/mnt/second/file';

/** An agent called past the cluster manager, as it calls it. */
async function force(server: Server, action: 'start' | 'stop', ip: SiteIp): Promise<void> {
  await server.run(['crm_resource', `--force-${action}`, '-r', resourceOf(ip)], { timeoutSeconds: 180 });
}

async function assertLocks(
  t: ExecutionContext,
  { lab, cluster }: { readonly lab: Lab; readonly cluster: Cluster },
  on: Readonly<Record<'vol1' | 'vol2', Server>>,
): Promise<void> {
  const { a, b, c, disks } = lab;
  for (const name of ['vol1', 'vol2'] as const) {
    const { device } = disks[name];
    await cluster.untilLocked(on[name], device);
    const elsewhere = on[name] === a ? b : a;
    t.false(
      (await elsewhere.mounts()).some((mount) => mount.device === device),
      `${name}: mounted once`,
    );
  }
  t.false(await c.clientLogHas('failed to reclaim'));
}

scenario(
  'pacemaker: two addresses move, each alone, and a cluster manager that is started anew moves nothing',
  async (t, lab) => {
    const { a, b, c, moving, site } = lab;
    const second = site.ip(2, [{ disk: 'vol2', fsid: 2 }]);
    const [one, two] = [moving, second].map(resourceOf) as [string, string];
    const cluster = new Cluster(lab);
    const seen = { lab, cluster };
    await startAddressesOnA(lab, cluster, [moving, second], { driver: 'lockd-netns', watched: true });
    const { rival, holder } = await lockThrough(lab, moving);
    await Promise.all(
      [holder, rival].map((client) =>
        client.mount({ server: second.address, path: site.exportPath('vol2'), at: '/mnt/second' }),
      ),
    );
    await holder.lock(secondFile);
    const rivals = [await startRivalLoop(rival, file), await startRivalLoop(rival, secondFile)];
    const began = await epochOf(a, moving);

    // Twice is once: of what is served here, and of what is not.
    await Promise.all([force(a, 'start', moving), force(b, 'stop', moving)]);
    await assertLocks(t, seen, { vol1: a, vol2: a });

    await cluster.maintenance(a, true);
    await Promise.all([a, b].map((server) => cluster.stopOn(server)));
    await cluster.start();
    await cluster.maintenance(a, false);
    await cluster.untilQuiet(a);
    await assertLocks(t, seen, { vol1: a, vol2: a });
    t.is(await epochOf(a, moving), began, 'neither command nor cluster manager began anything');

    await cluster.move(a, one, b);
    await assertLocks(t, seen, { vol1: b, vol2: a });
    await cluster.untilQuiet(a);

    await Promise.all([cluster.move(a, one, a), cluster.move(b, two, b)]);
    await assertLocks(t, seen, { vol1: a, vol2: b });
    await cluster.untilQuiet(a);
    await Promise.all([a.endGrace(moving.address), b.endGrace(second.address)]);
    t.false(await rival.tryLock(file));
    t.false(await rival.tryLock(secondFile));

    for (const resource of [one, two]) await cluster.stay(a, resource);
    await cluster.standby(a, true);
    await assertLocks(t, seen, { vol1: b, vol2: b });
    await cluster.untilQuiet(b);

    // nfsd of one instance is gone, and rpc.statd of the other one. A stays in standby: where two fail at once, one is stopped already when
    // the cluster manager decides anew, and then goes where it began.
    await b.run([b.tool, 'exec', moving.address, '--', 'rpc.nfsd', '0'], { timeoutSeconds: 120 });
    await b.run(
      'for pid in $(ip netns pids "nfs-$1"); do [ "$(cat /proc/$pid/comm)" = rpc.statd ] && kill -9 "$pid"; done; :',
      { args: [second.address] },
    );
    for (const resource of [one, two])
      await cluster.untilSeen(b, `${resource.replaceAll('.', '[.]')}: .*fail-count`);
    await cluster.untilQuiet(b);
    await assertLocks(t, seen, { vol1: b, vol2: b });
    await Promise.all([moving, second].map(({ address }) => b.endGrace(address)));
    t.false(await rival.tryLock(file));
    t.false(await rival.tryLock(secondFile));

    // Nothing goes home by itself.
    await cluster.standby(a, false);
    await cluster.untilQuiet(b);
    await assertLocks(t, seen, { vol1: b, vol2: b });

    for (const loop of rivals) {
      const { tries, stolen } = await loop.stop();
      t.is(stolen, 0);
      t.true(tries > 0);
    }
    t.deepEqual(cluster.fenced, []);
    t.false(await c.clientLogHas('failed to reclaim'));
  },
  { commands: clusterCommands, minutes: 20 },
);
