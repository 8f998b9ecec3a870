/** Configurations for a cluster: `both` has an address of each shape. */
const single = `
[[floating_ip]]
address = "10.10.1.1/24"
interface = "eth0"
state_directory = "/srv/state1"

  [[floating_ip.filesystem]]
  device = "/dev/vg0/state1"
  mountpoint = "/srv/state1"
  type = "ext4"

  [[floating_ip.filesystem]]
  fsid = 1234
  device = "/dev/vg0/vol1"
  mountpoint = "/srv/vol1"
  type = "ext4"

    [[floating_ip.filesystem.export]]
    path = "/srv/vol1/data"
    clients = "*"
    options = "rw,no_subtree_check"
`;

const group = `
[[floating_ip]]
address = "fd00::2/64"
interface = "eth0"
state_directory = "/srv/state2"
managed_by_others = ["mount", "export", "address"]

  [[floating_ip.filesystem]]
  fsid = 1235
  device = "/dev/vg0/vol2"
  mountpoint = "/srv/vol2"
  type = "xfs"
  options = "noatime"

    [[floating_ip.filesystem.export]]
    clients = "[fd00::]/64"
    options = "rw,no_subtree_check"

    [[floating_ip.filesystem.export]]
    clients = "*.example.com"
    options = "ro"

  [[floating_ip.filesystem]]
  device = "LABEL=state two"
  mountpoint = "/srv/state2"
  type = "ext4"
`;

const lockd = '[lock_manager]\ndriver = "lockd"\n';

export const sites = {
  single: `${lockd}${single}`,
  group: `${lockd}${group}`,
  both: `${lockd}${single}${group}`,
} as const;
