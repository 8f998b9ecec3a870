import type { Command, RunOptions, RunResult } from './command.js';
import { type AppendLoop, startAppendLoop } from './append-loop.js';
import type { Guest, Job, Shell } from './guest.js';
import { inGuest } from './project-root.js';

export interface MountOptions {
  /** The floating IP. */
  readonly server: string;
  /** The export. */
  readonly path: string;
  /** Where; /mnt/nfs by default. */
  readonly at?: string;
  /** Beside `vers=3,proto=tcp,hard,timeo=50` (tcp6 for IPv6). */
  readonly options?: string;
}

/** A lock held over NLM. */
export interface HeldLock {
  /** Gives it back: kills the process that holds it. Resolves when that is gone. */
  release(): Promise<void>;
}

const defaultTarget = '/mnt/nfs';

/**
 * One NFS client: a network namespace of guest C with an address, a host name, an rpcbind and a
 * statd of its own. Paths are those of its own mount namespace, at the mount by convention.
 */
export class NfsClient implements Shell {
  readonly name: string;
  readonly address: string;
  readonly address6: string;
  readonly #guest: Guest;
  #isUp: Promise<void> | undefined;

  constructor(guest: Guest, name: string, address: string, address6: string) {
    this.#guest = guest;
    this.name = name;
    this.address = address;
    this.address6 = address6;
  }

  /** Makes the namespaces, once in a boot of the guest. The first command does it; before, for whom it should not wait. */
  setUp(): Promise<void> {
    this.#isUp ??= this.#guest
      .run([inGuest('test/lab/sh/client'), this.name, `${this.address}/24`, `${this.address6}/64`])
      .then(() => undefined);
    // Whoever never uses the client need not hear of it.
    this.#isUp.catch(() => undefined);
    return this.#isUp;
  }

  /** The guest has been switched off, and nothing of the client is left. */
  forget(): void {
    this.#isUp = undefined;
  }

  async run(command: Command, options: RunOptions = {}): Promise<RunResult> {
    return (await this.start(command, options)).result();
  }

  async start(command: Command, options: RunOptions = {}): Promise<Job> {
    await this.setUp();
    return this.#guest.startIn(this.name, command, options);
  }

  /** Mounts an export over NFSv3 and TCP. The timeouts are short, so that a failover is noticed in seconds. */
  async mount({ server, path, at = defaultTarget, options = '' }: MountOptions): Promise<void> {
    const protocol = server.includes(':') ? 'tcp6' : 'tcp';
    const words = [`vers=3,proto=${protocol},hard,timeo=50,retrans=2`, options]
      .filter((word) => word !== '')
      .join(',');
    const source = server.includes(':') ? `[${server}]:${path}` : `${server}:${path}`;
    const script = '[ -d "$3" ] || mkdir -p "$3"; exec mount -t nfs -o "$1" "$2" "$3"';
    await this.run(script, { args: [words, source, at] });
  }

  /**
   * Takes an exclusive lock (flock, carried by NLM) and holds it until `release()`.
   * Waits for it: for the server's grace to end, for another holder. Rejects after `timeoutSeconds`.
   */
  async lock(file: string, timeoutSeconds = 120): Promise<HeldLock> {
    // The lock belongs to the open file, which the sleeping process keeps.
    const script = `exec 9<>"$1" && flock -x 9 || exit
      sleep infinity >/dev/null 2>&1 &
      echo "$!"`;
    const { stdout } = await this.run(script, { args: [file], timeoutSeconds });
    const keeper = stdout.trim();
    return {
      release: async () => {
        await this.run('kill "$1" && while [ -e "/proc/$1" ]; do sleep 0.01; done', { args: [keeper] });
      },
    };
  }

  /** Whether the lock was to be had just now (`flock -n`); it is given back at once. Waits out a grace. */
  async tryLock(file: string, timeoutSeconds = 120): Promise<boolean> {
    const script = `exec 9<>"$1" || exit 2
      flock -n 9`;
    const result = await this.run(script, { args: [file], timeoutSeconds, reject: false });
    if (result.exitCode > 1) throw new Error(`${this.name}: flock -n ${file}: ${result.stderr}`);
    return result.exitCode === 0;
  }

  /** Writes a file through to the server. */
  async write(file: string, content: string): Promise<void> {
    await this.run('printf %s "$2" >"$1"', { args: [file, content] });
  }

  async read(file: string): Promise<string> {
    return (await this.run(['cat', file])).stdout;
  }

  /** Appends a numbered line to a file again and again, until stopped: I/O under a failover. */
  appendLoop(file: string): Promise<AppendLoop> {
    return startAppendLoop(this, file);
  }
}
