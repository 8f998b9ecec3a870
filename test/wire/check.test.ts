// `check` on nodes with a network, programs and a statd of their own; disks are image files.
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { realHost } from '../../src/host/real.js';
import { statdProcess } from '../../src/host/reading/statd.js';
import { type Netns, withNetnsPair } from '../helpers/netns.js';
import { projectRoot } from '../lab/project-root.js';
import { reachableCallout } from '../helpers/reachable-callout.js';
import { wireSites } from '../helpers/wire-check-sites.js';
import { netnsTest as test } from './netns-test.js';
import { startRpcbind } from './statd.js';
import { waitFor } from './wait-for.js';

const config = `node = "A"
[lock_manager]
driver = "lockd"
restart = ["true"]
${[
  ['10.10.1.1/24', 1, 'state'],
  ['fd00:10:10:1::1/64', 2, 'state6'],
]
  .map(
    ([address, fsid, state]) => `[[floating_ip]]
address = "${address}"
interface = "veth0"
state_directory = "/srv/${state}"
  [[floating_ip.filesystem]]
  device = "/run/${state}.img"
  mountpoint = "/srv/${state}"
  type = "ext4"
  [[floating_ip.filesystem]]
  fsid = ${fsid}
  device = "/run/${fsid === 1 ? 'vol' : 'vol6'}.img"
  mountpoint = "/srv/vol${fsid}"
  type = "ext4"
    [[floating_ip.filesystem.export]]
    clients = "*"
`,
  )
  .join('')}`;

/** A node that a failover could be done on, but for its kernel, which has no nfsd; and who is in its network. */
async function node(t: ExecutionContext): Promise<readonly [node: Netns, peer: Netns]> {
  t.timeout(120_000);
  const [netns, peer] = await withNetnsPair(
    t,
    ['10.10.1.11/24', 'fd00:10:10:1::11/64'],
    ['10.10.1.21/24', 'fd00:10:10:1::21/64'],
  );
  const at = (file: string) => netns.path(file);
  for (const [name, size] of [
    ['state', '64M'],
    ['state6', '64M'],
    ['vol', '16M'],
    ['vol6', '16M'],
  ] as const) {
    const image = at(`/run/${name}.img`);
    execFileSync('truncate', ['-s', size, image]);
    execFileSync('mke2fs', [
      '-q',
      '-F',
      '-t',
      'ext4',
      '-O',
      name.startsWith('state') ? 'mmp' : '^mmp',
      image,
    ]);
  }
  mkdirSync(at('/run/callout'));
  copyFileSync(reachableCallout, at('/run/callout/ha-callout'));
  chmodSync(at('/run/callout/ha-callout'), 0o755);
  writeFileSync(at('/run/site.toml'), config);
  await startRpcbind(netns);
  netns.start('rpc.statd', ['-F', '--no-notify', '-H', '/run/callout/ha-callout']);
  const { uid } = lstatSync(at('/var/lib/nfs/sm'));
  await waitFor(
    'rpc.statd as its user',
    async () => statdProcess(realHost, `/proc/${netns.pid}/ns/net`)?.uid === uid,
  );
  return [netns, peer];
}

interface Line {
  readonly address: string | null;
  readonly check: string;
  readonly verdict: string;
  readonly message: string;
}

async function check(netns: Netns): Promise<Line[]> {
  const tool = path.join(projectRoot(), 'bin/nlm-failover');
  const program = netns.start(process.execPath, [tool, 'check', '--json', '--config', '/run/site.toml']);
  await program.exited;
  return program
    .output()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

for (const round of [1, 2, 3, 4] as const) {
  const sites = wireSites.filter((site) => site.round === round);
  test(`seen: ${sites.map(({ what }) => what).join('; ')}`, async (t) => {
    const [netns, peer] = await node(t);
    const names = new Set(sites.map((site) => site.check));
    const before = await check(netns);
    t.deepEqual(
      before.filter((line) => names.has(line.check) && line.verdict !== 'ok'),
      [],
    );
    for (const { make = 'true', peer: there = 'true' } of sites) {
      await netns.run('sh', '-ec', make);
      await peer.run('sh', '-ec', there);
    }
    const lines = await check(netns);
    for (const { check: name, verdict, says, what } of sites) {
      const found = lines.filter((line) => line.check === name && line.verdict === verdict);
      t.true(
        found.some(({ message }) => says.test(message)),
        `${what}: ${JSON.stringify(lines.filter((line) => line.check === name))}`,
      );
    }
  });
}

test('a device that is not there is one failure', async (t) => {
  const [netns] = await node(t);
  await netns.run('rm', '/run/vol.img');
  const found = (await check(netns)).filter(
    ({ verdict, message }) => verdict === 'failure' && message.includes('vol.img'),
  );
  t.deepEqual(
    found.map((line) => [line.check, line.message]),
    [
      [
        'volumes',
        'The device /run/vol.img cannot be found on this node: neither a block device nor an image file is there',
      ],
    ],
  );
});
