import type { FloatingIp } from '../config/config.js';
import { planRelease, planTakeover } from '../failover/plan.js';
import { defaultConfigFile } from '../config/load-config.js';
import { environmentTexts } from '../environment.js';
import { errorCodes, type ErrorText } from '../error-codes.js';
import { exitCodeTexts } from '../errors.js';
import { exampleDriver } from '../lockmanager/drivers.js';
import type { Plan } from '../failover/steps/steps.js';
import { stepTitles } from '../step-names.js';
import type { ManSection } from './man-page.js';
import { storageTroubles } from './man-storage.js';

/** What nlm-failover(8) says beyond the commands' own definitions. */
export function manSections(): ManSection[] {
  return [
    configuration,
    instances,
    grace,
    callout,
    lostLocks,
    waiting,
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
        'With the driver `lockd-netns` every floating IP has an instance of its own: network namespace `nfs-ADDRESS`, a mount namespace with its own /run and /var/lib/nfs, ' +
        'rpcbind, rpc.statd, rpc.mountd, nfsd and lockd. Its start is a grace period for this address alone, so no client of another address waits. ' +
        'The volume is mounted on the host, at the same path as inside. rpc.statd in it runs the callout by itself and records for this address alone. ' +
        "Of the host's other mounts it has a copy, but for the volumes of other floating IPs: an umount on the host reaches the copy where mounts are shared, as systemd makes them, and leaves " +
        'the device busy until the instance ends where they are private (mount_namespaces(7)).\n\n' +
        'takeover makes the instance in B-2, clearing what a crash left of it; release takes it away in A-4. Nothing of it survives a reboot. ' +
        '`nlm-failover exec ADDRESS -- exportfs -v` looks inside.\n\n' +
        'Where systemd runs, the daemons are its transient units `nlm-failover-ADDRESS-DAEMON.service`: journalctl and systemctl know them, and rpc.statd and rpc.mountd are started anew when they die. ' +
        "Elsewhere they are plain processes that outlive the command, known by the namespace they are in and not by a pid that may have become somebody else's; under another service manager run " +
        'takeover where its end does not end them. `status` names a daemon that is dead, that rpcbind does not know or that does not answer, and ends with 1.\n\n' +
        'The host itself cannot reach an address on a macvlan or ipvlan of its own interface; other hosts can. A macvlan has a link-layer address of its own, which wireless and many cloud ' +
        'networks, and hypervisors with MAC filtering, do not forward: there set `link = "ipvlan"`, `link = "veth"` with a bridge, or `driver = "lockd"`.\n\n' +
        'NFSv4 is off in an instance. It has no NLM locks, and its clients recover by other means: it would need an nfsdcld(8) with its database on the moving volume in each instance. ' +
        'takeover says so where the host itself serves NFSv4. An export with sec=krb5 needs gssproxy(8), and one with xprtsec=tls tlshd(8), which no instance has either; a volume or a state directory below /run or /var/lib/nfs is not seen in one: for these auto takes lockd.',
    },
    {
      text:
        'It was seen on Linux 6.1 with nfs-utils 2.6.2 (Debian 12), on 6.12 with 2.8.3 (Debian 13) and on 7.2 with 3.1.1 (Debian unstable, November 2026). ' +
        'All of them have one lockd thread for all instances: while the rpc.statd of one does not answer, a new client there makes those of all other addresses wait for as long (seen on 6.1 and 7.2: 60 s of 60 s). `status` says that it does not answer. ' +
        'The callout, for which rpc.statd waits, waits for nothing but its own disk. ' +
        'Where lockd ends it tells statd of each of its clients, and waits for one that rpcbind does not know: 9 s for each client on 6.1, 60 s on 7.2. release and takeover end the daemons before and do not wait, ' +
        '`rpc.nfsd 0` by hand does. ' +
        "lockd's part of `grace`, and `lockd_port`, are settings of the whole kernel here; since 6.15 they can be given per network namespace over netlink, and nfsdctl(8) may then override what is written to /proc/sys. " +
        'Since 6.9 writing unlock_filesystem drops NFSv4 state too; with NFSv4 off there is none. From 6.9 to 6.18 it must not be written while nfsd is down, and is not. ' +
        'Since 7.1 nfsd needs its listeners before its threads, which is why rpc.nfsd(8), and never the bare threads file, starts and stops it.',
    },
  ],
};

const grace: ManSection = {
  title: 'GRACE',
  blocks: [
    {
      text:
        'In the grace period that B-2 enters, lockd gives locks only to clients that reclaim them; whoever wants a new lock, or gives one back, waits. With the driver lockd-netns takeover ends it before its time, ' +
        'after a release, once every lock that A-1 noted is held again and every client on the list has answered SM_NOTIFY. It says so, or why not: ' +
        '"grace goes on for 31 s: 1 client not notified". It never ends it after a crash, with --no-wait, where takeover did not do B-2 and B-3 itself, where it had to enter the grace again, or where A-1 may not have noted all that was locked: ' +
        'a file system was not mounted, lockd not running or in its grace still, the node had booted since it took the address over, a client was still to be notified, /proc/locks could not be read, or a lock came after it. ' +
        'Then, and with `end_grace = "timer"`, the grace lasts as long as `grace` says. With the other drivers it always does: their grace is that of other addresses too, or cannot be ended.\n\n' +
        "The grace of an instance has two parts that begin together, and ends with the longer one: lockd's, `grace`, which can be ended, and nfsd's, 10 s, which cannot. So new locks are to be had 10 s after B-2 at the earliest. " +
        '`grace` can be generous: it is waited out only after a crash and where something is missing. A Linux client that was refused in grace asks again every 5 s.\n\n' +
        '/proc/locks does not show everything that lockd keeps. Requests that wait for a lock are repeated by their clients, who are let in when the grace is over, early or not. ' +
        'Share reservations (DOS, Windows; Linux clients make none) come back only after the grace on Linux 6.1 and 6.12, where lockd takes their reclaims for new requests; newer kernels take the reclaims in grace too, ' +
        'and after it as long as nobody else was first: where such clients matter there, set `end_grace = "timer"`. A lock that its client gave back while nobody served counts as missing, since lockd refuses to unlock in grace. ' +
        'nfsd must not be restarted by hand in an instance: its locks go with it, and no client is notified.',
    },
  ],
};

const callout: ManSection = {
  title: 'CALLOUT',
  blocks: [
    {
      text:
        'With the drivers nlm-fsid and lockd rpc.statd must run `callouts/ha-callout` on every node: `ha-callout=` in the [statd] section of nfs.conf(5), or rpc.statd -H. ' +
        'It appends one durable line for every client that statd begins or ceases to monitor to the journal of each address served here. ' +
        'What it could not write or not make durable, and names it refused, `nlm-failover status` shows.\n\n' +
        'In the [sm-notify] section set `lift-grace=n`: a stock sm-notify with nobody to notify ends the grace period that clients need.',
    },
  ],
};

const lostLocks: ManSection = {
  title: 'LOST LOCKS',
  blocks: [
    {
      text:
        'A reclaim that fails is reported to nobody: the application goes on without its lock. So at A-1 what lockd holds on the file systems of the address ' +
        'goes into the record, and while the grace of the next owner runs, what it holds there is compared with that. takeover waits for ' +
        'this once all its steps are done: until every lock is there, or, after a crash, when nobody knows what was held, until every client that was notified is ' +
        'back; at the longest until the grace is over. --no-wait returns at once; `nlm-failover audit` then compares. ' +
        'Where the grace is over before anybody could be notified, as when B-5 or B-4 had to wait for something, takeover enters it again, once, and says so.\n\n' +
        'A client is back once lockd has seen it ask for a lock since the grace began (the callout records it). /proc/locks does not tell whose a lock is, so a missing lock is laid to those clients ' +
        'that could not be notified, or neither came back nor answer when asked once more. What is found:',
    },
    {
      terms: [
        [
          'LOST',
          'a lock that was not reclaimed, while some client is gone: that one, or one of those, still believes in it. A client that is back and gave it up meanwhile cannot be distinguished from that',
        ],
        [
          'not reclaimed',
          'a lock that was not reclaimed, while every client is there: its client gave it up meanwhile; or it was refused, then a client has "failed to reclaim" in its kernel log',
        ],
        ['SILENT', 'after a crash: a client that was notified, has asked for no lock since, and does not answer'],
        ['NOT NOTIFIED', 'after a crash: a client that could not be notified (exit code 5)'],
        [
          'idle',
          'after a crash: a client that was notified and answers, but has asked for no lock: it held none',
        ],
      ],
    },
    {
      text:
        'status counts what is found, but for the idle, until `nlm-failover audit ADDRESS --acknowledge`. Locks of NFSv4, and of processes on the server itself, are not looked at. ' +
        'With the driver `lockd` the clients of the other addresses of the taking node reclaim too; their locks are not compared. takeover is refused where they could not be notified: an address that is served here and not in the configuration any more, or whose record cannot be used. One that another node has taken over meanwhile is not recorded here any more, and its clients are left to that node.',
    },
  ],
};

const waiting: ManSection = {
  title: 'WAITING',
  blocks: [
    {
      text:
        'No step waits for ever. When its time is over (see [timeouts]) it fails with exit code 1 and says which command, daemon or client it waited for, and which key sets how long. ' +
        'A command that has not ended is sent SIGTERM and a second later SIGKILL, with all that is in its process group; one whose output a daemon keeps open has ended all the same. ' +
        'The same nlm-failover command, run again, goes on where the other stopped.\n\n' +
        'What waits in the kernel for a disk or a server (state D) cannot be killed. A command in that state is left behind, and named with its pid: what it was to do, a mount for example, ' +
        'may still happen when the disk answers, so see that it is gone, or fence the node, before another node takes over. ' +
        'Before the record is opened, and before B-1 looks at a device, such a command asks whether the disk answers.\n\n' +
        'Where a disk dies while nlm-failover itself reads or writes a file on it, nothing can interrupt that. After the time of the step, and at least two seconds more, a thread ' +
        'says so and kills the process: the exit status is then 137, as of any process that is killed. In state D it stays until the disk answers, and then ends without doing anything more. Until that shell comes back, treat the node as one that must be fenced.\n\n' +
        'SIGINT and SIGTERM take effect between two effects, a second one at once. An operation that finds another one at work on the same address does not wait for it.',
    },
  ],
};

/** The plans of an example configuration, so that the page and the program cannot differ. */
function byHand(): ManSection {
  const driver = exampleDriver(exampleIp);
  const plans = [
    planRelease(exampleIp, driver, true),
    planTakeover(exampleIp, driver, {
      node: 'B',
      order: 'safe',
      recordOnVolume: true,
    }),
  ];
  return {
    title: 'BY HAND',
    blocks: [
      {
        text:
          'What release and takeover do, for an address 10.10.1.1 with one file system, its record on its own volume, and the driver ' +
          `${driver.name}. ` +
          '`--dry-run` prints the same for your configuration. If you do steps by hand, leave the others to `--steps`; after B-1, ' +
          '`nlm-failover clients` lists who must be notified.',
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
  stateDirectory: '/srv/vol1/.nlm',
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
        'Every error is one sentence on standard error and, below it, what to do. With --json the last line has it in `error`, with `code` and `hint`; status has it in `recordError`. ' +
        'The codes, what they mean, and what to do:',
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
      text:
        'With --json, release, takeover and notify print one object a line: `step`, `fsid` (A-3 and B-2), `state` (done, skipped or failed), `ms`, `detail`. ' +
        'The last line has `result` (done, not-notified, lost or failed) and `clients` with `notified` and `notNotified`; after a failure `error` with `code`, `operation`, `message` and `hint`. ' +
        'While takeover waits it prints objects with `waiting`, and its last line has `audit`: `state`, `clients` (listed, notified, back), `locks` (held, reclaimed; null after a crash), ' +
        '`comparedAt` and `findings` with `verdict` (lost, not-reclaimed, silent, not-notified, idle), `path`, `lock`, `clients`, `at`, `acknowledged`; audit prints `address` and `audit`. ' +
        'A row a line comes from clients, an address a line from status. rebuild prints `result`, `address`, `clients`, `owner`, `epoch`, `nsmState`, `journals`, `badLines`, `aside` and `recordingHere`.',
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
          'STATE/sm_ADDRESS/monitors.db.TIME',
          'a database that rebuild has put aside; remove it when all is well',
        ],
        ['STATE/sm_ADDRESS/journal.NODE', "what that node's callout saw, appended to by it alone"],
        [
          '/run/nlm-failover/serving/ADDRESS',
          'symbolic link to that journal, there exactly while this node records for that address',
        ],
        [
          '/run/nlm-failover/marks/',
          'what the callout could not write or not make durable, and the last name it refused',
        ],
        [
          '/run/nlm-failover/locks/ADDRESS',
          'held by a release, takeover or rebuild, so that there is one at a time',
        ],
        [
          '/run/nlm-failover/instances/ADDRESS',
          'driver lockd-netns: the mount namespace of the instance, its /run and its /var/lib/nfs',
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
      text: 'nlm-failover.toml(5), rpc.statd(8), ip-netns(8), systemd-run(1), sm-notify(8), exportfs(8), exports(5), nfs.conf(5), nfsd(7)',
    },
  ],
};
