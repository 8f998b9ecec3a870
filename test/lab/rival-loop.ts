import type { NfsClient } from './client.js';
import { startPerlLoop } from './perl-loop.js';

/** A client that tries to take a lock, again and again, until stopped. */
export interface RivalLoop {
  /** Waits until it has got the lock once. */
  stolen(): Promise<void>;
  /** Stops it and tells how often it tried, and how often it got the lock. */
  stop(): Promise<{ readonly tries: number; readonly stolen: number }>;
}

// One process, as a shell with flock(1) would keep a whole guest busy. Opened anew each time; a grace period makes one try
// wait, not fail.
const program = `use Fcntl qw(:flock);
  my ($file, $pause, $note) = @ARGV;
  my ($tries, $stolen) = (0, 0);
  until (stopped()) {
    $tries += 1;
    if (open my $handle, '+<', $file) {
      if (flock $handle, LOCK_EX | LOCK_NB) {
        $stolen += 1;
        open my $noted, '>', $note;
      }
    }
    select undef, undef, undef, $pause;
  }
  print "$tries $stolen\\n";`;

let loops = 0;

/** Starts `flock -n` in a loop, with so many seconds between two tries; the lock is given back at once when it was got. */
export async function startRivalLoop(client: NfsClient, file: string, pause = 0.25): Promise<RivalLoop> {
  loops += 1;
  const note = `/run/rival-loop-${loops}.stolen`;
  const loop = await startPerlLoop(client, program, [file, String(pause), note]);
  return {
    stolen: async () => {
      await client.run('until [ -e "$1" ]; do sleep 0.1; done', { args: [note] });
    },
    stop: async () => {
      const { stdout } = await loop.stop();
      const [tries = Number.NaN, stolen = Number.NaN] = stdout.trim().split(' ').map(Number);
      return { tries, stolen };
    },
  };
}
