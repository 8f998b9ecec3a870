import type { Config, FloatingIp } from '../../config/config.js';
import { FailoverError } from '../../errors.js';
import type { NodeReader } from '../../failover/access/with-record.js';
import type { FailoverContext } from '../../failover/context.js';
import type { Obstacle } from '../../host/action.js';
import type { DriverChoice } from '../../lockmanager/choose.js';
import type { DriverModule } from '../../lockmanager/module.js';
import type { Standing } from './standing.js';

export type Verdict = 'ok' | 'warning' | 'failure';

/** What one look found, as a sentence without its full stop. */
export interface Finding {
  readonly verdict: Verdict;
  readonly message: string;
  /** What to do about it, as one sentence. */
  readonly hint?: string | undefined;
}

/** A node, with its configuration as the file has it: where `config` names a device by its path, `written` may say UUID=. */
export interface CheckReader extends NodeReader {
  readonly written: Config;
}

/** An address, as the checks see it. */
export interface AddressSite {
  readonly reader: CheckReader;
  readonly ip: FloatingIp;
  /** The lock manager that a takeover now would use, or why it would use none. */
  readonly choice: DriverChoice | FailoverError;
  /** Of that one; where there is none, the last of the list. */
  readonly module: DriverModule;
  /** What the actions of a takeover look with. Nothing is done with it. */
  readonly context: FailoverContext;
  readonly standing: Standing;
}

/** The node, with the addresses that are looked at. */
export interface NodeSite {
  readonly reader: CheckReader;
  readonly addresses: readonly AddressSite[];
}

/** One thing that a failover needs. */
export interface Check<Site> {
  /** One word, for the line and for --json. */
  readonly name: string;
  /** What it looks at, in the manual; `text in backticks` becomes bold. */
  readonly text: string;
  /** Touches nothing. At least one finding; what it throws (FailoverError) is a failure. */
  look(site: Site): Promise<readonly Finding[]>;
}

export function ok(message: string): Finding {
  return { verdict: 'ok', message };
}

export function warning(message: string, hint?: string): Finding {
  return { verdict: 'warning', message, hint };
}

export function failure(message: string, hint?: string): Finding {
  return { verdict: 'failure', message, hint };
}

/** What stops a takeover is a failure; what is worth a look, a warning. */
export function ofObstacle({ message, hint, isNote }: Obstacle): Finding {
  return { verdict: isNote === true ? 'warning' : 'failure', message, hint };
}

/** `otherwise` where nothing was found. */
export function orElse(found: readonly Finding[], otherwise: string): readonly Finding[] {
  return found.length > 0 ? found : [ok(otherwise)];
}

/** An error that a person can read, as a failure. Any other is thrown. */
export function ofError(error: unknown): Finding {
  if (!(error instanceof FailoverError)) throw error;
  return failure(error.message, error.hint);
}

/** Whether the address would be served from the node itself. */
export function isFromNode({ module }: Pick<AddressSite, 'module'>): boolean {
  return module.servesFrom === 'node';
}
