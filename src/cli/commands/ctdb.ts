import { resolve } from 'node:path';
import { Argument, type Command } from 'commander';
import { events, type CtdbEvent } from '../../ctdb/event-names.js';
import { exitCodes } from '../../errors.js';
import type { BarrierNode } from '../../ctdb/node-effects.js';
import type { Io } from '../io.js';
import type { LoadDrivers } from '../open-reader.js';
import { addCommonOptions, type CommonOptions } from '../options.js';
import { calloutPath, thisInstallation } from '../own-callout.js';

/** nlm-failover ctdb EVENT ...: what CTDB's event scripts hand on, and the process of the barrier. */
export function addCtdb(program: Command, io: Io, drivers: LoadDrivers, exit: (code: number) => void): void {
  addCommonOptions(
    program
      .command('ctdb')
      .summary('an event of CTDB, or the process that does what they ask for')
      .description(
        'Take an event of CTDB, as callouts/ctdb/ hands it on (CTDB), and return at once: what an address that has moved asks for is done by one process on each node, which an event starts where it does not run. ' +
          '"monitor" says what is wrong, and ends with 1 where this node should have no address; it never starts a lock manager. Any other event ends with 0, or with 2 for words that are none of it: what it could not do is done by the next look.\n\n' +
          '"serve" is that process: it runs until SIGTERM, once on each node; a lock manager that it has stopped it starts first, with the others. nlm-failover-ctdb.service has it run.',
      )
      .addArgument(
        new Argument('<event>', 'of ctdb(7), EVENT SCRIPTS; or serve').choices([...events, 'serve']),
      )
      .argument(
        '[words...]',
        'the arguments of the event: takeip and releaseip have an interface, an address, a prefix length',
      ),
  ).action(async (event: string, words: readonly string[], options: CommonOptions) => {
    if (event === 'serve') await serve(io, drivers, options);
    else exit(await takeEvent(io, events.find((one) => one === event) ?? 'monitor', words, options));
  });
}

/** Reads no storage that other nodes have, nor the configuration: neither may keep an event from its end. */
async function takeEvent(
  io: Io,
  event: CtdbEvent,
  words: readonly string[],
  options: CommonOptions,
): Promise<number> {
  const { openHost } = await import('../open-host.js');
  const { requireRoot } = await import('../require-root.js');
  const { runDirectory } = await import('../../rundir/serving.js');
  const { lastLooked } = await import('../../ctdb/local.js');
  const { monitorText, noteEvent } = await import('../../ctdb/events.js');
  const { haveServed, isServing } = await import('../../ctdb/serve.js');
  const { host } = await openHost();
  requireRoot(host);
  const run = runDirectory(host);
  if (event === 'monitor') {
    const { isUnwell, lines } = monitorText(lastLooked(run), isServing(run));
    for (const line of lines) io.out(`${line}\n`);
    return isUnwell ? exitCodes.stepFailed : exitCodes.done;
  }
  for (const line of await noteEvent({ host, run }, event, words)) io.out(`${line}\n`);
  const { node, script } = thisInstallation(calloutPath());
  // It runs in another directory.
  const given = options.config === undefined ? [] : ['--config', resolve(options.config)];
  if (event !== 'shutdown') await haveServed({ host, run }, [node, script, 'ctdb', 'serve', ...given]);
  return exitCodes.done;
}

async function serve(io: Io, drivers: LoadDrivers, options: CommonOptions): Promise<void> {
  const { openNode } = await import('../open-reader.js');
  const { openLog } = await import('../run-context.js');
  const { requireRoot } = await import('../require-root.js');
  const { interruption } = await import('../interruption.js');
  const { RecordSession } = await import('../../failover/access/session.js');
  const { Collected } = await import('../../failover/context.js');
  const { lockBarrier } = await import('../../rundir/operation-lock.js');
  const { byCtdb, forOneAddress } = await import('../../ctdb/addresses.js');
  const { BarrierProcess } = await import('../../ctdb/barrier-process.js');
  const { limitsOf } = await import('../../ctdb/limits.js');
  const { NodeEffects } = await import('../../ctdb/node-effects.js');
  const { barrierOf, boundLog, refuseUnfit } = await import('../../ctdb/serve.js');
  const { configFile, versionOf } = await import('../../config/load-config.js');
  const json = options.json === true;
  const log = await openLog(options.logLevel);
  const load = async (): Promise<BarrierNode> => {
    const { rpcbindPort, ...node } = await openNode(drivers, options);
    const { host, config, run, nlmRegistered, registeredAt } = node;
    requireRoot(host);
    const {
      module,
      ips: [first, ...others],
      stateDirectory,
    } = barrierOf(config, node.drivers);
    refuseUnfit(host, [first, ...others]);
    const driver = module.make({ ...node, floatingIp: first });
    const say: BarrierNode['say'] = (level, text) => {
      const at = new Date().toISOString();
      io.out(
        json
          ? `${JSON.stringify({ at, level, text })}\n`
          : `${at}  ${level === 'warn' ? 'WARNING  ' : ''}${text}\n`,
      );
      boundLog(run, process.stdout.fd);
    };
    return {
      host,
      config,
      run,
      driver,
      nlmRegistered,
      registeredAt,
      stateDirectory: host.path(stateDirectory),
      contextOf: (floatingIp, signal) => {
        const collected = new Collected();
        const seconds = config.timeouts.notify;
        return {
          host,
          config,
          floatingIp,
          driver: forOneAddress(module.make({ ...node, floatingIp })),
          run,
          session: new RecordSession(host, floatingIp, config),
          voucher: byCtdb(host),
          notifyDeadlineMs: seconds === undefined ? undefined : seconds * 1000,
          rpcbindPort,
          signal,
          log,
          collected,
          undone: (sentence) => void collected.undone.push(sentence),
          onNotifyProgress: () => undefined,
          nlmRegistered,
          registeredAt,
        };
      },
      say,
    };
  };
  // As it is before it is read: what changes meanwhile is read again.
  const mark = versionOf(configFile(options.config));
  const node = await load();
  const lock = lockBarrier(node.run);
  try {
    const effects = new NodeEffects(node, { mark, load });
    const barrier = new BarrierProcess(effects, limitsOf(node.config.timeouts.ctdb));
    await barrier.run(interruption());
    await barrier.finish();
  } finally {
    lock.release();
  }
}
