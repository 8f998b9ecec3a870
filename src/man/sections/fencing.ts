import type { ManSection } from '../man-page.js';

/** Who says that the node is down which has an address and has not released it. */
export const fencing: ManSection = {
  title: 'FENCING',
  blocks: [
    {
      text:
        'Where the record says that another node has the address and has not released it, takeover wants to know that this node is down, before it mounts, claims or starts anything. ' +
        'Three can say so, and history says who did:\n\n' +
        '`--fenced` is the word of whoever types it, and is not checked. `--resource` ID asks Pacemaker, which starts this takeover as the resource ID. `command` in [fencing] is run, where neither is given. ' +
        'With `--resource` the command is not run: whom Pacemaker fences is its own to decide. Without a proof takeover ends with 4 (NOT_FENCED), and nothing is touched.\n\n' +
        'A proof is of one node, in the epoch in which it has the address, and holds only while the record is as it was when it was asked: the claim looks at that again in one transaction. ' +
        "This node's own crash needs none. An owner of whom it is not certain which machine that is (another machine of this node's name, a record that was rebuilt) cannot be proved to be down: release it there, or --fenced.",
    },
    { heading: 'Pacemaker' },
    {
      text:
        'It has to be so: `stonith-enabled`, and `fencing-enabled` of Pacemaker 3.0.2 and later, are not false; the meta attribute `requires` of the resource, its own or that of its group or of rsc_defaults, is not quorum or nothing; ' +
        'and the fencing history has a success for the owner (reboot or off), after the last that the record knows to have been done. `stonith_admin --confirm NODE` counts as one, and the record says that it was a human.\n\n' +
        'Every fence device of the cluster must take the power (off or reboot), as the history does not say which of them it was. A device that takes the disks or the network away leaves the node running, with the address up and its locks held: fence_scsi, fence_mpath and every other agent ' +
        'that the cluster must unfence (an action "on" that is automatic in `stonith_admin --metadata --agent AGENT`, or provides=unfencing), one that does something else than off or reboot (pcmk_off_action, pcmk_reboot_action), fence_azure_arm with network-fencing, and fence_aws_vpc_net. fence_dummy, fence_crosslink and the plugins null and ssh of cluster-glue say so of a node that runs on. ' +
        'fence_heuristics_ping and fence_evacuate count beside another device: in every level of the topology that they are in, and where one is for the node. With one of these, alone or in any level of a topology, takeover refuses: switch the node off and say so (`stonith_admin --confirm`), or fence with power alone. ' +
        'fence_kdump believes a packet that comes from the node’s address, which others may forge: give the state volume multiple mount protection beside it. ' +
        'The agents must be installed on the node that takes over, as they are asked what they do. `check` says all of this before it is needed.\n\n' +
        'That a node is down as the cluster sees it is not enough: a node on which Pacemaker was stopped in maintenance mode looks the same, and serves on. That its clean stop releases the address is what is relied on. ' +
        'Where Pacemaker has lost the node and has not fenced it yet, takeover waits, for `fencing` seconds in [timeouts]; the start timeout of the resource must be longer than that, the grace, and the rest.\n\n' +
        'The name of a node in the record, `node` of its configuration, must be its name in the cluster (`crm_node --name`): without the key both are the host name. Where they differ nothing is proved.\n\n' +
        'The record has the times of the clock of its owner, the fencing history those of the nodes that fence. A fencing that is older than the last write in the record proves nothing, and one of a node that is in the cluster again must be a minute younger: such a node can have had the address a second time, and clocks can be that far apart. ' +
        'So where A is fenced less than a minute after it last wrote, and is back before takeover asks, takeover refuses: release the address on A (`nlm-failover release`), which is there to do it. A clock of the owner that is ahead makes takeover refuse too; keep the clocks together (`check` looks).',
    },
    { heading: 'A fence command' },
    {
      text: 'Any program that fences the node it is told, such as an agent of the fence-agents project, and ends with 0 only when that has happened:',
    },
    {
      example:
        '[fencing]\ncommand = ["/usr/sbin/fence_ipmilan", "-a", "ipmi-{node}.example.com", "-l", "admin", "-S", "/etc/ipmi-password", "-o", "off"]',
    },
    {
      text:
        'It is run as root, without a shell, in the directory /, with LC_ALL and PATH alone in its environment, and `{node}` in an argument becomes the name of the owner. It and every directory and symbolic link that leads to it must belong to root, and nobody else may write to them. ' +
        'After `fencing` seconds it is ended, and proves nothing; so does every exit code but 0. The last line that it prints goes into the log and the record.\n\n' +
        'It is run at every takeover of an address that its node has not released, whoever typed it: with this key, takeover on another node cuts the power of the one that serves. ' +
        'So let the units start at boot on one node at the most, or by keepalived (setup does not enable them where there is such a key). Nothing is run with --dry-run, nor where anything else stands in the way.',
    },
    { heading: 'Before the record can be read' },
    {
      text:
        'Where the record lies on a volume of the address that was not unmounted cleanly, nobody knows its owner before it is mounted. A state volume of type ext4 with multiple mount protection is mounted then, as its file system refuses a second mount by itself; the owner is read, and it is unmounted again unless he is proved to be down. ' +
        'On any other volume takeover refuses (DEVICE_IN_USE, OWNER_UNKNOWN), also where every other node was fenced: one of them may have come back since without the cluster, and have the address. So after a crash only a record on such a state volume, or on shared storage, lets a cluster go on by itself.\n\n' +
        'Where the other node still counts up in that protection, its kernel lives and has the volume: the mount is refused after 11 s (DEVICE_IN_USE, exit code 4), and nobody is asked and no command is run, as the name in the record cannot be read. So a node that is cut off from its clients alone, or whose nfsd hangs, keeps the address until a person, or Pacemaker, switches it off. ' +
        'Where the command is to fence such a node too, have the record on storage that both nodes have mounted (`state_directory` outside of the volumes of the address): then it is run for whoever has not released.',
    },
  ],
};
