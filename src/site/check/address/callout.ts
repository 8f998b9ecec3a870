import { monitored, statdProcess } from '../../../host/reading/statd.js';
import { servingJournal } from '../../../rundir/serving.js';
import { type AddressSite, type Check, failure, isFromNode, ofObstacle, ok } from '../check.js';

/** The callout is really run as the user of rpc.statd, which then cannot fail for the first time in a failover. */
export const calloutCheck: Check<AddressSite> = {
  name: 'callout',
  text: 'rpcbind answers, and rpc.statd is not stopped; its callout, really run as the user of rpc.statd, with `check`: it writes nothing',
  look: async (site) => {
    const { reader, ip, context, standing } = site;
    const { host } = reader;
    // Before recording begins there is no journal that it could write to.
    const isLinked = standing.where === 'here' && servingJournal(context.run, ip.address) !== undefined;
    const fault = await context.driver.calloutFault(isLinked ? ip.address : undefined);
    if (fault !== undefined) return [ofObstacle(fault)];
    if (isFromNode(site) && (await reader.nlmRegistered()) === undefined)
      return [
        failure(
          'rpcbind of this node (127.0.0.1 port 111) does not answer: no client finds lockd or rpc.statd',
          'See with "rpcinfo -p" and "systemctl status rpcbind" that it runs.',
        ),
      ];
    if (host.kind === 'rehearsal') return [ok('a rehearsal has no rpc.statd')];
    const user = await statdUser(site);
    if (user !== undefined) return [ok(`${user.callout} runs as uid ${user.uid}`)];
    return [
      failure(
        'no rpc.statd runs here, so that no client is recorded',
        isFromNode(site)
          ? 'Start it: systemctl enable --now rpc-statd.'
          : 'Install the package nfs-common (nfs-utils), which makes the directory and the user of rpc.statd.',
      ),
    ];
  },
};

async function statdUser({
  module,
  reader,
  context,
}: AddressSite): Promise<{ readonly uid: number; readonly callout: string } | undefined> {
  const { host, callout } = reader;
  if (module.servesFrom === 'node') {
    const statd = statdProcess(host, '/proc/self/ns/net');
    return statd?.callout === undefined ? undefined : { uid: statd.uid, callout: statd.callout };
  }
  // Before an instance is there, as whom its rpc.statd will run: calloutFault has tried that.
  const statd = (await context.driver.monitored()) ?? monitored(host);
  return statd === undefined ? undefined : { uid: statd.uid, callout };
}
