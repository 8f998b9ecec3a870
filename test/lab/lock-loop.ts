import type { NfsClient } from './client.js';

/** A client that takes and frees a lock, again and again: the bystander. */
export interface LockLoop {
  /** Stops after the round under way; the time of each round, in ms: from asking for the lock to having freed it. */
  stop(): Promise<readonly LockRound[]>;
}

export interface LockRound {
  /** Seconds since the client's boot, when it had ended. */
  readonly at: number;
  readonly ms: number;
}

// flock(1) opens the file, locks it over NLM, and frees it by closing. /proc/uptime costs no process; its resolution is 10 ms.
const script = `rm -f "$2"
  while [ ! -e "$2" ]; do
    read -r before _ </proc/uptime
    flock -x "$1" -c true || echo failed
    read -r after _ </proc/uptime
    echo "$before $after"
    sleep 0.05
  done`;

export async function startLockLoop(client: NfsClient, file: string): Promise<LockLoop> {
  const stopFile = `/run/lock-loop-stop-${file.replaceAll('/', '-')}`;
  const job = await client.start(script, { args: [file, stopFile], timeoutSeconds: 600 });
  return {
    stop: async () => {
      await client.run(['touch', stopFile]);
      const { stdout } = await job.result();
      return stdout
        .trimEnd()
        .split('\n')
        .map((line) => {
          if (line === 'failed') throw new Error('flock failed in the loop');
          const [before = Number.NaN, after = Number.NaN] = line.split(' ').map(Number);
          return { at: after, ms: Math.round((after - before) * 1000) };
        });
    },
  };
}

/** The longest round in ms, and the one in the middle. */
export function summary(rounds: readonly LockRound[]): { longest: number; median: number; rounds: number } {
  const sorted = rounds.map(({ ms }) => ms).toSorted((a, b) => a - b);
  return {
    longest: sorted.at(-1) ?? 0,
    median: sorted[Math.floor(sorted.length / 2)] ?? 0,
    rounds: sorted.length,
  };
}
