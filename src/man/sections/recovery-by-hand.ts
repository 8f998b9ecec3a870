import type { FloatingIp } from '../../config/config.js';
import { findFloatingIp } from '../../config/floating-ip.js';
import { parseConfig } from '../../config/parse-config.js';
import { planRelease, planTakeover } from '../../failover/plan.js';
import { planByHand } from '../../failover/steps/by-hand.js';
import type { Plan } from '../../failover/steps/steps.js';
import { drivers, exampleDrivers } from '../../lockmanager/drivers.js';
import type { LockManager } from '../../lockmanager/port.js';
import type { ManBlock, ManSection } from '../man-page.js';
import { byHandCtdb } from './shared/recovery-ctdb.js';
import { sharedExample } from './shared/shared.js';

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
    byHandShared(),
    byHandCtdb(),
  ];
}

/** The first address of the example in SHARED FILE SYSTEMS. */
function byHandShared(): ManSection {
  const config = parseConfig(sharedExample, { file: 'example', hostname: 'b', drivers });
  const ip = findFloatingIp(config, '10.10.1.1');
  const [driver] = exampleDrivers(ip).filter(({ shared }) => shared !== undefined);
  if (driver === undefined) throw new Error('no driver serves shared file systems');
  const [release, takeover] = plansOf(ip, driver);
  const half = (plan: Plan): ManBlock[] => [
    { heading: `${plan.kind} ${plan.address} of what every node exports` },
    { example: planByHand(plan, driver).join('\n') },
  ];
  return {
    title: 'BY HAND WITH SHARED FILE SYSTEMS',
    blocks: [
      {
        text:
          'The first address of the example of SHARED FILE SYSTEMS in nlm-failover(8), on the nodes a and b. Under Pacemaker `crm_mon -1` and `nlm-failover ganesha-ha status` say which node has which address, and what failed there; "pcs stonith history show a" whether a was fenced, "pcs stonith fence a" fences it, and "pcs stonith confirm a" is your word that you have switched it off. Often that is all that it waits for; a start that failed is tried again after "pcs resource cleanup nfs-10.10.1.1". Before a line below is typed take the cluster off ("pcs property set maintenance-mode=true"; crmsh: "crm configure property maintenance-mode=true"), and give it back (false) when the address is served on one node alone, and `nlm-failover status` there is well.\n\n' +
          'No volume moves: of the questions above those about a state volume, e2mmpstatus and dumpe2fs fall away, the record can be read on every node, and nothing shows that a node is dead but who fenced it.\n\n' +
          'A lock can be had through any node. So `every node that is not dead is in grace` from before A-3 on, and from before B-2 on until B-3 is done and the clients have their locks again: type the lines for the other nodes there at the same time, and once more before Grace_Period of NFS-Ganesha has passed since. Where nlm-failover works on the other nodes, let `nlm-failover join-grace --watch` run there, and takeover here: it waits for them. A node that nobody can reach, and nobody can fence, may give away any lock meanwhile.\n\n' +
          'With GlusterFS the bricks keep the locks of a dead node until they notice (`gluster volume get gv server.tcp-user-timeout`; 42 s): wait for that after its death, before B-4, or reclaims are refused for good. After a release by hand locks of clients that lock over UDP stay, until that NFS-Ganesha ends.',
      },
      ...half(release),
      ...half(takeover),
    ],
  };
}

function plansOf(ip: FloatingIp, driver: LockManager): [Plan, Plan] {
  return [planRelease(ip, driver), planTakeover(ip, driver, { node: 'nfs-b', order: 'safe' })];
}

function driverBlocks(ip: FloatingIp, driver: LockManager): ManBlock[] {
  return plansOf(ip, driver).flatMap((plan) => [
    { heading: `${plan.kind} ${plan.address} with ${driver.name}` },
    { example: planByHand(plan, driver).join('\n') },
  ]);
}
