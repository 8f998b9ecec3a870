import { closedChains, type Service } from '../../../host/settings/firewall.js';
import { readNfsConf } from '../../../host/settings/nfs-conf.js';
import { isInstalled } from '../../../host/running/command.js';
import { type AddressSite, type Check, type Finding, isFromNode, ok, orElse, warning } from '../check.js';

/** That a firewall of this node lets clients in: after a failover they come to it for the first time. */
export const portsCheck: Check<AddressSite> = {
  name: 'ports',
  text: 'nftables: where a chain drops what it does not know, that rpcbind, nfsd, mountd, lockd and statd have fixed ports (nfs.conf(5), or the file of the server), and a rule lets each in. An instance has no firewall of its own',
  look: async (site) => {
    const { ip, reader } = site;
    if (!isFromNode(site))
      return [ok("its instance has a network of its own, which the node's firewall does not see")];
    const chains = await closedChains(reader.host, ip.family);
    if (chains === undefined)
      return [
        reader.host.kind === 'real' && isInstalled('iptables')
          ? warning(
              'the firewall was not looked at: there is no nft here',
              'Install nftables, which shows the rules of iptables-nft too; see by hand what lets in ports 111, 2049 and those of mountd, lockd and statd.',
            )
          : ok('no nftables here'),
      ];
    if (chains.length === 0) return [ok('no chain drops what it does not know')];
    const services = servicesOf(site);
    return orElse(
      chains.flatMap((chain) =>
        services.flatMap(({ port, ...service }): Finding[] => {
          const { name, protocol, key } = service;
          if (port === undefined)
            return [
              warning(
                `the chain "${chain.name}" drops what it does not know, and ${name} has no fixed port that it could let in`,
                `Write ${key}, on every node, and let that port in.`,
              ),
            ];
          return chain.letsIn({ name, protocol, port }, ip.interface)
            ? []
            : [
                warning(
                  `the chain "${chain.name}" drops what it does not know, and no rule lets in ${name}, ${protocol} port ${port}`,
                  `Let it in at ${ip.interface}; see "nft list ruleset".`,
                ),
              ];
        }),
      ),
      `${chains.map(({ name }) => name).join(', ')} let in ${services.map(({ name, port }) => `${name} (${port ?? '?'})`).join(', ')}`,
    );
  },
};

/** What an NFSv3 client that locks comes to, and where its port is set. */
type Wanted = Omit<Service, 'port'> & { readonly port: number | undefined; readonly key: string };

function servicesOf({ module, reader: { host, config } }: AddressSite): Wanted[] {
  const own = module.ports?.({ host, config });
  const conf = readNfsConf(host);
  const port = (text: string | undefined): number | undefined => {
    const number = Number.parseInt(text ?? '0', 10);
    return number > 0 ? number : undefined;
  };
  const kernels = {
    nfsd: { port: port(conf.get('nfsd', 'port')) ?? 2049, key: '' },
    mountd: { port: port(conf.get('mountd', 'port')), key: 'port under [mountd]' },
    lockd: {
      // fs/lockd/svc.c, nlm_tcpport; nfs-utils sets it from nfs.conf (modprobe and sysctl of nfs-utils, systemd/50-nfs.conf).
      port: port(conf.get('lockd', 'port')) ?? port(host.readText('/proc/sys/fs/nfs/nlm_tcpport')),
      key: 'port and udp-port under [lockd]',
    },
  };
  return [
    { name: 'rpcbind', protocol: 'tcp', port: 111, key: '' },
    ...(['nfsd', 'mountd', 'lockd'] as const).map((name): Wanted => {
      const { port: number, key } = own?.[name] ?? kernels[name];
      const file = own?.file ?? 'nfs.conf';
      return { name, protocol: 'tcp', port: number, key: `${key} into ${file}` };
    }),
    {
      name: 'statd',
      protocol: 'udp',
      port: port(conf.get('statd', 'port')),
      key: 'port under [statd] into nfs.conf',
    },
  ];
}
