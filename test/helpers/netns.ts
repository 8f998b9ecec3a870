import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

/** Why no namespaces can be made here, as one sentence for test.skip, or undefined if they can. */
export function netnsUnavailable(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root, for its network namespaces';
  const tried = spawnSync('unshare', ['--net', '--mount', '--pid', '--fork', 'true']);
  return tried.status === 0 ? undefined : 'needs namespaces, and unshare(1) is refused here';
}

/** ava's t, as far as it is needed; a program that is no test gives its own. */
export interface Owner {
  teardown(end: () => Promise<void>): void;
}

/**
 * What the first process of a namespace does: private /run and /var/lib/nfs as Debian's packages leave
 * them, the loopback up, and then wait for the end of its input. It is the init of its process namespace,
 * so when it ends, for whatever reason, the test's own death included, the kernel ends all that run in it.
 */
const hold = `
set -e
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=755 tmpfs /var/lib/nfs
mkdir /run/rpcbind /var/lib/nfs/sm /var/lib/nfs/sm.bak
: >/var/lib/nfs/state
for owner in _rpc:/run/rpcbind statd:/var/lib/nfs/sm statd:/var/lib/nfs/sm.bak statd:/var/lib/nfs/state; do
  id "\${owner%%:*}" >/dev/null 2>&1 && chown "\${owner%%:*}" "\${owner#*:}"
done
ip link set lo up
echo ready
read -r _ || :
`;

/** A host of its own, as far as network, /run, /var/lib/nfs and processes are concerned. */
export class Netns {
  readonly #holder: ChildProcess;
  /** A process that is in its network and mount namespaces, as the test sees it. */
  readonly pid: number;

  constructor(holder: ChildProcess, pid: number) {
    this.#holder = holder;
    this.pid = pid;
  }

  /** A file of the namespace, as the test can open it. */
  path(file: string): string {
    return `/proc/${this.pid}/root${file}`;
  }

  /** Runs a command to its end and returns its standard output. Throws if it fails or takes a minute. */
  async run(command: string, ...args: string[]): Promise<string> {
    const program = this.start(command, args);
    const code = await program.exited;
    if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}: ${program.output()}`);
    return program.output();
  }

  /** Starts a command, which ends with the namespace at the latest. */
  start(command: string, args: string[], env: Record<string, string> = {}): Program {
    const enter = [`--target=${this.pid}`, '--net', '--mount', `--pid=/proc/${this.pid}/ns/pid_for_children`];
    const child = spawn('nsenter', [...enter, '--', command, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    return new Program(command, child);
  }

  /** Ends everything in the namespace, and with it the namespace. */
  async close(): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return;
    const exited = once(this.#holder, 'exit');
    this.#holder.stdin?.end();
    await exited;
  }
}

/** A command that runs in a namespace. */
export class Program {
  /** Its exit code; 128 and more for a signal. */
  readonly exited: Promise<number>;
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #lookers = new Set<() => void>();
  #output = '';
  #over = false;

  constructor(name: string, child: ChildProcess) {
    this.#name = name;
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text;
        this.#look();
      });
    }
    this.exited = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        this.#over = true;
        this.#look();
        resolve(signal === null ? (code ?? 128) : 128);
      });
    });
  }

  /** What it has written so far, standard output and error together. */
  output(): string {
    return this.#output;
  }

  /** Resolves when its output matches; rejects if it ends without. */
  saw(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const match = pattern.exec(this.#output);
        if (match === null && !this.#over) return;
        this.#lookers.delete(look);
        if (match === null)
          reject(new Error(`${this.#name} ended without ${String(pattern)}: ${this.#output}`));
        else resolve(match);
      };
      this.#lookers.add(look);
      look();
    });
  }

  /** Gives it a line of input. */
  write(line: string): void {
    this.#child.stdin?.write(`${line}\n`);
  }

  /** Ends its input. */
  end(): void {
    this.#child.stdin?.end();
  }

  #look(): void {
    for (const look of this.#lookers) look();
  }
}

/** A namespace for one test, gone when the test is over, however it ends. */
export async function withNetns(t: Owner): Promise<Netns> {
  const holder = spawn(
    'unshare',
    ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', hold],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  );
  const program = new Program('the holder of the namespace', holder);
  await program.saw(/ready\n/);
  const netns = new Netns(holder, holder.pid ?? 0);
  t.teardown(() => netns.close());
  return netns;
}

/**
 * Two namespaces joined by a cable, `veth0` on both ends, up, with the addresses given (with prefix, any
 * number of them, IPv6 without duplicate address detection).
 */
export async function withNetnsPair(
  t: Owner,
  addressesOfOne: string[],
  addressesOfOther: string[],
): Promise<[Netns, Netns]> {
  const pair: [Netns, Netns] = [await withNetns(t), await withNetns(t)];
  const [one, other] = pair;
  // The peer's namespace is named by a pid, which only the test's own process namespace knows.
  const cable = ['link', 'add', 'veth0', 'type', 'veth', 'peer', 'name', 'veth0', 'netns', String(other.pid)];
  const made = spawn('nsenter', [`--target=${one.pid}`, '--net', '--', 'ip', ...cable], { stdio: 'inherit' });
  const [code] = (await once(made, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`ip ${cable.join(' ')} ended with ${code}`);
  for (const [netns, addresses] of [
    [one, addressesOfOne],
    [other, addressesOfOther],
  ] as const) {
    await netns.run('ip', 'link', 'set', 'veth0', 'addrgenmode', 'none');
    await netns.run('ip', 'link', 'set', 'veth0', 'up');
    for (const address of addresses) {
      const nodad = address.includes(':') ? ['nodad'] : [];
      await netns.run('ip', 'address', 'add', address, 'dev', 'veth0', ...nodad);
    }
  }
  return pair;
}
