import type { ManSection } from '../man-page.js';

/** For [fencing] command: what DRBD knows (drbdsetup(8), events2 --now). */
export const drbdHasQuorum = `#!/bin/sh
# drbd-has-quorum RESOURCE NODE: ends with 0 where this node is Primary with quorum in every volume, so that NODE cannot write
state=$(drbdsetup events2 --now "$1") || exit 1
echo "$state" | grep -q "^exists resource name:$1 role:Primary " || exit 1
echo "$state" | grep -q "^exists device name:$1 .* quorum:yes" || exit 1
! echo "$state" | grep -q "^exists device name:$1 .* quorum:no"
`;

/** Who else than Pacemaker, or the boot, may say which node has an address. */
export const keepalived: ManSection = {
  title: 'KEEPALIVED AND OTHERS',
  blocks: [
    {
      text:
        'keepalived fences nobody: where its nodes do not hear each other, both are MASTER. Nothing here says --fenced for it. Where the other node has not released the address, takeover refuses with exit code 4 and touches nothing, ' +
        'unless `command` in [fencing] proves that this node is down: with it a crash is survived without a person. Give the state volume multiple mount protection (`setup --state-device` does).\n\n' +
        'keepalived elects, and nlm-failover has the address (B-4): no virtual_ipaddress, as keepalived would have the address up before the exports are there. On each node, with an address of each:',
    },
    {
      example: `nlm-failover setup --keepalived --peer 192.0.2.11 --peer 192.0.2.12
systemctl restart keepalived                     # first where the address is served, if it is`,
    },
    {
      text:
        'For each address it writes a vrrp_instance and a track_file to /etc/keepalived/conf.d/nlm-failover-ADDRESS.conf; keepalived.conf itself only where there is none, else it names the line that it needs there; and a drop-in for the unit, which is not started at boot: keepalived starts it. ' +
        'A later setup leaves that so; `--undo` takes it back. virtual_router_id is the last byte of the address, or --router-id; without --peer nodes talk by multicast. Both nodes begin as BACKUP with nopreempt, so that an address stays where it is when a node comes back. ' +
        'VRRP is version 2, over IPv4, for an IPv6 address too. keepalived before 2.2.8 (Debian 12) says "No VIP specified; at least one is sensible", and `keepalived -t` ends with 5 for that; it works. 2.2.8 and later get no_virtual_ipaddress.\n\n' +
        'What it writes for one address:',
    },
    {
      example: `track_file nfs-10.10.1.1 {
    file "/var/lib/nlm-failover/keepalived/10.10.1.1.away"
    weight 0
    init_file 0 overwrite
}
vrrp_instance nfs-10.10.1.1 {
    version 2
    strict_mode off
    state BACKUP
    nopreempt
    interface eth0
    virtual_router_id 1
    priority 100
    advert_int 1
    unicast_peer {
        192.0.2.12
    }
    track_file {
        nfs-10.10.1.1
    }
    notify "/usr/lib/nlm-failover/callouts/keepalived/nlm-failover-notify 10.10.1.1" root
}`,
    },
    {
      text:
        'MASTER is a takeover; BACKUP, FAULT and STOP are a release. The script hands over and ends: to the unit of the address, or, where no systemd runs, to a process of its own, which keepalived cannot end; it leaves what the last of each has printed in /run/nlm-failover/keepalived/ADDRESS.takeover.log and ADDRESS.release.log. ' +
        'A release stops the unit, and then releases what is there all the same, as nlm-failover-left@ADDRESS: after a start that failed, or a takeover by hand, a unit has nothing to stop. ' +
        'The unit has the configuration file that setup gave it: where the script has another one (--config), it takes nothing over, and says so. ' +
        'What keepalived has said last counts, however its scripts come in. keepalived makes the other node MASTER before this one has released: takeover waits for that (--await-release, 60 s), and only then is the other node fenced or this one refused.\n\n' +
        'A takeover that does not serve the address afterwards writes 1 into the track_file: this node is in FAULT, the other one becomes MASTER, and nothing is tried again. See what it said (journalctl, or ADDRESS.takeover.log, and status); then write 0, or start keepalived anew. ' +
        'With nopreempt no priority moves an address: for a planned move write 1 on the node that has it, and 0 when it is to stand for it again.\n\n' +
        'keepalived begins as BACKUP, which is a release: where it is started on the node that serves, the address is released, and taken over by whoever is MASTER. Where both processes of keepalived are killed, or it ends at a reload of a file that it cannot read (look with `keepalived -t` before), nobody is told: the node goes on serving, the other one becomes MASTER and is refused, or fences it (not where its state volume has multiple mount protection: FENCING).',
    },
    {
      example: `echo 1 >/var/lib/nlm-failover/keepalived/10.10.1.1.away    # this node lets go; the other takes over
echo 0 >/var/lib/nlm-failover/keepalived/10.10.1.1.away    # and stands for it again`,
    },
    { heading: 'drbd-reactor' },
    {
      text: 'Its promoter starts services on the node where a DRBD resource can be promoted, and stops them where it has lost its quorum. All volumes of the address lie in that resource, the state volume too; the unit, or the agent, is the whole service. In /etc/drbd-reactor.d/nfs1.toml, one of the two:',
    },
    {
      example: `[[promoter]]
[promoter.resources.nfs1]
start = ["nlm-failover@10.10.1.1.service"]
# start = ["ocf:nlm-failover:address nfs1 address=10.10.1.1"]
on-drbd-demote-failure = "reboot-immediate"`,
    },
    {
      text:
        'Before that, `setup --no-enable` on each node. The agent is run by ocf.rs@.service with its parameters in the environment; /usr/lib/ocf/resource.d/nlm-failover must be there (the packages have it, `setup --pacemaker` makes it), and a drop-in with TimeoutStartSec=10min: a start that waits for reclaims is longer than the 90 s of systemd. The unit has such times itself, and is the one to begin with.\n\n' +
        'After a crash the record still names the node that is gone. What proves that it cannot write any more is DRBD: with `quorum majority` and `on-no-quorum io-error` only the Primary with quorum can. As /usr/local/sbin/drbd-has-quorum, of root:',
    },
    {
      example: drbdHasQuorum.trimEnd(),
    },
    { text: 'and in /etc/nlm-failover.toml:' },
    {
      example: `[fencing]
command = ["/usr/local/sbin/drbd-has-quorum", "nfs1", "{node}"]`,
    },
    { heading: 'systemd alone' },
    {
      text: 'Two servers without a cluster manager: the unit, enabled on one of them (SYSTEMD). A person moves the address, and after a crash a person says --fenced. What depends on the address can say so in a unit of its own:',
    },
    {
      example: `# on the node that has it
systemctl stop nlm-failover@10.10.1.1
# on the other one
systemctl start nlm-failover@10.10.1.1

# /etc/systemd/system/backup-of-vol1.service
[Unit]
BindsTo=nlm-failover@10.10.1.1.service
After=nlm-failover@10.10.1.1.service`,
    },
  ],
};
