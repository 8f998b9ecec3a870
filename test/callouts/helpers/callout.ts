import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { reachableCallout as callout } from '../../helpers/reachable-callout.js';

export { reachableCallout as callout } from '../../helpers/reachable-callout.js';

/** Under which a callout must work, each as an argument vector. */
export const shells = {
  dash: ['dash'],
  bash: ['bash'],
  busybox: ['busybox', 'sh'],
} as const satisfies Record<string, readonly [string, ...string[]]>;
export type Shell = keyof typeof shells;

const root = process.getuid?.() === 0;
const statd = root ? idsOf('statd') : undefined;
/** With no capabilities and no groups, as rpc.statd runs it. */
export const asStatd: readonly string[] =
  statd === undefined
    ? []
    : [
        'setpriv',
        '--reuid',
        'statd',
        '--regid',
        String(statd.gid),
        '--clear-groups',
        '--bounding-set',
        '-all',
        '--',
      ];

export interface Outcome {
  readonly code: number | null;
  readonly stderr: string;
}

/** A run directory, and a directory of journals that statd's user may pass through, but not write to. */
export class CalloutSite {
  readonly top = mkdtempSync(join(tmpdir(), 'nlm-failover-callout-'));
  readonly run = join(this.top, 'run');
  readonly journals = join(this.top, 'journals');
  /** Where the callout is run, as statd runs it in its state directory: its user may write there. */
  readonly work = join(this.top, 'work');
  /** There if a hostile name was executed. */
  readonly canary = join(this.work, 'pwned');

  constructor() {
    chmodSync(this.top, 0o711);
    for (const part of ['serving', 'sync', 'frozen', 'marks'])
      mkdirSync(join(this.run, part), { recursive: true });
    mkdirSync(this.journals, { mode: 0o711 });
    mkdirSync(this.work);
    this.give(this.work);
    this.give(join(this.run, 'marks'));
  }

  /** Serves an address with an empty journal of its own; returns the journal's path. */
  serve(address: string, { sync = false } = {}): string {
    const journal = join(this.journals, `journal.${address}`);
    writeFileSync(journal, '', { mode: 0o600 });
    this.give(journal);
    this.link(address, journal);
    if (sync) symlinkSync(journal, join(this.run, 'sync', address));
    return journal;
  }

  /** Makes the serving link alone. */
  link(address: string, target: string): void {
    symlinkSync(target, join(this.run, 'serving', address));
  }

  /** Makes statd's user the owner. */
  give(path: string): void {
    if (statd !== undefined) chownSync(path, statd.uid, statd.gid);
  }

  /** The lines of an address's journal, without the time at which they were written. */
  lines(address: string): string[] {
    const text = readFileSync(join(this.journals, `journal.${address}`), 'latin1');
    return text
      .replaceAll(/^@1 [0-9]+[.][0-9]{2} /gmu, '@1 T ')
      .split('\n')
      .slice(0, -1);
  }

  mark(address: string): string | undefined {
    const path = join(this.run, 'marks', address);
    return existsSync(path) ? readFileSync(path, 'latin1') : undefined;
  }

  /** Runs the callout under `shell`, as statd's user, with the arguments byte by byte as given (latin1). */
  call(shell: Shell, ...args: readonly string[]): Outcome {
    // xargs, because node can hand over valid UTF-8 only. It says 123 for what ended with 1 to 125.
    const command = ['xargs', '-0', ...shells[shell], callout];
    return this.spawn(
      [...asStatd, ...command],
      Buffer.from(args.map((arg) => `${arg}\0`).join(''), 'latin1'),
    );
  }

  /**
   * Runs the callout once for each event, all of as many arguments as the first, one after another. 0 if each ended with
   * 0, 123 if any did with 1 or more. Many times faster than as many `call`s.
   */
  calls(shell: Shell, events: readonly (readonly string[])[]): number | null {
    const words = String(events[0]?.length ?? 0);
    // The longest command line that the kernel takes of one argument (MAX_ARG_STRLEN) fits.
    const command = ['xargs', '-0', '-n', words, '-s', '500000', ...shells[shell], callout];
    const text = events.map((args) => args.map((arg) => `${arg}\0`).join('')).join('');
    return this.spawn([...asStatd, ...command], Buffer.from(text, 'latin1')).code;
  }

  /** What the callout must never do with a name. */
  execute(shell: Shell, name: string): void {
    this.spawn([...asStatd, ...shells[shell], '-c', 'eval ": $1"', 'sh', name]);
  }

  /** Runs the callout under `shell`, as statd's user, for its own exit code. */
  event(shell: Shell, ...args: readonly string[]): Outcome {
    return this.spawn([...asStatd, ...shells[shell], callout, ...args]);
  }

  /** Runs a command with the callout's environment. */
  spawn([command = '', ...args]: readonly string[], input: Buffer = Buffer.alloc(0)): Outcome {
    const env = { PATH: process.env['PATH'], NLM_FAILOVER_RUN: this.run };
    // The bound is for a callout that waits for something: it would hold up the tests as it would statd.
    const limits = { timeout: 60_000, killSignal: 'SIGKILL' } as const;
    const { status, stderr, error } = spawnSync(command, args, {
      cwd: this.work,
      env,
      input,
      encoding: 'latin1',
      ...limits,
    });
    if (error !== undefined) throw error;
    return { code: status, stderr };
  }

  remove(): void {
    rmSync(this.top, { recursive: true, force: true });
  }
}

export function makeCalloutSite(t: ExecutionContext): CalloutSite {
  const site = new CalloutSite();
  t.teardown(() => site.remove());
  return site;
}

function idsOf(user: string): { uid: number; gid: number } | undefined {
  const entry = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === user);
  return entry === undefined ? undefined : { uid: Number(entry[2]), gid: Number(entry[3]) };
}
