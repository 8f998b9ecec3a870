import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext } from 'ava';

/** A real process of its own, killed when the test ends. */
export interface Helper {
  readonly child: ChildProcess;
  /** The next line that it prints; undefined at the end. */
  line(): Promise<string | undefined>;
  write(text: string): void;
  /** Waits for its end. */
  ended(): Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Starts one of the programs beside this file with node. */
export function startProcess(t: ExecutionContext, program: string, args: readonly string[]): Helper {
  return start(t, process.execPath, [fileURLToPath(new URL(program, import.meta.url)), ...args]);
}

export function start(
  t: ExecutionContext,
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Helper {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], env });
  const end = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  // A process that was killed no longer reads what it is sent.
  child.stdin.on('error', () => undefined);
  t.teardown(async () => {
    child.kill('SIGKILL');
    await end;
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    child,
    line: async () => {
      const next = await lines.next();
      return next.done === true ? undefined : next.value;
    },
    write: (text) => void child.stdin.write(text),
    ended: async () => {
      const [code, signal] = await end;
      return { code, signal };
    },
  };
}
