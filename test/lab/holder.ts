import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { labScript } from './project-root.js';
import { machinePath } from './requirements.js';

/** The lab's namespaces, alive as long as the process that made them: see sh/holder. */
export interface Holder {
  /** Turns an argv into one that runs inside the namespaces. */
  inside(argv: readonly string[]): [string, ...string[]];
  /** SIGKILL to a process group, by its number inside the process namespace. */
  kill(group: number): void;
  /** Ends every process of the lab and removes its directory. Resolves when nothing is left. */
  stop(): Promise<void>;
}

/**
 * Starts the holder.
 * @param directory removed by the holder when the lab ends, however it ends
 * @param taps one tap device per guest, on one bridge
 * @throws Error with what ip(8) said if the network could not be made
 */
export async function startHolder(directory: string, taps: readonly string[]): Promise<Holder> {
  const argv = [
    '--net',
    '--pid',
    '--fork',
    '--kill-child=KILL',
    'sh',
    labScript('holder'),
    directory,
    ...taps,
  ];
  const child: ChildProcessByStdio<Writable, Readable, Readable> = spawn('unshare', argv, {
    // A session of its own, so that Ctrl-C reaches the test runner and not this: it cleans up after it.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: machinePath },
  });
  const closed = once(child, 'close');
  const errors = text(child.stderr);
  child.stdin.on('error', () => {});
  const ready = await Promise.race([once(child.stdout, 'data').then(() => true), closed.then(() => false)]);
  if (!ready) throw new Error(`the lab's network namespace could not be made: ${await errors}`);

  const namespaces = `/proc/${child.pid}/ns`;
  return {
    inside: (command) => [
      'nsenter',
      `--net=${namespaces}/net`,
      `--pid=${namespaces}/pid_for_children`,
      '--',
      ...command,
    ],
    kill: (group) => {
      child.stdin.write(`${group}\n`);
    },
    stop: async () => {
      child.stdin.end();
      await closed;
    },
  };
}
