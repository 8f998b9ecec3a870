// Each trouble of the storage with the real command: its code, its exit code, one sentence, a hint; and that nothing was touched.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  lchownSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import Database from 'better-sqlite3';
import { projectRoot } from '../lab/project-root.js';
import { makeRehearsal, type RehearsalSite } from '../helpers/rehearsal-site.js';
import { addClient } from '../helpers/rehearsal-steps.js';
import { startProcess } from '../record/helpers/process.js';
import { runHere } from '../fault/site.js';

const address = '127.77.12.1';
const shared = '/shared_storage';
const asRoot = process.getuid?.() === 0;

interface Place {
  readonly site: RehearsalSite;
  /** The shared storage, its sm_ directory and database, by their real paths. */
  readonly state: string;
  readonly directory: string;
  readonly database: string;
}

/** A serves the address, its record on shared storage with a client in it. */
async function served(t: ExecutionContext): Promise<Place> {
  const site = makeRehearsal({ address, rpcbindPort: 1, stateDirectory: shared });
  t.teardown(() => site.remove());
  const state = path.join(site.directory, 'storage');
  mkdirSync(state);
  for (const node of [site.a, site.b]) node.link(shared, state);
  const taken = await runHere(site.directory, 'A', ['takeover', address, '--no-wait']);
  t.is(taken.exitCode, 0, taken.output);
  addClient(site.a, '127.77.12.21');
  const directory = path.join(state, `sm_${address}`);
  return { site, state, directory, database: path.join(directory, 'monitors.db') };
}

interface Trouble {
  readonly make: (place: Place, t: ExecutionContext) => void | Promise<void>;
  readonly code: string;
  readonly hint: RegExp;
  /** What a rebuild says; default: it makes the record. */
  readonly rebuild?: string;
  readonly rootOnly?: boolean;
}

const overwrite = (file: string, from: number) => {
  const fd = openSync(file, 'r+');
  writeSync(fd, Buffer.alloc(4096, 0xa5), 0, 4096, from);
  closeSync(fd);
};

const rebuildIt = /^Run "nlm-failover rebuild 127\.77\.12\.1"/;
const mountIt = /^Mount the shared storage\. Only where it is mounted: make /;
const ours = /real file or directory that belongs to root, and that nobody else can write/;

const troubles: Record<string, Trouble> = {
  'a corrupt page': {
    make: ({ database }) => overwrite(database, 4096),
    code: 'RECORD_CORRUPT',
    hint: rebuildIt,
  },
  'a truncated database': {
    make: ({ database }) => truncateSync(database, 9000),
    code: 'RECORD_CORRUPT',
    hint: rebuildIt,
  },
  'an empty database': {
    make: ({ database }) => truncateSync(database, 0),
    code: 'RECORD_MISSING',
    hint: rebuildIt,
  },
  'no database': { make: ({ database }) => rmSync(database), code: 'RECORD_MISSING', hint: rebuildIt },
  garbage: {
    make: ({ database }) => writeFileSync(database, 'garbage, '.repeat(9999)),
    code: 'RECORD_CORRUPT',
    hint: rebuildIt,
  },
  'a database of a terabyte, with nothing in it': {
    make: ({ database }) => truncateSync(database, 1024 ** 4),
    code: 'RECORD_CORRUPT',
    hint: rebuildIt,
  },
  'a rollback journal of a terabyte': {
    make: ({ database }) => {
      writeFileSync(`${database}-journal`, '', { mode: 0o600 });
      truncateSync(`${database}-journal`, 1024 ** 4);
    },
    code: 'RECORD_CORRUPT',
    hint: rebuildIt,
  },
  'a newer schema': {
    make: ({ database }) => {
      const db = new Database(database);
      db.pragma('user_version = 99');
      db.close();
    },
    code: 'RECORD_NEWER',
    hint: /Install here the version/,
    rebuild: 'RECORD_NEWER',
  },
  'locked by another process': {
    make: async ({ database }, t) => {
      t.is(await startProcess(t, 'hold-database.js', [database]).line(), 'held');
    },
    code: 'RECORD_BUSY',
    hint: /that it ends/,
    rebuild: 'RECORD_BUSY',
  },
  'the state directory is missing': {
    make: ({ state }) => renameSync(state, `${state}.away`),
    code: 'RECORD_UNREACHABLE',
    hint: mountIt,
    rebuild: 'RECORD_UNREACHABLE',
  },
  'an empty mount point that fstab lists': {
    make: ({ site, state }) => {
      renameSync(state, `${state}.away`);
      mkdirSync(state);
      for (const node of [site.a, site.b])
        node.write('/etc/fstab', `# x\nfs:/x ${shared}/ nfs defaults 0 0\n`);
    },
    code: 'RECORD_UNREACHABLE',
    hint: mountIt,
    rebuild: 'RECORD_UNREACHABLE',
  },
  'the state directory is a file': {
    make: ({ state }) => {
      renameSync(state, `${state}.away`);
      writeFileSync(state, '');
    },
    code: 'RECORD_UNUSABLE',
    hint: /mounted and writable/,
    rebuild: 'RECORD_UNUSABLE',
  },
  'the state directory is writable by all': {
    make: ({ state }) => chmodSync(state, 0o777),
    code: 'RECORD_UNSAFE',
    hint: ours,
    rebuild: 'RECORD_UNSAFE',
  },
  'the state directory belongs to somebody else': {
    make: ({ state }) => chownSync(state, 65534, 65534),
    code: 'RECORD_UNSAFE',
    hint: ours,
    rebuild: 'RECORD_UNSAFE',
    rootOnly: true,
  },
  'the database belongs to somebody else': {
    make: ({ database }) => chownSync(database, 65534, 65534),
    code: 'RECORD_UNSAFE',
    hint: ours,
    rebuild: 'RECORD_UNSAFE',
    rootOnly: true,
  },
  'the state directory is a symbolic link of another user': {
    make: ({ site }) => {
      for (const node of [site.a, site.b]) lchownSync(node.path(shared), 65534, 65534);
    },
    code: 'RECORD_UNSAFE',
    hint: ours,
    rebuild: 'RECORD_UNSAFE',
    rootOnly: true,
  },
  'the state directory is a symbolic link where others may put another': {
    make: ({ site }) => {
      for (const node of [site.a, site.b]) chmodSync(node.root, 0o777);
    },
    code: 'RECORD_UNSAFE',
    hint: ours,
    rebuild: 'RECORD_UNSAFE',
  },
  'sm_ADDRESS is a symbolic link': {
    make: ({ directory }) => {
      renameSync(directory, `${directory}.away`);
      symlinkSync(`${directory}.away`, directory);
    },
    code: 'RECORD_UNSAFE',
    hint: ours,
    rebuild: 'RECORD_UNSAFE',
  },
};

interface Reported {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
}

for (const [what, trouble] of Object.entries(troubles)) {
  (trouble.rootOnly === true && !asRoot ? test.skip : test)(`${what}: ${trouble.code}`, async (t) => {
    t.timeout(300_000);
    const place = await served(t);
    const { site } = place;
    await trouble.make(place, t);
    const machine = () =>
      ['/proc/self/mountinfo', '/var/lib/nfs/etab', '/addresses.json'].map((file) => [
        site.a.read(file),
        site.b.read(file),
      ]);
    const before = machine();
    const check = ({ code, message, hint }: Reported, args: readonly string[]) => {
      t.is(code, trouble.code, `${args.join(' ')}: ${message}`);
      t.notRegex(message, /\n/);
      t.regex(message, /\/(storage|shared_storage)|monitors\.db/);
      t.regex(hint ?? '', trouble.hint);
    };
    for (const args of [
      ['takeover', address, '--fenced', '--no-wait'],
      ...(trouble.code === 'RECORD_BUSY' || trouble.code === 'RECORD_UNREACHABLE'
        ? []
        : [['clients', address]]),
    ]) {
      const { exitCode, output } = await runHere(site.directory, 'B', args);
      t.is(exitCode, 1, output);
      const lines = output.trimEnd().split('\n');
      const at = lines.findIndex((line) => line.includes('"error"'));
      const [json = '', ...text] = lines.slice(at);
      t.false(
        lines.slice(0, at).some((line) => line.includes('"done"')),
        output,
      );
      check((JSON.parse(json) as { error: Reported }).error, args);
      // For people: the sentence, and below it the hint.
      t.is(text.length, 2, output);
      t.regex(text[0] ?? '', /^nlm-failover: /);
    }
    if (trouble.code !== 'RECORD_BUSY') {
      const { exitCode, output } = await runHere(site.directory, 'B', ['status']);
      const status = JSON.parse(output) as { recordError?: Reported; unreachable?: string };
      if (trouble.code === 'RECORD_UNREACHABLE') {
        t.regex(status.unreachable ?? '', /not mounted|does not exist/);
      } else {
        t.is(exitCode, 1, output);
        if (status.recordError === undefined) t.fail(output);
        else check(status.recordError, ['status']);
      }
    }
    t.deepEqual(machine(), before, 'nothing was touched');
    if (trouble.code === 'RECORD_BUSY') return; // test/record/rebuild/rebuild.test.ts has it, with a shorter patience
    const { exitCode, output } = await runHere(site.directory, 'B', ['rebuild', address]);
    const [line = ''] = output.split('\n');
    if (trouble.rebuild === undefined) {
      t.is(exitCode, 0, output);
      t.like(JSON.parse(line), { result: 'done', clients: 1, owner: 'A', epoch: 1, journals: ['A'] });
    } else {
      t.is(exitCode, 1, output);
      t.is((JSON.parse(line) as { error: Reported }).error.code, trouble.rebuild);
    }
    t.deepEqual(machine(), before, 'nothing was touched by rebuild');
  });
}

/** Runs a command on B while the record lies on a small tmpfs, in a mount namespace that ends with it. */
function onTmpfs(
  place: Place,
  prepare: string,
  args: readonly string[],
): { code: number | null; stderr: string } {
  const { site, state } = place;
  const script = [
    'set -e; state=$1; shift',
    'cp -a "$state" "$state.copy"; rm -f "$state.copy"/*/reserve.*; mount -t tmpfs -o mode=711,size=256k tmpfs "$state"; cp -a "$state.copy/." "$state/"',
    prepare,
    'exec "$@"',
  ].join('\n');
  const bin = path.join(projectRoot(), 'bin', 'nlm-failover');
  const { status, stderr } = spawnSync(
    'unshare',
    ['-m', '--', 'sh', '-c', script, 'sh', state, process.execPath, bin, ...args],
    {
      encoding: 'utf8',
      env: { ...process.env, NLM_FAILOVER_REHEARSAL: site.b.root, NLM_FAILOVER_CONFIG: site.b.config },
    },
  );
  return { code: status, stderr };
}

const fill = 'dd if=/dev/zero of="$state/filler" bs=1k 2>/dev/null || :';
for (const [what, prepare, lost, said, hint] of [
  [
    'a full disk',
    fill,
    false,
    /no space is left for the database/,
    /Free some space .*Then run the same command again/,
  ],
  [
    'a full disk, and rebuild',
    `${fill}; : >"$state/sm_${address}/monitors.db"`,
    true,
    /no space is left/,
    /Free some space/,
  ],
  ['read-only', 'mount -o remount,ro "$state"', false, /cannot be read or written/, /mounted and writable/],
  [
    'read-only, and rebuild',
    `: >"$state/sm_${address}/monitors.db"; mount -o remount,ro "$state"`,
    true,
    /cannot be read or written/,
    /mounted and writable/,
  ],
] as const) {
  (asRoot ? test : test.skip)(`${what}: one sentence, one hint, nothing touched`, async (t) => {
    const place = await served(t);
    const before = place.site.b.read('/proc/self/mountinfo');
    const args = lost ? ['rebuild', address] : ['takeover', address, '--fenced', '--no-wait'];
    const { code, stderr } = onTmpfs(place, prepare, args);
    t.is(code, 1, stderr);
    const [sentence = '', way = '', ...more] = stderr.trimEnd().split('\n');
    t.regex(sentence, said);
    t.true(sentence.includes(place.directory.replace(place.state, '')), sentence);
    t.regex(way, hint);
    t.deepEqual(more, []);
    t.is(place.site.b.read('/proc/self/mountinfo'), before);
  });
}
