import type { Interface } from 'node:readline';
import type { Command } from 'commander';
import { exitCodes, FailoverError } from '../../errors.js';
import type { WorkerMessage } from '../../nsm/worker/worker-messages.js';
import type { Io } from '../io.js';

/**
 * nlm-failover notify-worker: SM_NOTIFY on behalf of another nlm-failover, which starts it inside a network
 * namespace; see nsm/notify-child. Hidden: it keeps no record, so by hand it would notify clients behind its back.
 */
export function addNotifyWorker(program: Command, io: Io): void {
  program
    .command('notify-worker', { hidden: true })
    .summary('for nlm-failover itself')
    .description('Send SM_NOTIFY for another nlm-failover, as one JSON line on standard input says.')
    .action(async () => {
      if (process.stdin.isTTY) throw notForHands('a terminal');
      const { createInterface } = await import('node:readline');
      const { interruption } = await import('../interruption.js');
      const { readJob } = await import('../../nsm/worker/worker-messages.js');
      const { notify } = await import('../../nsm/notify/notifier.js');
      const stop = new AbortController();
      interruption().addEventListener('abort', () => stop.abort());
      const say = (message: WorkerMessage) => io.out(`${JSON.stringify(message)}\n`);
      // The nlm-failover that asked is gone when nobody reads our output or holds our input any more.
      process.stdout.on('error', () => stop.abort());
      const lines = createInterface({ input: process.stdin });
      lines.once('close', () => stop.abort());
      try {
        say({ ready: true });
        const job = readJob((await firstLine(lines)) ?? '');
        if (typeof job === 'string') throw notForHands(job);
        const {
          notified: _,
          notNotified,
          ...result
        } = await notify({
          ...job,
          signal: stop.signal,
          onNotified: (notified) => say({ notified }),
          onProgress: (progress) => say({ progress }),
        });
        say({ result: { ...result, notNotified: byReason(notNotified) } });
      } finally {
        lines.close();
        process.stdin.destroy();
      }
    });
}

function byReason(all: readonly { readonly client: string; readonly reason: string }[]) {
  const lists = new Map<string, string[]>();
  for (const { client, reason } of all) {
    const list = lists.get(reason);
    if (list === undefined) lists.set(reason, [client]);
    else list.push(client);
  }
  return [...lists].map(([reason, clients]) => ({ reason, clients }));
}

function firstLine(lines: Interface): Promise<string | undefined> {
  return new Promise((resolve) => {
    lines.once('line', resolve);
    lines.once('close', () => resolve(undefined));
  });
}

function notForHands(found: string): FailoverError {
  return new FailoverError(
    `notify-worker is for nlm-failover itself: it takes one JSON line on standard input, and got none (${found})`,
    {
      code: 'NSM_WORKER_INPUT',
      exitCode: exitCodes.usage,
      operation: 'reading standard input',
      hint: 'To notify clients run "nlm-failover notify ADDRESS".',
    },
  );
}
