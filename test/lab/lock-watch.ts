import { startPerlLoop } from './perl-loop.js';
import type { Server } from './server.js';

/** How many locks lockd of a server holds, from then on. */
export interface LockCount {
  /** ms since 1970, by the server's clock. */
  readonly at: number;
  readonly count: number;
}

// 50 ms between two looks; one process, as a new one each time would keep a whole guest busy. So would a look at every process each time.
const program = `use Time::HiRes qw(time sleep);
  my ($last, $pid) = (-1, 'none');
  sub is_lockd { open my $comm, '<', "/proc/$_[0]/comm"; defined $comm && (<$comm> // '') eq "lockd\\n" }
  until (stopped()) {
    ($pid) = ((grep { is_lockd($_) } map { substr $_, 6 } glob '/proc/[0-9]*'), 'none') unless is_lockd($pid);
    open my $locks, '<', '/proc/locks';
    my $count = grep { /^\\d+: POSIX +\\S+ +\\S+ +$pid / } <$locks>;
    printf "%d %d\\n", time() * 1000, $count if $count != $last;
    $last = $count;
    sleep 0.05;
  }`;

/** Watches until stopped; resolves to each change. */
export async function startLockWatch(server: Server): Promise<{ stop(): Promise<readonly LockCount[]> }> {
  const loop = await startPerlLoop(server, program);
  return {
    stop: async () => {
      const { stdout } = await loop.stop();
      const lines = stdout.trimEnd().split('\n');
      return lines.map((line) => {
        const [at = Number.NaN, count = Number.NaN] = line.split(' ').map(Number);
        return { at, count };
      });
    },
  };
}
