import type { Config } from '../config/config.js';
import type { Host } from '../host/host.js';
import { commandProver } from './command.js';
import { pacemakerProver } from './pacemaker/pacemaker.js';
import type { Prover } from './prover.js';

/**
 * Who is asked: Pacemaker where it starts this, and then nobody else, as what it fences is its own to decide; else the command of the
 * configuration. Undefined: there is nobody to ask.
 */
export function chooseProver(
  host: Host,
  { node, fencing }: Pick<Config, 'node' | 'fencing'>,
  resource: string | undefined,
): Prover | undefined {
  if (resource !== undefined) return pacemakerProver(host, resource, node);
  return fencing.command === undefined ? undefined : commandProver(host, fencing.command);
}
