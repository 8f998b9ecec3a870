import { exitCodes, FailoverError } from '../../errors.js';
import type { Obstacle } from '../../host/action.js';
import { type Argv, commandText, type Host } from '../../host/host.js';
import { currentDeadline } from '../../host/running/deadline.js';
import { ganeshaProcess } from './process.js';

// NFS-Ganesha over D-Bus, by busctl(1). What its methods take and answer: src/dbus/ and src/support/export_mgr.c of NFS-Ganesha.

/** Where busctl finds NFS-Ganesha: an address of D-Bus, or the system's bus. */
export interface Bus {
  readonly host: Host;
  readonly address: string | undefined;
  /** Since when a question has had no answer (performance.now); undefined: the last one had. */
  silentSince?: number | undefined;
}

/** A method, and the arguments of one call. */
export interface Call {
  readonly object: 'admin' | 'ExportMgr';
  readonly method: string;
  /** Of D-Bus: "ss". */
  readonly signature?: string;
  readonly args?: readonly string[];
}

/**
 * Why there is no answer.
 * - busless: the bus cannot be reached
 * - absent: nobody has Ganesha's name there, and it does not run here
 * - lost: the same, and it runs: it looks for the bus at its start alone (src/dbus/dbus_server.c, gsh_dbus_pkginit)
 * - denied: the bus does not let this user ask
 * - silent: no answer in time
 * - refused: it answered with an error
 */
export interface Fault {
  readonly kind: 'busless' | 'absent' | 'lost' | 'denied' | 'silent' | 'refused';
  /** What was said, on one line; where it is lost, its pid. */
  readonly said: string;
}

/** What a method returned, in order; or why it did not. */
export type Answer = { readonly data: readonly unknown[] } | { readonly fault: Fault };

const service = 'org.ganesha.nfsd';

/** A question is answered at once; a grace waits for the lock calls that are under way. */
const questionSeconds = 5;
/** Who has not answered is not asked again for so long: `status` has many questions. */
const spareMs = 20_000;

/** A call as a person types it. */
export function callArgv(address: string | undefined, call: Call): Argv {
  return callWithin(address, call, []);
}

function callWithin(address: string | undefined, call: Call, options: readonly string[]): Argv {
  const { object, method, signature, args = [] } = call;
  const names = [service, `/org/ganesha/nfsd/${object}`, `${service}.${object.toLowerCase()}`, method];
  return busctl(address, [
    ...options,
    'call',
    ...names,
    ...(signature === undefined ? [] : [signature, ...args]),
  ]);
}

function busctl(address: string | undefined, words: readonly string[]): Argv {
  return ['busctl', address === undefined ? '--system' : `--address=${address}`, ...words];
}

/**
 * Asks NFS-Ganesha. `patient`: until the step is over, for what may have to wait for clients; else a few seconds.
 * Throws FailoverError COMMAND_MISSING without busctl, and what the step's own deadline throws.
 */
export async function ask(bus: Bus, call: Call, patient = false): Promise<Answer> {
  const { silentSince } = bus;
  if (!patient && silentSince !== undefined && performance.now() - silentSince < spareMs)
    return { fault: { kind: 'silent', said: 'it has just not answered' } };
  // busctl gives up before the step ends, so that the sentence is ours.
  const seconds = patient ? Math.max(1, Math.floor(currentDeadline().left / 1000) - 1) : questionSeconds;
  const answer = await run(bus, callWithin(bus.address, call, optionsFor(seconds)), !patient);
  const isSilent = 'fault' in answer && answer.fault.kind === 'silent';
  bus.silentSince = isSilent ? performance.now() : undefined;
  if (!('fault' in answer) || answer.fault.kind !== 'refused') return answer;
  // busctl says a call's error in words alone: whether there is anybody is asked for itself.
  const owner = ['org.freedesktop.DBus', '/org/freedesktop/DBus', 'org.freedesktop.DBus', 'NameHasOwner'];
  const known = await run(
    bus,
    busctl(bus.address, [...optionsFor(questionSeconds), 'call', ...owner, 's', service]),
    true,
  );
  if ('fault' in known || known.data[0] !== false) return answer;
  const pid = bus.host.kind === 'real' ? ganeshaProcess(bus.host)?.pid : undefined;
  return {
    fault: pid === undefined ? { kind: 'absent', said: answer.fault.said } : { kind: 'lost', said: pid },
  };
}

function optionsFor(seconds: number): string[] {
  return ['--json=short', `--timeout=${seconds}`];
}

async function run({ host }: Bus, argv: Argv, short: boolean): Promise<Answer> {
  try {
    const { exitCode, stdout, stderr } = await host.run(argv, { short });
    return exitCode === 0 ? { data: dataOf(argv, stdout) } : { fault: faultOf(stderr) };
  } catch (error) {
    // A bus that does not answer busctl itself.
    if (short && error instanceof FailoverError && error.code === 'COMMAND_TIMEOUT')
      return { fault: { kind: 'silent', said: error.message } };
    throw error;
  }
}

/** {"type":"bs","data":[true,"..."]}; nothing where the method returns nothing. */
function dataOf(argv: Argv, stdout: string): readonly unknown[] {
  if (stdout.trim() === '') return [];
  try {
    const answer: unknown = JSON.parse(stdout);
    if (typeof answer === 'object' && answer !== null && 'data' in answer && Array.isArray(answer.data))
      return answer.data;
  } catch {
    // As below.
  }
  throw new FailoverError(`"${commandText(argv)}" printed what cannot be read: ${stdout.slice(0, 200)}`, {
    code: 'COMMAND_FAILED',
    exitCode: exitCodes.stepFailed,
    operation: commandText(argv),
    hint: 'busctl(1) of systemd 240 or newer is needed, for --json.',
  });
}

/** What busctl says where it ends with 1, of systemd's bus client, dbus-daemon and dbus-broker. */
export function faultOf(stderr: string): Fault {
  const said = stderr
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .join('; ');
  const kind = /^Failed to (?:connect|set|add|open|get)/.test(said)
    ? 'busless'
    : /Access denied|Permission denied|not authorized|Rejected send message/i.test(said)
      ? 'denied'
      : /timed out|did not receive a reply|no reply within/i.test(said)
        ? 'silent'
        : 'refused';
  return { kind, said: said.replace(/^Call failed: /, '') };
}

/** The sentence for a fault, and what to do about it. */
function faultText(
  { kind, said }: Fault,
  { method }: Pick<Call, 'method'>,
  address?: string,
): Obstacle & { readonly hint: string } {
  switch (kind) {
    case 'busless': {
      return {
        message: `The D-Bus on which NFS-Ganesha would be cannot be reached (${address ?? 'the system bus'}): ${said}`,
        hint: 'Start dbus, or correct ganesha_bus in [lock_manager].',
      };
    }
    case 'absent': {
      return {
        message: `NFS-Ganesha is not on the D-Bus: nobody has the name ${service}`,
        hint: 'Start it (systemctl start nfs-ganesha).',
      };
    }
    case 'lost': {
      return {
        message: `NFS-Ganesha runs (pid ${said}), and nobody has the name ${service} on the D-Bus, as where it was started before the bus, or is on another one: it has to be ended, and started anew`,
        hint: `All its locks end with it, and nobody else can be told of that first. End it (kill -s KILL ${said}; systemctl stop waits for minutes); run the same command again if it is a release; start it, and run takeover for each address that stays: their clients are notified, and reclaim.`,
      };
    }
    case 'denied': {
      return {
        message: `D-Bus does not let this user ask NFS-Ganesha for ${method}: ${said}`,
        hint: `Run as root. Root is let in by a policy in /etc/dbus-1/system.d that names ${service}, as the package of NFS-Ganesha brings it.`,
      };
    }
    case 'silent': {
      return {
        message: `NFS-Ganesha has not answered ${method} over D-Bus in time: it, or the bus, is stopped or hangs`,
        hint: 'See its state ("systemctl status nfs-ganesha"; kill -CONT where it is stopped) and its log. Then run the same command again.',
      };
    }
    case 'refused': {
      return {
        message: `NFS-Ganesha has refused ${method}: ${said}`,
        hint: 'Its log says more. Remove the cause, then run the same command again.',
      };
    }
  }
}

/** The sentence for a fault, as a clause of another one. */
export function faultClause(fault: Fault, call: Pick<Call, 'method'>, address?: string): string {
  return faultText(fault, call, address).message.replace(/^The /, 'the ');
}

/** As ask, for an answer that there must be. Throws FailoverError COMMAND_FAILED with the sentence of the fault. */
export async function demand(bus: Bus, call: Call, patient = false): Promise<readonly unknown[]> {
  const answer = await ask(bus, call, patient);
  if ('data' in answer) return answer.data;
  throw faultError(answer.fault, call, bus.address);
}

/** The error COMMAND_FAILED of a fault. */
export function faultError(fault: Fault, call: Call, address: string | undefined): FailoverError {
  const { message, hint } = faultText(fault, call, address);
  return new FailoverError(message, {
    code: 'COMMAND_FAILED',
    exitCode: exitCodes.stepFailed,
    operation: commandText(callArgv(address, call)),
    hint,
  });
}
