// Makes the code cache of the bundle in a directory (see bin/bundle.cjs), with all that one `status` has compiled: the start of
// every command, and the looks at the host. More would cost every command what only a few have of it. Run by esbuild.mjs.
//
//     node code-cache.mjs DIRECTORY
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import bundles from './bin/bundle.cjs';

const directory = resolve(process.argv[2] ?? 'dist');
const file = bundles.cacheFile(directory);
rmSync(file, { force: true });

/** An address that nobody has (RFC 5737), whose record is nowhere. */
const config = `
[state]
directory = "/nonexistent"
[[floating_ip]]
address = "192.0.2.1/24"
interface = "eth0"
names = ["nfs.example.com"]
[[floating_ip.filesystem]]
fsid = 1
device = "/dev/disk/by-label/none"
mountpoint = "/nonexistent/mnt"
type = "ext4"
[[floating_ip.filesystem.export]]
clients = "*"
options = "rw,no_subtree_check"
`;

if (bundles.canCache) {
  const temporary = mkdtempSync(join(tmpdir(), 'nlm-failover-build-'));
  const configFile = join(temporary, 'nlm-failover.toml');
  writeFileSync(configFile, config);
  const program = join(import.meta.dirname, 'bin', 'nlm-failover');
  process.argv.splice(1, Infinity, program, 'status', '--config', configFile);
  delete process.env.NLM_FAILOVER_REHEARSAL;
  const { bytes, script, run } = bundles.compile(directory);
  // However it ends: what it has compiled by then serves.
  process.once('exit', () => {
    rmSync(temporary, { recursive: true });
    const data = script.createCachedData();
    writeFileSync(`${file}.new`, Buffer.concat([Buffer.from(bundles.headOf(bytes, data)), data]));
    renameSync(`${file}.new`, file);
    process.exitCode = 0;
  });
  run();
}
