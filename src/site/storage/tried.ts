import type { Config, FloatingIp } from '../../config/config.js';
import type { Host } from '../../host/host.js';
import { isOfManyNodes, mountedAs } from '../../record/trial/mounted-as.js';
import { holdsFor, lastVerdict } from '../../record/trial/trial.js';
import { failure, type Finding, warning } from '../check/check.js';
import { adviceFor } from './advice.js';

/**
 * What trials have shown of the storage that an address's record lies on, and that every node sees. A verdict is one of how it was mounted
 * then. What only one node can have mounted at a time need not be tried. Throws RECORD_UNSAFE.
 */
export function ofTrials(
  host: Host,
  { node }: Config,
  { address, stateDirectory }: FloatingIp,
): readonly Finding[] {
  const mount = mountedAs(host, stateDirectory);
  const verdict = lastVerdict(host.path(stateDirectory), node);
  const toDo = `Run "nlm-failover try-storage ${address}" on two nodes at about the same time.`;
  if (verdict !== undefined && holdsFor(verdict, mount)) {
    const { other, at, why, kept } = verdict;
    if (kept) return [];
    const message = `${stateDirectory} lost what ${node} and ${other} wrote at once (tried at ${at}): ${why.join('; ')}`;
    return [failure(message, adviceFor(mount))];
  }
  if (mount === undefined || !isOfManyNodes(mount)) return [];
  const what = `whether ${stateDirectory} (${mount.type}) keeps what two nodes write at once`;
  return [
    verdict === undefined
      ? warning(`${what} was never tried on this node`, toDo)
      : warning(`${what} was tried at ${verdict.at}, and it is mounted otherwise now`, toDo),
  ];
}
