import { FailoverError } from '../../src/errors.js';
import type { Config } from '../../src/config/config.js';
import { keysOf, settingOf } from '../../src/config/driver-settings.js';
import { parseConfig } from '../../src/config/parse-config.js';
import { drivers } from '../../src/lockmanager/drivers.js';

/** The example of the manual: one floating IP with one file system. */
export const sample = `
node = "A"

[state]
directory = "/shared_storage"

[lock_manager]
driver = "auto"
nfsd = "/proc/fs/nfsd"
restart = ["systemctl", "restart", "nfs-server"]

[[floating_ip]]
address = "10.10.1.1/24"
interface = "eth0"
names = ["nfs1.example.com"]
state_directory = "/srv/state/.nlm"

  [[floating_ip.filesystem]]
  fsid = 1234
  device = "/dev/vg0/vol1"
  mountpoint = "/srv/vol1"
  type = "ext4"
  options = "noatime"

    [[floating_ip.filesystem.export]]
    path = "/srv/vol1"
    clients = "*"
    options = "rw,no_subtree_check"
`;

/** A second file system, of the last floating IP before it. */
export const secondFilesystem = `
  [[floating_ip.filesystem]]
  fsid = 1235
  device = "/dev/vg0/vol2"
  mountpoint = "/srv/vol2"
  type = "xfs"

    [[floating_ip.filesystem.export]]
    clients = "10.10.0.0/16"
`;

/** A second floating IP with a file system of its own. */
export const secondFloatingIp = `
[[floating_ip]]
address = "fd00::1/64"
interface = "eth0"
${secondFilesystem}`;

/** `text` with one piece of it replaced; the piece must be there. */
export function replaced(text: string, from: string, to: string): string {
  if (!text.includes(from)) throw new Error(`not in the sample: ${from}`);
  return text.replace(from, () => to);
}

export function parse(text: string, hostname = 'host1'): Config {
  return parseConfig(text, { file: 'f.toml', hostname, drivers });
}

/** What a driver gets for one of its keys. */
export function setting(text: string, name: string): unknown {
  const found = keysOf(drivers).find(({ key }) => key.name === name);
  if (found === undefined) throw new Error(`no driver has the key ${name}`);
  return settingOf(parse(text).lockManager, found.key);
}

/** The lines with which a configuration is refused, without the file's name; none if it is accepted. */
export function refusal(text: string, hostname?: string): string[] {
  try {
    parse(text, hostname);
    return [];
  } catch (error) {
    if (!(error instanceof FailoverError) || error.code !== 'CONFIG_INVALID' || error.exitCode !== 3)
      throw error;
    return error.message.split('\n').map((line) => line.replace(/^f\.toml: /, ''));
  }
}
