import type { ManSection } from '../man-page.js';
import { pacemakerCommand } from './pacemaker-command.js';

/** A configuration of the group; a test reads it. */
export const groupExample = `[lock_manager]
driver = "lockd"

[[floating_ip]]
address = "10.10.1.1/24"
interface = "eth0"
state_directory = "/srv/state1"
managed_by_others = ["mount", "export", "address"]

  [[floating_ip.filesystem]]    # the state volume: nfs-10.10.1.1-fs1
  device = "/dev/vg0/state1"
  mountpoint = "/srv/state1"
  type = "ext4"

  [[floating_ip.filesystem]]    # nfs-10.10.1.1-fs2
  fsid = 1234
  device = "/dev/vg0/vol1"
  mountpoint = "/srv/vol1"
  type = "ext4"

    [[floating_ip.filesystem.export]]    # nfs-10.10.1.1-export1
    path = "/srv/vol1/data"
    clients = "*"
    options = "rw,no_subtree_check"
`;

/** The OCF agents: which shape is for whom, and what a cluster manager is told. */
export const pacemakerSection: ManSection = {
  title: 'PACEMAKER',
  blocks: [
    {
      text:
        'Three OCF agents let Pacemaker, and whoever else runs such agents (drbd-reactor), decide which node has an address: `ocf:nlm-failover:address`, `ocf:nlm-failover:locks` and `ocf:nlm-failover:notify`. ' +
        'In the Debian packages they lie where Pacemaker looks for them, /usr/lib/ocf/resource.d/nlm-failover; elsewhere `nlm-failover setup --pacemaker` makes that link, and `setup --undo` takes it away. ' +
        'It also sees to it that no unit of an address is started at boot. A fourth one, `ocf:nlm-failover:ganesha`, is for the nodes of SHARED FILE SYSTEMS.',
    },
    { heading: 'Which shape' },
    {
      terms: [
        [
          'one resource for each address',
          '`ocf:nlm-failover:address`: start is takeover, stop is release. With every driver, and the only one for lockd-netns, whose address and exports are inside its instance. The shorter way, and the one to begin with.',
        ],
        [
          'a group with the stock agents',
          'Where Filesystem, exportfs and IPaddr2 do the rest already. With the drivers lockd and nlm-fsid, and `managed_by_others = ["mount", "export", "address"]` in the [[floating_ip]]. In this order:',
        ],
      ],
    },
    {
      example:
        'ocf:heartbeat:Filesystem     the state volume, then each exported one\n' +
        'ocf:nlm-failover:locks       start: B-1 is looked at, B-2; stop: A-3, and the record is handed over\n' +
        'ocf:heartbeat:exportfs       each export, with the fsid of the configuration, and unlock_on_stop=0\n' +
        'ocf:heartbeat:IPaddr2        the address\n' +
        'ocf:nlm-failover:notify      start: B-5 and B-4 are looked at, B-3; stop: the record is frozen',
    },
    {
      text: 'device and type stay in the configuration, as what is mounted is compared with them, and `nlm-failover pacemaker 10.10.1.1` writes the group from this:',
    },
    { example: groupExample.trimEnd() },
    {
      text:
        'A group stops in the reverse order. `notify` freezes the record first (release --freeze): whoever comes while the address is still up is recorded, and nobody leaves the record any more, whatever the stop of the others drops. ' +
        'Then the address goes, then the exports; then `locks` notes what is held, drops it, and hands the record over. Nothing of the record is open when Filesystem unmounts the state volume. ' +
        'Where the address is still up then, as in a group in another order, the stop of `locks` fails, and no lock is dropped.\n\n' +
        'From B-2 until B-3 the record is frozen too. So `notify` runs exactly while B-3 has been done: stopped and started by itself, or with IPaddr2, it loses nobody, and notifies nobody twice. ' +
        'The stock agent nfsnotify, which a site without ours may have, runs `sm-notify -v ADDRESS`; that of nfs-utils 2.6.2 (Debian 12) notifies nobody where the address has no name: "my_name is unusable". A line in /etc/hosts on every node is enough. In a group with ours there is no nfsnotify.\n\n' +
        'unlock_on_stop=1, the default of exportfs, drops the locks of a volume when that resource alone is restarted, and no client is told: set it to 0.',
    },
    { heading: 'Parameters' },
    {
      terms: [
        ['address', 'The floating IP as status prints it, without its prefix length. Required.'],
        ['config', 'The configuration file, the same on every node (default: /etc/nlm-failover.toml).'],
        [
          'program',
          'The nlm-failover to run (default: that of the installation which the agent belongs to).',
        ],
      ],
    },
    { heading: 'What they tell' },
    {
      text:
        'Whatever fails says so in the words of the command, of which Pacemaker shows the first 128 characters beside the failed action; its log has all: the error, and what to do. A start succeeds also with exit code 5 or 6, as another node could do no better for a client that ' +
        'could not be notified, or a lock that did not come back: the log of the node names them, and `nlm-failover audit`. A start that is refused, with exit code 4 say, has touched nothing. Where the configuration file of this node is missing or not right the start fails on this ' +
        'node alone (`OCF_ERR_ARGS`); where the parameter `address` itself is not right, on every node (`OCF_ERR_CONFIGURED`).\n\n' +
        'A stop that cannot unmount, cannot drop the locks, or finds the address still up fails, and then Pacemaker fences the node: the other one must not mount what this one has mounted. So have fencing on, and tested. ' +
        'Any user of the node can keep a volume there, by a working directory on it, or by a mount namespace of his own (`unshare -Urm`), which has a copy of every mount: let no ordinary users on it, or set user.max_user_namespaces=0 (sysctl.conf(5)) and let them not into the volumes. ' +
        'A stop, as every release, goes by the configuration with which the address was taken over where the present one is wrong, not there, without the address, or has another name for this node. ' +
        'A stop succeeds where nothing is here, whatever the configuration says: without any it goes by /run/nlm-failover/mounts/ADDRESS, where takeover notes what it mounts, and /proc/self/mountinfo. ' +
        'A mount, umount or repair (fsck, xfs_repair) that a killed action has left is waited for, 10 s or [timeouts].busy; then the stop fails.',
    },
    {
      terms: [
        [
          'monitor, depth 0',
          'Every 10 s. Without starting node, at about the cost of the stock agent Dummy: the address is up, clients are recorded, B-3 has been done, rpc.statd (in an instance rpcbind and rpc.mountd too) and nfsd run. Something that is here in part is a failure, and not a stopped resource.',
        ],
        [
          'monitor, depth 10',
          'Every 60 s, with OCF_CHECK_LEVEL=10: that, and `status --is-served`, which looks at mounts and exports, whose the address is, and whether each daemon answers. Only this one sees that another node has taken the address over meanwhile, as by a person with --fenced: depth 0 does not open the record, and says for up to 60 s more that all is well. A mistake in the configuration meanwhile stops nothing: it is logged.',
        ],
      ],
    },
    { heading: 'Timeouts' },
    {
      text:
        'start waits until the locks are reclaimed, at the longest to the end of the grace period, after a crash all of it. So its timeout must be longer than fencing, the grace, and with multiple mount protection 22 s, together: the 300 s that the agent’s meta-data advises are the least. ' +
        'stop: 180 s likewise; it ends by itself when its steps do ([timeouts]). An action that takes longer is killed, and what it was at goes on with the next stop or start. ' +
        'What nlm-failover pacemaker prints is much more, half an hour for a start with the defaults: not how long one takes, but beyond every limit in [timeouts], as a stop that Pacemaker kills means fencing.',
    },
    ...pacemakerCommand,
  ],
};
