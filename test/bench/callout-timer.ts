import { execFileSync } from 'node:child_process';

export interface Timed {
  readonly label: string;
  /** NLM_FAILOVER_RUN, set by the timer: env(1) would be one exec more. */
  readonly run: string;
  readonly argv: readonly [string, ...string[]];
}

/**
 * fork, exec, waitpid, as statd does it, `runs` times for each command in turn, in one process, so that what else the
 * machine does falls on all of them alike. perl, because its fork costs little: node's spawnSync is several times
 * the cost of what is measured. Prints "<index> <microseconds>" lines.
 */
const timer = `
use strict; use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);
my ($runs, @argv) = @ARGV;
my @commands = ([]);
for (@argv) { if ($_ eq '--') { push @commands, [] } else { push @{$commands[-1]}, $_ } }
open STDOUT_COPY, '>&', \\*STDOUT; open STDOUT, '>', '/dev/null'; open STDERR, '>', '/dev/null';
for my $run (-20 .. $runs - 1) {
  for my $index (0 .. $#commands) {
    my ($directory, @argv) = @{$commands[$index]};
    $ENV{NLM_FAILOVER_RUN} = $directory;
    my $before = clock_gettime(CLOCK_MONOTONIC);
    my $pid = fork // die;
    if (!$pid) { exec { $argv[0] } @argv; exit 127 }
    waitpid $pid, 0;
    my $us = (clock_gettime(CLOCK_MONOTONIC) - $before) * 1e6;
    die "command $index: status $?" if $?;
    printf STDOUT_COPY "%d %.1f\\n", $index, $us if $run >= 0;
  }
}
`;

/** The median of each command, in ms, in their order. All run as `user`, with no capabilities, as statd's callout does. */
export function medians(
  commands: readonly Timed[],
  { runs, user, env }: { readonly runs: number; readonly user: string; readonly env: NodeJS.ProcessEnv },
): number[] {
  const argv = commands.flatMap(({ run, argv: one }, index) => [...(index === 0 ? [] : ['--']), run, ...one]);
  const identity = ['--reuid', user, '--clear-groups', '--bounding-set', '-all', '--'];
  const output = execFileSync('setpriv', [...identity, 'perl', '-e', timer, String(runs), ...argv], {
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  const samples = commands.map((): number[] => []);
  for (const line of output.trim().split('\n')) {
    const [index = 0, microseconds = 0] = line.split(' ').map(Number);
    samples[index]?.push(microseconds / 1000);
  }
  return samples.map((all) => all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? Number.NaN);
}
