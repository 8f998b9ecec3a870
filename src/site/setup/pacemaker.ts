import path from 'node:path';
import type { SetupItem } from './item.js';
import { linkMade } from './links.js';
import type { Installation } from './units.js';
import type { SetupPlace } from './written-file.js';

/** Where Pacemaker, and whoever else runs OCF agents, looks for those of a provider, which the name of the directory is (OCF 1.0, 3.3). */
export const agentsLink = '/usr/lib/ocf/resource.d/nlm-failover';

/** --pacemaker: the agents of this installation are where a cluster manager finds them. */
export function agentsLinked(place: SetupPlace, { callouts }: Pick<Installation, 'callouts'>): SetupItem {
  return linkMade(place, { name: 'ocf agents', link: agentsLink, target: path.join(callouts, 'ocf') });
}
