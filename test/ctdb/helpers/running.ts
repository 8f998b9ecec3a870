import type { ExecutionContext } from 'ava';
import { loadConfig } from '../../../src/config/load-config.js';
import { byCtdb, forOneAddress } from '../../../src/ctdb/addresses.js';
import { BarrierProcess } from '../../../src/ctdb/barrier-process.js';
import { limitsOf } from '../../../src/ctdb/limits.js';
import { noteMoved, noteSettled } from '../../../src/ctdb/local.js';
import { NodeEffects } from '../../../src/ctdb/node-effects.js';
import { RecordSession } from '../../../src/failover/access/session.js';
import { Collected } from '../../../src/failover/context.js';
import { rehearsalHost } from '../../../src/host/rehearsal/rehearsal.js';
import { drivers } from '../../../src/lockmanager/drivers.js';
import type { RehearsalNode } from '../../helpers/rehearsal-site.js';
import { runOf } from './serving.js';

/** The process of a rehearsed node, in this one. */
export interface Running {
  readonly node: RehearsalNode;
  readonly run: string;
  readonly process: BarrierProcess;
  readonly said: string[];
  /** What was done to the machine, in order. */
  readonly done: string[];
  end(): Promise<void>;
}

/** Begins to look. It ends with the test. */
export async function start(t: ExecutionContext, node: RehearsalNode, rpcbindPort: number): Promise<Running> {
  const config = await loadConfig({ drivers, file: node.config });
  const host = rehearsalHost(node.root);
  const run = runOf(node);
  const done: string[] = [];
  const seen: typeof host = {
    ...host,
    run: async (argv, options) => {
      if (argv[0] === 'start-nfsd') done.push('start');
      if (argv[0] === 'nft' && argv[1] === '-f')
        done.push(options?.input?.includes('elements') === true ? 'refuse' : 'let through');
      return host.run(argv, options);
    },
    writeKernel: async (file, text) => {
      if (text === '0\n') done.push('stop');
      return host.writeKernel(file, text);
    },
  };
  const [module] = drivers.slice(-1);
  const [first] = config.floatingIps;
  if (module === undefined || first === undefined) throw new Error('there is none');
  const view = { host: seen, config, run, callout: '/ha-callout', floatingIp: first };
  const driver = module.make(view);
  const said: string[] = [];
  const lock = {
    nlmRegistered: async () => Number(node.read('/proc/fs/nfsd/threads')) > 0,
    registeredAt: async () => true,
  };
  const effects = new NodeEffects({
    ...lock,
    host: seen,
    config,
    run,
    driver,
    stateDirectory: host.path('/shared_storage'),
    contextOf: (floatingIp, signal) => {
      const collected = new Collected();
      return {
        ...lock,
        host: seen,
        config,
        floatingIp,
        driver: forOneAddress(driver),
        run,
        session: new RecordSession(seen, floatingIp, config),
        voucher: byCtdb(seen),
        notifyDeadlineMs: 20_000,
        rpcbindPort,
        signal,
        log: () => undefined,
        collected,
        undone: (sentence) => void collected.undone.push(sentence),
        onNotifyProgress: () => undefined,
      };
    },
    say: (_, text) => void said.push(text),
  });
  const process = new BarrierProcess(effects, limitsOf(config.timeouts.ctdb));
  const abort = new AbortController();
  const running = process.run(abort.signal);
  const end = async () => {
    abort.abort();
    await running;
  };
  t.teardown(end);
  return { node, run, process, said, done, end };
}

/** CTDB has moved an address, and says that it has done so on every node. */
export function hasMoved({ run }: Pick<Running, 'run'>): void {
  noteMoved(run);
  noteSettled(run);
}
