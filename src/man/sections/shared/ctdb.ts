import { graceNeeded } from '../../../ctdb/grace.js';
import { usualTimeouts } from '../../../ctdb/limits.js';
import type { ManSection } from '../../man-page.js';

const { wait, spread, notify, reclaim, refuse, closed, quiet } = usualTimeouts;

export const ctdbExample = `[state]
directory = "/shared/state"      # below a mount point; seen by every node, exported by none: records, and ctdb/node.PNN

[lock_manager]
driver = "lockd"
restart = ["rpc.nfsd", "16"]     # how nfsd starts, without the exports going

[[shared_filesystem]]
fsid = 7                         # in /etc/exports of every node
mountpoint = "/srv/vol"
nodes = ["a", "b", "c"]

[[floating_ip]]                  # each of public_addresses
address = "10.10.1.1/24"
interface = "eth0"
managed_by_others = ["address"]`;

/** Addresses that CTDB moves. */
export const ctdbSection: ManSection = {
  title: 'CTDB',
  blocks: [
    {
      text:
        'CTDB moves addresses between nodes that all export one cluster file system. With NFS-Ganesha see SHARED FILE SYSTEMS. The lock manager of the kernel (`driver = "lockd"`) lets locks go, and begins a grace, only as a whole; so when addresses have moved, that of every node is started anew, ' +
        'in three phases: every node `refuses` NLM (by nftables, and where that is not installed by iptables; NFS goes on); only when all do, the first one `stops`; only when all have stopped, the first one `starts`, and its clients are notified: those of the addresses that moved from these, and those of its own. Without the first phase a rival gets what the first node lets go from one that serves still.\n\n' +
        'The configuration, the same on every node, beside `node`:',
    },
    {
      example: ctdbExample,
    },
    {
      text: 'On every node, before CTDB has an address on it:',
    },
    {
      example: `nlm-failover setup --ctdb
systemctl start nlm-failover-ctdb.service
echo 50 > /proc/sys/fs/nfs/nlm_grace_period        # and nfsd's, /proc/fs/nfsd/nfsv4gracetime: see below`,
    },
    {
      text:
        'setup has rpc.statd run the callout, in the place of CTDB’s statd-callout; links 06 and 62.nlm-failover.script of callouts/ctdb into /etc/ctdb/events/legacy, as "ctdb event script enable" does; disables CTDB’s own 06.nfs and 60.nfs, which empty statd’s directory and restart another daemon; and enables nlm-failover-ctdb.service. ' +
        '`setup --undo` puts all of it back as it was. It exchanges no script under an address that is on the node. 60.nfs started nfsd: where nothing else does, setup says so.',
    },
    {
      text:
        'An event only notes that an address came or went: `nlm-failover ctdb serve`, one process on each node, does the work, and goes by the addresses that the node has, whatever events were killed, lost, late or said twice. It begins as ipreallocated comes, ' +
        `or, where that does not (moveip of CTDB before 4.20), ${quiet} s after the last takeip or releaseip; and where an address is found to have moved without an event, when no grace runs.\n\n` +
        `The grace of every node must last ${graceNeeded()} s: ${spread} s from the first start to the last, ${notify} s to notify, ${reclaim} s to reclaim (\`ctdb_spread\` and others in [timeouts] say otherwise). A node that would start later has all do it again. ` +
        `A node is waited for that CTDB calls connected, or whose note changes, for ${wait} s in each phase; then it is named, and the others go on: what its clients lock meanwhile may be what others held. What a node refuses comes through again ${refuse} s after its process was killed, ` +
        `and ${closed + wait} s after it began, whatever happens (\`nft list table inet nlm_failover_ctdb\`, \`iptables -S nlm_failover_ctdb_in\`: there the rules stay, and match until a time).`,
    },
    {
      terms: [
        [
          'A node that dies',
          `The file system may give its locks away before CTDB says a word: with dlm 8 s after a power cut, at its fencing, while CTDB’s first event came after 34 s. So what fences is to have the others refuse first: \`nlm-failover join-grace --all --dead NODE\`, which returns when every node that lives refuses NLM, at the longest after ${wait} s. They then start in grace, which must last until CTDB has moved the addresses of the dead node (38 s there), as then all refuse anew. ` +
            'The fence agent `fence_nlm_failover` does that, and never keeps a node from being fenced. Where Pacemaker or dlm is there, `setup --ctdb` links it into /usr/sbin. In Pacemaker it belongs into one level with the device that fences, before that: "pcs stonith create refuse fence_nlm_failover pcmk_host_check=none", then "pcs stonith level add 1 NODE refuse DEVICE" for each node; its names must be those of `node`. ' +
            'What stays open: without it, those 26 s; and storage of the record that itself waits for the fencing, where nobody is heard: the agent then goes on after 15 s. Let `directory` of [state] lie elsewhere. `check` says where no agent is named.',
        ],
        [
          'GFS2, OCFS2',
          'are refused, by `check`, `setup --ctdb`, takeover and the first generation, whatever the kernel. Seen with GFS2 on Linux 6.1: two NFS clients of one node both got the same exclusive lock, as dlm takes lockd for one owner, and what lockd held stayed in dlm when it had ended, for ever. OCFS2 has its locks kept in the same way; with o2cb they are those of each node alone, as with `localflocks`, which is enough for an address whose file systems one node has at a time, and refused where every node exports them. No newer kernel was tried.',
        ],
        [
          'A firewall that is reloaded',
          '("nft flush ruleset", nftables.service, "iptables -F") while a node refuses takes its rules away, too. It looks for them 5 times a second and right before its lock manager stops, and has them there again; that is said, and all begin anew, so that nobody stops by what was so before; at most five times, then it goes on and says so. What stays: who asked in that time got what was free, and where another node had stopped already, what a client of that node held. Reload none while `status` says that a generation is under way.',
        ],
        [
          'The configuration',
          'is read anew when its file changes, and counts from the next generation on. One that cannot be read, or is wrong, is not taken: what it had before goes on, and `monitor`, `check` and the log say so. Another `node`, driver or state directory needs a start of nlm-failover-ctdb.service.',
        ],
        [
          'takeover, release',
          'of such an address by hand are refused (DRIVER_UNSUITED): they would restart one lock manager alone. `status`, `check`, `clients`, `notify`, `history` work as ever. A planned move is CTDB’s: `ctdb moveip ADDRESS NUMBER`. nlm-failover-recovery(7) has what to do when something hangs.',
        ],
        [
          'monitor',
          'ends with 1, so that CTDB moves the addresses away, where the process does not run or stands still, or the lock manager cannot be stopped or started. It starts nothing by itself. Where no systemd has the process run, what it says is in /run/nlm-failover/ctdb/log, and before that in log.1; neither grows beyond 1 MiB by much.',
        ],
      ],
    },
  ],
};
