/** What the manual says of an error; `text in backticks` becomes bold. */
export interface ErrorText {
  readonly means: string;
  /** What the reader can do about it. */
  readonly todo: string;
}

/**
 * Every code that an error can have: what it means, and what to do. The codes are part of the interface: --json prints
 * them as `code`, and scripts may match them. One that is not here does not compile (FailoverError); the manual prints the table.
 */
export const errorCodes = {
  BAD_NODE_NAME: {
    means: 'The name of this node cannot be used.',
    todo: 'Set `node` in the configuration; nlm-failover.toml(5) says what a name may be.',
  },
  BAD_SERVING_LINE: {
    means: 'Recording was not begun: the node name or an fsid would make a journal that cannot be read.',
    todo: 'Correct `node` or `fsid` in the configuration.',
  },
  CLUSTER_SILENT: {
    means: 'pacemaker --apply changed nothing: no cluster answers on this node, or it did not in time.',
    todo: 'Run it on a node on which Pacemaker runs (`crm_mon -1`), or print the commands without --apply.',
  },
  CLUSTER_UNFIT: {
    means:
      'pacemaker wrote nothing: what the configuration says cannot work in a cluster, or not in this one (an id is that of something else, a unit of systemd has the address, an agent is missing). The message says what.',
    todo: 'Remove that, or correct the configuration; see PACEMAKER.',
  },
  CTDB_EVENT: {
    means: 'The words of an event of CTDB are none of it.',
    todo: 'Have the scripts of callouts/ctdb hand on what CTDB gives them; see CTDB.',
  },
  COMMAND_FAILED: {
    means:
      'A command of the system failed, or printed what cannot be read. The message has the command and what it said.',
    todo: 'Remove the cause, then run the same nlm-failover command again.',
  },
  COMMAND_MISSING: {
    means: 'A command of the system is not installed, or not on PATH.',
    todo: 'Install the package that brings it.',
  },
  COMMAND_TIMEOUT: {
    means:
      'A command of the system did not end in time. It was killed, or waits in the kernel and was left behind; see WAITING.',
    todo: 'Look at the disk, daemon or server that it waits for. A command that waits in the kernel must be gone before another node takes over. Then run the same nlm-failover command again.',
  },
  CONFIG_INVALID: {
    means: 'The configuration is not right. The message has every mistake, with its place.',
    todo: 'Correct the file; see nlm-failover.toml(5).',
  },
  CONFIG_NOT_FOUND: {
    means: 'The configuration file does not exist.',
    todo: 'Write it, or name another one with --config or NLM_FAILOVER_CONFIG.',
  },
  CONFIG_UNREADABLE: {
    means: 'The configuration file cannot be read, or is not UTF-8 text.',
    todo: 'See that it is a regular file that root can read.',
  },
  CONFIG_UNSAFE: {
    means:
      'The configuration file, a directory above it or a symbolic link on the way to it belongs to somebody else than root, or can be written by others (but for a sticky directory, as /tmp): they could run commands as root. Nothing was touched.',
    todo: 'See that nobody has changed it. Then chown root, chmod go-w.',
  },
  DEVICE_IN_USE: {
    means:
      'B-1 mounted nothing: the file system on the device was not unmounted cleanly, so another node may have it mounted.',
    todo: 'Run `nlm-failover release ADDRESS` on the node that has it. Where that node is dead for certain, or it is this node that crashed, add --fenced.',
  },
  DEVICE_UNKNOWN: {
    means:
      'Which device a file system is on cannot be known on this node: it is not there, several have that name, or it is that of another file system too. Nothing was touched.',
    todo: 'See `blkid` and `lsblk`. Connect the device, or correct `device`; of several with one name write the path.',
  },
  DIRECTORY_UNFIT: {
    means:
      'The directory that sm-directory is to write is not empty, others could change what is in it, or the user of rpc.statd cannot reach it.',
    todo: 'Name one that is not there yet, below a directory that belongs to root and that nobody else can write, such as /run.',
  },
  DRIVER_UNSUITED: {
    means:
      'The driver that the configuration names cannot serve this address, or this host lacks something for it. The message has every reason.',
    todo: 'Remove the reasons, or set `driver` in [lock_manager] to "auto" or another driver.',
  },
  FILE_UNFIT: {
    means:
      'What `metrics --output` is to write is there, and is a device, a link or a directory: it was left as it is. Or its directory is not there, or a symbolic link of another user leads to it.',
    todo: 'Name a file of its own, in a directory that is there.',
  },
  INTERRUPTED: {
    means: 'SIGINT or SIGTERM stopped the command between two effects.',
    todo: 'Run the same command again: it goes on where this one stopped.',
  },
  NO_DRIVER: {
    means: 'With driver "auto": no driver can serve this address on this host. The message has every reason.',
    todo: 'Remove the reasons for one of the drivers.',
  },
  NO_INSTANCE: {
    means: 'exec: the address has no instance on this node.',
    todo: '`nlm-failover status ADDRESS` shows where the address is served. Only a driver that serves each address from an instance has one.',
  },
  NO_JOURNALS: {
    means: 'rebuild changed nothing: there is no journal to make a record from.',
    todo: 'Restore the directory sm_ADDRESS from a backup; see STORAGE TROUBLES.',
  },
  NO_MACHINE_ID: {
    means:
      'This machine has no /etc/machine-id, so that it cannot be distinguished from another one of the same name.',
    todo: 'Make one with systemd-machine-id-setup(1) or dbus-uuidgen(1). Machines that were cloned need one each.',
  },
  NOT_A_CLIENT: {
    means: '`adopt --client` names the floating IP itself, or one of its `names`. Nothing was touched.',
    todo: 'Name hosts that mount from it.',
  },
  NOT_A_REHEARSAL: {
    means: 'NLM_FAILOVER_REHEARSAL names a directory that no demo has made.',
    todo: 'Unset it to work on this machine itself.',
  },
  NOT_FENCED: {
    means:
      'Another node owns the address and has not released it, or may have its volume, and that it is down is not proved: by Pacemaker (`--resource`), or by the command of [fencing]. The message says why. Nothing was claimed, and what was mounted to read the record was unmounted again.',
    todo: 'See FENCING. Where that node is dead for certain, add --fenced.',
  },
  NOT_OWNER: {
    means: 'Another node has taken the address over. This one changed nothing more.',
    todo: '`nlm-failover status ADDRESS` shows the owner. What is still up here of the address is to be taken down by hand.',
  },
  NOT_READY: {
    means:
      'takeover or adopt looked at what its steps need before the first of them, and found something missing or otherwise: a device, type, interface, fsid, program... The message has everything. Nothing was claimed or touched.',
    todo: 'Remove what stands in the way, or correct the configuration; --dry-run looks again.',
  },
  NOT_RELEASED: {
    means: 'Another node owns the address and has not released it. Nothing was touched.',
    todo: 'Run `nlm-failover release ADDRESS` there. Where that node is dead for certain, add --fenced here.',
  },
  NOT_VERIFIED: {
    means:
      'A step was done, but the system is not as it should be afterwards; or it was not begun because that can be seen before. The message says what was found.',
    todo: 'Remove the cause, then run the same command again: it goes on where this one stopped.',
  },
  NOT_ROOT: {
    means: 'The command needs root, and was run by another user. Nothing was touched.',
    todo: 'Run it as root.',
  },
  NSM_NOTIFICATION: {
    means: 'SM_NOTIFY cannot be sent with this name, state or address. Nobody was notified.',
    todo: 'Look at `names` of the address in the configuration.',
  },
  NSM_SOCKET: {
    means: 'No UDP socket can be opened to send SM_NOTIFY from.',
    todo: '`ss -uap` shows who has the port. Remove the cause, then `nlm-failover notify ADDRESS`.',
  },
  NSM_WORKER: {
    means: 'The process that sends SM_NOTIFY from within an instance failed.',
    todo: 'Remove the cause, then run the same command again: those who were notified are left out.',
  },
  NSM_WORKER_INPUT: {
    means: 'notify-worker was run by hand. It is for nlm-failover itself.',
    todo: 'To notify clients use `nlm-failover notify ADDRESS`.',
  },
  OPERATION_RUNNING: {
    means: 'Another nlm-failover works on the same address on this node. Nothing was touched.',
    todo: 'Wait for it, or end that process. Then run the same command again.',
  },
  OWNER_UNKNOWN: {
    means:
      'B-1 mounted nothing: the record lies on a file system that does not show whether another node has it mounted (anything but ext2, ext3 and ext4).',
    todo: 'See on every other node that it is not mounted, then add --fenced. A state volume of type ext4 makes that unnecessary; see WHERE THE RECORD LIES.',
  },
  RECORD_BUSY: {
    means: 'Another process has kept the database locked for 15 seconds (`record` in [timeouts]).',
    todo:
      '`fuser -v STATE/sm_ADDRESS/monitors.db` on every node that sees it shows which one: end it, or wait for it. One that is stopped (ps: state T), or whose node hangs in the middle of a write, ' +
      'holds the lock too: then fence that node. The lock ends with its process, also by kill -9. Never remove files to break it.',
  },
  RECORD_CORRUPT: {
    means: 'monitors.db is damaged, or no record.',
    todo: 'Look for the cause first (dmesg, the disk). Then `nlm-failover rebuild ADDRESS`, on any node that reaches the record, also while the address is served; see STORAGE TROUBLES.',
  },
  RECORD_EXISTS: {
    means:
      'move-record changed nothing: there is a record at the new place already. Or adopt did not: the address was served before, and released. Or takeover did not make one: another directory of the same state volume has one, as where `state_directory` was edited.',
    todo: 'See which one is right: `nlm-failover status` shows the new one. A takeover that came before the move has made it, without the clients of the former one: release the address, move the new sm_ADDRESS away, and run move-record again. Instead of adopt run takeover. Instead of a new record: move-record, or the former `state_directory`.',
  },
  RECORDED_ELSEWHERE: {
    means:
      'The address is served here, and the callouts write its clients to a journal that is not in the record of the configuration: `state_directory` or `node` was changed meanwhile. Nothing was touched.',
    todo: 'Write the former ones back, run `nlm-failover release ADDRESS`, change them again, then `nlm-failover move-record`.',
  },
  RECORD_EXPOSED: {
    means:
      'The file system that the record lies on is exported to clients with AUTH_SYS: each of them can claim the user of rpc.statd, and erase the record. Nothing is served with it.',
    todo: 'Move it to a state volume; see WHERE THE RECORD LIES. Or end that export. Only where every client is trusted set `trust_clients = true`.',
  },
  RECORD_FULL: {
    means:
      'No space, or no quota, is left for the record, and the reserve beside it (reserve.failover, reserve.serving), with which release, takeover and rebuild do without, is spent or was never made.',
    todo: 'Free some, then run the same command again. Meanwhile the callout cannot record: `status` shows what it could not write, and the next takeover on this node records whom rpc.statd monitors.',
  },
  RECORD_IN_USE: {
    means: 'move-record changed nothing: the address is served here.',
    todo: 'Run `nlm-failover release ADDRESS` first, with the configuration as it was.',
  },
  RECORD_MISSING: {
    means: 'monitors.db is missing or empty, while there are journals beside it: the record was lost.',
    todo: 'As with RECORD_CORRUPT.',
  },
  RECORD_MOVED: {
    means:
      'The record was moved away from where the configuration has it; or it was being moved here, and that was not finished.',
    todo: 'Set `state_directory` as on the node that moved it; or run the same `nlm-failover move-record` again. The message says which.',
  },
  RECORD_NEWER: {
    means: 'A newer nlm-failover wrote the record.',
    todo: 'Install that version here. `rebuild --force` makes a record of this version from the journals; then the other nodes must run this version too.',
  },
  RECORD_REPLACED: {
    means:
      'Another database was put in the place of the one that this command had open: by a rebuild, or a backup that was restored.',
    todo: 'See `nlm-failover status`, then run the same command again.',
  },
  RECORD_SOUND: {
    means: 'rebuild changed nothing: the database is sound, and knows more than the journals.',
    todo: 'Leave it. To have one that is made from the journals alone, add --force.',
  },
  RECORD_UNREACHABLE: {
    means:
      'The record is not there: its volume or the shared storage is not mounted here, the state directory does not exist, or no takeover has made a record yet.',
    todo:
      'A volume: run this on the node that serves the address. Where none does, and the others are dead or have let go (IS THE OTHER NODE DEAD in nlm-failover-recovery(7)): `nlm-failover takeover --steps B-1 ADDRESS`. Never mount it by hand while another node may have it: that destroys it. ' +
      'Shared storage: mount it. Never make the directory below a mount point that is not mounted: the address would look like one that nobody owns. ' +
      'For that reason keep `directory` of [state] below the mount point, and not at it, where /etc/fstab does not list it.',
  },
  RECORD_UNSAFE: {
    means:
      'The named file or directory, or one on the way to it (the top of a volume too), belongs to somebody else, can be written by others and is not sticky, or is a symbolic link that another user can turn: somebody else could decide who is notified. Or a rollback journal names another file, which no nlm-failover does.',
    todo: 'Find out who made it and why (`namei -l`), and compare the journals with a backup. Then give it back to root: chown root, chmod go-w, or replace the link by what it points to. A rollback journal that names another file is moved out of the directory.',
  },
  RECORD_UNUSABLE: {
    means: 'The record cannot be read or written: read-only, an error of the disk, no permission.',
    todo: '`findmnt -T STATE`, dmesg. A file system that went read-only by an error wants fsck: release the address if you can, else fence the node. Where only monitors.db cannot be read: `rebuild --force`.',
  },
  RUN_UNSAFE: {
    means:
      'The named directory below /run belongs to somebody else, or is a symbolic link: somebody else could decide what is recorded. Nothing was changed there.',
    todo: "Find out who made it; /run itself must be root's alone. Then remove it and run the same command again.",
  },
  SERVED_OTHERWISE: {
    means: 'Another driver than the configured one serves the address here. Nothing was touched.',
    todo: 'Release the address with the driver that took it over, or with "auto". Then take it over again.',
  },
  SERVED_UNCONFIGURED: {
    means:
      'B-2 would take the locks of another address that is served here and is not in the configuration any more. Nothing was restarted.',
    todo: 'Put that address back into the configuration. Where it is to go: `nlm-failover release ADDRESS`, which goes by the configuration with which it was taken over.',
  },
  SERVED_UNRECORDED: {
    means:
      'B-2 would take the locks of another address that is served here, whose record cannot be used. Nothing was restarted.',
    todo: 'The message has the reason: make that record usable again, or release that address.',
  },
  STEP_TIMEOUT: {
    means: 'A step did not end in time; see WAITING. The message says what it waited for.',
    todo: 'Look at that, then run the same command again: it goes on where this one stopped.',
  },
  STEPS_UNKNOWN: {
    means: '--steps names what is no step of this command. Nothing was touched.',
    todo: 'Name steps of this command, separated by commas.',
  },
  STORAGE_UNFIT: {
    means:
      'try-storage, and the first takeover of an address there: what two nodes wrote at once into the state directory was lost, or one of them did not see what the other had written. A record there would lose clients without an error. The message says what was missing.',
    todo: 'Mount the storage with the options that the message names, on every node, and run `nlm-failover try-storage` again; or let the record lie on a state volume. See WHERE THE RECORD LIES.',
  },
  STORAGE_UNTRIED: {
    means:
      'try-storage: no other node came, or it did not go on, so that nothing is known of the storage. Nothing was kept. takeover: an address whose file systems every node exports is to be taken for the first time, and nobody has tried the storage of its record as it is mounted here.',
    todo: 'Run `nlm-failover try-storage` on two nodes at about the same time. Where it runs on both, they do not have the same directory mounted.',
  },
  STUCK: {
    means: 'A system call did not return, so that nlm-failover killed itself (exit status 137); see WAITING.',
    todo: 'Look at the disk or server. Fence this node before another one takes over, or wait until the process is gone.',
  },
  SYSTEM_ERROR: {
    means: 'A system call failed. The message has the file and the reason.',
    todo: 'Look at that file system, and dmesg. Then run the same command again: it goes on where this one stopped.',
  },
  UNEXPECTED: {
    means: 'A defect of nlm-failover.',
    todo: 'Please report it with the whole output. The same command, run again, goes on where this one stopped.',
  },
  UNKNOWN_ADDRESS: {
    means: 'The address is no floating IP of the configuration.',
    todo: 'Give one of those that the message names, or add a [[floating_ip]].',
  },
  XDR_MALFORMED: {
    means: 'An answer over RPC cannot be read.',
    todo: 'See that it is rpcbind that answers at port 111 of this host: `rpcinfo -p`.',
  },
  XDR_TOO_LONG: {
    means: 'A value is too long for a message over RPC.',
    todo: 'Look at `names` of the address in the configuration.',
  },
} as const satisfies Readonly<Record<string, ErrorText>>;

export type ErrorCode = keyof typeof errorCodes;
