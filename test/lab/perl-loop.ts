import type { RunResult } from './command.js';
import type { Shell } from './guest.js';

/** A perl program in a guest that goes round until it is stopped. */
export interface PerlLoop {
  /** Lets it end after the round under way, which may wait for a server, and resolves to what it wrote. */
  stop(): Promise<RunResult>;
}

// What the program finds: stopped() asks whether it is to end.
const prelude = `use strict;
  my $stop = shift @ARGV;
  sub stopped { -e $stop }
  open my $begun, '>', "$stop.begun" or die "$stop.begun: $!";
  close $begun;
`;

let loops = 0;

/**
 * Starts a perl program that ends once stopped() is true. Resolves when it runs: a program that started after its stop
 * would be one that never ends, or has done nothing.
 * @param argv the program's @ARGV
 */
export async function startPerlLoop(
  shell: Shell,
  program: string,
  argv: readonly string[] = [],
): Promise<PerlLoop> {
  loops += 1;
  const stopFile = `/run/perl-loop-${loops}`;
  const job = await shell.start(['perl', '-e', prelude + program, stopFile, ...argv], {
    timeoutSeconds: 3_600,
  });
  await Promise.race([
    shell.run('until [ -e "$1.begun" ]; do sleep 0.02; done', { args: [stopFile] }),
    // Where it ends instead, with its reason.
    job.result(),
  ]);
  return {
    stop: async () => {
      await shell.run(['touch', stopFile]);
      return job.result();
    },
  };
}
