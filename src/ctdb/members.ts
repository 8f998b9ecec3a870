import { canonicalAddress } from '../config/address.js';
import { exitCodes, FailoverError, messageOf } from '../errors.js';
import { failed } from '../host/action.js';
import type { Host } from '../host/host.js';
import type { Pnn } from './note.js';

/** What CTDB says of the cluster. */
export interface Members {
  /** This node's number. */
  readonly self: Pnn;
  /** The others that are connected, also those that are banned, stopped, disabled or unhealthy: their lock managers run. */
  readonly connected: ReadonlySet<Pnn>;
}

/** Machine-readable, and no answer is waited for longer than that (ctdb(1)). */
const command = ['ctdb', '-X', '-t', '5', 'status'] as const;

/** Asks this node's ctdbd. Throws FailoverError COMMAND_FAILED, COMMAND_MISSING, COMMAND_TIMEOUT, NOT_VERIFIED. */
export async function askMembers(host: Host): Promise<Members> {
  const result = await host.run(command, { short: true });
  if (result.exitCode !== 0)
    throw failed(command, result, 'See that ctdbd runs on this node: "ctdb status".');
  const members = membersIn(result.stdout);
  if (members === undefined)
    throw new FailoverError(`"${command.join(' ')}" does not say which node this is`, {
      code: 'NOT_VERIFIED',
      exitCode: exitCodes.stepFailed,
      operation: command.join(' '),
      hint: 'See "ctdb status".',
    });
  return members;
}

const ipCommand = ['ctdb', '-X', '-t', '5', 'ip'] as const;

export interface Holder {
  /** CTDB has answered. */
  readonly isAnswer: boolean;
  readonly isSelf: boolean;
  /** As a clause. */
  readonly said: string;
}

/** Which node has a public address, as CTDB on this node says. */
export async function askHolder(host: Host, address: string): Promise<Holder> {
  try {
    const { self } = await askMembers(host);
    const result = await host.run(ipCommand, { short: true });
    if (result.exitCode !== 0)
      throw failed(ipCommand, result, 'See that ctdbd runs on this node: "ctdb status".');
    const holder = holderIn(result.stdout, address);
    const isSelf = holder === self;
    return {
      isAnswer: true,
      isSelf,
      said: isSelf
        ? 'CTDB has it here'
        : `CTDB has it on ${holder === undefined ? 'no node' : `node ${holder}`}`,
    };
  } catch (error) {
    if (!(error instanceof FailoverError)) throw error;
    return { isAnswer: false, isSelf: false, said: `CTDB does not answer: ${messageOf(error)}` };
  }
}

/** Prints its number, or a word where there is none (ctdb(1), leader). */
const leaderCommand = ['ctdb', '-t', '5', 'leader'] as const;

/**
 * Whether this node's ctdbd knows a leader, which is the one that has the cluster lock: on one side of a partition. Also true where CTDB has no such command,
 * before 4.16.
 */
export async function hasLeader(host: Host): Promise<boolean> {
  const { exitCode, stdout } = await host.run(leaderCommand, { short: true });
  return exitCode !== 0 || /^\d+$/.test(stdout.trim());
}

/** Of `ctdb -X ip`: as `ctdb -X status`; -1 where no node has it. */
export function holderIn(text: string, address: string): Pnn | undefined {
  const { field, rows } = tableIn(text);
  const row = rows.find((one) => canonicalAddress(field(one, 'Public IP') ?? '') === address);
  const node = row === undefined ? '' : (field(row, 'Node') ?? '');
  return /^\d{1,6}$/.test(node) ? Number(node) : undefined;
}

/**
 * Of `ctdb -X status`: a line of names and one for each node, with "|" before, between and behind the fields (ctdb(1), -X). Fields came and went
 * between versions, so that they are found by their names. Undefined where it does not say which node this is.
 */
export function membersIn(text: string): Members | undefined {
  const { field, rows } = tableIn(text);
  const nodes = rows.filter((row) => /^\d{1,6}$/.test(field(row, 'Node') ?? ''));
  const numberOf = (row: readonly string[]) => Number(field(row, 'Node'));
  const own = nodes.find((row) => field(row, 'ThisNode') === 'Y');
  if (own === undefined) return undefined;
  return {
    self: numberOf(own),
    connected: new Set(
      nodes.filter((row) => row !== own && field(row, 'Disconnected') === '0').map(numberOf),
    ),
  };
}

function tableIn(text: string) {
  const [names = [], ...rows] = text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.split('|').slice(1, -1));
  return { rows, field: (row: readonly string[], name: string) => row[names.indexOf(name)] };
}
