// Makes the code cache of the bundle in a directory (see bin/bundle.cjs), with all that these have compiled: a takeover, a `status`
// and a release of a rehearsed node, in a directory, then a `status` that looks at the host and finds nothing. Run by esbuild.mjs.
//
//     node code-cache.mjs DIRECTORY
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import bundles from './bin/bundle.cjs';

const directory = resolve(process.argv[2] ?? 'dist');
const file = bundles.cacheFile(directory);
rmSync(file, { force: true });

/** An address that nobody has (RFC 5737), whose record is nowhere; and one of a rehearsed node, with a record. */
const config = (state) => `
[state]
directory = "${state}"
[lock_manager]
restart = ["start-nfsd"]
[[floating_ip]]
address = "192.0.2.1/24"
interface = "eth0"
names = ["nfs.example.com"]
[[floating_ip.filesystem]]
fsid = 1
device = "/dev/none"
mountpoint = "/mnt/none"
type = "ext4"
[[floating_ip.filesystem.export]]
clients = "*"
options = "rw,no_subtree_check"
`;

/** What a rehearsed node has at the least: src/host/rehearsal. */
const node = {
  rehearsal: '1\n',
  'addresses.json': '[]',
  'etc/machine-id': '0123456789abcdef0123456789abcdef\n',
  'etc/nlm-failover.toml': config('/srv/state'),
  'proc/fs/lockd/nlm_end_grace': 'Y\n',
  'proc/fs/nfsd/threads': '0\n',
  'proc/fs/nfsd/unlock_filesystem': '',
  'proc/locks': '',
  'proc/self/mountinfo': '',
  'var/lib/nfs/etab': '',
};
const directories = ['dev/none', 'mnt/none', 'run', 'srv/state', 'var/lib/nfs/sm'];

if (bundles.canCache) {
  const temporary = mkdtempSync(join(tmpdir(), 'nlm-failover-build-'));
  const root = join(temporary, 'node');
  for (const name of [...directories, ...Object.keys(node).map(dirname)])
    mkdirSync(join(root, name), { recursive: true });
  for (const [name, text] of Object.entries(node)) writeFileSync(join(root, name), text);
  const absent = join(temporary, 'absent.toml');
  writeFileSync(absent, config('/nonexistent'));
  const rehearsed = ['--config', join(root, 'etc/nlm-failover.toml'), '192.0.2.1'];
  // The last one fails, and that ends this process.
  const commands = [
    ['takeover', '--no-wait', ...rehearsed],
    ['status', ...rehearsed],
    ['release', ...rehearsed],
    ['status', '--config', absent],
  ];
  const program = join(import.meta.dirname, 'bin', 'nlm-failover');
  process.env.NLM_FAILOVER_REHEARSAL = root;
  delete process.env.NLM_FAILOVER_RUN;
  const { bytes, script, run } = bundles.compile(directory);
  const next = () => {
    const command = commands.shift();
    if (command === undefined) return;
    process.argv.splice(1, Infinity, program, ...command);
    if (commands.length === 0) delete process.env.NLM_FAILOVER_REHEARSAL;
    run();
  };
  // One has ended when nothing is left to do.
  process.on('beforeExit', next);
  // However it ends: what it has compiled by then serves.
  process.once('exit', () => {
    rmSync(temporary, { recursive: true });
    const data = script.createCachedData();
    writeFileSync(`${file}.new`, Buffer.concat([Buffer.from(bundles.headOf(bytes, data)), data]));
    renameSync(`${file}.new`, file);
    process.exitCode = 0;
  });
  next();
}
