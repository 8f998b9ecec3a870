import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { projectRoot } from '../lab/project-root.js';
import type { Netns, Program } from '../helpers/netns.js';
import { reachableCallout } from '../helpers/reachable-callout.js';
import { startRpcbind, startStatd } from './statd.js';
import { waitFor } from './wait-for.js';

/** Why none can run here, or undefined. */
export function ganeshaMissing(): string | undefined {
  return ['/usr/bin/ganesha.nfsd', '/usr/bin/dbus-daemon'].every((file) => existsSync(file))
    ? undefined
    : 'needs nfs-ganesha and dbus';
}

/** The bus that there is in the namespace alone, as /run is its own. */
const socket = 'unix:path=/run/dbus/system_bus_socket';

const plugins = readdirSync('/usr/lib').flatMap((name) => {
  const directory = `/usr/lib/${name}/ganesha`;
  return existsSync(directory) ? [directory] : [];
})[0];

const conf = `NFS_Core_Param { NFS_Protocols = 3; Enable_RQUOTA = false; Plugins_Dir = ${plugins ?? '/usr/lib/ganesha'}; }
NFSv4 { Grace_Period = 10; Lease_Lifetime = 10; RecoveryRoot = "/run/ganesha"; } # as short as it can be
`;

export interface ToolResult {
  readonly code: number;
  readonly output: string;
  readonly lines: readonly { readonly step?: string; readonly state?: string; readonly detail?: string }[];
}

/** A server with the real ganesha.nfsd, rpc.statd with the callout, and a bus. */
export class GaneshaServer {
  readonly netns: Netns;
  bus: Program | undefined;

  constructor(netns: Netns) {
    this.netns = netns;
  }

  async start(exports = ''): Promise<void> {
    await this.startBeside(exports);
    await this.startBus();
    await this.startGanesha();
  }

  /** All but the bus and Ganesha. `exports`: what it exports at its start. */
  async startBeside(exports = ''): Promise<void> {
    const { netns } = this;
    await startRpcbind(netns);
    await startStatd(netns, reachableCallout);
    for (const directory of ['/run/dbus', '/run/ganesha']) await mkdir(netns.path(directory));
    await writeFile(netns.path('/run/ganesha.conf'), conf + exports);
  }

  /** The system's, with its policies; or one whose policy for Ganesha's exports is this: allow, deny. */
  async startBus(policy?: 'allow' | 'deny'): Promise<void> {
    if (policy !== undefined) await this.writePolicy(policy);
    const kind = policy === undefined ? '--system' : '--config-file=/run/bus.conf';
    const words = [kind, '--nofork', '--nopidfile', `--address=${socket}`, '--print-address'];
    this.bus = this.netns.start('dbus-daemon', words);
    await this.bus.saw(/unix:/);
  }

  /** For a bus that was started with one: SIGHUP has it read. */
  async writePolicy(policy: 'allow' | 'deny'): Promise<void> {
    await writeFile(
      this.netns.path('/run/bus.conf'),
      `<busconfig><type>system</type><listen>${socket}</listen><auth>EXTERNAL</auth><policy context="default">
<allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/><allow user="*"/>
<${policy} send_interface="org.ganesha.nfsd.exportmgr"/>
</policy></busconfig>`,
    );
  }

  /** Until it answers on the bus. One that does not, as was seen twice on a busy machine, is ended, and started again. */
  async startGanesha(): Promise<void> {
    for (const last of [false, false, true]) {
      const ganesha = this.beginGanesha();
      try {
        await waitFor('NFS-Ganesha on the bus', async () => (await this.grace()) !== undefined, 100, 60);
        return;
      } catch (cause) {
        if (this.runs('ganesha.nfsd')) this.signal('ganesha.nfsd', 'SIGKILL');
        await ganesha.exited;
        const log = await readFile(this.netns.path('/run/ganesha.log'), 'utf8').catch(String);
        if (last) throw new Error(`${ganesha.output()}\n${log}`, { cause });
      }
    }
  }

  /** The same, on the bus or not. */
  beginGanesha(): Program {
    const words = ['-F', '-f', '/run/ganesha.conf', '-L', '/run/ganesha.log', '-p', '/run/ganesha.pid'];
    return this.netns.start('ganesha.nfsd', [...words, '-N', 'NIV_EVENT']);
  }

  /** Its own word, by dbus-send, which the program does not use. */
  async grace(): Promise<boolean | undefined> {
    const answer = await this.call('admin', 'get_grace').catch(() => '');
    const [, said] = /boolean (true|false)/.exec(answer) ?? [];
    return said === undefined ? undefined : said === 'true';
  }

  async call(object: 'admin' | 'ExportMgr', method: string, ...args: string[]): Promise<string> {
    const name = `org.ganesha.nfsd.${object.toLowerCase()}.${method}`;
    const options = ['--system', '--print-reply', '--reply-timeout=5000', '--dest=org.ganesha.nfsd'];
    return this.netns.run('dbus-send', ...options, `/org/ganesha/nfsd/${object}`, name, ...args);
  }

  /** The ids that it exports, without 0. */
  async exported(): Promise<number[]> {
    const answer = await this.call('ExportMgr', 'ShowExports');
    return [...answer.matchAll(/uint16 (\d+)/g)].map(([, id]) => Number(id)).filter((id) => id !== 0);
  }

  /** Ends the grace that runs, as it does by itself. */
  async untilGraceIsOver(): Promise<void> {
    await waitFor('the end of the grace', async () => (await this.grace()) === false, 250);
  }

  /** How often it has entered grace, anew or not, by its log. */
  async graces(): Promise<number> {
    const log = await readFile(this.netns.path('/run/ganesha.log'), 'utf8');
    return log.split('NFS Server Now IN GRACE').length - 1;
  }

  /** Of the machine, as the test sees it. */
  pid(name: string): number {
    const found = this.#find(name);
    if (found === undefined) throw new Error(`no ${name} runs`);
    return Number(found);
  }

  runs(name: string): boolean {
    return this.#find(name) !== undefined;
  }

  #find(name: string): string | undefined {
    const namespace = execFileSync('readlink', [`/proc/${this.netns.pid}/ns/net`], { encoding: 'utf8' });
    return readdirSync('/proc').find((pid) => {
      try {
        return (
          /^\d+$/.test(pid) &&
          readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === name &&
          execFileSync('readlink', [`/proc/${pid}/ns/net`], { encoding: 'utf8' }) === namespace
        );
      } catch {
        return false;
      }
    });
  }

  signal(name: string, signal: NodeJS.Signals): void {
    process.kill(this.pid(name), signal);
  }

  /** While it is stopped (SIGSTOP). */
  async stopped(name: string, work: () => Promise<void>): Promise<void> {
    const pid = this.pid(name);
    process.kill(pid, 'SIGSTOP');
    try {
      await work();
    } finally {
      // nsenter, its parent, has stopped itself too (util-linux sys-utils/nsenter.c, continue_as_child), and goes on with it.
      const [, parent = ''] = /^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
      // It may have been killed meanwhile, and is there until its parent goes on.
      process.kill(pid, 'SIGCONT');
      process.kill(Number(parent), 'SIGCONT');
    }
  }

  /** The locks of open file descriptions on the device of a mount point. */
  async locks(mountpoint: string): Promise<number> {
    const device = (await this.netns.run('stat', '-c', '%Hd:%Ld', mountpoint)).trim();
    const [major = 0, minor = 0] = device.split(':').map(Number);
    const hex = (number: number) => number.toString(16).padStart(2, '0');
    const text = await this.netns.run('cat', '/proc/locks');
    return text
      .split('\n')
      .filter((line) => line.includes('OFDLCK') && line.includes(` ${hex(major)}:${hex(minor)}:`)).length;
  }

  /** nlm-failover, with what it printed. */
  async tool(...args: string[]): Promise<ToolResult> {
    const program = this.netns.start(
      process.execPath,
      [path.join(projectRoot(), 'bin/nlm-failover'), ...args],
      {
        NLM_FAILOVER_CONFIG: '/run/nlm-failover.toml',
      },
    );
    program.end();
    const code = await program.exited;
    const output = program.output();
    const lines = output
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as ToolResult['lines'][number]);
    return { code, output, lines };
  }
}
