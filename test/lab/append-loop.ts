import type { Shell } from './guest.js';
import { startPerlLoop } from './perl-loop.js';

export interface AppendReport {
  /** Appends that the client's kernel acknowledged (each opened, written and closed on its own). */
  readonly appended: number;
  /** Appends that failed, each with what the shell said: an application would have seen these. */
  readonly errors: readonly string[];
  /** The longest time between two acknowledged appends: how long the client stood still. */
  readonly longestGapMs: number;
}

export interface AppendLoop {
  /** Resolves when an append has failed. */
  failed(): Promise<void>;
  /** Stops after the append under way (which may wait for a server) and tells how it went. */
  stop(): Promise<AppendReport>;
}

// Every line of the log is "ok N UPTIME" or "error N UPTIME"; the resolution of /proc/uptime, 10 ms, is that of the guest's
// timer. One process: a shell that sleeps in between would keep half a core busy. What close(2) says it does not look at, as
// many applications do not.
const program = `my ($file, $log) = @ARGV;
  open my $out, '>>', $log or die;
  for (my $number = 1; !stopped(); $number += 1) {
    my ($word, $handle) = ('ok');
    if (!open($handle, '>>', $file) || !defined syswrite($handle, "$number\\n")) {
      print STDERR "$number: $!\\n";
      $word = 'error';
    }
    close $handle if defined fileno $handle;
    open my $clock, '<', '/proc/uptime';
    my ($now) = split ' ', <$clock>;
    syswrite $out, "$word $number $now\\n";
    select undef, undef, undef, 0.04;
  }`;

let loops = 0;

/** Starts appending, and resolves after the first append; see NfsClient.appendLoop. */
export async function startAppendLoop(shell: Shell, file: string): Promise<AppendLoop> {
  loops += 1;
  const log = `/tmp/append-loop-${loops}`;
  const loop = await startPerlLoop(shell, program, [file, log]);
  await shell.run('until [ -s "$1" ]; do sleep 0.01; done', { args: [log] });
  return {
    failed: async () => {
      // As long as TCP's back-off on a machine that is busy: the client does not try while it waits.
      await shell.run('until grep -q ^error "$1"; do sleep 0.1; done', { args: [log], timeoutSeconds: 180 });
    },
    stop: async () => {
      const { stderr } = await loop.stop();
      const { stdout } = await shell.run(['cat', log]);
      const times = stdout.split('\n').flatMap((line) => {
        const [word, , uptime] = line.split(' ');
        return word === 'ok' ? [Math.round(Number(uptime) * 1000)] : [];
      });
      const gaps = times.slice(1).map((time, index) => time - (times[index] ?? time));
      return {
        appended: times.length,
        errors: stderr.split('\n').filter((line) => line !== ''),
        longestGapMs: Math.max(0, ...gaps),
      };
    },
  };
}
