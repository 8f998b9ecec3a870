import * as v from 'valibot';
import { readPrefixedAddress } from './address.js';
import { type HookEvent, managedParts, type Program, type TimedStep } from './config.js';
import { exportIdWanted, fsidWanted, readExportId, readFsid } from './fsid.js';
import {
  defaultText,
  type DriverKey,
  type DriverSettings,
  keysOf,
  ofString,
  oneOf,
} from './driver-settings.js';
import { type StepName, stepTitles } from '../step-names.js';
import { readHostName, readInterfaceName, readNodeName } from './names.js';
import { toTimeouts, wholeSeconds } from './timeout-words.js';
import { readMountpoint, readPath } from './paths.js';
import type { KeyText } from './schema-shape.js';
import { readClients, readExportOptions, readMountOptions, readType } from './words.js';
import { Wrong } from './problem.js';

// The whole language of the file, in the file's own words: what a message asks for ("is missing: write ..."), and what
// nlm-failover.toml(5) says of each key.

/** A value that `read` takes over or refuses, for a reason. `wanted` completes "write ...". */
function value<T>(wanted: string, text: KeyText, read: (input: unknown) => T | Wrong) {
  return v.pipe(
    v.unknown(),
    v.description(wanted),
    v.metadata({ ...text }),
    v.rawTransform<unknown, T>(({ dataset, addIssue, NEVER }) => {
      const result = read(dataset.value);
      if (!(result instanceof Wrong)) return result;
      addIssue({ message: result.because });
      return NEVER;
    }),
  );
}

/** A string that `read` takes over or refuses. */
function string<T>(wanted: string, text: KeyText, read: (input: string) => T | Wrong) {
  return value(wanted, text, ofString(wanted, read));
}

/** A table; its `header` shows how it begins. A key that is missing is reported with that key's description. */
function table<E extends v.ObjectEntries>(header: string, text: string, entries: E) {
  return v.pipe(
    v.custom<Record<string, unknown>>(isTable, `write a table that begins with ${header}`),
    v.object(entries, (issue) => missing(entries, issue.path?.at(-1)?.key)),
    v.description(`a table that begins with ${header}`),
    v.metadata({ text } satisfies KeyText),
  );
}

/** One or more tables. */
function tables<E extends v.ObjectEntries>(header: string, text: string, entries: E) {
  const description = `at least one table that begins with [[${header}]]`;
  return v.pipe(
    v.array(table(`[[${header}]]`, text, entries), `write ${description}`),
    v.minLength(1, `write ${description}`),
    v.description(description),
  );
}

function missing(entries: v.ObjectEntries, key: unknown): string {
  const schema = typeof key === 'string' ? entries[key] : undefined;
  return `write ${(schema && v.getDescription(schema)) ?? 'it'}`;
}

function isTable(input: unknown): boolean {
  return typeof input === 'object' && input !== null && !Array.isArray(input) && !(input instanceof Date);
}

const trueOrFalse = 'true or false, without quotes';

/** How an absolute path is asked for. */
const absolute = (example: string) => `an absolute path, such as "${example}"`;

const exportTable = {
  path: v.optional(
    string(
      absolute('/srv/vol1'),
      { text: 'what is exported, at or below the mount point', default: 'the mount point' },
      readPath,
    ),
  ),
  clients: string(
    'a client specification of exports(5), such as "*"',
    { text: 'who may mount it: one client specification of exports(5); for another one write another table' },
    readClients,
  ),
  options: v.optional(
    string(
      'exports(5) options, such as "rw,no_subtree_check"',
      { text: 'options of exports(5), with commas between them; fsid= is added' },
      readExportOptions,
    ),
    '',
  ),
};

const notMounted = 'none; required unless `managed_by_others` has "mount"';

const filesystemTable = {
  fsid: v.exactOptional(
    value(
      fsidWanted,
      {
        text: 'what the file handles of the clients contain: the same on every node, and of no other file system',
        default: 'none; required where something is exported',
      },
      readFsid,
    ),
  ),
  export_id: v.exactOptional(
    value(
      exportIdWanted,
      {
        text: 'the Export_Id of NFS-Ganesha, which the file handles of the clients contain: the same on every node, and of no other file system',
        default: 'none; required with driver "ganesha", and for no other',
      },
      readExportId,
    ),
  ),
  export_block: v.exactOptional(
    string(
      absolute('/etc/ganesha/vol1.conf'),
      {
        text: 'a file with an EXPORT block of your own for NFS-Ganesha, the same on every node. Its Export_Id is `export_id`, its Path the one that is exported here; who may mount it, and how, it says alone',
        default: 'none; then nlm-failover makes one from the tables of `export`',
      },
      readPath,
    ),
  ),
  // What a device and a type must be depends on who mounts them: relations.ts.
  device: v.optional(
    string(
      'an absolute path, or UUID=... or LABEL=...',
      {
        text:
          'what B-1 mounts; every node must reach it. A path, also of an image file, or as fstab(5) names a device: UUID=, LABEL=, PARTUUID=, PARTLABEL= or ID=, with ' +
          'quotes or without. What names no device on the node, or several, is refused before anything is touched',
        default: notMounted,
      },
      (text) => text,
    ),
  ),
  mountpoint: string(
    absolute('/srv/vol1'),
    {
      text: 'where B-1 mounts it; made where there is none. A symbolic link stands for the directory it leads to',
    },
    readMountpoint,
  ),
  type: v.optional(
    string(
      'the file system\'s type, such as "ext4"',
      { text: 'for mount -t', default: notMounted },
      readType,
    ),
  ),
  options: v.optional(
    string(
      'mount options, such as "noatime"',
      { text: 'for mount -o, with commas between them' },
      readMountOptions,
    ),
    '',
  ),
  export: v.exactOptional(
    tables(
      'floating_ip.filesystem.export',
      'What is exported of the file system that the table before it names. At least one for each, but for a state volume: a file system ' +
        'that `state_directory` lies on and that has none is never exported, and carries the record alone. See WHERE THE RECORD LIES in nlm-failover(8).',
      exportTable,
    ),
  ),
};

const nodesWanted = 'an array of node names: ["a", "b"]';

const sharedFilesystemTable = {
  fsid: v.exactOptional(
    value(
      fsidWanted,
      {
        text: 'what stands for it in the record, and in the file handles of the clients where the kernel exports it: the same on every node, and of no other file system',
        default: '`export_id`; one of the two is required',
      },
      readFsid,
    ),
  ),
  export_id: v.exactOptional(
    value(
      exportIdWanted,
      {
        text: 'its Export_Id in NFS-Ganesha, the same on every node, and of no other file system',
        default: 'none; required with driver "ganesha", and for no other',
      },
      readExportId,
    ),
  ),
  mountpoint: v.exactOptional(
    string(
      absolute('/srv/shared'),
      {
        text: 'where every node has it mounted',
        default: 'none: it is not mounted, and NFS-Ganesha reaches it by a library',
      },
      readMountpoint,
    ),
  ),
  path: v.exactOptional(
    string(
      absolute('/gv'),
      {
        text: 'what is exported, the same on every node: at or below `mountpoint`, or the Path of the EXPORT block',
        default: '`mountpoint`; one of the two is required',
      },
      readPath,
    ),
  ),
  nodes: v.pipe(
    v.array(string('node names in quotes', { text: 'a node' }, readNodeName), `write ${nodesWanted}`),
    v.minLength(1, `write ${nodesWanted}`),
    v.description(nodesWanted),
    v.metadata({
      text: 'every node that exports it, by its name (`node`). A takeover waits until each of them is in grace; one that is missing here grants locks that others are about to reclaim',
    } satisfies KeyText),
  ),
  gluster_volume: v.exactOptional(
    string(
      'the name of a GlusterFS volume, such as "gv"',
      {
        text: 'the GlusterFS volume that it is. Its bricks keep the locks of a node that died until they notice: a takeover waits for that before clients reclaim. Every node must have a brick of it, or run gluster(8) itself',
        default: 'none: it is no GlusterFS volume',
      },
      (text) =>
        /^[A-Za-z0-9_-]{1,255}$/.test(text) && !text.startsWith('-')
          ? text
          : new Wrong('a volume has a name of letters, digits, "-" and "_"'),
    ),
  ),
};

const managedPart = oneOf(managedParts);

const floatingIpTable = {
  address: string(
    'an address with its prefix length, such as "10.10.1.1/24"',
    { text: 'IPv4 or IPv6, with its prefix length. It must not be configured by anything else' },
    readPrefixedAddress,
  ),
  interface: string(
    'the name of a network interface, such as "eth0"',
    { text: 'the network interface it goes on' },
    readInterfaceName,
  ),
  names: v.optional(
    v.pipe(
      v.array(
        string('host names in quotes', { text: 'a host name' }, readHostName),
        'write an array of host names: ["nfs1.example.com"]',
      ),
      v.description('an array of host names: ["nfs1.example.com"]'),
      v.metadata({
        text: 'the names by which clients mount from the address. SM_NOTIFY carries each, its short form, and the address itself',
      } satisfies KeyText),
    ),
    [],
  ),
  legacy_notify: v.optional(
    value(
      trueOrFalse,
      {
        text:
          'true: SM_NOTIFY carries each name twice, first with an even NSM state ("down"), then, when that is accepted, with the odd one ("up"). For clients that take one message alone for no reboot, as CTDB has done it. ' +
          'A Linux client recovers at each state that it has not seen, and so reclaims twice',
      },
      (input) => (typeof input === 'boolean' ? input : new Wrong(`write ${trueOrFalse}`)),
    ),
    false,
  ),
  state_directory: v.optional(
    string(
      absolute('/srv/state1'),
      {
        text:
          'where the record of this address is, instead of `directory` in [state]: a directory on one of its own file systems, which moves with it, best a state volume. ' +
          'On a file system that is exported to clients with AUTH_SYS it is refused',
        default: '`directory` in [state]; one of the two is required',
      },
      readPath,
    ),
  ),
  trust_clients: v.optional(
    value(
      trueOrFalse,
      {
        text:
          'true: the record may lie where clients with AUTH_SYS reach it. Any of them can claim the user of rpc.statd, and erase who holds locks: then a failover notifies nobody, ' +
          'the locks are lost, and nobody hears of it. Only where you trust every machine that `clients` lets in, and everybody who is root on one',
      },
      (input) => (typeof input === 'boolean' ? input : new Wrong(`write ${trueOrFalse}`)),
    ),
    false,
  ),
  managed_by_others: v.optional(
    v.pipe(
      v.array(
        value(managedPart.wanted, { text: 'what others do' }, managedPart.read),
        `write an array of ${managedPart.wanted}`,
      ),
      v.description('an array, such as ["mount", "export"]'),
      v.metadata({
        text:
          'what somebody else does of this address: `mount`, `export`, `address`, in an array. nlm-failover then never does it, and looks at it: takeover fails where what it names is not ' +
          'mounted, exported with this fsid, or up; release where the address is still up. See MANAGED BY OTHERS in nlm-failover(8)',
      } satisfies KeyText),
    ),
    [],
  ),
  filesystem: v.exactOptional(
    tables(
      'floating_ip.filesystem',
      'A file system that moves with the address that the table before it names. At least one that is exported for each, unless there are tables of `shared_filesystem`: then none. A file system belongs to exactly one address: before it comes to another one, release both, as only ext4 shows that another node has it mounted.',
      filesystemTable,
    ),
  ),
};

/** A driver's key: judged, and left as it is, since only its driver knows its type (settingOf). */
function driverKey(key: DriverKey, of: readonly string[]) {
  const text: KeyText = { text: key.text, default: defaultText(key), of };
  return v.exactOptional(
    value(key.wanted, text, (input) => {
      const result = key.read(input);
      return result instanceof Wrong ? result : input;
    }),
  );
}

const graceEnds = oneOf(['reclaimed', 'timer']);
const endGraceText: KeyText = {
  text: '`reclaimed`: where a grace period is that of one address alone, takeover ends it after a release, once every lock is held again and every client has answered; `timer`: it always lasts as long as it is set to. See GRACE in nlm-failover(8)',
  default: '"reclaimed"',
};

function lockManagerTable(drivers: readonly DriverSettings[]) {
  const driver = oneOf(['auto', ...drivers.map(({ name }) => name)]);
  const each = drivers.map(({ name, summary }) => `\`${name}\`: ${summary}`).join('; ');
  const text =
    `which lock manager serves the addresses. ${each}. With \`auto\` it is the one that serves the address here already, else the first of ` +
    'these that suits the address and that this host can do; release and takeover say which, and why';
  return {
    driver: v.optional(value(driver.wanted, { text }, driver.read), 'auto'),
    ...Object.fromEntries(keysOf(drivers).map(({ key, of }) => [key.name, driverKey(key, of)])),
    end_grace: v.exactOptional(value(graceEnds.wanted, endGraceText, graceEnds.read)),
  };
}

function seconds(text: string, otherwise: string) {
  return v.exactOptional(value(wholeSeconds.wanted, { text, default: otherwise }, wholeSeconds.read));
}

/** Where the file says nothing. */
const defaults = toTimeouts({});

function stepSeconds(step: TimedStep) {
  const text = `how long ${step} (${stepTitles[step]}) may take as a whole`;
  return seconds(text, `\`step\`, else ${defaults.steps[step]}`);
}

/** The compiler sees that every step has its key. */
const timeoutsTable = {
  step: seconds(
    'how long every step may take that has no key of its own',
    `${defaults.step}; A-4 and B-1, which move data, ${defaults.steps['A-4']}`,
  ),
  'A-1': stepSeconds('A-1'),
  'A-2': stepSeconds('A-2'),
  'A-3': stepSeconds('A-3'),
  'A-4': stepSeconds('A-4'),
  'B-1': stepSeconds('B-1'),
  'B-2': stepSeconds('B-2'),
  'B-3': seconds(
    `how long B-3 (${stepTitles['B-3']}) tries to reach the clients`,
    'the length of the grace period',
  ),
  'B-4': stepSeconds('B-4'),
  'B-5': stepSeconds('B-5'),
  settle: seconds(
    'how long to wait for what kernel and daemons do in their own time: to register with rpcbind and to leave it, to end, duplicate address detection',
    `${defaults.settle}`,
  ),
  busy: seconds(
    'how long A-4 tries again to unmount a file system that is busy, before it names who keeps it so',
    `${defaults.busy}`,
  ),
  record: seconds('how long to wait for another process that keeps the record locked', `${defaults.record}`),
  fencing: seconds(
    'how long takeover waits for the proof that the node which has the address is down: for the command of [fencing], or for Pacemaker to fence it',
    `${defaults.fencing}`,
  ),
  barrier: seconds(
    'how long a takeover or release waits until every node that exports a shared file system is in grace; then it goes on, and names who is missing',
    `${defaults.barrier}`,
  ),
  ctdb_wait: seconds(
    'where CTDB moves the addresses: how long a node waits in each phase for the others, before it names them and goes on. These keys must be the same on every node',
    `${defaults.ctdb.wait}`,
  ),
  ctdb_spread: seconds(
    'how long after the first lock manager the last one may start. Whoever would be later has all of them start again',
    `${defaults.ctdb.spread}`,
  ),
  ctdb_notify: seconds(
    'how much of a grace is for notifying the clients of a node',
    `${defaults.ctdb.notify}`,
  ),
  ctdb_reclaim: seconds(
    'how much of a grace is for their reclaims. A grace must be as long as `ctdb_spread`, `ctdb_notify` and this together: `check` says so',
    `${defaults.ctdb.reclaim}`,
  ),
  ctdb_refuse: seconds(
    'how long NLM is refused still when the process that refuses it was killed: at least twice `ctdb_wait`, and `ctdb_spread`',
    `${defaults.ctdb.refuse}`,
  ),
  ctdb_closed: seconds(
    'how long a node refuses NLM at the longest while it has its locks, whatever comes meanwhile: more than twice `ctdb_wait`',
    `${defaults.ctdb.closed}`,
  ),
  ctdb_quiet: seconds(
    'how long after the last takeip or releaseip a reconfiguration begins where no ipreallocated comes',
    `${defaults.ctdb.quiet}`,
  ),
} satisfies Record<StepName, unknown> & Readonly<Record<string, unknown>>;

const hookWanted = 'an array of strings, the first an absolute path: ["/usr/local/sbin/page", "nfs"]';

function readHook(input: unknown): Program | Wrong {
  return readProgram(input, hookWanted);
}

/** An argument vector. Whose the program is, is looked at when it is run. */
function readProgram(input: unknown, wanted: string): Program | Wrong {
  const isList = Array.isArray(input) && input.every((word) => typeof word === 'string');
  const [program, ...args] = isList ? (input as readonly string[]) : [];
  if (program === undefined) return new Wrong(`write ${wanted}`);
  const file = readPath(program);
  if (file instanceof Wrong || file === '/') return new Wrong(`the first is the program: write ${wanted}`);
  if (args.some((word) => word.includes('\0'))) return new Wrong('an argument has no byte of zero');
  return [file, ...args];
}

function hook(when: string) {
  const text: KeyText = { text: `what is run ${when}: a program and its arguments`, default: 'nothing' };
  return v.exactOptional(value(hookWanted, text, readHook));
}

const hooksTable = {
  on_done: hook(
    'when a release, takeover or notify has done everything, also where clients could not be notified',
  ),
  on_failed: hook('when one of them has failed, was refused or was interrupted, or could not do everything'),
  on_lost: hook('when the audit after a takeover, or `audit`, has found that locks are lost (exit code 6)'),
  deadline: seconds('how long each of them may take, before its process group is ended', '10'),
} satisfies { readonly [Key in `on_${HookEvent}` | 'deadline']: unknown };

const fenceWanted =
  'an array of strings, the first an absolute path, "{node}" in another one: ["/usr/sbin/fence_ipmilan", "-a", "ipmi-{node}", "-o", "off"]';

/** What a word has for the name of the node. */
export const nodeWord = '{node}';

/** A command that is the same for every node would prove nothing of the one that is meant. */
function readFenceCommand(input: unknown): Program | Wrong {
  const program = readProgram(input, fenceWanted);
  if (program instanceof Wrong) return program;
  const [file, ...args] = program;
  if (file.includes(nodeWord)) return new Wrong(`the program has no "${nodeWord}" in its name`);
  if (!args.some((word) => word.includes(nodeWord)))
    return new Wrong(
      `no word has "${nodeWord}", so that it could not be told which node: write ${fenceWanted}`,
    );
  return program;
}

const fencingTable = {
  command: v.exactOptional(
    value(
      fenceWanted,
      {
        text:
          'a program and its arguments that fences a node, and ends with 0 only when that node is off, or cut off from the volumes and the network. takeover runs it where another node has the address and has not released it; ' +
          '`{node}` in an argument becomes the name of that node, as it stands in the record. No shell reads it. See FENCING in nlm-failover(8)',
        default: 'none; then only `--resource` (Pacemaker) or `--fenced` (your word) takes such an address',
      },
      readFenceCommand,
    ),
  ),
};

/**
 * Judges every value on its own; what they must be to each other is in relations.ts. [lock_manager] has the keys of these
 * drivers beside its own.
 */
export function schemaOf(drivers: readonly DriverSettings[]) {
  return table('its keys', 'Above the first table.', {
    node: v.optional(
      string(
        'the name of this node',
        {
          text:
            'the name of this node in the record. Every node has one of its own, and "localhost" is none. The owner of an address is this name on this ' +
            'machine (/etc/machine-id): another machine of the same name is another node',
          default: 'the host name, so that the file can be the same on every node',
        },
        readNodeName,
      ),
    ),
    state: v.optional(
      table('[state]', 'Where the records of the addresses are.', {
        directory: v.optional(
          string(
            absolute('/shared_storage/nlm'),
            {
              text: 'a directory that every node sees; each address has a directory `sm_ADDRESS` in it. Keep it below a mount point, and not at it',
              default: 'none; then every address needs `state_directory`',
            },
            readPath,
          ),
        ),
      }),
      {},
    ),
    lock_manager: v.optional(
      table(
        '[lock_manager]',
        'How locks are dropped, and how a grace period begins.',
        lockManagerTable(drivers),
      ),
      {},
    ),
    timeouts: v.optional(
      table(
        '[timeouts]',
        'How long to wait, in whole seconds; see WAITING in nlm-failover(8).',
        timeoutsTable,
      ),
      {},
    ),
    hooks: v.optional(
      table(
        '[hooks]',
        'Programs that are told of what happened. None of them changes a failover, or its exit code. See HOOKS below.',
        hooksTable,
      ),
      {},
    ),
    fencing: v.optional(
      table(
        '[fencing]',
        'Who proves that a node is down which has an address, and has not released it. See FENCING in nlm-failover(8).',
        fencingTable,
      ),
      {},
    ),
    shared_filesystem: v.exactOptional(
      tables(
        'shared_filesystem',
        'A cluster file system that every node has, and exports always: nothing of it is mounted, unmounted or unexported when an address moves. Where there is one, every address serves all of them, and has no file system of its own. See SHARED FILE SYSTEMS in nlm-failover(8).',
        sharedFilesystemTable,
      ),
    ),
    floating_ip: tables(
      'floating_ip',
      'An address that moves between the nodes, with everything that is exported under it. At least one.',
      floatingIpTable,
    ),
  });
}

/** The file's content once every value has been accepted. */
export type ConfigFile = v.InferOutput<ReturnType<typeof schemaOf>>;
