import { join } from 'node:path';
import type { NotifyOptions, NotifyResult } from '../../src/nsm/notify/notifier.js';
import type { Netns } from '../helpers/netns.js';

export interface NotifyRun {
  readonly result: Promise<NotifyResult>;
  /** Waits for a line of its output: "started", "notified 10.0.0.1". */
  readonly saw: (pattern: RegExp) => Promise<RegExpExecArray>;
  readonly interrupt: () => void;
}

/** Runs our notifier in a namespace, as a process of its own. */
export function startNotify(netns: Netns, options: NotifyOptions): NotifyRun {
  const script = join(import.meta.dirname, 'notify-inside.js');
  const program = netns.start(process.execPath, [script, JSON.stringify(options)]);
  const result = program.saw(/^result (.*)$/m).then(([, json = '']) => JSON.parse(json) as NotifyResult);
  return {
    result,
    saw: (pattern) => program.saw(pattern),
    interrupt: () => {
      program.end();
    },
  };
}
