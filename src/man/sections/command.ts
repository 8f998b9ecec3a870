import type { FloatingIp } from '../../config/config.js';
import { planRelease, planTakeover } from '../../failover/plan.js';
import { defaultConfigFile } from '../../config/load-config.js';
import { environmentTexts } from '../../environment.js';
import { errorCodes, type ErrorText } from '../../error-codes.js';
import { exitCodeTexts } from '../../errors.js';
import { exampleDriver } from '../../lockmanager/drivers.js';
import type { Plan } from '../../failover/steps/steps.js';
import { stepTitles } from '../../step-names.js';
import { everyDay } from './daily.js';
import { adoptSection } from './adopt.js';
import type { ManSection } from '../man-page.js';
import { checkSection, initSection } from './check.js';
import { pacemakerSection } from './pacemaker.js';
import { fencing } from './fencing.js';
import { storageTroubles } from './storage.js';
import { ganesha } from './ganesha.js';
import { ctdbSection } from './shared/ctdb.js';
import { shared } from './shared/shared.js';
import { keepalived } from './keepalived.js';
import { systemd } from './systemd.js';

/** What nlm-failover(8) says beyond the commands' own definitions. */
export function manSections(): ManSection[] {
  return [
    configuration,
    initSection,
    checkSection,
    systemd,
    pacemakerSection,
    keepalived,
    ganesha,
    shared,
    ctdbSection,
    fencing,
    adoptSection,
    instances,
    grace,
    recordPlace,
    callout,
    managedByOthers,
    lostLocks,
    waiting,
    everyDay,
    storageTroubles,
    byHand(),
    exitStatus,
    errors,
    json,
    files,
    environment,
    seeAlso,
  ];
}

const configuration: ManSection = {
  title: 'CONFIGURATION',
  blocks: [
    {
      text: `\`${defaultConfigFile}\`, the same on every node; nlm-failover.toml(5) has every key, and a whole file.`,
    },
  ],
};

const instances: ManSection = {
  title: 'INSTANCES',
  blocks: [
    {
      text:
        'With the driver `lockd-netns` every floating IP has an instance of its own: the network namespace `nfs-ADDRESS`, a mount namespace with its own /run and /var/lib/nfs, and in them ' +
        'rpcbind, rpc.statd, rpc.mountd, nfsd and lockd. The start of an instance begins a grace period for this address alone: no client of another address waits. ' +
        'rpc.statd in the instance runs the callout by itself, and records for this address alone.\n\n' +
        'takeover makes the instance in B-2, and clears away what a crash left of it. release takes it away in A-4. Nothing of it survives a reboot. ' +
        '`nlm-failover exec ADDRESS -- exportfs -v` looks inside.\n\n' +
        'The volume is mounted on the host, at the same path as inside. ' +
        "The host's nfs.conf, its drop-ins, exports and nfsmount.conf are not seen in an instance: it has an nfs.conf of its own, made from [lock_manager], in an /etc of its own that links to everything else there " +
        '(hosts, resolv.conf, passwd, netconfig, hosts.allow). What is added to /etc later is seen by the next instance.\n\n' +
        "Of the host's other mounts the instance has a copy, but for the volumes of other floating IPs. Where mounts are shared, as systemd makes them, an umount on the host reaches the copy. Where they are private " +
        '(mount_namespaces(7)) the device stays busy until the instance ends.',
    },
    { heading: 'Its daemons' },
    {
      text:
        'Where systemd runs, the daemons are the transient units `nlm-failover-ADDRESS-DAEMON.service`: see them with systemctl and journalctl. rpc.statd and rpc.mountd are started anew when they die. ' +
        'Elsewhere they are plain processes that outlive the command. They are found by the namespace they are in, and not by a pid, which may have become that of somebody else. Under another service manager, run ' +
        'takeover where the end of its job does not end them. `status` names a daemon that is dead, that rpcbind does not know or that does not answer, and ends with 1.\n\n' +
        'All instances have one lockd thread. While the rpc.statd of one instance does not answer, a new client there makes the clients of all other addresses wait for as long (seen on Linux 6.1 and 7.2: 60 s of 60 s). ' +
        'The callout, for which rpc.statd waits, waits for its own disk alone.\n\n' +
        'When lockd ends it has rpc.statd forget each client, and waits for an rpc.statd that rpcbind does not know: 9 s for each client on 6.1, 60 s on 7.2. release and takeover end the daemons first, and do not wait; ' +
        '`rpc.nfsd 0` by hand does. Never restart nfsd by hand in an instance: its locks go with it, and no client is notified.',
    },
    { heading: 'Its network' },
    {
      text:
        'The host itself cannot reach an address on a macvlan or ipvlan of its own interface; other hosts can. A macvlan has a link-layer address of its own. Wireless and many cloud ' +
        'networks, and hypervisors with MAC filtering, do not forward that: there set `link = "ipvlan"`, `link = "veth"` with a bridge, or `driver = "lockd"`.',
    },
    { heading: 'What it cannot serve' },
    {
      text:
        'NFSv4 is off in an instance: it has no NLM locks, and would need an nfsdcld(8) with its database on the moving volume in each instance. takeover says so where the host itself serves NFSv4. ' +
        'An export with sec=krb5 needs gssproxy(8), and one with xprtsec=tls needs tlshd(8): an instance has neither. A volume or a state directory below /run, /var/lib/nfs or /etc is not seen in an instance. For all these auto takes lockd.',
    },
    { heading: 'Kernels' },
    {
      text:
        'Seen with Linux 6.1 and nfs-utils 2.6.2 (Debian 12), 6.12 and 2.8.3 (Debian 13), 7.2 and 3.1.1 (Debian unstable, November 2026).\n\n' +
        "lockd's part of `grace`, and `lockd_port`, are one setting for the whole kernel. Since 6.15 there is one for each network namespace, over netlink: nfsdctl(8) may override what is written to /proc/sys.\n\n" +
        'Since 6.9 a write to unlock_filesystem drops NFSv4 state too; with NFSv4 off there is none. From 6.9 to 6.18 it must not be written while nfsd is down, and is not. ' +
        'Since 7.1 nfsd needs its listeners before its threads: rpc.nfsd(8) starts and stops it, and never the threads file.',
    },
  ],
};

const grace: ManSection = {
  title: 'GRACE',
  blocks: [
    {
      text:
        'In the grace period that B-2 begins, lockd gives locks only to clients that reclaim them. Whoever wants a new lock, or gives one back, waits.\n\n' +
        'With the driver lockd-netns takeover ends the grace of the address before its time: after a release, once every lock that A-1 noted is held again and every client has answered SM_NOTIFY. It says so, or why not: ' +
        '"grace goes on for 31 s: 1 client not notified". It never does so in these cases:\n\n' +
        '- after a crash; with --no-wait; with `end_grace = "timer"`;\n\n' +
        '- where takeover did not do B-2 and B-3 itself, or had to enter the grace again;\n\n' +
        '- where A-1 may not have noted all locks: a file system was not mounted, lockd did not run or was in its grace still, the node had booted since it took the address over, a client was still to be notified, /proc/locks could not be read, or a lock came after it.\n\n' +
        'Then the grace lasts as long as `grace` says. With the other drivers it always does: their grace is that of other addresses too, or cannot be ended.\n\n' +
        "The grace of an instance has two parts, which begin together: lockd's, `grace`, which can be ended, and nfsd's, 10 s, which cannot. So nobody gets a new lock before 10 s after B-2. " +
        '`grace` can be generous: it is waited out only after a crash, and where something is missing. A Linux client that was refused in grace asks again every 5 s.',
    },
    { heading: 'What is promised after a crash' },
    {
      text:
        'A client is in the record, on the disk, before rpc.statd says that it monitors it, and so before it has its first lock. After a crash every client of the record is notified, and in the grace nobody else gets a lock that one of them reclaims. ' +
        'What is reclaimed is up to the client, and to the file: a lock is on a file, and where the file is gone its lock is too. A file that a client made in the moment before the power went can be gone where the file system did not have it on the disk when the server answered, as with btrfs, or with the export option async; ' +
        'the client gets ESTALE for it. With sync, the default, ext4 and xfs write it first.',
    },
    { heading: 'What /proc/locks does not show' },
    {
      text:
        'Requests that wait for a lock: their clients repeat them, and are let in when the grace is over, early or not. A lock that its client gave back while nobody served counts as missing, since lockd refuses to unlock in grace.\n\n' +
        'Share reservations (DOS, Windows; Linux clients make none): Linux 6.1 and 6.12 take their reclaims for new requests, and let them in only after the grace. Newer kernels take the reclaims in grace too, ' +
        'and after it as long as nobody else was first. Where such clients matter there, set `end_grace = "timer"`.',
    },
  ],
};

const recordPlace: ManSection = {
  title: 'WHERE THE RECORD LIES',
  blocks: [
    {
      text:
        "The journals of a record belong to rpc.statd's user, which writes them. An NFS client with AUTH_SYS says itself which user it is, any but root where root is squashed. " +
        'So whoever is root on a client can erase a record that an export reaches: the next failover notifies nobody, and the locks are lost in silence. Below the exported path or beside it makes no ' +
        'difference: file handles of the whole file system can be made up (exports(5), no_subtree_check). The record of an address lies in one of these places:',
    },
    {
      terms: [
        [
          'a state volume',
          'The recommended place: a small file system of its own, a [[floating_ip.filesystem]] without exports, that `state_directory` lies on. It moves with the address. B-1 mounts it first, whatever ' +
            'the order in the file, and A-4 unmounts it last: whose the address is has been read, and claimed, before any other file system is touched. Where another node has not released the address, takeover ends with exit code 4 and unmounts it again.',
        ],
        [
          'shared storage',
          '`directory` in [state]: storage that every node sees, and that no client of these nodes reaches. It must be mounted before takeover, and tried before the first.',
        ],
        [
          'an exported file system',
          'Only with `trust_clients = true`: every machine that the exports let in, and everybody who is root on one, can then erase the record, fill it, and read who has locks.',
        ],
      ],
    },
    {
      text:
        'A record that clients with AUTH_SYS reach is refused with exit code 3: by the configuration where that tells (CONFIG_INVALID), else by what is mounted and exported when takeover looks (RECORD_EXPOSED): an export of the same device under ' +
        'another name, a bind mount or a symbolic link, of another floating IP or of /etc/exports, or one with crossmnt of a file system above it.\n\n' +
        'An export is not counted where every sec= of it is krb5, krb5i or krb5p, and anonuid= is 65534 (nobody) or left out. Then the server knows who the user is; who has a key for a principal that is mapped to the user of rpc.statd still reaches the record.\n\n' +
        'Of xfs, btrfs, and whatever is not ext2, ext3 or ext4, nobody can see before it is mounted whether another node has it. Where the record lies on such a file system, takeover needs --fenced (OWNER_UNKNOWN). ' +
        'Beside a state volume of type ext4, or shared storage, other file systems can be of any type.',
    },
    { heading: 'Trying shared storage' },
    {
      text:
        'Some file systems lose what two nodes write at once, without an error, and others do so with their default options. So shared storage is tried, before the first takeover: run `nlm-failover try-storage` on two nodes at about the same time. It takes seconds, on slow storage a minute. ' +
        'What came of it is kept in the directory storage-trial beside the records, for each node, with how the storage is mounted there: `check` says where it was never tried, lost something, or is mounted otherwise now. Of GlusterFS it sees the options of the client and the layers of the volume, too.\n\n' +
        'GlusterFS 10, a replica of two, mounted with fuse, as seen in the lab: by default one of the first writes of two nodes was lost; with the performance options of the volume alone each node saw only its own. With these nothing was lost:',
    },
    {
      example:
        'for layer in write-behind quick-read io-cache read-ahead stat-prefetch open-behind; do\n' +
        '  gluster volume set state performance.$layer off\n' +
        'done\n' +
        'mount -t glusterfs -o direct-io-mode=enable,attribute-timeout=0,entry-timeout=0 localhost:/state /shared_storage   # on every node\n' +
        'nlm-failover try-storage                                                                                         # on two at once',
    },
    { heading: 'Moving a record there' },
    {
      text:
        'A record that lies on an exported file system is moved while its address is released, on one node. Its clients keep their locks: the takeover at the end notifies them as ever. ' +
        'Here /srv/vol1/.nlm is the `state_directory` that was; make the state volume before, and write the new configuration beside the old one, without putting it in its place.',
    },
    {
      example:
        'nlm-failover release 10.10.1.1                    # on the node that serves it, with the old configuration\n' +
        'cp nlm-failover.toml.new /etc/nlm-failover.toml   # on every node\n' +
        'mount /dev/vg0/vol1 /srv/vol1                     # on one node, from here on\n' +
        'mount /dev/vg0/state1 /srv/state1\n' +
        'nlm-failover move-record 10.10.1.1 --from /srv/vol1/.nlm\n' +
        'nlm-failover takeover 10.10.1.1\n' +
        'rm -r /srv/vol1/.nlm                              # when every node has the new configuration',
    },
    {
      text:
        'Run takeover only after move-record: on an empty state volume it would begin a new record, without the clients of the former one. Then move-record refuses (RECORD_EXISTS). ' +
        'After a crash run move-record again. Until the new record is complete the former one counts; from then on the former one is marked, and a node that still has the old configuration is refused (RECORD_MOVED). ' +
        'Where nobody can wait, `trust_clients = true` in the old configuration keeps things as they were meanwhile.',
    },
    { heading: 'Multiple mount protection' },
    {
      text: 'Make the state volume once, on one node:',
    },
    {
      example:
        'lvcreate -L 64M -n state1 vg0\nmke2fs -t ext4 -O mmp -E mmp_update_interval=1 /dev/vg0/state1\nmkdir -p /srv/state1   # on every node',
    },
    {
      text:
        'With `-O mmp` ext4 itself refuses to be mounted by a second node while a first one has it mounted, also with --fenced. After a clean unmount it costs nothing (seen: 13 ms for the mount). ' +
        'After a crash the mount waits whether the other node still counts: 22 s, and a refused mount 11 s (seen on Linux 6.18; the kernel looks no faster than every 5 s, and waits twice 2 x 5 + 1 s, ' +
        'fs/ext4/mmp.c). mmp_update_interval=1 is the smallest; a larger one than 5 makes the wait longer. So with it a takeover after a crash takes 22 s more. It begins before the grace, which is not shortened by it.\n\n' +
        'mount(8) says of such a refusal only "already mounted or mount point busy"; takeover says which node has it (DEVICE_IN_USE), as `e2mmpstatus -i DEVICE` does. ' +
        'Where e2fsck was stopped, the mark stays: `tune2fs -f -E clear_mmp DEVICE`, when no node has it mounted for certain.',
    },
  ],
};

const callout: ManSection = {
  title: 'CALLOUT',
  blocks: [
    {
      text:
        'With the drivers nlm-fsid and lockd rpc.statd must run `callouts/ha-callout` on every node: set `ha-callout=` in the [statd] section of nfs.conf(5), or run rpc.statd with -H. ' +
        'For every client that statd begins or ceases to monitor it appends one durable line to the journal of each address served here. ' +
        '`nlm-failover status` shows what it could not write or not make durable, and names that it refused.\n\n' +
        'takeover proves that it works: before it claims the address, and at the end of B-2, the program that the running rpc.statd was given (-H, or nfs.conf) is run as its user, with `check`, which ' +
        'writes nothing. That user must be able to reach it: not below a home of mode 0700. Where rpc.statd monitors hosts that are not in the record, `status` names them and ends with 1; takeover, run again, records them and says so.\n\n' +
        'In the [sm-notify] section set `lift-grace=n`: a stock sm-notify with nobody to notify ends the grace period that clients need.',
    },
  ],
};

const managedByOthers: ManSection = {
  title: 'MANAGED BY OTHERS',
  blocks: [
    {
      text:
        'Where something else mounts, exports or moves an address (a cluster manager, ZFS, CephFS, a re-export), `managed_by_others` of the [[floating_ip]] names that: `mount`, `export`, `address`. Those parts are looked at, and never done; ' +
        'what is mounted need not be a device. Locks, record, grace and SM_NOTIFY stay with nlm-failover. `--steps`, for single steps, goes with it or without. What is written there while the address is served holds from the next takeover on: the release before it takes away what this node has made.',
    },
    {
      terms: [
        [
          'mount',
          'takeover fails in B-1 where nothing is mounted on a mount point, or something else than `device` where that is given. release leaves it mounted. Nothing looks whether another node has it mounted too: that is for whoever mounts.',
        ],
        [
          'export',
          'takeover fails in B-5 where a path is not exported, or without this fsid. release leaves it exported. Not with the driver lockd-netns.',
        ],
        [
          'address',
          'takeover fails in B-4 where the address is not up, release in A-1 where it is up still: a lock taken through it meanwhile would be lost. So others bring it up before takeover, and take it down before release, ' +
            'as keepalived and CTDB do. A Pacemaker group stops in the reverse order: see PACEMAKER. Not with the driver lockd-netns.',
        ],
      ],
    },
  ],
};

const lostLocks: ManSection = {
  title: 'LOST LOCKS',
  blocks: [
    {
      text:
        'No application learns from its kernel that a reclaim failed: it goes on without its lock. So A-1 writes into the record what lockd holds on the file systems of the address. ' +
        'While the grace of the next owner runs, what lockd holds there is compared with that. takeover waits for ' +
        'it when all its steps are done, at the longest until the grace is over: until every lock is held again, or, after a crash, when nobody knows what was held, until every client that was notified is ' +
        'back. With --no-wait it returns at once; `nlm-failover audit` compares later.\n\n' +
        'Where the grace is over before anybody could be notified, as when B-5 or B-4 had to wait for something, takeover enters it again, once, and says so.\n\n' +
        'A client is back when lockd has seen it ask for a lock since the grace began; the callout records that. The kernel does not say whose a lock is. So a missing lock is laid to the clients that are gone: those ' +
        'that could not be notified, and those that neither came back nor answer when they are asked once more. What is found:',
    },
    {
      terms: [
        [
          'LOST',
          'A lock that was not reclaimed, while some client is gone: most likely that one, or one of those, still believes in it. A client that is back and gave the lock up meanwhile looks the same.',
        ],
        [
          'not reclaimed',
          'A lock that was not reclaimed, while no client is gone: its client gave it up meanwhile, or was refused. Then that client has "failed to reclaim" in its kernel log.',
        ],
        [
          'SILENT',
          'After a crash: a client that was notified, has asked for no lock since, and does not answer.',
        ],
        ['NOT NOTIFIED', 'After a crash: a client that could not be notified (exit code 5).'],
        [
          'UNSEEN',
          'After a crash: a client that was notified and answers, while the callout does not record: nobody can say what it asked for, or held.',
        ],
        [
          'idle',
          'After a crash: a client that was notified and answers, but has asked for no lock: it held none.',
        ],
      ],
    },
    {
      text:
        'status counts what is found, but for the idle, until `nlm-failover audit ADDRESS --acknowledge`. Locks of NFSv4, and of processes on the server itself, are not looked at.\n\n' +
        'With the driver `lockd` the clients of the other addresses of the taking node reclaim too; their locks are not compared. takeover is refused where they could not be notified: where an address is served here and is not in the configuration any more, or its record cannot be used. ' +
        'An address that another node has taken over meanwhile is recorded here no longer, and that node notifies its clients.',
    },
  ],
};

const waiting: ManSection = {
  title: 'WAITING',
  blocks: [
    {
      text:
        'No step waits for ever. When its time is over ([timeouts] in nlm-failover.toml(5)) it fails with exit code 1, and says which command, daemon or client it waited for, and which key sets how long. ' +
        'A command that has not ended is sent SIGTERM, and a second later SIGKILL, with its whole process group. A command whose output a daemon keeps open counts as ended. ' +
        'The same nlm-failover command, run again, goes on where the other stopped.\n\n' +
        'SIGINT and SIGTERM take effect between two effects, a second one at once. With SIGHUP, as the terminal is gone, a release, takeover or notify goes on to its end; `nlm-failover history` has how it ended. A command that finds another one at work on the same address does not wait for it.',
    },
    { heading: 'A disk or server that does not answer' },
    {
      text:
        'What waits in the kernel (state D) cannot be killed. A command in that state is left behind, and named with its pid. What it was to do, a mount for example, ' +
        'may still happen when the disk answers: see that it is gone, or fence the node, before another node takes over. ' +
        'Before the record is opened such a command asks whether the disk answers, and B-1 looks at a device by one.\n\n' +
        'Where nlm-failover itself waits for a disk, nothing can interrupt that. After the time of the step, and at least two seconds more, a thread ' +
        'says so and kills the process: exit status 137. In state D it stays until the disk answers, and then ends without doing anything more. While it is there, fence this node before another one takes over.',
    },
  ],
};

/** The plans of an example configuration, so that the page and the program cannot differ. */
function byHand(): ManSection {
  const driver = exampleDriver(exampleIp);
  const plans = [
    planRelease(exampleIp, driver),
    planTakeover(exampleIp, driver, {
      node: 'B',
      order: 'safe',
    }),
  ];
  return {
    title: 'BY HAND',
    blocks: [
      {
        text:
          `What release and takeover do for the address ${exampleIp.address} with one file system, its record on its own volume, and the driver ${driver.name}. ` +
          '`--dry-run` prints the same for your configuration. If you do steps by hand, let `--steps` do the others. After B-1 ' +
          '`nlm-failover clients` lists whom to notify. nlm-failover-recovery(7) has every line for a night without this program, with each driver.',
      },
      ...plans.map((plan) => ({ example: planText(plan) })),
    ],
  };
}

const exampleIp: FloatingIp = {
  address: '10.10.1.1',
  family: 4,
  prefix: 24,
  interface: 'eth0',
  names: ['nfs1.example.com'],
  stateDirectory: '/srv/state1',
  trustClients: false,
  stateVolume: { device: '/dev/vg0/state1', mountpoint: '/srv/state1', type: 'ext4', options: 'noatime' },
  filesystems: [
    {
      fsid: '1234',
      device: '/dev/vg0/vol1',
      mountpoint: '/srv/vol1',
      type: 'ext4',
      options: 'noatime',
      exports: [{ path: '/srv/vol1', clients: '*', options: 'rw,no_subtree_check' }],
    },
  ],
};

function planText({ kind, address, steps }: Plan): string {
  const lines = steps.flatMap(({ name, actions }) => [
    `${name}  ${stepTitles[name]}`,
    ...actions.flatMap((action) => action.commands).map((command) => `  ${command}`),
  ]);
  return [`${kind} ${address}`, ...lines].join('\n');
}

const exitStatus: ManSection = {
  title: 'EXIT STATUS',
  blocks: [{ terms: Object.entries(exitCodeTexts) }],
};

/** Every error by its code, for whoever has one in front of them. */
const errors: ManSection = {
  title: 'ERRORS',
  blocks: [
    {
      text:
        'An error is a sentence on standard error and, below it, what to do. With --json it is `error` in the last line, for status `recordError`. ' +
        'Its `code` is one of these:',
    },
    {
      terms: Object.entries<ErrorText>(errorCodes)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([code, { means, todo }]) => [code, `${means} ${todo}`] as const),
    },
  ],
};

const json: ManSection = {
  title: 'JSON',
  blocks: [
    {
      text: 'With --json every command prints one object a line; a command that fails prints `error` with `code`, `operation`, `message` and `hint` in its last line. Times are ISO 8601, in UTC.',
    },
    {
      terms: [
        [
          'release, takeover, notify, adopt',
          'A line for each step: `step`, `fsid` (A-3 and B-2), `state` (done, skipped or failed), `ms`, `detail`. The last line has `result` (done, incomplete, not-notified, lost or failed), ' +
            '`clients` with `notified` and `notNotified`, and, where there are any, `notNotified` (a list of `address`, `client`, `reason`; the first thousand), `undone` (what could not be done while everything else was; exit code 1) `remarks`, and of a takeover `fencing` (by whom it was proved that the owner was down). With --dry-run: first `plan`, `address`, `node`, `driver`, `why`; then `step`, `fsid`, `subject`, `commands`; a `note` for what stops nothing.',
        ],
        [
          'takeover, audit',
          'While takeover waits for reclaims it prints lines with `waiting`. Its last line, and that of audit beside `address`, has `audit`: `state`, `clients` (listed, notified, back), ' +
            '`locks` (held, reclaimed; null after a crash), `graceLeft`, `grace` (ended, why) where takeover could have ended it, `comparedAt` and `findings`: `verdict` (lost, not-reclaimed, silent, not-notified, unseen, idle), `path`, `lock`, `clients` (the first ten; `more`: how many more), `at`, `acknowledged`. Where they are more than ten, `suspects` lists them once for each audit: `at`, `clients`.',
        ],
        [
          'clients',
          'A line for each client and fsid: `address`, `client`, `fsid`, `node`, `since`. Of a record that cannot be read: `address` with `unreachable` or `recordError`.',
        ],
        [
          'history',
          'A line for each operation, the newest last: `address`, `kind`, `node`, `epoch`, `startedAt`, `endedAt` (null: running, or interrupted), `outcome` (done, not-notified or failed), `detail`, ' +
            '`forced`, `fencing`, `clients` (notified, notNotified), `lost` (these four null where there is nothing to say), `steps`: `step`, `fsid`, `state`, `ms`, `detail`, `endedAt`. Of a record that cannot be read as clients.',
        ],
        [
          'status',
          'A line for each address: `address`, `here` (addressUp, recording), `marks`, `unrecorded`; `record` (owner, ownerHere, epoch, released, nsmState, clients, notNotified, badLines, remarks, findings, lastOperation), ' +
            'or `unreachable`, or `recordError`; `lockManager` (driver, daemons, inGrace, graceLeft where it is known, waiting: whose new locks wait too, clients, counts); `unconfigured` where the configuration does not have the address; `wrong`, every sentence for which it ends with 1, and of these `ill`, ' +
            'what keeps the address from being served; `isHere`. With --is-served: `address`, `isHere`, `ill`.',
        ],
        ['init', '`address`, and the whole file as `configuration`.'],
        [
          'check',
          'A line for each thing found: `address` (null: of the node), `check`, `verdict` (ok, warning or failure), `message`, `hint` (what to do, or null).',
        ],
        [
          'setup',
          'A line for each thing: `item`, `state` (unchanged, done, by hand or left; with --dry-run also to do), `detail`, `commands`. The last line has `result` (done or incomplete) and `byHand`, how many are left for you.',
        ],
        [
          'move-record',
          '`result` (done or unchanged), `address`, `from`, `to`, `clients`, `late`, and `open`: processes that have a former journal open still.',
        ],
        ['sm-directory', '`result`, `address`, `directory`, `clients`, `state`, `uid` (whose it is).'],
        [
          'rebuild',
          '`result`, `address`, `clients`, `owner`, `epoch`, `nsmState`, `journals`, `badLines`, `aside`, `recordingHere`.',
        ],
      ],
    },
  ],
};

const files: ManSection = {
  title: 'FILES',
  blocks: [
    {
      terms: [
        [defaultConfigFile, 'the configuration'],
        [
          'STATE/sm_ADDRESS/monitors.db',
          'the record: monitored clients, ownership, NSM state, operations (SQLite)',
        ],
        [
          'STATE/sm_ADDRESS/nsm-states',
          'every NSM state that the address was given, so that none is used again where monitors.db is restored from a backup',
        ],
        [
          'STATE/sm_ADDRESS/reserve.*',
          'space for a failover on a full volume, at least 512 KiB each; they hold nothing, and may be removed where it is needed more',
        ],
        [
          'STATE/sm_ADDRESS/monitors.db.TIME',
          'a database that rebuild has put aside; remove it when all is well',
        ],
        [
          'STATE/sm_ADDRESS/moved',
          'where move-record has moved the record that was here; what is beside it counts no more',
        ],
        ['STATE/sm_ADDRESS/journal.NODE', "what that node's callout saw, appended to by it alone"],
        ['/etc/nfs.conf.d/nlm-failover.conf', 'what setup has rpc.statd and sm-notify read'],
        ['/var/lib/nlm-failover/setup.json', 'what setup has made on this node, for --undo'],
        [
          '/run/nlm-failover/serving/ADDRESS',
          'symbolic link to that journal, there exactly while this node records for that address',
        ],
        [
          '/run/nlm-failover/marks/',
          "what the callout could not write or not make durable, and the last name it refused; a tmpfs of 8 MB, as rpc.statd's user may write there",
        ],
        [
          '/run/nlm-failover/exported/',
          'what exportfs made of each export: it decides how a client is spelt in etab',
        ],
        [
          '/run/nlm-failover/locks/ADDRESS',
          'held by a release, takeover or rebuild, so that there is one at a time',
        ],
        [
          '/run/nlm-failover/configured/ADDRESS.toml',
          'the configuration with which takeover or adopt took the address, for root alone: release goes by it where the present one is wrong, not there, without the address, or has another name for this node (the host name, where `node` is left out)',
        ],
        [
          '/run/nlm-failover/mounts/ADDRESS',
          'what takeover and adopt have mounted for the address, for root alone: where its file systems were changed in the configuration meanwhile, release gives them up by this as they were (exports, locks, record, mounts), and status names them',
        ],
        [
          '/run/nlm-failover/instances/ADDRESS',
          'driver lockd-netns: the mount namespace of the instance, its /run and its /var/lib/nfs; tmpfs, for root alone. What rpc.statd writes there has file systems of its own',
        ],
      ],
    },
  ],
};

const environment: ManSection = {
  title: 'ENVIRONMENT',
  blocks: [{ terms: Object.entries(environmentTexts) }],
};

const seeAlso: ManSection = {
  title: 'SEE ALSO',
  blocks: [
    {
      text: 'nlm-failover-recovery(7), nlm-failover.toml(5), rpc.statd(8), ip-netns(8), systemd-run(1), sm-notify(8), exportfs(8), exports(5), nfs.conf(5), nfsd(7)',
    },
  ],
};
