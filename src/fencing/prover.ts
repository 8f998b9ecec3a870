import { exitCodes, FailoverError } from '../errors.js';

/** A node that has an address and has not released it, as the record names it. */
export interface Suspect {
  readonly address: string;
  /** Its name in the record, which is `node` of its configuration. */
  readonly node: string;
  /** In which it has the address. */
  readonly epoch: number;
  /** The last that the record knows to have been done, before or in that epoch; ms since 1970, by the clock of whoever did it. */
  readonly lastWrite: number;
  /** It must be down at this moment: that it was, and has come back since, is not enough. */
  readonly mustBeDown?: true;
}

/** Who can prove that a node is down since it last touched its address, or make it so. Says nothing of any other node. */
export interface Prover {
  /** For people: "pacemaker", "command". */
  readonly name: string;
  /** It only finds out whether a node is down, and ends none. */
  readonly onlyLooks?: boolean;
  /** What it asks or does about a node, as --dry-run has it. */
  asks(node: string): readonly string[];
  /**
   * Under the deadline it is run under. Returns what was proved, as a clause: "A was fenced (reboot) by B, 2026-11-27T14:48:15.000Z".
   * Throws FailoverError NOT_FENCED (exit code 4) where it is not proved; COMMAND_MISSING, COMMAND_TIMEOUT.
   */
  prove(suspect: Suspect, signal: AbortSignal): Promise<string>;
}

/** NOT_FENCED. `because`: a clause. */
export function notFenced(
  { address, node, epoch }: Pick<Suspect, 'address' | 'node' | 'epoch'>,
  because: string,
  hint: string,
): FailoverError {
  return unproved(
    address,
    `node ${node} owns ${address} (epoch ${epoch}) and has not released it, and that it is down is not proved: ${because}`,
    hint,
  );
}

/** The same where it is not known who has the address. */
export function unproved(address: string, message: string, hint: string): FailoverError {
  return new FailoverError(message, {
    code: 'NOT_FENCED',
    exitCode: exitCodes.notOwner,
    operation: `proving that no other node has ${address}`,
    hint,
  });
}

/** What remains where nobody can prove it. */
export function orByWord(address: string): string {
  return `Run "nlm-failover release ${address}" there; or, if it is dead for certain, add --fenced here.`;
}
