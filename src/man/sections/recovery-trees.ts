import type { ManSection } from '../man-page.js';

const database = '/srv/state1/sm_10.10.1.1/monitors.db';

/** The four questions, then what is lost. In the examples a comment says what an answer means. */
export function recoveryTrees(): ManSection[] {
  return [
    {
      title: 'WHICH NODE IS RIGHT',
      blocks: [
        { text: 'On each node that still answers:' },
        {
          example:
            'nlm-failover status 10.10.1.1              # who serves, who owns, and all that is wrong, with what to do\n' +
            'ip -br address show to 10.10.1.1           # without the tool: is the address up here? (with lockd-netns: see "ip netns list")\n' +
            'findmnt -no SOURCE,TARGET /srv/state1      # and the state volume mounted?\n' +
            `sqlite3 ${database} "SELECT owner, epoch, released FROM ownership"   # only where it is mounted`,
        },
        {
          text:
            'On a node that has not the state volume, nothing is to be had of the record: history, clients, audit and rebuild say there that it cannot be reached (RECORD_UNREACHABLE). That is no fault. Mount nothing to see more: go on with IS THE OTHER NODE DEAD.\n\n' +
            'One node has all three, and the record names it, with released 0: that one is right. Where another one has the address up too, or a volume mounted, it is wrong there: release refuses there (exit code 4), as the record is not its. Take it down by hand, A-1 to A-4 below without the lines of sqlite3; or fence it.\n\n' +
            'No node has it: the next question is whether one of them may have it and does not answer.\n\n' +
            'Two nodes have the state volume, or another one, mounted: fence both, and nothing else is safe. On one that is up again and has none of them mounted, each volume is checked and repaired; where multiple mount protection refuses that (nobody took its mark away), the second line first. Then take over there, with --fenced:',
        },
        {
          example:
            'e2fsck -f -y /dev/vg0/state1               # 0 or 1: it is sound now; more: do not mount it\n' +
            'tune2fs -f -E clear_mmp /dev/vg0/state1    # only where e2fsck says that MMP has it in use, and both nodes are fenced; then e2fsck again\n' +
            'e2fsck -f -y /dev/vg0/vol1',
        },
      ],
    },
    {
      title: 'IS THE OTHER NODE DEAD',
      blocks: [
        {
          text: 'It is dead when it is powered off or fenced, and not before. These can say that it lives, or that it let go; none says that it is dead:',
        },
        {
          example:
            'ping -c 2 nfs-a                                # an answer: it lives; none says nothing\n' +
            'e2mmpstatus /dev/vg0/state1                    # 11 s; "currently active": it lives; "safe to mount": nobody writes, which is no proof that it is dead (it may hang)\n' +
            'e2mmpstatus -i /dev/vg0/state1                 # only where it lives: its name; a node that is dead or has let go stands there too\n' +
            'dumpe2fs -h /dev/vg0/state1 | grep needs_recovery   # there: it crashed, or has it mounted still; nothing, and no error either: it let go, takeover needs no --fenced',
        },
        {
          text:
            'It lives: `nlm-failover release 10.10.1.1` there, then takeover here. It lives, and the release fails: the sentence says what holds it; else fence it. It is fenced: takeover with --fenced, here. ' +
            'Nobody can fence it, and nobody knows: wait. Clients wait too, and lose nothing; two nodes on one file system lose all of it.',
        },
        {
          example:
            'nlm-failover takeover --fenced --no-wait 10.10.1.1    # your word that it is dead; where this node serves already, nothing changes\n' +
            'nlm-failover audit 10.10.1.1                          # when the grace is over: what is lost; --no-wait did not look',
        },
      ],
    },
    {
      title: 'WHAT IS HALF DONE',
      blocks: [
        { text: 'What was done last, with each step, and what is here:' },
        {
          example:
            'nlm-failover history --last 1 10.10.1.1\n' +
            'cat /proc/mounts                           # A-4, B-1: the volumes\n' +
            'ls -l /run/nlm-failover/serving/           # B-2: 10.10.1.1 is there exactly while its clients are recorded\n' +
            'cat /proc/fs/nfsd/threads                  # 0: nfsd is down, and with it lockd\n' +
            'rpcinfo -p                                 # nlockmgr, status, mountd, nfs: what clients find\n' +
            'cat /proc/fs/lockd/nlm_end_grace           # N: in grace, reclaims are taken; Y: it is over\n' +
            'cat /proc/locks                            # POSIX with the pid of lockd: what clients hold\n' +
            'cat /var/lib/nfs/etab                      # A-2, B-5: what is exported\n' +
            'exportfs -v\n' +
            'ip address show                            # A-1, B-4\n' +
            'ip netns list                              # lockd-netns: nfs-10.10.1.1 is its instance',
        },
        {
          text:
            'With lockd-netns the node itself tells nothing of the address: the link is in /run/nlm-failover/instances/10.10.1.1/run/nlm-failover/serving/, and for threads, rpcinfo, nlm_end_grace, etab, exportfs and ip write `nlm-failover exec 10.10.1.1 --` before the line, or without the tool ' +
            'the nsenter of the first line of BY HAND WITH LOCKD-NETNS. /proc/mounts and /proc/locks are those of the node.\n\n' +
            'With ganesha there is neither nfsd nor etab. `busctl --system call org.ganesha.nfsd /org/ganesha/nfsd/admin org.ganesha.nfsd.admin get_grace` begins with true while it is in grace, and ShowExports (.../ExportMgr org.ganesha.nfsd.exportmgr ShowExports) has what it exports; in /proc/locks its locks are OFDLCK. ' +
            'Of what every node exports STATE/sm_ADDRESS/barrier is there while a takeover or release waits for the nodes, and barrier.NODE is what each has answered.',
        },
      ],
    },
    {
      title: 'HOW TO GO ON',
      blocks: [
        {
          text:
            'The same command again: it goes on where the other stopped, and does nothing twice. Or the opposite one: it goes back. A message says what it waits for; its code is explained in ERRORS of nlm-failover(8).\n\n' +
            'The address is to be served here:',
        },
        { example: 'nlm-failover takeover --no-wait 10.10.1.1' },
        {
          text: 'Where systemd is used, after each takeover or adopt by hand: `systemctl start nlm-failover@10.10.1.1.service`. It changes nothing now; without it a reboot releases nothing, and loses the locks.',
        },
        { text: 'It is served, and clients were not notified (exit code 5):' },
        { example: 'nlm-failover notify 10.10.1.1' },
        { text: 'It is to go away from here, or what is left of it is:' },
        { example: 'nlm-failover release 10.10.1.1' },
        { text: 'It is served, by hand or by others, and not under control:' },
        { example: 'nlm-failover adopt 10.10.1.1' },
      ],
    },
    {
      title: 'THE RECORD IS LOST OR CORRUPT',
      blocks: [
        {
          text: 'RECORD_MISSING, RECORD_CORRUPT: the disk first (dmesg). The journals beside it know every client; a record is made of them anew, also while the address is served:',
        },
        {
          example:
            `sqlite3 ${database} "PRAGMA quick_check"    # ok: then leave it\n` +
            'nlm-failover rebuild 10.10.1.1              # of a record that is sound it says so, and changes nothing\n' +
            'ls -l /srv/state1/sm_10.10.1.1/             # journal.NODE: what is in it\n' +
            'nlm-failover clients 10.10.1.1              # who would be notified',
        },
        {
          text:
            'The journals are gone too: a backup of the directory sm_10.10.1.1, however old, then rebuild. None: whoever has the export mounted may hold a lock. Take over (`rebuild --force` makes an empty record), and notify by hand (B-3) ' +
            'everybody whom the exports let in and who may have used it: rpc.statd of the former node has a file for each in /var/lib/nfs/sm. Who is not a client ignores it.',
        },
      ],
    },
    {
      title: 'LOCKS THAT ARE LOST',
      blocks: [
        { text: 'Exit code 6, or a client says so. By name, on the node that serves:' },
        {
          example:
            'nlm-failover audit 10.10.1.1                # each lock that is missing, with its file, and who may have held it\n' +
            'find /srv/vol1 -xdev -inum 12               # the file of an inode of /proc/locks',
        },
        { text: 'On each client that may be meant:' },
        {
          example:
            "dmesg | grep 'failed to reclaim'            # its kernel was refused; nothing: it gave the lock back, or never asked\n" +
            'cat /proc/locks                             # what its applications believe to hold',
        },
        {
          text:
            'An application that believes in a lock that it does not hold is not told, and goes on writing, perhaps beside another one. So end it first (fuser -v FILE on the client names it), with SIGKILL where it would write on its way out. ' +
            'Then look whether somebody else got the lock meanwhile: /proc/locks on the server has one for that inode. If nobody did, the data is as one writer left it: start the application anew, and it takes the lock again. ' +
            'If somebody did, two have written: what they wrote since the takeover (`nlm-failover history` has the time) is to be judged by whoever knows the data; restore or repair, then start one.\n\n' +
            'When all of them are looked after:',
        },
        { example: 'nlm-failover audit 10.10.1.1 --acknowledge' },
      ],
    },
  ];
}
