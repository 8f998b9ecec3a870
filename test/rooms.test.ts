// Which rooms src has, what each is for, and which way imports may go: held by reading the imports of every file.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'ava';

interface Room {
  /** What is in it, for whoever looks for the place of something new. */
  readonly holds: string;
  /** The rooms that it may import from, all of them below it. What lies at the top of src, everybody may. */
  readonly rooms: readonly string[];
  /** The packages that it may import. */
  readonly packages: readonly string[];
}

/** From the bottom up: a room imports only from those above it in this table. */
const rooms: Readonly<Record<string, Room>> = {
  config: {
    holds: 'What the configuration file says, judged and frozen; knows no machine.',
    rooms: [],
    packages: ['ip-address', 'smol-toml', 'valibot'],
  },
  host: {
    holds:
      'Every effect on the machine, and what is read of it; the rehearsal that keeps the same promises in a directory.',
    rooms: [],
    packages: ['execa', 'ip-address', 'valibot'],
  },
  rpc: {
    holds: 'ONC-RPC: XDR, calls, replies, record marking, rpcbind.',
    rooms: [],
    packages: [],
  },
  rundir: {
    holds: 'The layout of /run/nlm-failover: serving links, marks, operation locks. Host says where that is.',
    rooms: ['host'],
    packages: ['better-sqlite3'],
  },
  record: {
    holds:
      'The record of one floating IP: database, journals, what is folded from one into the other. Of the host it needs who ' +
      'holds a lock on the database, and the watchdog, which is set before a call that may block.',
    rooms: ['host'],
    packages: ['better-sqlite3'],
  },
  nsm: {
    holds: 'SM_NOTIFY: the sender, and the process that sends from within a network namespace.',
    rooms: ['rpc'],
    packages: ['valibot'],
  },
  lockmanager: {
    holds:
      'The port, and the drivers with what is theirs: keys of the configuration, processes, registrations.',
    rooms: ['config', 'host', 'rpc', 'rundir'],
    packages: ['valibot'],
  },
  fencing: {
    holds:
      'Who can prove that a node is down which has an address and has not released it: Pacemaker, a fence command.',
    rooms: ['config', 'host'],
    packages: ['@rgrove/parse-xml'],
  },
  failover: {
    holds: 'What a release, a takeover, an audit is: plan, steps, operations. Where all below meets.',
    rooms: ['config', 'host', 'rundir', 'record', 'nsm', 'lockmanager', 'fencing'],
    packages: [],
  },
  ctdb: {
    holds:
      'Shared addresses of CTDB with the lock manager of the kernel: the barrier of all nodes, and what each does at it.',
    rooms: ['config', 'host', 'rpc', 'rundir', 'record', 'nsm', 'lockmanager', 'fencing', 'failover'],
    packages: ['valibot'],
  },
  site: {
    holds:
      'What is done with an address or a node once, before or beside failovers: adopt, check, init, pacemaker, setup.',
    rooms: ['config', 'host', 'rundir', 'record', 'nsm', 'lockmanager', 'fencing', 'failover', 'ctdb'],
    packages: ['@rgrove/parse-xml'],
  },
  cli: {
    holds: 'Commands, options, and what people see. Makes the parts and hands them to failover.',
    rooms: [
      'config',
      'host',
      'rpc',
      'rundir',
      'record',
      'nsm',
      'lockmanager',
      'fencing',
      'failover',
      'ctdb',
      'site',
    ],
    packages: ['commander', 'pino'],
  },
  man: {
    holds:
      'The manual pages, made from the definitions that the commands are made from; what sections say, each in a file.',
    rooms: ['config', 'lockmanager', 'failover', 'ctdb', 'site', 'cli'],
    packages: ['commander'],
  },
  package: {
    holds: 'The Debian packages, made of a checkout that is built. Not part of the program.',
    rooms: ['man'],
    packages: ['esbuild', 'valibot'],
  },
};

/** Rooms in rooms, from the bottom up, with the files that lie beside them as ".": code of one uses only what is below it. */
const inner: Readonly<Record<string, readonly string[]>> = {
  host: ['host.ts', 'running', '.', 'devices', 'settings', 'reading', 'actions', 'rehearsal'],
  record: ['record-error.ts', 'safe-files', 'database', 'trial', 'tables', 'journal', '.', 'rebuild', 'move'],
  nsm: ['notify', 'worker'],
  failover: [
    'context.ts',
    'limits.ts',
    'access',
    'reclaim',
    'steps',
    'sharing',
    'plan.ts',
    'status',
    'operations',
    'hooks',
  ],
};

/** What lies in no room: everybody's. */
const base = [
  'counted.ts',
  'environment.ts',
  'error-codes.ts',
  'errors.ts',
  'names.ts',
  'paths.ts',
  'step-names.ts',
  'version.ts',
];

/** No room, and no room in a room, has more files: whoever opens it sees at once what is there. */
const mostFiles = 16;

/** Files and folders that decide and do nothing: what they import is as pure, but for types. */
const pure = [
  'counted.ts',
  'environment.ts',
  'error-codes.ts',
  'errors.ts',
  'names.ts',
  'paths.ts',
  'step-names.ts',
  'version.ts',
  'config/',
  'rpc/rpc-call.ts',
  'rpc/rpc-reply.ts',
  'rpc/rpcbind-messages.ts',
  'rpc/xdr.ts',
  'record/journal/journal.ts',
  'record/safe-files/layout.ts',
  'record/database/schema.ts',
  'nsm/notify/backoff.ts',
  'nsm/notify/client-address.ts',
  'nsm/notify/exchange.ts',
  'nsm/notify/notify-client.ts',
  'nsm/notify/outstanding.ts',
  'nsm/notify/report.ts',
  'nsm/notify/send-window.ts',
  'nsm/notify/sm-notify.ts',
  'nsm/notify/statd-call.ts',
  'nsm/notify/statd-port.ts',
  'nsm/worker/worker-messages.ts',
  'fencing/pacemaker/answers.ts',
  'fencing/pacemaker/resource-id.ts',
  'fencing/pacemaker/verdict.ts',
  'ctdb/note.ts',
  'ctdb/machine.ts',
  'ctdb/barrier-process.ts',
  'ctdb/grace.ts',
  'ctdb/limits.ts',
  'ctdb/wanted.ts',
  'failover/limits.ts',
  'failover/reclaim/end-of-grace.ts',
  'failover/reclaim/reclaim.ts',
  'failover/reclaim/finding-report.ts',
  'failover/steps/steps.ts',
  'host/host.ts',
  'lockmanager/port.ts',
  'cli/text/',
  'man/roff.ts',
];
/** But for these in them. */
const notPure = ['config/load-config.ts'];
/** What is no effect of what comes from outside src. Of node:net: whether a text is an address. */
const pureModules = ['node:path', '@rgrove/parse-xml', 'ip-address', 'smol-toml', 'valibot'];
const pureNames: Readonly<Record<string, readonly string[]>> = {
  'node:net': ['isIP', 'isIPv4', 'isIPv6', 'SocketAddress'],
};

interface Import {
  /** The file that imports, below src. */
  readonly from: string;
  /** A file below src, or the name of a module. */
  readonly to: string;
  readonly isFile: boolean;
  /** What is used when the program runs; not its types. */
  readonly values: readonly string[];
}

const source = path.resolve('src');
const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .toSorted();
const imports = files.flatMap(importsOf);

/** Static ones, re-exports, and those in the middle of the code. */
function importsOf(from: string): Import[] {
  const text = readFileSync(path.join(source, from), 'utf8');
  const forms = [
    ...text.matchAll(/^(?:import|export)( type)? ((?:\* as \w+)|(?:\w+, )?\{[^}]*\}|\w+) from '([^']+)';$/gm),
    ...text.matchAll(/^import() (?:)()'([^']+)';$/gm),
    ...text.matchAll(/\bimport\(()()'([^']+)'\)/g),
  ];
  return forms.map(([, type, clause = '', name = '']) => {
    const isFile = name.startsWith('.');
    const to = isFile
      ? path.relative(source, path.resolve(source, path.dirname(from), name)).replace(/\.js$/, '.ts')
      : name;
    const words = clause.replaceAll(/[{}]/g, ',').split(',');
    const named = words.map((word) => word.trim()).filter((word) => word !== '' && !word.startsWith('type '));
    const isTypeOnly = type !== undefined && type !== '';
    const values = isTypeOnly ? [] : clause === '' ? ['*'] : named;
    return { from, to, isFile, values };
  });
}

function roomOf(file: string): string {
  const [room = '', ...rest] = file.split('/');
  return rest.length === 0 ? '' : room;
}

function isPure(file: string): boolean {
  return (
    !notPure.includes(file) && pure.some((one) => (one.endsWith('/') ? file.startsWith(one) : file === one))
  );
}

/** What a pure file must not import. */
function isEffect({ to, isFile, values }: Import): boolean {
  if (values.length === 0) return false;
  if (isFile) return !isPure(to);
  const allowed = pureNames[to];
  return allowed === undefined ? !pureModules.includes(to) : values.some((name) => !allowed.includes(name));
}

test('every import is read, or what follows holds nothing', (t) => {
  for (const file of files) {
    const text = readFileSync(path.join(source, file), 'utf8');
    const endings = text.match(/ from '[^']+';$|^import '|\bimport\(/gm) ?? [];
    t.is(importsOf(file).length, endings.length, file);
  }
  t.true(imports.length > 500);
  t.true(imports.every(({ to, isFile }) => !isFile || files.includes(to)));
});

test('every file is in a room of the table, or is one of those for everybody', (t) => {
  t.deepEqual(
    files.filter((file) => rooms[roomOf(file)] === undefined),
    base,
  );
});

test('the table has arrows down only', (t) => {
  const order = Object.keys(rooms);
  for (const [room, { rooms: allowed }] of Object.entries(rooms)) {
    for (const below of allowed)
      t.true(order.indexOf(below) < order.indexOf(room) && order.includes(below), room);
  }
});

test('a room imports only from the rooms that the table allows it', (t) => {
  const wrong = imports.filter(({ from, to, isFile }) => {
    const [room, other] = [roomOf(from), roomOf(to)];
    if (!isFile || other === room || other === '') return false;
    return rooms[room]?.rooms.includes(other) !== true;
  });
  t.deepEqual(
    wrong.map(({ from, to }) => `${from} -> ${to}`),
    [],
  );
});

test('a room within a room uses only what is below it, but for types', (t) => {
  const levelOf = (file: string): number => {
    const [room = '', first = '', ...rest] = file.split('/');
    const levels = inner[room] ?? [];
    return levels.indexOf(rest.length > 0 || levels.includes(first) ? first : '.');
  };
  const within = files.filter((file) => inner[roomOf(file)] !== undefined);
  t.deepEqual(
    within.filter((file) => levelOf(file) === -1),
    [],
  );
  const wrong = imports.filter(
    ({ from, to, values }) =>
      values.length > 0 &&
      within.includes(from) &&
      roomOf(from) === roomOf(to) &&
      levelOf(to) > levelOf(from),
  );
  t.deepEqual(
    wrong.map(({ from, to }) => `${from} -> ${to}`),
    [],
  );
});

test('a room imports only the packages that the table allows it', (t) => {
  const wrong = imports.filter(({ from, to, isFile }) => {
    if (isFile || to.startsWith('node:')) return false;
    return rooms[roomOf(from)]?.packages.includes(to) !== true;
  });
  t.deepEqual(
    wrong.map(({ from, to }) => `${from} -> ${to}`),
    [],
  );
});

test('pure code imports no effect', (t) => {
  const wrong = imports.filter((one) => isPure(one.from) && isEffect(one));
  t.deepEqual(
    wrong.map(({ from, to }) => `${from} -> ${to}`),
    [],
  );
  for (const one of [...pure, ...notPure])
    t.true(
      files.some((file) => file.startsWith(one)),
      `${one} is there`,
    );
});

test(`no room has more than ${mostFiles} files`, (t) => {
  const counts = new Map<string, number>();
  for (const file of files) counts.set(path.dirname(file), (counts.get(path.dirname(file)) ?? 0) + 1);
  t.deepEqual(
    [...counts].filter(([, count]) => count > mostFiles),
    [],
  );
});
