import { spawn } from 'node:child_process';
import { runOrFail } from '../../host/action.js';
import type { Argv, Host } from '../../host/host.js';
import { systemdRuns } from '../../host/reading/boot.js';
import { instancePrefix } from './place.js';

/** A process of an instance that is to outlive the command that starts it. */
export interface Supervised {
  readonly address: string;
  /** The last part of its unit's name. */
  readonly name: string;
  /** As it runs in the foreground, inside. */
  readonly argv: Argv;
  /** Whether a new one can go on where one that crashed left off. */
  readonly restarts: boolean;
}

/** The transient unit: in systemctl and in the journal the daemon is found under this name. */
export function unitOf({ address, name }: Pick<Supervised, 'address' | 'name'>): string {
  return `nlm-failover-${address}-${name}.service`;
}

/**
 * How it is started: as a transient unit where systemd runs, so that it is in nobody else's control group, else as a
 * process in a session of its own. What a plain one has to say goes to syslog.
 */
export function startCommand(host: Host, supervised: Supervised): Argv {
  return systemdRuns(host) ? unitCommand(supervised) : plainCommand(supervised);
}

function unitCommand(supervised: Supervised): Argv {
  const { address, name, restarts } = supervised;
  return [
    'systemd-run',
    '--quiet',
    // A unit that failed leaves its name free.
    '--collect',
    '--service-type=exec',
    `--unit=${unitOf(supervised)}`,
    // At a shutdown they stay until release ends them: systemd would end them beside it, without an order that a job may wait for.
    '--property=DefaultDependencies=no',
    `--description=${name} of the NFS instance ${address} (nlm-failover)`,
    ...(restarts ? ['--property=Restart=on-failure'] : []),
    '--',
    ...plainCommand(supervised),
  ];
}

function plainCommand({ address, argv }: Supervised): Argv {
  return [...instancePrefix(address), ...argv];
}

/** Starts it. Throws FailoverError COMMAND_FAILED with what systemd-run said. */
export async function startSupervised(host: Host, supervised: Supervised): Promise<void> {
  if (systemdRuns(host)) {
    await runOrFail(host, unitCommand(supervised), `See "journalctl -u ${unitOf(supervised)}".`);
    return;
  }
  const [command, ...args] = plainCommand(supervised);
  spawn(command, args, { detached: true, stdio: 'ignore', cwd: '/' }).unref();
}

/** Ends the units of an address and keeps systemd from starting them again. A pattern without a match is no error. */
export function stopUnits(address: string): Argv {
  return ['systemctl', 'stop', unitOf({ address, name: '*' })];
}
