// Other people's configurations on the rehearsal host, as the lab has them (test/lab/sites): those of their traits that are to be seen
// without a kernel. There and back on each.
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { startLoopbackClient } from '../demo/loopback-client.js';
import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';
import { addClient, jsonLines } from '../helpers/rehearsal-steps.js';
import { drawSites } from '../lab/sites/draw.js';
import { LabSite } from '../lab/sites/lab-site.js';
import { describeSite } from '../lab/sites/scenarios.js';
import type { SiteLimits } from '../lab/sites/traits.js';

/** Names of devices that blkid looks up, links to a mount point and nfs.conf need a real host. */
const rehearsable: SiteLimits = {
  device: ['node', 'link'],
  mountpoint: ['plain', 'missing', 'space'],
  nfsConf: ['none'],
};
const numbers = Array.from({ length: 12 }, (_, index) => index + 1);
const sites = drawSites(Object.fromEntries(numbers.map((number) => [`site ${number}`, rehearsable])));

function configure(node: RehearsalNode, site: LabSite, address: string): void {
  const device = site.traits.device === 'link' ? '/dev/disk/by-id/vol1' : '/dev/vol1';
  if (site.traits.device === 'link') {
    mkdirSync(node.path('/dev/disk/by-id'), { recursive: true });
    node.link('/dev/disk/by-id/vol1', node.path('/dev/vol1'));
  }
  for (const directory of site.directories(['vol1'])) mkdirSync(node.path(directory), { recursive: true });
  const state =
    site.traits.state === 'exported'
      ? `state_directory = "${site.mountpoint('vol1')}/.nlm"\ntrust_clients = true\n`
      : `state_directory = "/mnt/state1"
  [[floating_ip.filesystem]]
  device = "/dev/state1"
  mountpoint = "/mnt/state1"
  type = "ext4"
`;
  node.write(
    '/etc/nlm-failover.toml',
    `node = "${node.name}"
[lock_manager]
restart = ["start-nfsd"]
[[floating_ip]]
address = "${address}/${address.includes(':') ? 64 : 24}"
interface = "eth0"
names = ["nfs.example.com"]
${state}${site.filesystemText('vol1', device, 1234)}`,
  );
}

async function steps(t: ExecutionContext, node: RehearsalNode, args: readonly string[]) {
  const result = await node.here([...args, ...(args[0] === 'takeover' ? ['--no-wait'] : []), '--json']);
  t.is(result.exitCode, 0, result.stdout + result.stderr);
  return jsonLines(result.stdout);
}

for (const [title, traits] of sites) {
  test(`${title}: ${describeSite(traits)}`, async (t) => {
    t.timeout(120_000);
    const number = Number(title.split(' ')[1]);
    const site = new LabSite(traits);
    const isIpv4 = traits.family === 'IPv4';
    const address = isIpv4 ? `127.77.21.${number}` : `fd77:21::${number}`;
    let notified = 0;
    const client = await startLoopbackClient(`127.77.22.${number}`, 0, () => (notified += 1));
    const rehearsal = makeRehearsal({ address, rpcbindPort: client.port });
    t.teardown(() => {
      client.close();
      rehearsal.remove();
    });
    const { a, b, directory } = rehearsal;
    mkdirSync(path.join(directory, 'disks/vol1/data'));
    for (const node of [a, b]) configure(node, site, address);
    await steps(t, a, ['takeover', address]);
    // A rehearsal has no IPv6 address to send from.
    if (isIpv4) addClient(a, client.address);
    await steps(t, a, ['release', address]);
    t.is(a.read('/proc/self/mountinfo'), '');
    t.is(a.read('/var/lib/nfs/etab'), '');
    const taken = await steps(t, b, ['takeover', address]);
    t.deepEqual(taken.at(-1)?.clients, { notified: isIpv4 ? 1 : 0, notNotified: 0 });
    t.is(notified > 0, isIpv4);
    t.is(b.read('/var/lib/nfs/etab').trimEnd().split('\n').length, site.clientSpecifications().length);
    const again = await steps(t, b, ['takeover', address]);
    t.deepEqual([...new Set(again.map((line) => line.state ?? line.result))], ['skipped', 'done']);
    t.is((await b.here(['status', '--is-served', address])).exitCode, 0);
    t.is((await a.here(['status', '--is-served', address])).exitCode, 7);
    await steps(t, b, ['release', address]);
    t.is(b.read('/proc/self/mountinfo'), '');
    t.is(b.read('/var/lib/nfs/etab'), '');
  });
}
