import type { ManBlock } from '../../man-page.js';

/** In SHARED FILE SYSTEMS of nlm-failover(8): the cluster of their nodes, from set-up to the last node. */
export const ganeshaHa: readonly ManBlock[] = [
  { heading: 'Under Pacemaker' },
  {
    text:
      '`nlm-failover ganesha-ha` tells a Pacemaker cluster all of it, from the configuration: a clone of `ocf:nlm-failover:ganesha` on every node of `nodes`, and an `ocf:nlm-failover:address` for each floating IP. The clone looks at NFS-Ganesha and rpc.statd every 10 s, keeps `join-grace --watch` running (a line of it goes to the log of the node as nlm-failover) unless somebody else does, ' +
      'and sets the node attribute nlm-failover-ganesha to 1 where all is well. The addresses go by that attribute. No step with locks is taken in the clone, or because of a notification of the cluster: that is start and stop of an address, so a dead node whose death nobody is notified of loses nobody a lock.',
  },
  {
    terms: [
      [
        'Set-up',
        'Have the file systems mounted and exported on every node, the shared storage of the record tried (`nlm-failover try-storage`), rpc.statd with the callout and what answers calls into grace (`nlm-failover setup --pacemaker`, then `systemctl start nlm-failover-join-grace.service`; without --pacemaker each node would take the addresses over by itself when it boots, and ganesha-ha refuses that), and a fence device for each node. The same configuration on every node, in which `nodes` has the names of the cluster ("crm_node --list") and `node` is one of them. `nlm-failover check` on each. Then, on one: `nlm-failover ganesha-ha setup --apply`, and `nlm-failover ganesha-ha status`.',
      ],
      [
        'Who starts NFS-Ganesha',
        'You do, by its unit (systemctl enable nfs-ganesha): the clone only looks, every 10 s, and answers calls into grace also while it does not run (its monitors have on-fail=ignore). Or the cluster, with `--unit nfs-ganesha.service`, which stays when the command is run without it: then disable that unit; the clone starts it, starts it anew where it fails, and stops it.',
      ],
      [
        'NFS-Ganesha dies on a node',
        'The attribute is deleted, and gone from the cluster before the failure is seen. The addresses of that node are released there, and taken over elsewhere, each with every other node in grace before it is up. They wait for no new start of NFS-Ganesha, on whichever node; that the one that died needs no grace its node answers itself. What answers calls into grace is started anew where it alone has ended: for that no address moves.',
      ],
      [
        'Fail-back',
        'The first address is at home on the first node of `nodes`, the second on the second, and so on around; the score of home is 1000 for each node, that of the others 1000, 2000... (the node before it in the ring has the highest), beyond the stickiness of 100. When NFS-Ganesha is back an address goes home by itself: released by the interim holder, which drops the locks of its clients, and taken over at home. Each move costs a grace on every node; to choose the time, put the node into standby first (crm_attribute --node NODE --name standby --update on).',
      ],
      [
        'Standby',
        'In standby, and where the clone is stopped or banned, a node has no address. Its NFS-Ganesha runs on, unless the cluster has its unit, and gives locks away to whoever mounted by an address of the node itself: so it has to enter grace with the others, and each release and takeover waits for its answer. nlm-failover-join-grace.service gives it, at once also where NFS-Ganesha does not run. Without that unit the clone has calls answered while it runs, and a node in standby is waited for in vain each time, for `barrier` in [timeouts], and named. That a node is proved to be down, by Pacemaker, ends the wait as ever.',
      ],
      [
        'To add a node',
        'Write it into `nodes` in the configuration of every node, its own too, with an address for it if it is to have one: what answers calls there reads it by itself. Then `nlm-failover ganesha-ha add NODE --apply`. It is refused before it stands in `nodes`: nobody would wait until it is in grace, and a lock could be had there that somebody else is about to reclaim.',
      ],
      [
        'To delete a node',
        'Put it into standby, so that its addresses go; `nlm-failover ganesha-ha delete NODE --apply`, which refuses while it has one; end NFS-Ganesha there; then take it out of `nodes` everywhere. In that order: until the last step takeovers wait for it, and name it, which costs time and no lock.',
      ],
      [
        'refresh',
        'After any other change of the configuration: what differs is changed, an address that is not there any more is released and removed. A home that the cluster has stays, so that no lock moves because of another node.',
      ],
      [
        'teardown',
        'Every address is released, then all of it is removed, and nothing else. NFS-Ganesha runs on, unless the cluster has its unit.',
      ],
    ],
  },
  {
    text:
      'An order of starts, the clone before the addresses, is not written: the attribute is set at the end of a start, and with such an order Pacemaker has each address wait for the clone on every node, also the one on which NFS-Ganesha has just died. The clone stops after every address that stops has been released, and has been taken over elsewhere, as the takeover waits for the answer of that node too (two orders of kind Optional, for one transition). A colocation has the addresses run only where the clone does.\n\n' +
      'With fencing off Pacemaker takes requires=fencing back, and starts an address while its former node may still have it; the command warns. takeover then refuses where nobody proves that node down (FENCING).',
  },
  {
    text: '`status` asks the nodes, in the record of an address (sm_ADDRESS/looks), whether they look for calls into grace; no server enters grace for that. `not asked`: there is no record yet. `NO ANSWER`: `join-grace --watch` does not run there, or cannot come to the storage.',
  },
  {
    example: `# nlm-failover ganesha-ha status
node  cluster  NFS-Ganesha  join-grace  last called into grace                               addresses
a     online   well         answers     never called                                         10.10.1.1, 10.10.1.2
b     online   NOT WELL     answers     entered it, for 10.10.1.1, 2026-11-27T09:12:44.120Z  none
WRONG  b can serve no address: nlm-failover-ganesha is not 1`,
  },
];
