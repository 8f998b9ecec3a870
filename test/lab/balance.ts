import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { machinePath } from './requirements.js';

/** How often a lab looks whether one CPU waits while another has too much to do. */
const everyMs = 150;

/** A kernel that runs on one CPU: the process above it, see machine.ts, and where it runs. */
export interface Pinned {
  readonly waiting: number;
  cpu: number;
}

const pinned = new Set<Pinned>();
let mover: ChildProcessByStdio<Writable, null, null> | undefined;

/** Reads lines of a CPU and processes, and moves them there: sched_setaffinity(2). One process for all, as a start costs more than a move. */
const moves = `while (<STDIN>) {
  my ($cpu, @pids) = split;
  my $mask = "\\0" x 128;
  vec($mask, $cpu, 1) = 1;
  syscall 203, $_ + 0, 128, $mask for @pids;
}`;

/**
 * Moves a guest to another CPU when its own is busy while that one is idle, until the function that this returns is called. A
 * guest has to stay on one CPU, all of it (machine.ts), so the kernel of the machine may not balance it process by process;
 * with the CPUs given once and for all, one was idle for a third of the time.
 */
export function keepBalanced(guest: Pinned, cpus: readonly number[]): () => void {
  pinned.add(guest);
  if (mover === undefined) {
    mover = spawn('perl', ['-e', moves], { stdio: ['pipe', 'ignore', 'ignore'], env: { PATH: machinePath } });
    mover.unref();
    // Without it nothing is moved.
    mover.on('error', () => undefined);
    mover.stdin.on('error', () => undefined);
    void look(cpus);
  }
  return () => void pinned.delete(guest);
}

async function look(cpus: readonly number[]): Promise<void> {
  let before = idleTimes(cpus);
  while (pinned.size > 0) {
    // Labs do not look at the same moment: each sees what another has moved.
    await delay(everyMs * (0.75 + Math.random() / 2), undefined, { ref: false });
    const now = idleTimes(cpus);
    balance(idleShares(before, now));
    before = now;
  }
  mover?.stdin.end();
  mover = undefined;
}

function balance(idle: ReadonlyMap<number, number>): void {
  const [to, most = 0] = [...idle].toSorted(([, a], [, b]) => b - a)[0] ?? [];
  if (to === undefined || most < 0.25) return;
  for (const guest of pinned) {
    if ((idle.get(guest.cpu) ?? 1) > most / 4) continue;
    const processes = kernelBelow(guest.waiting);
    if (!processes.some((pid) => isRunning(pid))) continue;
    mover?.stdin.write(`${to} ${processes.join(' ')}\n`);
    guest.cpu = to;
    return;
  }
}

/** The kernel below `waiting`, and then the processes of what runs in it: what it starts meanwhile is where it is itself. */
function kernelBelow(waiting: number): number[] {
  const [kernel] = childrenOf(waiting);
  return kernel === undefined ? [] : [kernel, ...childrenOf(kernel)];
}

/** Those of all its threads; none where it has ended. */
function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    );
  } catch {
    return [];
  }
}

function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // After the name: the state (proc_pid_stat(5)).
    return stat.startsWith('R', stat.lastIndexOf(')') + 2);
  } catch {
    return false;
  }
}

/** By CPU that may be used: ticks spent idle, and all of them (proc_stat(5)). */
function idleTimes(cpus: readonly number[]): Map<number, readonly [number, number]> {
  const lines = readFileSync('/proc/stat', 'utf8').matchAll(/^cpu(\d+) (.*)$/gmu);
  return new Map(
    [...lines]
      .filter(([, cpu]) => cpus.includes(Number(cpu)))
      .map(([, cpu, text = '']) => {
        const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, ...rest] = text.split(' ').map(Number);
        const all = rest
          .slice(0, 3)
          .reduce((sum, ticks) => sum + ticks, user + nice + system + idle + iowait);
        return [Number(cpu), [idle + iowait, all]] as const;
      }),
  );
}

function idleShares(
  before: ReadonlyMap<number, readonly [number, number]>,
  now: ReadonlyMap<number, readonly [number, number]>,
): Map<number, number> {
  return new Map(
    [...now].map(([cpu, [idle, all]]) => {
      const [idleBefore, allBefore] = before.get(cpu) ?? [0, 0];
      return [cpu, all === allBefore ? 0 : (idle - idleBefore) / (all - allBefore)] as const;
    }),
  );
}
