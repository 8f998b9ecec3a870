import { inGuest } from '../project-root.js';
import type { Lab } from '../lab.js';
import { patientSeconds } from '../scenario-steps.js';
import type { Server } from '../server.js';
import { corosyncConf, firstCib } from './configuration.js';
import { type Fenced, startPowerSwitch } from './power-switch.js';

/** For `scenario`. */
export const clusterCommands = ['corosync', 'pacemakerd', 'crm_resource', 'crm_mon'];

/** A command of the cluster manager takes a guest half a second, and on a machine with a load of 50 a hundred times as long. */
const timeoutSeconds = 180;

export interface ClusterOptions {
  /** After so long without a word from the other node corosync takes it for dead. */
  readonly tokenMs?: number;
}

/** corosync and Pacemaker on the guests A and B, with a fence agent that cuts their power through the harness. */
export class Cluster {
  /** Whom the nodes have switched off, in this order. */
  readonly fenced: readonly Fenced[];
  readonly #servers: readonly Server[];
  readonly #tokenMs: number;

  constructor(
    { a, b, directory }: Pick<Lab, 'a' | 'b' | 'directory'>,
    { tokenMs = 5000 }: ClusterOptions = {},
  ) {
    this.#servers = [a, b];
    this.#tokenMs = tokenMs;
    this.fenced = startPowerSwitch({ a, b, directory });
  }

  /** Starts the cluster manager on both nodes; resolves when both are online. */
  async start(): Promise<void> {
    await Promise.all(this.#servers.map((server) => this.startOn(server)));
  }

  /** The same on one node, as after its boot, or after `stopOn`. Resolves when it is online. */
  async startOn(server: Server): Promise<void> {
    const script = [
      inGuest('test/lab/sh/start-cluster'),
      corosyncConf(this.#servers, this.#tokenMs),
      firstCib(),
    ];
    await server
      .run(script, { timeoutSeconds: 300 })
      .catch(async (error: unknown) => this.#fail(server, 'the cluster manager does not start', error));
  }

  /** Ends Pacemaker and then corosync, as `systemctl stop corosync` does. */
  async stopOn(server: Server): Promise<void> {
    const script = `for daemon in pacemakerd corosync; do
        pid=$(pidof "$daemon") || continue
        kill "$pid"
        while [ -e "/proc/$pid" ]; do sleep 0.2; done
      done`;
    await server.run(script, { timeoutSeconds: 300 });
  }

  /** Waits until crm_mon on a node has a line that an extended regular expression matches. Fails with what it shows instead. */
  async untilSeen(server: Server, pattern: string, seconds = patientSeconds): Promise<void> {
    const script = 'until crm_mon -1f 2>/dev/null | grep -Eq "$1"; do sleep 2; done';
    await server
      .run(script, { args: [pattern], timeoutSeconds: seconds })
      .catch(async (error: unknown) => this.#fail(server, `no ${pattern} in ${seconds} s`, error));
  }

  /** Waits until the cluster has nothing to do any more. */
  async untilQuiet(server: Server, seconds = patientSeconds): Promise<void> {
    await server
      .run(['crm_resource', '--wait', `--timeout=${seconds}s`], { timeoutSeconds: seconds + 30 })
      .catch(async (error: unknown) => this.#fail(server, `not quiet in ${seconds} s`, error));
  }

  /** Waits until a server has a lock on a device, wherever it was before. Fails with what the cluster does instead. */
  async untilLocked(server: Server, device: string): Promise<void> {
    if (!(await server.untilLocked(device, 1, patientSeconds)))
      await this.#fail(server, `no lock on ${device} in ${patientSeconds} s`);
  }

  /** Adds resources. Does not wait until they run. */
  async add(server: Server, xml: string): Promise<void> {
    await server.run(['cibadmin', '--create', '--scope', 'resources', '--xml-text', xml], { timeoutSeconds });
  }

  /** Nothing runs on a node in standby; what did goes elsewhere. Does not wait. */
  async standby(server: Server, isOn: boolean): Promise<void> {
    const argv = [
      'crm_attribute',
      '--node',
      server.name,
      '--name',
      'standby',
      '--update',
      isOn ? 'on' : 'off',
    ];
    await server.run(argv);
  }

  /** The cluster manager lets everything be as it is, and may be stopped. */
  async maintenance(server: Server, isOn: boolean): Promise<void> {
    await server.run(['crm_attribute', '--name', 'maintenance-mode', '--update', String(isOn)], {
      timeoutSeconds,
    });
  }

  /** Has a resource run on a node; what moved it before is taken back. Does not wait. The node is preferred until `stay`. */
  async move(from: Server, resource: string, to: Server): Promise<void> {
    await from.run('crm_resource --clear -r "$1" && crm_resource --move -r "$1" -N "$2"', {
      args: [resource, to.name],
      timeoutSeconds,
    });
  }

  /** A resource stays where it is, whatever moved it there. */
  async stay(server: Server, resource: string): Promise<void> {
    await server.run(['crm_resource', '--clear', '-r', resource], { timeoutSeconds });
  }

  /** Where a resource runs, as a node sees it. */
  async nodeOf(server: Server, resource: string): Promise<string | undefined> {
    const { stdout } = await server.run(['crm_resource', '--locate', '-r', resource], { reject: false });
    return / is running on: (\S+)/u.exec(stdout)?.[1];
  }

  /** What a node sees of the cluster, for people. */
  async sight(server: Server): Promise<string> {
    const script = `crm_mon -1rfn
      tail -n 20 /var/log/corosync.log
      grep -F 'ocf-exit-reason' /var/log/pacemaker/pacemaker.log | head -n 20
      grep -E '(error|warning|notice): ' /var/log/pacemaker/pacemaker.log | tail -n 40`;
    const { stdout, stderr } = await server.run(script, { reject: false, timeoutSeconds });
    return stdout + stderr;
  }

  async #fail(server: Server, what: string, cause?: unknown): Promise<never> {
    throw new Error(`cluster, seen from ${server.name}: ${what}\n${await this.sight(server)}`, { cause });
  }
}
