import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Duplex, Readable } from 'node:stream';
import { cpusOf } from '../../src/lockmanager/lockd-netns/build.js';
import { keepBalanced } from './balance.js';
import { deferred } from './deferred.js';
import type { Disk } from './disk.js';
import { freezeKernel } from './freeze.js';
import type { Holder } from './holder.js';
import { labScript, projectRoot } from './project-root.js';
import { guestSystem, type KernelName, kernels, machinePath } from './requirements.js';

/** What a guest is made of; the same at every boot. */
export interface MachineSettings {
  readonly name: string;
  readonly tap: string;
  readonly mac: string;
  readonly address: string;
  readonly address6: string;
  readonly megabytes: number;
  readonly kernel: KernelName;
  /** Whether its first process is systemd. */
  readonly systemd: boolean;
  readonly disks: readonly Disk[];
  /** The lab's directory, as the machine and the guests see it. */
  readonly directory: string;
}

/** One boot of a User-Mode Linux kernel: from power on to power cut. */
export interface Machine {
  /** Writes one line to the guest's remote shell. */
  send(line: string): void;
  /** Everything the kernel and the init script have written to the console so far. */
  console(): string;
  /** Stops the kernel, and with it all that writes to its disks, until the function that it resolves to is called. */
  freeze(): Promise<() => void>;
  /** SIGKILL to the guest's process group; resolves when nothing of it is left, and its disks are free. */
  powerCut(): Promise<void>;
}

/** Called for every line of the guest's remote shell, and once when the guest is gone. */
export interface MachineEvents {
  line(line: string): void;
  gone(): void;
}

function kernelArguments(settings: MachineSettings): string[] {
  const { name, directory, kernel } = settings;
  return [
    ...kernels[kernel].parameters,
    `rootfstype=hostfs rootflags=/ rw quiet panic=1 mem=${settings.megabytes}M init=${directory}/init`,
    // Without the 256 old pseudo terminals: the kernel would start a process, which finds nothing, for each of their 512 devices.
    `pty.legacy_count=0 con=null con0=fd:0,fd:1 ssl0=fd:3,fd:3 uml_dir=${directory}/uml/ umid=${name}`,
    `vec0:transport=tap,ifname=${settings.tap},depth=64,gro=1,mac=${settings.mac}`,
    // s: every write reaches the image before it is acknowledged; c: the image is not locked.
    ...settings.disks.map((disk, index) => `ubd${index}sc=${disk.image}`),
    `lab_name=${name} lab_dir=${directory} lab_ip=${settings.address}/24 lab_ip6=${settings.address6}/64 lab_systemd=${settings.systemd ? 1 : 0} lab_modules=${kernels[kernel].modules}`,
  ].flatMap((words) => words.split(' '));
}

/** What goes before the kernel where it, and the guests' programs, are those of another Debian release: see lab.ts. */
function otherSystem({ directory }: MachineSettings): string[] {
  if (guestSystem === undefined) return [];
  const shared = ['/dev', '/proc', process.execPath, projectRoot(), directory];
  return ['sh', labScript('other-system'), guestSystem, ...shared, '--'];
}

/** What goes before a kernel that traces its processes on a processor with AMX: see sh/ptrace.S. */
function withAmx({ directory, kernel }: MachineSettings): string[] {
  const traces = !kernels[kernel].parameters.includes('seccomp=on');
  const hasAmx = /^flags\b.* amx_tile\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'));
  return traces && hasAmx ? ['env', `LD_PRELOAD=${directory}/ptrace.so`] : [];
}

/**
 * A guest uses one CPU at a time anyway, and its kernel hands over to its processes, and they to it, at each system call and
 * page fault (ptrace): on one CPU that costs two thirds of what it costs across two. Labs begin with different ones, and
 * balance.ts moves whole guests.
 */
function firstCpu({ name }: MachineSettings, cpus: readonly number[]): number | undefined {
  const number = name.codePointAt(0) ?? 0;
  return cpus[(process.pid + number) % cpus.length];
}

/** Switches a guest on; resolves when its remote shell is there. */
export async function powerOn(
  holder: Holder,
  settings: MachineSettings,
  events: MachineEvents,
): Promise<Machine> {
  // UML makes a process group of its own, whose number only it knows: the shell that becomes it says.
  const cpus = cpusOf(readFileSync('/proc/self/status', 'utf8'));
  const cpu = firstCpu(settings, cpus);
  const onOneCpu = cpu === undefined ? [] : ['taskset', '--cpu-list', String(cpu)];
  const kernel = [
    ...onOneCpu,
    ...otherSystem(settings),
    ...withAmx(settings),
    kernels[settings.kernel].program,
    ...kernelArguments(settings),
  ];
  const starter = ['sh', '-c', 'echo "$$"; exec "$@"', 'sh', ...kernel];
  const [file, ...argv] = holder.inside(starter);
  const child = spawn(file, argv, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    // Its memory is a file in TMPDIR: on a tmpfs it stays memory.
    env: { PATH: machinePath, TMPDIR: '/dev/shm' },
  });
  const [, stdout, stderr, serial] = child.stdio as unknown as [null, Readable, Readable, Duplex];
  let output = '';
  let complaints = '';
  stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  stderr.setEncoding('utf8').on('data', (text: string) => (complaints += text));
  const leave =
    cpu === undefined || child.pid === undefined
      ? undefined
      : keepBalanced({ waiting: child.pid, cpu }, cpus);
  const closed = once(child, 'close').then(() => events.gone());
  if (leave !== undefined) child.once('close', leave);
  const console = (): string => output + complaints;

  const lines = createInterface({ input: serial });
  // A power cut resets the line when something was still on it; `close` tells all there is to know.
  serial.on('error', () => {});
  lines.on('error', () => {});
  const ready = deferred<true>();
  lines.on('line', (line) => {
    if (line === 'ready') ready.resolve(true);
    else events.line(line);
  });
  if (!(await Promise.race([ready.promise, closed.then(() => false)]))) {
    throw new Error(`guest ${settings.name} did not come up:\n${console()}`);
  }
  const group = Number.parseInt(output, 10);
  return {
    send: (line) => {
      serial.write(`${line}\n`);
    },
    console,
    freeze: () =>
      freezeKernel(child.pid ?? 0, [`uml_dir=${settings.directory}/uml/`, `umid=${settings.name}`]),
    powerCut: async () => {
      holder.kill(group);
      await closed;
    },
  };
}
