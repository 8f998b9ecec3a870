import type { NfsClient } from './client.js';
import { startPerlLoop } from './perl-loop.js';

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

// One process, so that a round is the lock's own time and not that of starting programs. Closing frees the lock. /proc/uptime
// has a resolution of 10 ms.
const program = `use Fcntl qw(:flock);
  my ($file) = @ARGV;
  sub uptime { open my $clock, '<', '/proc/uptime'; (split ' ', <$clock>)[0] }
  until (stopped()) {
    my $before = uptime();
    my $handle;
    my $locked = open($handle, '+>>', $file) && flock($handle, LOCK_EX) && close($handle);
    print $locked ? "$before " . uptime() . "\\n" : "failed: $!\\n";
    select undef, undef, undef, 0.05;
  }`;

export async function startLockLoop(client: NfsClient, file: string): Promise<LockLoop> {
  const loop = await startPerlLoop(client, program, [file]);
  return {
    stop: async () => {
      const { stdout } = await loop.stop();
      return stdout
        .trimEnd()
        .split('\n')
        .map((line) => {
          if (line.startsWith('failed')) throw new Error(`flock in the loop ${line}`);
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
