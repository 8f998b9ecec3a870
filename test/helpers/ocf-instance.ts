import { join } from 'node:path';
import { readdirSync, readFileSync } from 'node:fs';
import type { Netns, Program } from './netns.js';
import { waitFor } from '../wire/wait-for.js';

export const daemons = ['rpcbind', 'rpc.statd', 'rpc.mountd'] as const;

/** Stands for nfsd's file system: this machine's kernel has none. The rest of what a monitor looks at is real. */
const fakeNfsd = 'mount -t tmpfs tmpfs /proc/fs && mkdir /proc/fs/nfsd && echo 8 >/proc/fs/nfsd/threads';

/** An address as the driver lockd-netns serves it, in the namespace of a test: its instance, its address, its daemons, its record. */
export class ServedInstance {
  readonly address: string;
  readonly directory: string;
  readonly #netns: Netns;
  readonly #started: Program[] = [];

  private constructor(netns: Netns, address: string) {
    this.#netns = netns;
    this.address = address;
    this.directory = `/run/nlm-failover/instances/${address}`;
  }

  static async make(netns: Netns, address: string): Promise<ServedInstance> {
    const instance = new ServedInstance(netns, address);
    const script = join(import.meta.dirname, '../wire/instance-inside.js');
    await netns.run(process.execPath, script, 'enter', address);
    await instance.inside('sh', '-c', fakeNfsd);
    const prefix = address.includes(':') ? '64' : '24';
    await instance.inside('ip', 'address', 'add', `${address}/${prefix}`, 'dev', 'lo');
    await netns.run(
      'sh',
      '-ec',
      'mkdir -p "$1/run/nlm-failover/serving"; : >/run/journal; ln -s /run/journal "$1/run/nlm-failover/serving/$2"',
      'sh',
      instance.directory,
      address,
    );
    for (const name of daemons) await instance.start(name);
    return instance;
  }

  /** Runs a command inside, to its end. */
  inside(...argv: readonly string[]): Promise<string> {
    return this.#netns.run('nsenter', ...this.#enter, ...argv);
  }

  /** Starts a daemon, and waits until its process has its name. */
  async start(name: (typeof daemons)[number]): Promise<void> {
    const words = {
      rpcbind: ['-f', '-w'],
      'rpc.statd': ['-F', '--no-notify', '-P', '/var/lib/nfs/statd'],
      'rpc.mountd': ['-F', '-N', '4'],
    };
    this.#started.push(this.#netns.start('nsenter', [...this.#enter, name, ...words[name]]));
    await waitFor(name, async () => this.pidOf(name) !== undefined);
    if (name === 'rpcbind')
      await waitFor(
        'its socket',
        async () =>
          (await this.#netns.start('nsenter', [
            ...this.#enter,
            'rpcinfo',
            '-T',
            'udp',
            '127.0.0.1',
            'portmapper',
          ]).exited) === 0,
      );
  }

  /** As the namespace of the test numbers it. */
  pidOf(name: (typeof daemons)[number]): string | undefined {
    const proc = this.#netns.path('/proc');
    return readdirSync(proc).find((pid) => /^\d+$/.test(pid) && commOf(join(proc, pid)) === name);
  }

  async kill(name: (typeof daemons)[number]): Promise<void> {
    const pid = this.pidOf(name);
    await this.#netns.run('kill', '-KILL', pid ?? '0');
    await waitFor(`the end of ${name}`, async () => this.pidOf(name) === undefined);
  }

  get #enter(): string[] {
    return [`--net=/run/netns/nfs-${this.address}`, `--mount=${this.directory}/mnt`, '--'];
  }
}

function commOf(process: string): string {
  try {
    return readFileSync(join(process, 'comm'), 'utf8').trim();
  } catch {
    return ''; // it has ended
  }
}
