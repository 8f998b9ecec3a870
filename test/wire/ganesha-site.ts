// A server with NFS-Ganesha and a client, each in namespaces of its own, for the tests of the driver ganesha.
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import test from 'ava';
import { type Netns, withNetnsPair } from '../helpers/netns.js';
import { ganeshaMissing, GaneshaServer } from './ganesha-server.js';
import { netnsTest } from './netns-test.js';
import { startRpcbind, startStatd } from './statd.js';

export const address = '10.99.0.100';
const missing = ganeshaMissing();
/** A test of it, where it can run. */
export const ganeshaTest: typeof netnsTest = (title, ...rest) =>
  missing === undefined
    ? netnsTest(title, ...rest)
    : test.serial.skip(`${title} (${missing})`, () => undefined);

/** sysfs names the file of a loop device by its path, whosever namespace that is in: no two tests at once have the same. */
export const volume = `/run/volume-${process.pid}`;

const config = `
node = "A"
[state]
directory = "/run/state/records"
[lock_manager]
driver = "ganesha"
ganesha_conf = "/run/ganesha.conf"
[timeouts]
settle = 5
B-2 = 12
A-2 = 8
[[floating_ip]]
address = "${address}/24"
interface = "veth0"
  [[floating_ip.filesystem]]
  fsid = 1234
  export_id = 7
  device = "${volume}"
  mountpoint = "/run/at/vol1"
  type = "ext4"
    [[floating_ip.filesystem.export]]
    clients = "10.99.0.0/24"
    options = "rw,no_root_squash,no_subtree_check"
    [[floating_ip.filesystem.export]]
    clients = "fd00::/64"
`;

class Client {
  readonly #netns: Netns;

  constructor(netns: Netns) {
    this.#netns = netns;
  }

  async ask(...words: string[]): Promise<string> {
    const script = path.join(import.meta.dirname, 'nfs-lock-inside.js');
    return (await this.#netns.run(process.execPath, script, address, ...words)).trim();
  }
}

/** A server and its client; on the server Ganesha runs, unless the test starts it. */
export async function site(t: ExecutionContext, { started = true } = {}) {
  t.timeout(540_000);
  const [one, other] = await withNetnsPair(t, ['10.99.0.1/24'], ['10.99.0.21/24']);
  const server = new GaneshaServer(one);
  for (const directory of ['state', 'at', 'at/vol1']) await mkdir(one.path(`/run/${directory}`));
  await one.run('mount', '-t', 'tmpfs', 'tmpfs', '/run/state');
  await mkdir(one.path('/run/state/records'));
  await one.run('truncate', '-s', '16M', volume);
  await one.run('mke2fs', '-q', '-F', '-t', 'ext4', volume);
  await writeFile(one.path('/run/nlm-failover.toml'), config);
  await Promise.all([
    started ? server.start() : server.startBeside(),
    startRpcbind(other).then(() => startStatd(other)),
  ]);
  return { server, netns: one, client: new Client(other), clientNetns: other };
}
