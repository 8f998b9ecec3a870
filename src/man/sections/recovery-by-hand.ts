import type { FloatingIp } from '../../config/config.js';
import { planRelease, planTakeover } from '../../failover/plan.js';
import { planByHand } from '../../failover/steps/by-hand.js';
import { exampleDrivers } from '../../lockmanager/drivers.js';
import type { LockManager } from '../../lockmanager/port.js';
import type { ManBlock, ManSection } from '../man-page.js';

/** A release and a takeover by hand with each driver, of the plans that the program itself runs. */
export function byHandSections(ip: FloatingIp): ManSection[] {
  return [
    {
      title: 'BY HAND',
      blocks: [
        {
          text:
            'All lines of a step, one after another, in a shell of root; each looks as it must, or stop and think. A comment says what is meant. `dumpe2fs` is to print nothing. Which driver serves an address is seen: a network namespace nfs-10.10.1.1 ("ip netns list") is `lockd-netns`; /proc/fs/nfsd/nlm_unlock is `nlm-fsid`; a process ganesha.nfsd that has port 2049 ("ss -tlnp") is `ganesha`; else it is `lockd`. ' +
            'The two halves need not be of one driver.\n\n' +
            'After a crash there is no release: see IS THE OTHER NODE DEAD, then begin with the takeover. Only a few lines need sqlite3 or perl. Where even the record cannot be read, write whom you know into the list of clients of B-3, a name or an address a line: notified in vain is harmless.\n\n' +
            `Where nlm-failover works again on the node that serves, \`nlm-failover adopt ${ip.address}\` takes the address under control: nobody waits. Until then nobody is recorded: do not move the address meanwhile.\n\n` +
            'Where it works still, but not its B-3: `nlm-failover sm-directory` writes the directory of the first lines of B-3. With nobody in it do not run sm-notify, which would end the grace.',
        },
        { example: `nlm-failover sm-directory ${ip.address} ${ip.stateDirectory}/notify` },
      ],
    },
    ...exampleDrivers(ip).map((driver) => ({
      title: `BY HAND WITH ${driver.name.toUpperCase()}`,
      blocks: driverBlocks(ip, driver),
    })),
  ];
}

function driverBlocks(ip: FloatingIp, driver: LockManager): ManBlock[] {
  const plans = [planRelease(ip, driver), planTakeover(ip, driver, { node: 'nfs-b', order: 'safe' })];
  return plans.flatMap((plan) => [
    { heading: `${plan.kind} ${plan.address} with ${driver.name}` },
    { example: planByHand(plan, driver).join('\n') },
  ]);
}
