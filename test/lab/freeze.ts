import { readdir, readFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';

/**
 * Stops the processes of a User-Mode Linux kernel, those that have all of `words` on their command line: the kernel and its
 * helpers, of which one writes to the disks. Resolves when they all stand still, with the function that lets them go on.
 *
 * `waiting` is the nsenter(1) above them. It stops itself where it sees its child stop (util-linux
 * sys-utils/nsenter.c, continue_as_child), and would then never see it end: so it is stopped before, and goes on after.
 *
 * The guest's own processes are left alone: the kernel traces them (ptrace), would take a SIGSTOP of theirs for a fault,
 * and none of them gets past its next system call while the kernel stands.
 */
export async function freezeKernel(waiting: number, words: readonly string[]): Promise<() => void> {
  const pids = await kernelProcesses(words);
  if (pids.length === 0) throw new Error(`no kernel with ${words.join(' ')}`);
  const thaw = (): void => signalAll([...pids, waiting], 'SIGCONT');
  try {
    await stop([waiting]);
    await stop(pids);
    return thaw;
  } catch (error) {
    thaw();
    throw error;
  }
}

async function stop(pids: readonly number[]): Promise<void> {
  signalAll(pids, 'SIGSTOP');
  const deadline = performance.now() + 10_000;
  while (!(await Promise.all(pids.map(isStopped))).every(Boolean)) {
    if (performance.now() > deadline) throw new Error(`still running: ${pids.join(', ')}`);
    await setImmediate();
  }
}

async function kernelProcesses(words: readonly string[]): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^[0-9]+$/u.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const [program, ...argv] = (await readProc(pid, 'cmdline')).split('\0');
      if (!/linux[.]uml$/u.test(program ?? '') || !words.every((word) => argv.includes(word))) return [];
      return /^TracerPid:\t0$/mu.test(await readProc(pid, 'status')) ? [Number(pid)] : [];
    }),
  );
  return found.flat();
}

/** State T (stopped) of the third field; the second, the name, is in brackets and may contain anything. */
async function isStopped(pid: number): Promise<boolean> {
  const stat = await readProc(String(pid), 'stat');
  return stat === '' || stat.slice(stat.lastIndexOf(')')).startsWith(') T');
}

/** Empty where the process is gone. */
async function readProc(pid: string, file: string): Promise<string> {
  return readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended by itself.
    }
  }
}
