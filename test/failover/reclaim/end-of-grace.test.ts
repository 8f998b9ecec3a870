// The end of a grace before its time: the decision alone, and release, takeover and the looks that give it its evidence, on two
// rehearsed nodes with a driver whose grace can be ended.
import { readFileSync, writeFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { type LoopbackClient, startLoopbackClient } from '../../demo/loopback-client.js';
import { exitCodes, FailoverError } from '../../../src/errors.js';
import type { FailoverContext } from '../../../src/failover/context.js';
import { release } from '../../../src/failover/operations/release.js';
import { takeover } from '../../../src/failover/operations/takeover.js';
import { planRelease, planTakeover } from '../../../src/failover/plan.js';
import { type AuditReport, auditAfterTakeover } from '../../../src/failover/reclaim/audit.js';
import { type GraceEvidence, whyGraceGoesOn } from '../../../src/failover/reclaim/end-of-grace.js';
import type { ReclaimProgress } from '../../../src/failover/reclaim/reclaim-watch.js';
import { selectSteps } from '../../../src/failover/steps/steps.js';
import { rehearsalHost } from '../../../src/host/rehearsal/rehearsal.js';
import { lockdModule } from '../../../src/lockmanager/lockd/module.js';
import type { LockManager } from '../../../src/lockmanager/port.js';
import { journalPath } from '../../../src/record/journal/journal-file.js';
import { openRecord } from '../../../src/record/record.js';
import { rehearsalContext } from '../../helpers/rehearsal-context.js';
import { makeRehearsal, type RehearsalNode, type RehearsalSite } from '../../helpers/rehearsal-site.js';
import { addClient } from '../../helpers/rehearsal-steps.js';

const allDone: GraceEvidence = {
  wish: 'reclaimed',
  driver: 'lockd-netns',
  canEnd: true,
  isThisEpoch: true,
  entered: true,
  graces: 1,
  planned: true,
  noteGap: undefined,
  notNotified: 0,
  held: 2,
  missing: 0,
};

/** Each thing that must be so, broken. */
const broken: readonly Partial<GraceEvidence>[] = [
  { wish: 'timer' },
  { canEnd: false },
  { isThisEpoch: false },
  { entered: false },
  { graces: 0 },
  { graces: 2 },
  { planned: false },
  { noteGap: 'a reason' },
  { notNotified: 1 },
  { missing: 1 },
  { missing: undefined },
];

test('the grace may end when all is done, with as many locks and clients as there are, none too', (t) => {
  for (const held of [0, 1, 100_000]) t.is(whyGraceGoesOn({ ...allDone, held }), undefined);
});

test('whatever is not done, or not known, keeps it going, alone or together', (t) => {
  for (const defect of broken)
    t.not(whyGraceGoesOn({ ...allDone, ...defect }), undefined, JSON.stringify(defect));
  fc.assert(
    fc.property(fc.subarray([...broken], { minLength: 1 }), fc.nat(), (defects, held) => {
      const evidence = defects.reduce<GraceEvidence>((all, one) => ({ ...all, ...one }), {
        ...allDone,
        held,
      });
      t.not(whyGraceGoesOn(evidence), undefined, JSON.stringify(evidence));
    }),
  );
  t.pass();
});

const address = '127.77.9.1';
const nfsd = '/proc/fs/nfsd';
const endFile = '/proc/fs/lockd/nlm_end_grace';
const silent = { begin: () => undefined, end: () => undefined };
const never = () => undefined;
let lastClient = 20;

/** What a test changes of the story below. */
interface Changes {
  /** As [lock_manager] has it. */
  readonly endGrace?: string;
  readonly fsids?: readonly number[];
  readonly driver?: (usual: LockManager, node: 'A' | 'B') => LockManager;
  /** Of A's takeover; undefined: all. */
  readonly stepsOnA?: string;
  /** Once A serves, its client has its locks and its grace is over. */
  readonly onA?: (site: RehearsalSite) => void;
  /** The releases, each by the steps it does; undefined: all. */
  readonly releases?: readonly (string | undefined)[];
  readonly betweenReleases?: (site: RehearsalSite) => void;
  readonly beforeTakeover?: (site: RehearsalSite) => void;
  readonly fenced?: boolean;
  readonly steps?: string;
  /** B releases it too, and A takes it over again and waits: that is the report then. */
  readonly back?: boolean;
  /** Seconds by which the clock of each command is ahead; by default an hour more each time. */
  readonly clocks?: readonly number[];
  /** How long B-3 tries; by default so long that the client always answers. */
  readonly notifyMs?: number;
  /** At each look that waits; by default the client's kernel reclaims at the first. */
  readonly onWaiting?: (b: RehearsalNode, locks: string, progress: ReclaimProgress, client: string) => void;
}

interface Story {
  readonly report: AuditReport;
  /** What B's kernel says of lockd's grace at the end: N where it runs. */
  readonly kernel: string;
  /** How often the driver was asked to end it. */
  readonly asked: number;
}

async function startClient(t: ExecutionContext): Promise<LoopbackClient> {
  lastClient += 1;
  const client = await startLoopbackClient(`127.77.9.${lastClient}`, 0, never);
  t.teardown(() => client.close());
  return client;
}

/** A serves, a client has two locks; A releases, B takes over and waits for the reclaims. */
async function tell(t: ExecutionContext, changes: Changes = {}): Promise<Story> {
  t.timeout(120_000);
  const { driver = (usual) => usual, releases = [undefined], fsids = [1234] } = changes;
  const client = await startClient(t);
  const site = makeRehearsal({ address, rpcbindPort: client.port, fsids });
  t.teardown(() => site.remove());
  const { a, b } = site;
  if (changes.endGrace !== undefined) for (const node of [a, b]) setEnd(node, changes.endGrace);
  let asked = 0;
  let commands = 0;
  const open = async (node: RehearsalNode, fenced = false) => {
    // By default A's first grace is over when it releases.
    const later = 1_000 * (changes.clocks?.[commands] ?? 3_600 * (commands + 1));
    commands += 1;
    const host = { ...rehearsalHost(node.root), now: () => Date.now() + later };
    const endGrace: LockManager['endGrace'] = () => ({
      commands: [],
      check: () => false,
      act: async () => {
        asked += 1;
        await host.writeKernel(endFile, 'Y\n');
        return undefined;
      },
      verify: never,
    });
    const over = {
      host,
      voucher: fenced ? ('caller' as const) : undefined,
      notifyDeadlineMs: changes.notifyMs ?? 60_000,
      rpcbindPort: client.port,
    };
    const context = await rehearsalContext(node, over, (at) =>
      driver({ ...lockdModule.make(at), endGrace }, node.name),
    );
    t.teardown(() => context.session.close());
    return context;
  };
  const takeOver = async (context: FailoverContext, steps?: string) => {
    const { floatingIp, config } = context;
    const options = { node: config.node, order: 'safe' } as const;
    const plan = selectSteps(planTakeover(floatingIp, context.driver, options), steps);
    await takeover(plan, context, silent);
  };
  await takeOver(await open(a), changes.stepsOnA);
  addClient(a, client.address);
  const locks = ['one', 'two'].map((name, index) => {
    a.write(`/mnt/vol1/${name}`, '');
    return `${index + 1}: POSIX  ADVISORY  WRITE 4194305 07:01:${1000 + index} 0 EOF\n`;
  });
  a.write('/proc/locks', locks.join(''));
  a.write(endFile, 'Y\n');
  changes.onA?.(site);
  const letGo = async (node: RehearsalNode, steps?: string) => {
    const context = await open(node);
    const plan = selectSteps(planRelease(context.floatingIp, context.driver), steps);
    await release(plan, context, silent);
  };
  const takeOverAndWait = async (node: RehearsalNode) => {
    const context = await open(node, changes.fenced);
    await takeOver(context, changes.steps);
    const onWaiting = changes.onWaiting ?? ((at, all) => at.write('/proc/locks', all));
    return auditAfterTakeover(context, (progress) =>
      onWaiting(node, locks.join(''), progress, client.address),
    );
  };
  for (const [index, steps] of releases.entries()) {
    if (index > 0) changes.betweenReleases?.(site);
    await letGo(a, steps);
  }
  changes.beforeTakeover?.(site);
  const there = { report: await takeOverAndWait(b), kernel: b.read(endFile).slice(0, 1), asked };
  if (changes.back !== true) return there;
  await letGo(b);
  return { report: await takeOverAndWait(a), kernel: a.read(endFile).slice(0, 1), asked };
}

/** The grace goes on, for this reason. */
function goesOn(t: ExecutionContext, { report, kernel, asked }: Story, why: RegExp): void {
  t.is(report.grace?.ended, false);
  t.regex(report.grace?.why ?? '', why);
  t.deepEqual([kernel, asked], ['N', 0]);
}

/** Adds a client that answers nobody. */
const absent = ({ a }: RehearsalSite) => addClient(a, '127.77.9.250');

test('after a release, with all locks held again and everybody notified, takeover ends it', async (t) => {
  const waited: ReclaimProgress[] = [];
  const { report, kernel, asked } = await tell(t, {
    onWaiting: (b, locks, progress) => {
      waited.push(progress);
      b.write('/proc/locks', locks);
    },
  });
  t.deepEqual(report.grace, { ended: true, why: '2 of 2 locks held again, 1 of 1 client notified' });
  t.like(report, { state: 'compared', locks: { held: 2, reclaimed: 2 } });
  t.deepEqual([kernel, asked], ['Y', 1]);
  t.like(waited[0], { locks: { held: 2, reclaimed: 0 } }, 'not before');
});

test('it ends too where nothing was locked', async (t) => {
  const { report, kernel } = await tell(t, { onA: ({ a }) => a.write('/proc/locks', '') });
  t.deepEqual(report.grace, { ended: true, why: '0 of 0 locks held again, 1 of 1 client notified' });
  t.is(kernel, 'Y');
});

test('it ends too where the one before had done its work, though its time was not over', async (t) => {
  const toItsEnd = ({ b }: RehearsalSite) => setEnd(b, 'timer');
  const { report, asked } = await tell(t, { beforeTakeover: toItsEnd, back: true });
  t.is(report.grace?.ended, true, report.grace?.why);
  t.is(asked, 1);
});

function setEnd(node: RehearsalNode, end: string): void {
  const text = node.read('/etc/nlm-failover.toml');
  node.write(
    '/etc/nlm-failover.toml',
    text.replace('[lock_manager]', `[lock_manager]\nend_grace = "${end}"`),
  );
}

test('a lock that one reading of the list misses is noted all the same', async (t) => {
  let readings = 0;
  const misses = (usual: LockManager): LockManager => ({
    ...usual,
    heldLocks: async (filesystem) => {
      const locks = await usual.heldLocks(filesystem);
      readings += 1;
      // The second and the third agree; so does A-3 with them.
      return readings === 1 ? locks?.slice(1) : locks?.slice(0, 1);
    },
  });
  const { report } = await tell(t, { driver: (usual, node) => (node === 'A' ? misses(usual) : usual) });
  t.like(report, { locks: { held: 2, reclaimed: 2 }, grace: { ended: true } });
});

test('never after a crash', async (t) => {
  goesOn(
    t,
    await tell(t, { releases: [], fenced: true, beforeTakeover: crash, onWaiting: comesBack }),
    /no release noted what was locked/,
  );
});

/** Each client that was notified asks B's lockd for a lock: what takeover waits for where nobody knows what was locked. */
const comesBack: NonNullable<Changes['onWaiting']> = (b, _locks, _progress, client) => addClient(b, client);

/** A's machine is gone, and its locks with it. */
function crash({ a }: RehearsalSite): void {
  a.write('/proc/self/mountinfo', '');
  a.write('/proc/locks', '');
}

test('never while a client is not notified', async (t) => {
  goesOn(t, await tell(t, { onA: absent, notifyMs: 1_000 }), /^[12] clients? not notified$/);
});

test('never while a lock is missing: it waits to the end of the grace', async (t) => {
  const { report, asked } = await tell(t, {
    onWaiting: (b, locks, { locks: seen }) => {
      if (seen?.reclaimed === 0) b.write('/proc/locks', locks.split('\n')[0] ?? '');
      else b.write(endFile, 'Y\n');
    },
  });
  t.is(report.grace, undefined);
  t.is(asked, 0);
});

test('never where a lock that was reclaimed is not held any more', async (t) => {
  let looks = 0;
  const losesOne = (usual: LockManager): LockManager => ({
    ...usual,
    heldLocks: async (filesystem) => {
      const locks = await usual.heldLocks(filesystem);
      // At the first look both are there.
      return locks?.slice((looks += locks.length > 0 ? 1 : 0) > 1 ? 1 : 0);
    },
  });
  const driver = (usual: LockManager, node: 'A' | 'B') => (node === 'A' ? usual : losesOne(usual));
  const story = await tell(t, { driver });
  t.is(story.report.locks?.reclaimed, 2);
  goesOn(t, story, /^1 of 2 locks not held again$/);
});

test('never where the release did not note what was locked', async (t) => {
  const skipped = await tell(t, { releases: ['A-2,A-3,A-4'], onWaiting: comesBack });
  goesOn(t, skipped, /no release noted what was locked/);
  const unreadable = await tell(t, {
    onA: ({ a }) => a.remove('/proc/locks'),
    releases: ['A-1,A-2', 'A-4'],
    onWaiting: comesBack,
  });
  goesOn(t, unreadable, /no release noted what was locked/);
});

const gaps: readonly (Changes & { readonly title: string; readonly why: RegExp })[] = [
  {
    title: 'a file system was not mounted when A-1 noted the locks',
    fsids: [1234, 5678],
    why: /every lock: \/mnt\/vol2 was not mounted$/,
    onA: ({ a }) => {
      const mounts = a.read('/proc/self/mountinfo').split('\n');
      a.write('/proc/self/mountinfo', mounts.filter((line) => !line.includes('/mnt/vol2')).join('\n'));
    },
  },
  {
    title: 'the grace was not over where the locks were noted',
    why: /every lock: its last grace period was not over$/,
    onA: ({ a }) => a.write(endFile, 'N\n'),
  },
  {
    title: 'a release that was stopped in grace was run again after it',
    why: /every lock: its last grace period was not over$/,
    releases: ['A-2', undefined],
    clocks: [0, 1],
  },
  {
    title: 'a client had not been notified by the last takeover',
    why: /every lock: 1 client had not been notified$/,
    onA: ({ a }) => leaveOneOut(a),
  },
  {
    title: 'the node had booted since it took the address over',
    why: /every lock: node A had booted since it took the address over$/,
    onA: ({ a }) => rewriteJournal(a, (text) => text.replace(/[0-9a-f-]{36}/, '0'.repeat(36))),
  },
  {
    title: 'somebody else did B-2 there, so no takeover knows since when it serves',
    why: /every lock: node A had not begun to serve the address$/,
    stepsOnA: 'B-1,B-5,B-4,B-3',
    onA: ({ a }) => a.write(`${nfsd}/threads`, '8\n'),
  },
  {
    title: 'the lock manager was not running',
    why: /every lock: the lock manager was not running$/,
    onA: ({ a }) => {
      a.write(`${nfsd}/threads`, '0\n');
      a.write('/proc/locks', '');
    },
  },
  {
    title: 'a lock was taken between A-1 and A-3',
    why: /every lock: locks were taken while it was being released$/,
    releases: ['A-1', 'A-2,A-3,A-4'],
    betweenReleases: ({ a }) =>
      a.write('/proc/locks', `${a.read('/proc/locks')}9: POSIX  ADVISORY  WRITE 4194305 07:01:2000 0 EOF\n`),
    onWaiting: (b, locks) =>
      b.write('/proc/locks', `${locks}9: POSIX  ADVISORY  WRITE 4194305 07:01:2000 0 EOF\n`),
  },
];

for (const { title, why, ...changes } of gaps) {
  test(`never where the note may lack something: ${title}`, async (t) => {
    goesOn(t, await tell(t, changes), why);
  });
}

/** As if a client had not answered when A took the address over. */
function leaveOneOut(a: RehearsalNode): void {
  const record = openRecord({ directory: recordOn(a), node: 'A', create: false });
  record?.fold();
  record?.beginGrace({ now: Date.now() });
  record?.close();
}

function rewriteJournal(a: RehearsalNode, rewrite: (text: string) => string): void {
  const journal = journalPath(recordOn(a), 'A');
  writeFileSync(journal, rewrite(readFileSync(journal, 'latin1')), 'latin1');
}

function recordOn(node: RehearsalNode): string {
  return node.path(`/mnt/state1/sm_${address}`);
}

test('never where the list of locks is another one each time it is read', async (t) => {
  let readings = 0;
  const flickers = (usual: LockManager, node: 'A' | 'B'): LockManager =>
    node === 'B'
      ? usual
      : {
          ...usual,
          heldLocks: async (filesystem) => {
            const locks = await usual.heldLocks(filesystem);
            readings += 1;
            return locks?.slice(readings % 2);
          },
        };
  const story = await tell(t, { driver: flickers });
  t.is(story.report.locks?.held, 2, 'noted is what any reading has shown');
  goesOn(t, story, /every lock: the list of locks kept changing$/);
});

test('never where somebody else did B-2', async (t) => {
  const started = (site: RehearsalSite) => {
    site.b.write(`${nfsd}/threads`, '8\n');
    site.b.write(endFile, 'N\n');
  };
  goesOn(
    t,
    await tell(t, { steps: 'B-1,B-5,B-4,B-3', beforeTakeover: started }),
    /^B-2 was not done by this/,
  );
});

test('never where somebody else is to do B-3', async (t) => {
  goesOn(t, await tell(t, { steps: 'B-1,B-2,B-5,B-4' }), /^1 client not notified$/);
});

test('never in a grace that was entered again', async (t) => {
  const again = (usual: LockManager, node: 'A' | 'B'): LockManager => {
    if (node === 'A') return usual;
    let asked = 0;
    // Over when B-3 is about to begin: takeover enters another one.
    return { ...usual, inGrace: async () => ((asked += 1) <= 2 ? false : usual.inGrace()) };
  };
  goesOn(t, await tell(t, { driver: again }), /^it was entered again/);
});

test('end_grace = "timer" leaves it alone', async (t) => {
  goesOn(t, await tell(t, { endGrace: 'timer' }), /^end_grace = "timer"$/);
});

test('a driver that cannot end it says so only where it was asked for', async (t) => {
  const without = (usual: LockManager): LockManager => ({ ...usual, endGrace: undefined });
  t.is((await tell(t, { driver: without })).report.grace, undefined);
  const asked = await tell(t, { driver: without, endGrace: 'reclaimed' });
  goesOn(t, asked, /^the driver lockd cannot end it for this address alone$/);
});

test('a grace that does not let itself be ended is no failure of the takeover', async (t) => {
  const refused = new FailoverError('Operation not permitted', {
    code: 'SYSTEM_ERROR',
    exitCode: exitCodes.stepFailed,
    operation: 'ending the grace',
  });
  const refusing = (usual: LockManager): LockManager => ({
    ...usual,
    endGrace: () => ({
      commands: [],
      check: () => false,
      act: async () => undefined,
      verify: () => {
        throw refused;
      },
    }),
  });
  const { report } = await tell(t, { driver: refusing });
  t.deepEqual(report.grace, { ended: false, why: 'it could not be ended: Operation not permitted' });
  t.is(report.state, 'compared');
});
