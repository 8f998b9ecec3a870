import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  type Command,
  CommandError,
  commandFile,
  describeCommand,
  type RunOptions,
  type RunResult,
} from './command.js';
import { deferred } from './deferred.js';
import type { Holder } from './holder.js';
import { type Machine, type MachineSettings, powerOn } from './machine.js';
import { inGuest } from './project-root.js';

/** A command that runs in a guest while the test goes on. */
export interface Job {
  /** Waits for its end. Throws as `run` does. */
  result(): Promise<RunResult>;
  /** SIGKILL to its process group. */
  kill(): void;
}

/** Where commands run: a guest, or one of the NFS clients inside it. */
export interface Shell {
  /** Runs a command and waits for it; throws CommandError unless it exits with 0 or `reject` is false. */
  run(command: Command, options?: RunOptions): Promise<RunResult>;
  /** Starts a command. Its failure is thrown by `result()` only. */
  start(command: Command, options?: RunOptions): Promise<Job>;
}

/** A kernel of its own. Survives `powerCut()`: `boot()` switches it on again, with the same disks. */
export class Guest implements Shell {
  readonly name: string;
  readonly address: string;
  readonly address6: string;
  /** Called for each line `note TEXT` that a program in the guest writes to /dev/ttyS0, as soon as it is on the machine. */
  onNote: (text: string) => void = () => {};
  readonly #holder: Holder;
  readonly #settings: MachineSettings;
  readonly #waiting = new Map<string, (status: number | undefined) => void>();
  readonly #running = new Map<string, string>();
  #machine: Machine | undefined;
  #lastJob = 0;
  #dark = deferred<void>();
  #isCut = false;
  #lastConsole = '';

  constructor(holder: Holder, settings: MachineSettings) {
    this.name = settings.name;
    this.address = settings.address;
    this.address6 = settings.address6;
    this.#holder = holder;
    this.#settings = settings;
  }

  get isOn(): boolean {
    return this.#machine !== undefined;
  }

  /** Switches it on; resolves when it takes commands. */
  async boot(): Promise<void> {
    await mkdir(this.#path(''), { recursive: true });
    // What the kernel of an earlier boot left: its pid file would be judged by a pid.
    await rm(join(this.#settings.directory, 'uml', this.name), { recursive: true, force: true });
    this.#dark = deferred<void>();
    this.#isCut = false;
    this.#machine = await powerOn(this.#holder, this.#settings, {
      line: (line) => {
        const [verb, id = '', status] = line.split(' ');
        if (verb === 'note') this.onNote(line.slice('note '.length));
        else this.#waiting.get(id)?.(Number(status));
      },
      gone: () => {
        this.#lastConsole = this.console();
        this.#machine = undefined;
        for (const ended of this.#waiting.values()) ended(undefined);
        this.#dark.resolve();
      },
    });
  }

  /** Stops it as it is; goes on when the function that this resolves to is called. */
  async freeze(): Promise<() => void> {
    if (this.#machine === undefined) throw new Error(`guest ${this.name} is off`);
    return this.#machine.freeze();
  }

  /** Cuts the power: SIGKILL, at once. Commands that were running reject. Resolves when it is dark. */
  async powerCut(): Promise<void> {
    this.#isCut = true;
    await this.#machine?.powerCut();
  }

  /** Has it switch itself off, as by `systemctl poweroff`; resolves when it is dark. Throws where it is on still after so many seconds. */
  async switchOff(command: Command, seconds = 240): Promise<void> {
    await this.start(command);
    const timer = new AbortController();
    const isDark = await Promise.race([
      this.#dark.promise.then(() => true),
      delay(seconds * 1000, false, { signal: timer.signal, ref: false }),
    ]);
    timer.abort();
    if (!isDark) throw new Error(`guest ${this.name} is on ${seconds} s after ${describeCommand(command)}`);
  }

  async run(command: Command, options: RunOptions = {}): Promise<RunResult> {
    return (await this.start(command, options)).result();
  }

  start(command: Command, options: RunOptions = {}): Promise<Job> {
    return this.startIn('-', command, options);
  }

  /** `start` in one of the namespaces that sh/client made; `-` is the guest itself. */
  async startIn(namespace: string, command: Command, options: RunOptions): Promise<Job> {
    if (this.#machine === undefined) throw new Error(`guest ${this.name} is off`);
    this.#lastJob += 1;
    const id = String(this.#lastJob);
    await writeFile(this.#path(id), commandFile(command, options));
    const ended = deferred<number | undefined>();
    this.#waiting.set(id, ended.resolve);
    const kill = (): void => this.#machine?.send(`kill ${id}`);
    const seconds = options.timeoutSeconds ?? 60;
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      kill();
    }, seconds * 1000);
    const where = namespace === '-' ? this.name : `${this.name}/${namespace}`;
    const summary = `on ${where}: ${describeCommand(command)}`;
    this.#running.set(id, summary);
    this.#machine.send(`run ${id} ${namespace}`);
    const finish = async (status: number | undefined): Promise<RunResult> => {
      clearTimeout(timer);
      this.#waiting.delete(id);
      this.#running.delete(id);
      const result = await this.#collect(id, status ?? -1);
      if (status === undefined) {
        const why = this.#isCut
          ? 'the power was cut'
          : `it went off by itself:\n${this.console().slice(-2000)}`;
        throw new CommandError(`${summary}: ${why}`, result);
      }
      if (timedOut) throw new CommandError(`${summary}: still running after ${seconds} s, killed`, result);
      if (status !== 0 && options.reject !== false)
        throw new CommandError(`${summary}: exit ${status}`, result);
      return result;
    };
    const result = ended.promise.then(finish);
    // Whoever never asks for the result of a job does not want to hear of its failure either.
    result.catch(() => {});
    return { result: () => result, kill };
  }

  /** Writes a file in the guest. */
  async write(path: string, content: string): Promise<void> {
    await this.run('printf %s "$2" >"$1"', { args: [path, content] });
  }

  /** Reads a file of the guest, as UTF-8. */
  async read(path: string): Promise<string> {
    return (await this.run(['cat', path])).stdout;
  }

  /** The kernel's log since this boot. */
  async kernelLog(): Promise<string> {
    return (await this.run(['dmesg', '--notime'])).stdout;
  }

  /** What runs in it, and what its kernel waits for; in half a minute, also where it does not answer. */
  async sight(): Promise<string> {
    const running = [...this.#running.values()];
    const seen = await Promise.race([
      this.run([inGuest('test/lab/sh/sight')], { reject: false, timeoutSeconds: 20 })
        .then(({ stdout, stderr }) => stdout + stderr)
        .catch(String),
      delay(30_000, `it does not answer; its console:\n${this.console().slice(-2000)}`, { ref: false }),
    ]);
    return [`-- guest ${this.name}, running:`, ...running, seen].join('\n');
  }

  /** What came over the console since its last boot, to look at when a guest behaves oddly. */
  console(): string {
    return this.#machine?.console() ?? this.#lastConsole;
  }

  async #collect(id: string, exitCode: number): Promise<RunResult> {
    const take = async (suffix: string): Promise<string> => {
      const path = this.#path(`${id}${suffix}`);
      const content = await readFile(path, 'utf8').catch(() => '');
      await rm(path, { force: true });
      return content;
    };
    const [stdout, stderr] = await Promise.all([take('.out'), take('.err'), take('')]);
    return { exitCode, stdout, stderr };
  }

  #path(name: string): string {
    return join(this.#settings.directory, this.name, name);
  }
}
