import type { ManSection } from '../man-page.js';

/** The server in user space. */
export const ganesha: ManSection = {
  title: 'NFS-GANESHA',
  blocks: [
    {
      text:
        'With `driver = "ganesha"` in [lock_manager] it is NFS-Ganesha that serves the addresses, for NFSv3, and nfsd of the kernel does not run. It is driven over D-Bus, by busctl(1), as root. rpc.statd runs with the callout, ' +
        'as everywhere; the unit nfs-ganesha-lock of its package starts one with what stands in nfs.conf. `auto` never takes this driver. Each exported file system has an `export_id`, one path, and in it as many tables of clients as wanted: B-5 makes an EXPORT block of them, with the VFS back end, for ' +
        '/run/nlm-failover/ganesha (`ganesha_exports`). Clients mount by the path as it stands in the configuration, in which no symbolic link may be. Where that cannot say what you need, write the block yourself, and name it in `export_block`.',
    },
    {
      example: `[lock_manager]
driver = "ganesha"

[[floating_ip]]
address = "10.10.1.1/24"
interface = "eth0"
state_directory = "/srv/state1"

  [[floating_ip.filesystem]]
  fsid = 1234
  export_id = 1            # the same on every node
  device = "/dev/vg0/vol1"
  mountpoint = "/srv/vol1"
  type = "ext4"

    [[floating_ip.filesystem.export]]
    clients = "10.10.0.0/16"
    options = "rw,no_root_squash"`,
    },
    {
      text: 'In ganesha.conf, the same on every node, and without an EXPORT of what moves; `check` reads it:',
    },
    {
      example: `NFS_Core_Param {
  NFS_Protocols = 3;
  Enable_NLM = true;
  Enable_TCP_keepalive = true;    # for A-1, below
  TCP_KEEPIDLE = 5; TCP_KEEPINTVL = 2; TCP_KEEPCNT = 3;
}
NFSv4 { Grace_Period = 45; Lease_Lifetime = 45; }`,
    },
    {
      text: 'A grace lasts up to ten seconds longer than Grace_Period, as a thread that looks now and then ends it. It has to be read: `ganesha_conf`, or say it in `ganesha_grace`.',
    },
    {
      terms: [
        [
          'A-1',
          'cuts the TCP connections of the address (`ss -K`). NFS-Ganesha keeps them otherwise, and a client whose address comes back to this node within minutes runs into its old one: seen, 110 s, and its lock lost. Where the kernel cannot (CONFIG_INET_DIAG_DESTROY), A-1 says how many are left: the keepalive above ends them some seconds later, as nothing answers at an address that has gone. Without it, start NFS-Ganesha anew before the address comes back, where it serves nothing else.',
        ],
        [
          'A-2, A-3',
          'RemoveExport: the locks of that export go with it, and A-3 sees in /proc/locks that none is left on the device (OFDLCK; the pid there is -1, whoever has them). Nobody else loses a lock, and no grace begins. `2:ADDRESS` is not sent: it puts the whole server into grace, and takes the locks that the same client has through other addresses.',
        ],
        [
          'B-2',
          'grace `5:ADDRESS`, before anything is exported. NFS-Ganesha answers true to whatever it is asked, so get_grace is believed. A lock call under way delays the grace (9 s seen); it is waited for, at the longest for `B-2` in [timeouts].',
        ],
        [
          'B-5',
          'AddExport, or UpdateExport where the Export_Id is exported already and its tables have changed. An Export_Id that is another path there, or a path under another Export_Id, is refused: clients would have stale file handles.',
        ],
      ],
    },
    {
      text:
        'The grace is the whole server’s: no lock is lost, but who asks for a new one waits, through every address. takeover and `status` name those others. It ends by itself, and not before its time.\n\n' +
        'Where NFS-Ganesha dies, `status` says so, and release goes on without it. One that was started anew has neither its exports nor anybody’s lock, and has had rpc.statd forget every client: the record keeps them, `status` names ' +
        'it, and takeover, run again, enters a grace, exports and notifies. Until then whoever asks has a stale file handle, so do not let a service manager start it anew by itself (`Restart=`): move the address, or take it over again.\n\n' +
        'A new start of dbus ends NFS-Ganesha within a second (seen with 4.3), without a word in its log, and all its locks with it: release the addresses first. Where it runs and is not on the bus, as it was started before the bus, nobody can tell it anything, and release refuses with its pid: end it (kill -s KILL), and go on as above.\n\n' +
        'Held locks are seen with the back ends VFS and XFS. With another one (Gluster, Ceph) they are in the storage: nothing is noted at A-1, and the audit goes by who came back, as after a crash.\n\n' +
        'An NFS-Ganesha that is its own statd, as it can be since 2026, has registered program 100024 with rpcbind and runs no callout: nobody would be recorded, so takeover and `check` refuse it.',
    },
  ],
};
