// node build/test/bench/compare.js [WORD...]: the same planned move and the same power cut, in the same cluster of two real kernels, with
// the stock agents and with ours. Prints the Markdown table that stands in test/README.md.
// With words: only those whose names have one of them.
import { Cluster } from '../lab/cluster/cluster.js';
import { applyPacemaker, resourceOf } from '../lab/cluster/ours.js';
import { stockGroup, stockXml } from '../lab/cluster/stock-agents.js';
import { bootLab, type Lab } from '../lab/lab.js';
import { startRivalLoop } from '../lab/rival-loop.js';
import { file, lockThrough, type Locked, prepareServer } from '../lab/scenario-steps.js';
import type { Server } from '../lab/server.js';
import { prepareVolumes } from '../lab/site.js';

interface Seen {
  readonly agents: string;
  readonly event: string;
  readonly kept: boolean;
  readonly stolen: number;
  readonly tries: number;
  readonly gapSeconds: number;
  readonly failedReclaims: boolean;
}

interface Agents {
  readonly name: string;
  prepare(lab: Lab, server: Server): Promise<void>;
  add(lab: Lab, cluster: Cluster): Promise<void>;
  resource(lab: Lab): string;
  /** What crm_mon shows of the last one of its resources, as a regular expression. */
  readonly shown: string;
}

/** sm-notify -v takes an address only where it has a name (nfs-utils utils/statd/hostname.c). */
const nameOf = (address: string) => `127.0.0.1 localhost\n${address} nfs.example.com\n`;

const notifying: Agents = {
  name: 'Filesystem, exportfs, IPaddr2, nfsnotify',
  prepare: async (lab, server) => {
    await server.run(['mkdir', '-p', ...lab.site.directories(['vol1'])]);
    await server.write('/etc/hosts', nameOf(lab.moving.address));
    await server.startNfs({ pastGrace: true });
  },
  add: (lab, cluster) => cluster.add(lab.a, stockXml(lab, lab.moving, 'nfsnotify')),
  resource: ({ moving }) => stockGroup(moving),
  shown: 'heartbeat:nfsnotify',
};

const serving: Agents = {
  name: 'Filesystem, nfsserver, exportfs, IPaddr2',
  prepare: async (lab, server) => {
    await server.run(['mkdir', '-p', ...lab.site.directories(['vol1'])]);
    await server.write('/etc/hosts', nameOf(lab.moving.address));
    // The init script starts nothing where /etc/exports is empty.
    await server.write('/etc/exports', '/run localhost(ro,fsid=99,no_subtree_check)\n');
  },
  add: (lab, cluster) => cluster.add(lab.a, stockXml(lab, lab.moving, 'nfsserver')),
  resource: ({ moving }) => stockGroup(moving),
  shown: 'heartbeat:IPaddr2',
};

const ours: Agents = {
  name: 'ocf:nlm-failover:address',
  prepare: (lab, server) =>
    prepareServer(lab, server, [lab.moving], { driver: 'lockd-netns', failback: true }),
  add: (lab) => applyPacemaker(lab.a, [lab.moving]),
  resource: ({ moving }) => resourceOf(moving),
  shown: 'nlm-failover:address',
};

function say(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

/** What becomes of a lock and of a client's writes while the address goes from one node to the other. */
async function watch(
  lab: Lab,
  cluster: Cluster,
  { holder, rival }: Locked,
  to: Server,
  shown: string,
  leave: () => Promise<void>,
): Promise<Omit<Seen, 'agents' | 'event'>> {
  const { c, disks } = lab;
  await c.run(['dmesg', '--clear']);
  const writes = await holder.appendLoop('/mnt/nfs/writes');
  const rivals = await startRivalLoop(rival, file);
  say('it happens');
  await leave();
  await cluster.untilSeen(to, `${shown}.*Started ${to.name}`, 300);
  await cluster.untilQuiet(to, 300);
  say(`served on ${to.name}`);
  // A client that was notified reclaims within seconds.
  await to.untilLocked(disks.vol1.device, 1, 60);
  const [{ longestGapMs }, { stolen, tries }] = await Promise.all([writes.stop(), rivals.stop()]);
  return {
    kept: (await to.nfsLocks(disks.vol1.device)).length === 1 && stolen === 0,
    stolen,
    tries,
    gapSeconds: longestGapMs / 1000,
    failedReclaims: await c.clientLogHas('failed to reclaim'),
  };
}

async function measure(agents: Agents): Promise<Seen[]> {
  say(agents.name);
  const lab = await bootLab({ onKernels: { A: 'system', B: 'system', C: 'system' } });
  try {
    const { a, b, moving } = lab;
    await prepareVolumes(lab, a, [moving]);
    const cluster = new Cluster(lab);
    await Promise.all([agents.prepare(lab, a), agents.prepare(lab, b), cluster.start()]);
    await agents.add(lab, cluster);
    await cluster.untilQuiet(a);
    const locked = await lockThrough(lab, moving);
    say('locked');
    const planned = await watch(lab, cluster, locked, b, agents.shown, () =>
      cluster.move(a, agents.resource(lab), b),
    );
    // Whoever has lost the lock takes it anew.
    await locked.lock.release();
    const again = { ...locked, lock: await locked.holder.lock(file) };
    const cut = await watch(lab, cluster, again, a, agents.shown, () => b.powerCut());
    return [
      { agents: agents.name, event: 'planned move', ...planned },
      { agents: agents.name, event: 'power cut', ...cut },
    ];
  } finally {
    await lab.stop();
  }
}

const all = [notifying, serving, ours];
const wanted = process.argv.slice(2);
const chosen =
  wanted.length === 0 ? all : all.filter(({ name }) => wanted.some((word) => name.includes(word)));
const seen: Seen[] = [];
for (const agents of chosen) seen.push(...(await measure(agents)));
const rows = seen.map(
  ({ agents, event, kept, stolen, tries, gapSeconds }) =>
    `| ${agents} | ${event} | ${kept ? 'kept' : '**lost**'} | ${stolen === 0 ? 'never' : `**${stolen} times**`} (${tries} tries) | ${gapSeconds.toFixed(1)} s |`,
);
process.stdout
  .write(`| agents | what happened | the client's lock | the rival got it | the longest gap of its writes |
| --- | --- | --- | --- | --- |
${rows.join('\n')}
`);
for (const { agents, event, failedReclaims } of seen)
  process.stdout.write(
    `${agents}, ${event}: ${failedReclaims ? 'the kernel said' : 'no'} "failed to reclaim"\n`,
  );
