import { findFloatingIp } from '../config/floating-ip.js';
import { parseConfig } from '../config/parse-config.js';
import { drivers } from '../lockmanager/drivers.js';
import { exampleFile } from './config-page.js';
import type { ManSection } from './man-page.js';
import { byHandSections } from './sections/recovery-by-hand.js';
import { recoveryTrees } from './sections/recovery-trees.js';
import { recoveryCtdb } from './sections/shared/recovery-ctdb.js';

/**
 * What nlm-failover-recovery(7) says: what to look at and to type in the middle of the night. Every line of its examples is run by a test, which
 * takes it from the page (test/lab/recovery.test.ts).
 */
export function recoverySections(): ManSection[] {
  const config = parseConfig(exampleFile, { file: 'example', hostname: 'nfs-b', drivers });
  const ip = findFloatingIp(config, '10.10.1.1');
  return [
    {
      title: 'DESCRIPTION',
      blocks: [
        {
          text:
            'For 3 a.m. The first half has four questions, each with the commands that answer it, and what follows from the answer. The second half has every step of a failover, typed by hand, for the case that nlm-failover(8) is not to be had or does not work. ' +
            'All lines are those of the first address of the example in nlm-failover.toml(5), 10.10.1.1, on the nodes nfs-a and nfs-b: put your own words in their places. Where CTDB moves the addresses see WHERE CTDB MOVES THE ADDRESSES; for addresses of what every node exports with NFS-Ganesha see BY HAND WITH SHARED FILE SYSTEMS, too. `nlm-failover takeover --dry-run ADDRESS` prints most of them for your site, as long as it runs.\n\n' +
            'Two rules. A file system that is mounted on two nodes at once is destroyed, unless it is a cluster file system: never mount by hand before the second question is answered. And a node that does not answer is not a dead node.',
        },
      ],
    },
    ...recoveryTrees(),
    recoveryCtdb,
    ...byHandSections(ip),
    {
      title: 'SEE ALSO',
      blocks: [
        {
          text: 'nlm-failover(8), nlm-failover.toml(5), sm-notify(8), exportfs(8), e2mmpstatus(8), ctdb(1), crm_mon(8), proc_locks(5), sqlite3(1)',
        },
      ],
    },
  ];
}
