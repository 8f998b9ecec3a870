import { type Command, Option } from 'commander';
import { versionOf } from '../../config/load-config.js';
import { exitCodes, FailoverError } from '../../errors.js';
import type { Joined } from '../../failover/sharing/join-calls.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions, type CommonOptions } from '../options.js';

interface JoinGraceOptions extends CommonOptions {
  readonly watch?: boolean;
  readonly all?: boolean;
  readonly dead?: readonly string[];
}

/** Between two looks, ms. One look asks for one name in the record of each address (failover/sharing/quiet-records.ts). */
const lookMs = 1000;
/** Between two notes of it, ms: far less than anybody waits for a look (failover/sharing/heard.ts). */
const noteMs = 5000;

/** nlm-failover join-grace: this node enters grace with the others. */
export function addJoinGrace(
  program: Command,
  io: Io,
  drivers: LoadDrivers,
  exit: (code: number) => void,
): void {
  addCommonOptions(
    program
      .command('join-grace')
      .summary('enter grace with the other nodes that export a shared file system')
      .description(
        'Look whether a takeover or release on another node calls this one into grace, enter it, and answer. Only for file systems that every node ' +
          'exports (SHARED FILE SYSTEMS): until every node is in grace, one that is not may give a lock away that its holder is about to reclaim. ' +
          'Nobody calls: nothing is done. With --watch it goes on looking, once a second, until it is ended (SIGTERM): so it is to run on every node, always, and once: a second one refuses. It reads the configuration again when the file changes.',
      )
      .option('-w, --watch', 'go on looking until SIGTERM or SIGINT')
      .addOption(
        new Option(
          '--all',
          'where CTDB moves the addresses: have every node refuse NLM, then start in grace, and return once all that live refuse; for whatever fences a node, before that is fenced (CTDB). Ends with 1 where one does not in time',
        ).conflicts('watch'),
      )
      .addOption(
        new Option(
          '--dead <node>',
          'with --all: the name of the node that is fenced, which need not answer; may be repeated',
        ).argParser(addName),
      ),
  ).action(async (options: JoinGraceOptions, command: Command) => {
    if (options.all === true) {
      if (!(await callOthers(io, drivers, options))) exit(exitCodes.stepFailed);
      return;
    }
    if (options.dead !== undefined) command.error('error: --dead needs --all', { exitCode: exitCodes.usage });
    const { openReader } = await import('../open-reader.js');
    const { joinCalls } = await import('../../failover/sharing/join-calls.js');
    const { interruption } = await import('../interruption.js');
    const json = options.json === true;
    const reader = await openReader(drivers, undefined, options);
    refuseUnshared(reader);
    const say = (joined: readonly Joined[]) => {
      for (const { isNews, ...one } of joined)
        if (isNews) io.out(json ? `${JSON.stringify(one)}\n` : `${sentence(one)}\n`);
    };
    const signal = interruption();
    if (options.watch === true) {
      await watch(io, { open: () => openReader(drivers, undefined, options), reader, say, signal, json });
      return;
    }
    const end = performance.now() + reader.config.timeouts.barrier * 1000;
    for (;;) {
      const { joined, failures } = await joinCalls(reader);
      say(joined);
      const [failure] = failures;
      if (failure !== undefined) throw failure;
      if (joined.every(({ state }) => state === 'joined')) return;
      const waits = joined.some(({ state }) => state === 'in-grace') && performance.now() < end;
      if (!waits || signal.aborted) break;
      await reader.host.delay(lookMs, signal).catch(() => undefined);
    }
    exit(exitCodes.stepFailed);
  });
}

function addName(name: string, before: readonly string[] = []): readonly string[] {
  return [...before, name];
}

/** --all. Whether every node that lives refuses. */
async function callOthers(io: Io, drivers: LoadDrivers, options: JoinGraceOptions): Promise<boolean> {
  const { openReader } = await import('../open-reader.js');
  const { within } = await import('../../host/running/deadline.js');
  const { limitOf } = await import('../../failover/limits.js');
  const { callAll } = await import('../../ctdb/call-all.js');
  const { notesDirectory } = await import('../../ctdb/note-files.js');
  const { barrierOf } = await import('../../ctdb/serve.js');
  const { host, config, run, drivers: modules } = await openReader(drivers, undefined, options);
  const { stateDirectory } = barrierOf(config, modules);
  const directory = notesDirectory(host.path(stateDirectory));
  const calling = { host, run, node: config.node, directory, dead: options.dead ?? [] };
  const seconds = config.timeouts.ctdb.wait;
  const called = await within(limitOf('join-grace --all', config), () => callAll({ ...calling, seconds }));
  const { generation, ready, missing } = called;
  if (options.json === true) io.out(`${JSON.stringify(called)}\n`);
  else {
    io.out(
      `generation ${generation}: ${ready.length === 0 ? 'nobody refuses' : `${ready.join(', ')} refuse, or are in grace`}\n`,
    );
    if (missing.length > 0)
      io.out(
        `NOT REFUSING within ${seconds} s: ${missing.join(', ')}; what the fenced node held may be given away there\n`,
      );
  }
  return missing.length === 0;
}

type Reader = Awaited<ReturnType<(typeof import('../open-reader.js'))['openReader']>>;

interface Watching {
  /** With the configuration as the file has it now. */
  readonly open: () => Promise<Reader>;
  readonly reader: Reader;
  readonly say: (joined: readonly Joined[]) => void;
  readonly signal: AbortSignal;
  readonly json: boolean;
}

/** Looks until it is interrupted. The storage may go and come back, and the configuration change: what is wrong is said once. */
async function watch(io: Io, { open, say, signal, json, ...watching }: Watching): Promise<void> {
  const { joinCalls, Watched } = await import('../../failover/sharing/join-calls.js');
  const { reportError } = await import('../report-error.js');
  const { lockWatch } = await import('../../rundir/operation-lock.js');
  const { noteLook } = await import('../../rundir/operating.js');
  let { reader } = watching;
  const lock = lockWatch(reader.run);
  let seen = versionOf(reader.config.file);
  let complaints: readonly string[] = [];
  const watched = new Watched();
  let noted = Number.NEGATIVE_INFINITY;
  try {
    while (!signal.aborted) {
      const version = versionOf(reader.config.file);
      if (version !== seen) {
        seen = version;
        try {
          const next = await open();
          refuseUnshared(next);
          reader = next;
        } catch (error) {
          if (!(error instanceof FailoverError)) throw error;
          // It goes on with what it had.
          reportError(io, error, json);
        }
      }
      const { joined, failures } = await joinCalls(reader, watched);
      say(joined);
      for (const one of failures) if (!complaints.includes(one.message)) reportError(io, one, json);
      complaints = failures.map(({ message }) => message);
      const now = performance.now();
      if (failures.length === 0 && now - noted >= noteMs) {
        noteLook(reader.run);
        noted = now;
      }
      await reader.host.delay(lookMs, signal).catch(() => undefined);
    }
  } finally {
    lock.release();
  }
}

function sentence({ address, by, state, said }: Omit<Joined, 'isNews'>): string {
  const rest = said === '' ? '' : `: ${said}`;
  const titles = {
    called: 'entering grace',
    joined: 'in grace',
    'in-grace': 'in grace, and not ready',
    failed: 'NOT IN GRACE',
  } satisfies Record<Joined['state'], string>;
  return `${address}, called by ${by}: ${titles[state]}${rest}`;
}

function refuseUnshared({ config, floatingIps }: Reader): void {
  if (floatingIps.some(({ shared }) => shared !== undefined)) return;
  throw new FailoverError(
    `${config.file} has no [[shared_filesystem]]: no node has to enter grace for another one`,
    {
      code: 'CONFIG_INVALID',
      exitCode: exitCodes.configuration,
      operation: 'join-grace',
      hint: 'Nothing was touched. See SHARED FILE SYSTEMS in nlm-failover(8).',
    },
  );
}
