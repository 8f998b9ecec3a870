// What the commands say of a journal that was damaged while its address is served, and what takeover, run again, makes of it.
import { execFile } from 'node:child_process';
import { appendFileSync, readFileSync, realpathSync, rmSync, symlinkSync, truncateSync } from 'node:fs';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { openRecord } from '../../src/record/record.js';
import { startLoopbackClient } from '../demo/loopback-client.js';
import { makeRehearsal, type RehearsalNode } from '../helpers/rehearsal-site.js';
import { addClient } from '../helpers/rehearsal-steps.js';
import { projectRoot } from '../lab/project-root.js';

const address = '127.77.9.1';
const early = '127.77.9.21';
/** Announced after the damage. */
const late = '127.77.9.22';
let number = 30;

interface Damaged {
  readonly node: RehearsalNode;
  /** sm_<address>. */
  readonly directory: string;
  readonly journal: string;
  readonly run: string;
}

interface Kind {
  readonly make: (damaged: Damaged) => void;
  /** Whether the callout cannot write the late client, or not durably, and says so by its exit code. */
  readonly calloutFails?: true;
  readonly clients: readonly string[];
  readonly statusExit: 0 | 1;
  readonly says?: RegExp;
  /** Whether takeover, run again, puts it right: everybody whom statd monitors is in the record, and nothing is complained of. */
  readonly takeoverMends?: true;
}

const kinds: Record<string, Kind> = {
  'a torn last line': {
    make: ({ journal }) => appendFileSync(journal, '@1 5.00 add-cl'),
    clients: [early, late],
    statusExit: 0,
    says: /journal +1 bad lines/u,
  },
  'a duplicated line': {
    make: ({ journal }) =>
      appendFileSync(journal, `${readFileSync(journal, 'latin1').trimEnd().split('\n').at(-1)}\n`),
    clients: [early, late],
    statusExit: 0,
  },
  'a journal truncated, and grown again': {
    make: ({ directory, journal }) => {
      const record = openRecord({ directory, node: 'A', create: false });
      record?.fold();
      record?.close();
      truncateSync(journal, readFileSync(journal).length - 20);
    },
    clients: [early, late],
    statusExit: 0,
    says: /journal +[12] bad lines/u,
  },
  'foreign bytes': {
    make: ({ journal }) => appendFileSync(journal, Buffer.from('\0\u001b[2J\xff;rm -rf /\n', 'latin1')),
    clients: [early, late],
    statusExit: 0,
    says: /journal +1 bad lines/u,
  },
  'a journal that is gone': {
    make: ({ journal }) => rmSync(journal),
    calloutFails: true,
    clients: [],
    statusExit: 1,
    says: /up here, but not recorded[^]*callout +[0-9.]+ add-client .* not recorded: the serving link points to nothing/u,
    takeoverMends: true,
  },
  'a directory that is gone': {
    make: ({ directory }) => rmSync(directory, { recursive: true }),
    calloutFails: true,
    clients: [],
    statusExit: 1,
    says: /up here, but not recorded[^]*record +none yet[^]*callout +[0-9.]+ add-client .* points to nothing/u,
    takeoverMends: true,
  },
  'a disk that does not sync': {
    make: ({ run }) => {
      rmSync(path.join(run, 'sync', address), { force: true });
      symlinkSync('/dev/null', path.join(run, 'sync', address));
    },
    calloutFails: true,
    clients: [early, late],
    statusExit: 0,
    says: /callout +[0-9TZ:.-]+ not durable: .*sync.*: Invalid argument/u,
  },
};

for (const [name, kind] of Object.entries(kinds)) {
  test(`${name}: what clients, status and takeover say`, async (t) => {
    t.timeout(120_000);
    const { node, damaged } = await served(t);
    kind.make(damaged);
    if (kind.calloutFails === true) t.throws(() => addClient(node, late));
    else addClient(node, late);

    const status = await node.here(['status', address]);
    t.is(status.exitCode, kind.statusExit, status.stdout);
    if (kind.says === undefined) t.notRegex(status.stdout, /callout|bad lines/u);
    else t.regex(status.stdout, kind.says);
    t.deepEqual(await clients(node), kind.clients);
    if (kind.takeoverMends === undefined) return;

    // statd goes on monitoring whom it could not have recorded.
    for (const client of [early, late]) node.write(`/var/lib/nfs/sm/${client}`, '');
    const again = await node.here(['takeover', address, '--no-wait', '--notify-deadline', '1']);
    t.regex(again.stdout, /B-2 +grace +[0-9]+ ms/u);
    t.deepEqual(await clients(node), [early, late]);
    const mended = await node.here(['status', address]);
    t.is(mended.exitCode, 0, mended.stdout);
    t.regex(mended.stdout, /served here/u);
    t.notRegex(mended.stdout, /callout/u);
  });
}

const inMounts: Record<string, { readonly script: string; readonly says: RegExp }> = {
  'a read-only file system': {
    script: 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1"',
    says: /monitors[.]db|folding the journals[^]*(?:read or written|readonly)/u,
  },
  'a full disk': {
    script: `cp -a "$1" "$2" && rm -f "$2"/*/reserve.* && mount -t tmpfs -o size=1m,mode=755 tmpfs "$1" && cp -a "$2/." "$1" &&
      { cat /dev/zero >"$1/filler" 2>/dev/null || :; }`,
    says: /no space is left for the database/u,
  },
};

const asRoot = process.getuid?.() === 0 ? test : test.skip;
for (const [name, { script, says }] of Object.entries(inMounts)) {
  asRoot(
    `${name}: what is not folded is read all the same, in memory, and status says what is wrong`,
    async (t) => {
      t.timeout(120_000);
      const { node } = await served(t);
      const tool = path.join(projectRoot(), 'bin', 'nlm-failover');
      const disk = realpathSync(node.path('/mnt/state1'));
      const env = { ...process.env, NLM_FAILOVER_REHEARSAL: node.root, NLM_FAILOVER_CONFIG: node.config };
      const inMount = async (verb: string): Promise<{ code: unknown; stdout: string; stderr: string }> => {
        const command = [
          'sh',
          '-c',
          `${script} || exit 99; shift 2; exec "$@"`,
          'sh',
          disk,
          `${node.root}.${verb}`,
        ];
        const argv = ['-m', '--', ...command, process.execPath, tool, verb, address];
        return new Promise((resolve) =>
          execFile('unshare', argv, { env, timeout: 60_000 }, (error, out, err) =>
            resolve({ code: error?.code ?? 0, stdout: out, stderr: err }),
          ),
        );
      };
      const listed = await inMount('clients');
      t.is(listed.code, 0, listed.stdout + listed.stderr);
      t.true(listed.stdout.includes(early), listed.stdout);
      const audited = await inMount('audit');
      t.is(audited.code, 0, audited.stdout + audited.stderr);
      t.regex(audited.stdout, /in its grace period: 0 of 0 clients back/u);
      const status = await inMount('status');
      t.is(status.code, 1, status.stdout + status.stderr);
      t.regex(status.stdout, says);
      t.regex(status.stdout, /record +CANNOT BE WRITTEN[^]*owner +A[^]*clients +1 recorded/u);
      t.deepEqual(await clients(node), [early]);
    },
  );
}

/** An address served on A, with a client that is in the journal, and not folded yet. */
async function served(t: ExecutionContext): Promise<{ node: RehearsalNode; damaged: Damaged }> {
  number += 1;
  const client = await startLoopbackClient(`127.77.9.${number}`, 0, () => undefined);
  const site = makeRehearsal({ address, rpcbindPort: client.port });
  t.teardown(() => {
    client.close();
    site.remove();
  });
  const node = site.a;
  const taken = await node.here(['takeover', address, '--no-wait']);
  t.is(taken.exitCode, 0, taken.stderr);
  addClient(node, early);
  const directory = node.path(`/mnt/state1/sm_${address}`);
  const journal = path.join(directory, 'journal.A');
  return { node, damaged: { node, directory, journal, run: node.path('/run/nlm-failover') } };
}

async function clients(node: RehearsalNode): Promise<string[]> {
  const { stdout } = await node.here(['clients', address, '--json']);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines.flatMap((line) => (JSON.parse(line) as { client?: string }).client ?? []);
}
