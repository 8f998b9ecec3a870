// What the configuration must say for NFS-Ganesha, and what it may not.
import test from 'ava';
import { parseConfig } from '../../../src/config/parse-config.js';
import { drivers } from '../../../src/lockmanager/drivers.js';

function parse(driver: string, ...keys: readonly string[]) {
  const volumes = keys.map(
    (line, index) => `
[[floating_ip.filesystem]]
fsid = ${index + 1}
device = "/dev/vol${index}"
mountpoint = "/srv/vol${index}"
type = "ext4"
${line}
[[floating_ip.filesystem.export]]
clients = "*"`,
  );
  const text = `
[state]
directory = "/state"
[lock_manager]
driver = "${driver}"
[[floating_ip]]
address = "10.0.0.1/24"
interface = "eth0"
${volumes.join('')}`;
  return parseConfig(text, { file: 'f.toml', hostname: 'a', drivers });
}

test('each file system has its Export_Id', (t) => {
  const config = parse('ganesha', 'export_id = 1', 'export_id = 65535\nexport_block = "/etc/b.conf"');
  t.like(config.floatingIps[0]?.filesystems[1], { exportId: 65_535, exportBlock: '/etc/b.conf' });
  t.false('export_id' in (config.floatingIps[0]?.filesystems[0] ?? {}));
});

const refused: readonly (readonly [string, readonly string[], RegExp])[] = [
  ['ganesha', ['export_id = 1', ''], /filesystem\[1\]\.export_id.*driver "ganesha" needs the Export_Id/],
  ['ganesha', ['export_id = 5', 'export_id = 5'], /this Export_Id is already at/],
  ['ganesha', ['export_id = 0'], /export_id = 0: write an integer from 1 to 65535/],
  ['ganesha', ['export_id = 65536'], /write an integer from 1 to 65535/],
  ['ganesha', ['export_id = "1"'], /write an integer from 1 to 65535/],
  ['lockd', ['export_id = 1'], /only driver "ganesha" exports with it/],
  ['auto', ['export_block = "/etc/b.conf"'], /only driver "ganesha" exports with it/],
];
for (const [driver, keys, says] of refused) {
  test(`refused with ${driver}: ${keys.join(', ')}`, (t) => {
    t.throws(() => parse(driver, ...keys), { message: says });
  });
}
