import { addressChecks, nodeChecks } from '../../site/check/checks.js';
import type { ManSection } from '../man-page.js';

/** Seen in the lab. */
const checkExample = `this node, A
  ok       programs  all 17 are here
  ok       kernel    Linux 6.1.176, 10 s of grace
  ok       nfs.conf  every address has an instance, with an nfs.conf of its own
  WARNING  clock     whether the clock is synchronised cannot be seen: timedatectl does not say
                     Run chrony, systemd-timesyncd or another NTP client on every node: their clocks tell which of two events came first.
10.10.1.1
  ok       driver    lockd-netns (auto: its instance is here)
  ok       callout   /usr/lib/nlm-failover/callouts/ha-callout runs as uid 103
  ok       record    /mnt/state1, which moves with the address; this node owns it (epoch 1)
  WARNING  volumes   /dev/ubdd may be another disk after the next start
                     Name it by UUID=, or by a link in /dev/disk/by-id.
  ok       address   up on nfs0 of its instance
  ok       exports   /mnt/Daten für alle/vol1 to holder-alias, rival.lab.example, other.lab.example
  ok       ports     its instance has a network of its own, which the node's firewall does not see
  ok       network   its instance has a network of its own, which nobody else looks after
  ok       others    nobody else brings up the address, mounts or exports its file systems
  ok       unit      no systemd here
  ok       nodes     no other node has had the address yet
2 warnings`;

/** Seen in a network namespace, with image files in /run/san for disks. */
const initExample = `# Written by "nlm-failover init" from what runs here now. See what is GUESSED and what says WRITE HERE, then "nlm-failover setup" and "nlm-failover check".
# The same file goes on every node.

# Left out: /var/backups (*): it lies on the root file system, which cannot move.

[[floating_ip]]
address = "10.10.1.1/24"
interface = "eth0"
# names = ["nfs1.example.com"]   # the names by which clients mount from it, if any
state_directory = "/srv/state1"

  [[floating_ip.filesystem]]    # the state volume: not exported
  # GUESSED: a small ext4 with multiple mount protection, of which nothing is exported.
  device = "/run/san/state1"
  mountpoint = "/srv/state1"
  type = "ext4"

  [[floating_ip.filesystem]]
  # derived: the file system's UUID, which its clients' file handles hold already, as it is exported without fsid=.
  fsid = "2f4a1c0e-93d4-4c07-a6c5-0d6d1b7c9e55"
  device = "/run/san/vol1"
  mountpoint = "/srv/vol1"
  type = "ext4"
  options = "noatime"

    [[floating_ip.filesystem.export]]
    path = "/srv/vol1/data"
    clients = "*"
    options = "rw,no_subtree_check"`;

/** CHECK of nlm-failover(8): what each check looks at, as the list of them says it. */
export const checkSection: ManSection = {
  title: 'CHECK',
  blocks: [
    {
      text:
        '`nlm-failover check` looks at what a failover will need on this node, as it is now. What only a failover itself can find is not in it: whether the other node lets go in time, and whether a client ' +
        'reclaims. A `FAILURE` would stop a takeover, or cost locks; a `WARNING` is worth a look. Below each stands what to do.\n\nOnce for the node:',
    },
    { terms: nodeChecks.map(({ name, text }) => [name, text] as const) },
    { text: 'For each address:' },
    { terms: addressChecks.map(({ name, text }) => [name, text] as const) },
    { text: 'On A, which serves the address (a kernel of the lab):' },
    { example: checkExample },
  ],
};

/** INIT: what comes of it. */
export const initSection: ManSection = {
  title: 'INIT',
  blocks: [
    {
      text: 'What `nlm-failover init 10.10.1.1` wrote on a node that exported a directory of one volume, without fsid=, and one of its own root file system:',
    },
    { example: initExample },
  ],
};
