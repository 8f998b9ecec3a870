import type { ManSection } from '../../man-page.js';
import { ganeshaHa } from './ganesha-ha.js';

export const sharedExample = `[state]
directory = "/shared/state"      # below a mount point; seen by every node, exported by none

[lock_manager]
driver = "ganesha"

[timeouts]
barrier = 60

[[shared_filesystem]]
export_id = 77                   # in the EXPORT block of every ganesha.conf
path = "/gv"                     # with "mountpoint" where it is mounted, too
gluster_volume = "gv"            # only of GlusterFS
nodes = ["a", "b"]               # every node that exports it

[[floating_ip]]                  # one for each node, or more
address = "10.10.1.1/24"
interface = "eth0"

[[floating_ip]]
address = "10.10.1.2/24"
interface = "eth0"`;

/** File systems that do not move. */
export const shared: ManSection = {
  title: 'SHARED FILE SYSTEMS',
  blocks: [
    {
      text:
        'Where every node has mounted a cluster file system and exports it always, an address has no file system of its own: it moves alone, and the locks of its clients with it. The configuration says so once, in ' +
        '[[shared_filesystem]]. Nothing is mounted, unmounted, exported or unexported then. It is for NFS-Ganesha (`driver = "ganesha"`); the kernel’s lockd cannot enter grace without a restart, in which a rival gets in, unless all nodes restart it together (CTDB). The record lies on shared storage ' +
        '(`directory` in [state]) that no NFS client reaches.',
    },
    {
      example: sharedExample,
    },
    {
      text:
        'A lock can be taken through any node. So before one of a moved client is dropped (A-3), and before the address is up again (B-2), `every node of the list is in grace`: release and takeover write a call beside the record ' +
        '(sm_ADDRESS/barrier), each node enters grace and answers there (sm_ADDRESS/barrier.NODE). Nobody is waited for who is proved to be down: the node that had the address and was fenced (where that was in an earlier run, as long as it answers nothing), and with `--resource`, as the agents have it, one that Pacemaker says ' +
        'is down. A node that does not answer within `barrier` in [timeouts] is named, takeover goes on, and ends with 5: what its clients locked meanwhile may be what others held. release says it, and ends well.',
    },
    {
      example: `# once, on two nodes at about the same time: is the storage fit for the record?
nlm-failover try-storage

# on every node, always: answers when it is called ("nlm-failover join-grace --watch")
systemctl enable --now nlm-failover-join-grace.service`,
    },
    {
      terms: [
        [
          'A-3',
          'NFS-Ganesha drops what it knows to be held through the address (`grace 2:ADDRESS`), and takes each recorded client for rebooted (SM_NOTIFY of NLM from this host, as rpc.statd does): it knows nobody by the address who locks over UDP. What such a client holds through another address of the same node goes too; so who is recorded for both is notified from there as well, in the same grace.',
        ],
        [
          'B-2',
          'the call, a grace here (`grace 0:`), the answers, and only then `grace 5:ADDRESS`, which drops what a client has reclaimed where this is done again: it is, until B-3 is done. Each call begins the grace of a node anew, with its whole length; after a third of it, where the wait is longer, the same call does so again.',
        ],
        [
          'Until B-3 is done',
          'the locks of the address are nobody’s. So the call of a release stays until the takeover calls, and that of the takeover until the clients are notified; `join-grace --watch` has its node enter grace anew, at each third of one: at the longest for `barrier`, from when it saw the call. A takeover that comes later than that and one grace finds locks given away. Where nobody takes the address over, new locks wait that long on every node.',
        ],
        [
          'Dead nodes, GlusterFS',
          'the bricks keep the locks of a node that died until they notice (`server.tcp-user-timeout`, 42 s by default), and a reclaim before that is refused for good. With `gluster_volume` each node looks at its own bricks (SIGUSR1, /run/gluster), and answers only when they hold no lock of that host any more. Let Grace_Period be longer than that, and than the clients take. And let that be longer than it takes from the death of a node until it is fenced and every other is in grace (20 s and more under Pacemaker): from then on a rival may get what its clients hold.',
        ],
      ],
    },
    {
      text:
        'The grace is that of every server: no other lock is lost, but whoever asks for a new one waits, through every address, up to ten seconds longer than Grace_Period.\n\n' +
        'What no barrier closes: where a lock manager dies, and its node or the storage lets its locks go at once, a rival may get one before any takeover begins. With a storage that keeps them for a while (GlusterFS does, of a node that lost its power, for `server.tcp-user-timeout`), fencing and grace come first where they take less.\n\n' +
        'Which locks are held through which address cannot be seen: nothing is noted at A-1, and the audit goes by who was notified, as after a crash.',
    },
    ...ganeshaHa,
  ],
};
