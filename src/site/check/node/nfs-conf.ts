import { canonicalAddress } from '../../../config/address.js';
import { isYes, readNfsConf } from '../../../host/settings/nfs-conf.js';
import { type Check, failure, isFromNode, type NodeSite, ok } from '../check.js';

/** nfs.conf and its drop-ins, for the addresses that are served from the node itself. */
export const nfsConfCheck: Check<NodeSite> = {
  name: 'nfs.conf',
  text: '/etc/nfs.conf and its drop-ins, as nfs-utils reads them: `lift-grace=n`, version 3, and whether nfsd listens at the address. Instances have one of their own',
  look: async ({ reader: { host }, addresses }) => {
    const onNode = addresses.filter(isFromNode);
    if (onNode.length === 0) return [ok('every address has an instance, with an nfs.conf of its own')];
    const served = onNode.filter(({ module }) => module.ports === undefined);
    if (served.length === 0) return [ok('only rpc.statd goes by it, as the server has a file of its own')];
    const conf = readNfsConf(host);
    const listens = conf
      .get('nfsd', 'host')
      ?.split(',')
      .map((one) => canonicalAddress(one.trim()) ?? one.trim());
    const found = [
      // A stock sm-notify that has nobody to notify ends lockd's grace for all of the node (nfs-utils utils/statd/sm-notify.c).
      ...(isYes(conf.get('sm-notify', 'lift-grace')) === false
        ? []
        : [
            failure(
              'lift-grace in [sm-notify] is not "n": a stock sm-notify with nobody to notify ends the grace in which clients reclaim',
              'Run nlm-failover setup, which does it; or write lift-grace=n under [sm-notify] in /etc/nfs.conf.',
            ),
          ]),
      ...(isYes(conf.get('nfsd', 'vers3')) === false
        ? [
            failure(
              'vers3 in [nfsd] is "n": NFSv3 is not served',
              'Take that line out of nfs.conf, and restart the NFS server.',
            ),
          ]
        : []),
      ...served
        .filter(({ ip }) => listens !== undefined && !listens.includes(ip.address))
        .map(({ ip }) =>
          failure(
            `host in [nfsd] does not have ${ip.address}: nfsd does not listen there`,
            `Take "host" out of [nfsd] in nfs.conf, or add ${ip.address} to it.`,
          ),
        ),
    ];
    return found.length > 0 ? found : [ok(`${conf.files.join(', ') || 'no file'}: lift-grace=n`)];
  },
};
