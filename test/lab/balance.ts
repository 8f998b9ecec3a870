import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { machinePath } from './requirements.js';

/** How often a lab looks whether one CPU waits while another has too much to do. */
const everyMs = 400;

/** A kernel that runs on one CPU: the process above it, see machine.ts, and where it runs. */
export interface Pinned {
  readonly waiting: number;
  cpu: number;
}

const pinned = new Set<Pinned>();
let isLooking = false;

/**
 * Moves a guest to another CPU when its own is busy while that one is idle, until the function that this returns is called. A
 * guest has to stay on one CPU, all of it (machine.ts), so the kernel of the machine may not balance it process by process;
 * with the CPUs given once and for all, one was idle for a third of the time.
 */
export function keepBalanced(guest: Pinned, cpus: readonly number[]): () => void {
  pinned.add(guest);
  if (!isLooking) {
    isLooking = true;
    void look(cpus);
  }
  return () => void pinned.delete(guest);
}

async function look(cpus: readonly number[]): Promise<void> {
  let before = await idleTimes(cpus);
  while (pinned.size > 0) {
    // Labs do not look at the same moment: each sees what another has moved.
    await delay(everyMs * (0.75 + Math.random() / 2), undefined, { ref: false });
    const now = await idleTimes(cpus);
    await balance(idleShares(before, now)).catch(() => undefined);
    before = await idleTimes(cpus);
  }
  isLooking = false;
}

async function balance(idle: ReadonlyMap<number, number>): Promise<void> {
  const [to, most = 0] = [...idle].toSorted(([, a], [, b]) => b - a)[0] ?? [];
  if (to === undefined || most < 0.25) return;
  for (const guest of pinned) {
    if ((idle.get(guest.cpu) ?? 1) > most / 4) continue;
    const processes = await sessionBelow(guest.waiting);
    if (!processes.some(({ state }) => state === 'R')) continue;
    await moveTo(
      to,
      processes.map(({ pid }) => pid),
    );
    guest.cpu = to;
    return;
  }
}

/** The kernel first: what it starts meanwhile is on the new CPU already. */
async function moveTo(cpu: number, pids: readonly number[]): Promise<void> {
  const script = 'cpu=$1; shift; for pid; do taskset --pid --cpu-list "$cpu" "$pid"; done';
  const child = spawn('sh', ['-c', script, 'sh', String(cpu), ...pids.map(String)], {
    stdio: 'ignore',
    env: { PATH: machinePath },
  });
  await once(child, 'close');
}

/** The processes of the kernel below `waiting`, which has a session of its own: the kernel itself first. */
async function sessionBelow(waiting: number): Promise<{ pid: number; state: string }[]> {
  const [session] = (await readFile(`/proc/${waiting}/task/${waiting}/children`, 'utf8')).trim().split(' ');
  const pids = (await readdir('/proc')).filter((name) => /^[0-9]+$/u.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      // After the name: state, parent, process group, session (proc_pid_stat(5)).
      const [state = '', , , its] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return its === session ? [{ pid: Number(pid), state }] : [];
    }),
  );
  return found.flat().toSorted((a, b) => Number(a.pid > b.pid) - Number(a.pid < b.pid));
}

/** By CPU that may be used: ticks spent idle, and all of them (proc_stat(5)). */
async function idleTimes(cpus: readonly number[]): Promise<Map<number, readonly [number, number]>> {
  const lines = (await readFile('/proc/stat', 'utf8')).matchAll(/^cpu(\d+) (.*)$/gmu);
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
