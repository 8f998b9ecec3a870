import { type Action, commandText, type HostContext, notSo, runOrFail } from '../action.js';
import { duplicateCheckOf, findAddress, type LocalAddress, localAddresses } from '../reading/addresses.js';
import type { Argv, Host } from '../host.js';
import { lookAtLink } from './looks.js';
import { waitUntil } from '../running/wait.js';

export interface AddressOnInterface {
  readonly address: string;
  readonly family: 4 | 6;
  readonly prefix: number;
  readonly interface: string;
}

/** the floating IP leaves this host, whichever interface it is on, and each where it is on several, or with several prefix lengths. */
export function addressDown(ip: AddressOnInterface): Action<HostContext> {
  const command = (on: string, prefix: number): Argv => [
    'ip',
    'address',
    'del',
    `${ip.address}/${prefix}`,
    'dev',
    on,
  ];
  return {
    commands: [
      ...(ip.family === 4
        ? [
            `echo 1 > ${promoteFile(ip.interface)}   # only where other addresses of its network would go with it`,
          ]
        : []),
      commandText(command(ip.interface, ip.prefix)),
    ],
    byHand: [
      ...(ip.family === 4
        ? [`echo 1 > ${promoteFile(ip.interface)}   # other addresses of its network stay`]
        : []),
      commandText(command(ip.interface, ip.prefix)),
    ],
    check: async ({ host }) => (await findAddress(host, ip.address)) === undefined,
    act: async ({ host }) => {
      const remarks: string[] = [];
      const done = new Set<string>();
      for (;;) {
        const all = await localAddresses(host);
        const here = all.find((local) => local.address === ip.address);
        // What is still there after it was deleted, verify says.
        if (here === undefined || done.has(`${here.interface} ${here.prefix}`)) break;
        const kept = ip.family === 4 ? await keepSecondaries(host, here, all) : undefined;
        if (kept !== undefined) remarks.push(kept);
        await runOrFail(host, command(here.interface, here.prefix));
        if (all.filter((local) => local.address === ip.address).length === 1) break;
        done.add(`${here.interface} ${here.prefix}`);
      }
      return remarks.length === 0 ? undefined : remarks.join('; ');
    },
    verify: async ({ host }) => {
      const left = await findAddress(host, ip.address);
      if (left !== undefined) {
        throw notSo('A-1', `${ip.address} is still on ${left.interface} of this host after "ip address del"`);
      }
    },
  };
}

/**
 * Deleting an interface's primary IPv4 address deletes its secondaries too, other floating IPs
 * among them, unless promote_secondaries is set (Linux Documentation/networking/ip-sysctl.rst).
 */
async function keepSecondaries(
  host: Host,
  going: LocalAddress,
  all: readonly LocalAddress[],
): Promise<string | undefined> {
  const others = all.filter((local) => local.interface === going.interface && local.secondary);
  if (going.secondary || others.length === 0) return undefined;
  const file = promoteFile(going.interface);
  if (host.readText(file)?.trim() !== '0') return undefined;
  await host.writeKernel(file, '1\n');
  return `set promote_secondaries on ${going.interface}, so that ${others.map((other) => other.address).join(', ')} stay`;
}

function promoteFile(device: string): string {
  return `/proc/sys/net/ipv4/conf/${device}/promote_secondaries`;
}

/** B-4: the floating IP comes up on the interface of the configuration. */
export function addressUp(ip: AddressOnInterface): Action<HostContext> {
  const on = [`${ip.address}/${ip.prefix}`, 'dev', ip.interface] as const;
  const command: Argv = ['ip', 'address', 'add', ...on];
  const takeBack: Argv = ['ip', 'address', 'del', ...on];
  const check = async ({ host }: HostContext): Promise<boolean> => {
    const here = await findAddress(host, ip.address);
    if (here !== undefined && here.interface !== ip.interface) {
      throw notSo(
        'B-4',
        `${ip.address} is up on ${here.interface}, and the configuration says ${ip.interface}`,
        `Take it off ${here.interface} with "ip address del ${ip.address}/${here.prefix} dev ${here.interface}", or correct "interface".`,
      );
    }
    if (here !== undefined && here.prefix !== ip.prefix) {
      throw notSo(
        'B-4',
        `${ip.address} is up with prefix length ${here.prefix}, and the configuration says ${ip.prefix}`,
        `Take it off with "ip address del ${ip.address}/${here.prefix} dev ${here.interface}", or correct "address".`,
      );
    }
    return here !== undefined;
  };
  return {
    commands: [
      commandText(command),
      ...(ip.family === 6 ? [`${commandText(takeBack)}   # only where another host has it already`] : []),
    ],
    byHand: [
      ip.family === 6
        ? `${commandText(command)}   # "dadfailed" in "ip address show": another host has it; take it off again`
        : commandText(command),
    ],
    programs: ['ip'],
    look: async (context) =>
      (await check(context)) ? [] : lookAtLink(context.host, ip.interface, ip.family),
    check,
    act: async ({ host }) => {
      await runOrFail(host, command, `See with "ip link show ${ip.interface}" that the interface exists.`);
      if (ip.family === 4) return undefined;
      // Up to 2 s: without it ("nodad") the kernel does not advertise the address either.
      await waitUntil(
        host,
        `the duplicate address detection of ${ip.address}`,
        async () =>
          (duplicateCheckOf(host, ip.address) ?? (await findAddress(host, ip.address))?.duplicateCheck) !==
          'running',
        { intervalMs: 100 },
      );
      return undefined;
    },
    verify: async ({ host }) => {
      const here = await findAddress(host, ip.address);
      if (here?.interface !== ip.interface) {
        throw notSo('B-4', `${ip.address} is not on ${ip.interface} after "ip address add"`);
      }
      if (here.duplicateCheck === 'failed') {
        await host.run(takeBack);
        throw notSo(
          'B-4',
          `Another host on ${ip.interface} has ${ip.address} too (IPv6 duplicate address detection): this node has given it up`,
          `Run "nlm-failover release ${ip.address}" on the node that has it, or fence that node. Then run the same command again.`,
        );
      }
    },
  };
}
