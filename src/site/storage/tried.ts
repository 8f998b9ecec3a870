import type { Config, FloatingIp } from '../../config/config.js';
import { trialOf } from '../../failover/access/trials.js';
import type { Host } from '../../host/host.js';
import { failure, type Finding, warning } from '../check/check.js';

/** What trials have shown of the storage that an address's record lies on: see trials.ts. Throws RECORD_UNSAFE. */
export function ofTrials(host: Host, config: Config, ip: FloatingIp): readonly Finding[] {
  const trial = trialOf(host, config, ip);
  if (trial === undefined) return [];
  const { state, message, hint } = trial;
  return [state === 'lost' ? failure(message, hint) : warning(message, hint)];
}
