import type { ManBlock } from '../man-page.js';

/** In PACEMAKER of nlm-failover(8): what `nlm-failover pacemaker` writes, and why it is so. */
export const pacemakerCommand: readonly ManBlock[] = [
  { heading: 'What nlm-failover pacemaker writes' },
  {
    text:
      'Each address moves alone: no constraint ties two together, and a file system belongs to one. Two shapes, by `managed_by_others` of the address:\n\n' +
      'Without it, one resource, `ocf:nlm-failover:address`, with any driver. The id is nfs-ADDRESS; of an IPv6 address with a dash for each colon, nfs-fd00--1.\n\n' +
      'With ["mount", "export", "address"] a group nfs-ADDRESS, with the drivers lockd and nlm-fsid: `ocf:heartbeat:Filesystem` for each file system (nfs-ADDRESS-fs1..., the state volume first), `ocf:nlm-failover:locks`, ' +
      '`ocf:heartbeat:exportfs` for each export, `ocf:heartbeat:IPaddr2`, `ocf:nlm-failover:notify`. An instance of lockd-netns has its address and its exports in itself: leave managed_by_others out there.\n\n' +
      'With ["mount"] alone a group with Filesystem before ocf:nlm-failover:address, with any driver. Every other combination is refused: no order of starts is right for it.',
  },
  {
    terms: [
      [
        'requires=fencing',
        'A start waits until every node that is lost has been fenced. It is the default while fencing is on, and is written so that no default of resources (rsc_defaults) weakens it.',
      ],
      [
        'resource-stickiness=1000',
        'Nothing moves back by itself: each move costs the clients a grace period. Of shared file systems 100: an address comes home (ganesha-ha). With --prefer NODE a location constraint that outweighs it brings the address home whenever that node is there. It stays when the command is run without --prefer.',
      ],
      [
        'migration-threshold=3, failure-timeout=600s',
        'What a monitor finds is mended in place, a third time within ten minutes on the other node. A start that fails is tried there at once (start-failure-is-fatal, the default).',
      ],
      [
        'monitor',
        'Every 10 s at depth 0, which starts no program; every 60 s at depth 10, which asks `nlm-failover status`.',
      ],
      [
        'order kind=Serialize',
        'With the driver lockd a takeover restarts the lock manager of its node: the starts of two such addresses wait for each other, on whichever nodes. Give all addresses of the cluster to one command.',
      ],
      [
        'exportfs',
        'unlock_on_stop=0, as ocf:nlm-failover:locks drops the locks, when they are noted. wait_for_leasetime_on_stop=0: that is for NFSv4. rmtab_backup=none: else root would write .rmtab into the exported directory, through any link that a client has put there.',
      ],
    ],
  },
  { heading: 'How its timeouts are made' },
  {
    text:
      'Every step of nlm-failover ends by itself ([timeouts] in nlm-failover.toml(5)), and says what it waited for. Pacemaker ends what does not end by itself, without a word, and fences the node where that was a stop. So each timeout is beyond the sum of what is waited for within it; ' +
      'to have a stop that hangs answered sooner, shorten the steps (A-4 above all), and run the command again. In seconds; a name is that key of [timeouts]:',
  },
  {
    terms: [
      [
        'address, start',
        '60 + 5 x `step` (the agent asks for the status; devices, driver, the look ahead) + `fencing` + B-1 + B-5 + B-4 + 2 x B-2 for each fsid (a grace that was over too soon is entered again) + 2 x (B-3 + `step`) + grace + `step` (until the locks are reclaimed).',
      ],
      ['address, stop', '60 + 5 x `step` + A-1 + A-2 + A-3 for each fsid + A-4. The same for locks, stop.'],
      ['locks, start', '60 + 5 x `step` + `fencing` + B-1 + 2 x B-2 for each fsid.'],
      ['shared file systems', 'start 2 x `barrier` more, stop `barrier`: every other node is waited for.'],
      [
        'notify',
        'start: 60 + 5 x `step` + 2 x (B-3 + `step`) + grace + `step`; stop: 60 + 5 x `step` + A-1.',
      ],
      ['the stock agents', 'Filesystem B-1 and A-4, exportfs B-5 and A-2, IPaddr2 B-4 and A-1.'],
      ['monitor', '20 s; at depth 10, 30 + 2 x `step`; Filesystem 40 s every 20 s, as its meta-data says.'],
    ],
  },
  {
    text: 'The grace is that of the driver on the node on which the command is run, and 90 s at the least; where nodes have different ones, run it on the node with the longest. `fencing` is what the start waits for the proof that the former owner is down, beside what Pacemaker itself waits before it begins a start.',
  },
  { heading: 'Fencing' },
  {
    text: 'The command warns where the cluster says stonith-enabled=false or fencing-enabled=false, and where it has no fencing device; it changes neither. Where fencing is off Pacemaker takes requires=fencing back, and starts an address while its former node may still write.',
  },
  { heading: '--apply and --teardown' },
  {
    text:
      'Without --apply the command prints, for a node of the cluster: all pcs commands work on a file, which is pushed at the end, so that nothing starts half configured, and none is run after one that failed. With --apply it asks the cluster first: what is so already is unchanged; what is missing is made, in one change; ' +
      'what differs is said, and changed with cibadmin, with each format. A parameter that changes restarts its resource. target-role, other meta attributes and members of a group that people have added stay, and what keeps the address from starting is said (NOTE); what says something else of ours in a second set of values goes, unless that set has a rule. At the end the cluster is asked whether it has all of it (NOT_VERIFIED).\n\n' +
      'Refused, with nothing touched (CLUSTER_UNFIT): an id that something else has, be it the resource of another address, or a constraint that says something else; a clone of ours; a unit nlm-failover@ADDRESS that is enabled or active here, as systemd would be a second manager; agents that are not installed here. Other nodes cannot be seen: run `nlm-failover check` on each.\n\n' +
      '--teardown --apply disables the resource, waits until it is stopped on every node, and removes it with its constraints in one change. Where it does not stop within its timeouts it stays disabled, and nothing is removed. ' +
      "Refused, before anything is disabled, where it is in somebody else's group or clone, where a constraint, a tag or an access rule that somebody else has made names it, where it has another address, a member of the group is not ours, or it runs and is not managed (maintenance mode, is-managed=false). " +
      'All addresses of the command are looked at first, and once more after each stop: where that has come meanwhile nothing is removed, and what was stopped stays disabled. ' +
      'Then the address is released: `nlm-failover takeover` starts it without the cluster.',
  },
  {
    example:
      '# nlm-failover pacemaker --apply --prefer A 10.10.1.1\n' +
      '  created    nfs-10.10.1.1: ocf:nlm-failover:address\n' +
      '  created    nfs-10.10.1.1-prefer: nfs-10.10.1.1 prefers A, 2000\n' +
      'pacemaker: done, and the cluster says so\n' +
      '# nlm-failover pacemaker --apply 10.10.1.1\n' +
      '  unchanged  nfs-10.10.1.1: ocf:nlm-failover:address\n' +
      'pacemaker: nothing was to be done',
  },
];
