// Issue 4, 9: a reclaim that does not come is reported to nobody by the kernel, and named by nlm-failover.
import type { NfsClient } from './client.js';
import { prepareServers, reclaimed, scenario, startAddress } from './scenario.js';
import { nlmFailover, nlmFailoverWaiting, type ToolResult } from './site.js';

/** Without its loopback a client's statd hears SM_NOTIFY, and answers, but cannot tell its kernel. */
async function deafen(client: NfsClient): Promise<void> {
  await client.run(['ip', 'link', 'set', 'lo', 'down']);
}

/** The client is gone from the network, as one whose machine froze. */
async function freeze(client: NfsClient): Promise<void> {
  await client.run(['ip', 'link', 'set', 'eth0', 'down']);
}

/** Its process id is left in a file. */
const lockInBackground = `exec 9<>"$1" && flock -x 9 || exit
  sleep infinity >/dev/null 2>&1 &
  echo "$!" >"$2"`;
/** Ends the process, which does not go before its unlock request is answered, and waits until its kernel has let go. */
const letGo = `before=$(grep -c FLOCK /proc/locks)
  kill "$(cat "$1")"
  until [ "$(grep -c FLOCK /proc/locks)" -lt "$before" ]; do sleep 0.05; done`;

/** What the audit found, each finding as its verdict, file and clients. */
function findings({ lines }: ToolResult): (readonly [string, string | undefined, readonly string[]])[] {
  return (lines.at(-1)?.audit?.findings ?? []).map(({ verdict, path, clients }) => [verdict, path, clients]);
}

scenario('a lock that is not reclaimed is named, with its file and its client', async (t, lab) => {
  const { a, b, c, disks, moving, site } = lab;
  const path = site.exportPath('vol1');
  await prepareServers(lab);
  await startAddress(a, moving);
  const [frozen, tidy, healthy] = [c.client('holder'), c.client('rival'), c.client('other')];
  await Promise.all([frozen, tidy, healthy].map((client) => client.mount({ server: moving.address, path })));
  await frozen.lock('/mnt/nfs/of-frozen');
  await tidy.run(lockInBackground, { args: ['/mnt/nfs/of-tidy', '/run/keeper'] });
  await healthy.lock('/mnt/nfs/of-healthy');

  // One lets go of its only lock while nobody serves it; everybody else reclaims.
  await nlmFailover(a, ['release', moving.address]);
  await tidy.run(letGo, { args: ['/run/keeper'] });
  const waiting = nlmFailoverWaiting(b, ['takeover', moving.address]);
  t.true(await reclaimed(b, disks.vol1.device, 2));
  await b.endGrace();
  const first = await waiting;
  t.is(first.lines.at(-1)?.result, 'done', 'nobody is accused');
  t.deepEqual(findings(first), [['not-reclaimed', `${path}/of-tidy`, []]]);
  t.like(first.lines.at(-1)?.audit, { locks: { held: 3, reclaimed: 2 }, clients: { notified: 3, back: 2 } });
  await nlmFailover(b, ['audit', moving.address, '--acknowledge']);

  // One is notified, and freezes before it has reclaimed.
  await nlmFailover(b, ['release', moving.address]);
  await deafen(frozen);
  const notified = await nlmFailover(a, ['takeover', moving.address]);
  t.is(notified.lines.at(-1)?.clients?.notNotified, 0, notified.stdout);
  await freeze(frozen);
  t.true(await reclaimed(a, disks.vol1.device));
  const inGrace = await nlmFailover(a, ['audit', moving.address]);
  t.like(inGrace.lines.at(-1)?.audit, { state: 'in-grace', locks: { held: 2, reclaimed: 1 } });
  await a.endGrace();
  const second = await nlmFailoverWaiting(a, ['takeover', moving.address], false);
  t.is(second.exitCode, 6);
  t.is(second.lines.at(-1)?.result, 'lost');
  t.deepEqual(findings(second), [['lost', `${path}/of-frozen`, [site.addressOf(frozen)]]]);
  const status = await nlmFailover(a, ['status', moving.address], false);
  t.is(status.exitCode, 1);
  t.regex(status.stdout, /of-frozen/);
  t.is((await nlmFailover(a, ['audit', moving.address], false)).exitCode, 6);
  await nlmFailover(a, ['audit', moving.address, '--acknowledge']);
  t.notRegex((await nlmFailover(a, ['status', moving.address])).stdout, /of-frozen/);
});

scenario('after a power cut the client that does not come back is named', async (t, lab) => {
  const { a, b, c, disks, moving, site } = lab;
  const path = site.exportPath('vol1');
  await prepareServers(lab);
  await startAddress(a, moving);
  const [frozen, idle, healthy] = [c.client('holder'), c.client('rival'), c.client('other')];
  await Promise.all([frozen, idle, healthy].map((client) => client.mount({ server: moving.address, path })));
  await frozen.lock('/mnt/nfs/of-frozen');
  await healthy.lock('/mnt/nfs/of-healthy');
  t.true(await idle.tryLock('/mnt/nfs/of-idle'), 'a client that holds nothing any more');
  await a.powerCut();
  await deafen(frozen);
  const notified = await nlmFailover(b, ['takeover', moving.address, '--fenced']);
  t.is(notified.lines.at(-1)?.clients?.notNotified, 0, notified.stdout);
  await freeze(frozen);
  t.true(await reclaimed(b, disks.vol1.device), 'the healthy one');
  await b.endGrace();
  const waited = await nlmFailoverWaiting(b, ['takeover', moving.address, '--fenced'], false);
  t.is(waited.exitCode, 6);
  t.deepEqual(findings(waited), [
    ['silent', undefined, [site.addressOf(frozen)]],
    ['idle', undefined, [site.addressOf(idle)]],
  ]);
});
