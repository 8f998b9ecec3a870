// What can be known of the machine before anything is done: each look answers with what stands in the way, and leaves no trace.
import { isIP } from 'node:net';
import * as v from 'valibot';
import type { Obstacle } from '../action.js';
import type { Host } from '../host.js';

/** As much of `ip -j link show` as is read here (ip-link(8)); flags as netdevice(7) names them. */
const linkSchema = v.array(
  v.object({ ifname: v.optional(v.string()), flags: v.optional(v.array(v.string())) }),
);

/**
 * What is wrong with a network interface that an address is to go on: it is not there, or down. `family` 6: of an address that is to be
 * its own, whether it takes any of IPv6.
 */
export async function lookAtLink(host: Host, device: string, family?: 4 | 6): Promise<Obstacle[]> {
  const { exitCode, stdout, stderr } = await host.run(['ip', '-j', 'link', 'show', 'dev', device]);
  if (exitCode !== 0)
    return [
      {
        message: `There is no network interface ${device}: ${stderr.trim()}`,
        hint: 'Correct "interface" in the configuration; "ip -br link" lists what there is.',
      },
    ];
  const [link] = v.parse(linkSchema, JSON.parse(stdout));
  if (link?.flags === undefined || link.flags.includes('UP'))
    return family === 6 ? lookForIpv6(host, device) : [];
  return [
    {
      message: `The network interface ${device} is down`,
      hint: `Run "ip link set ${device} up", and see why it was down.`,
    },
  ];
}

/** ip-sysctl.rst: disable_ipv6. There is no such file where the kernel has no IPv6, or the MTU is below that of IPv6 (net/ipv6/addrconf.c). */
function lookForIpv6(host: Host, device: string): Obstacle[] {
  const file = `/proc/sys/net/ipv6/conf/${device}/disable_ipv6`;
  const value = host.readText(file)?.trim();
  if (value === undefined ? host.kind === 'rehearsal' : value === '0') return [];
  return [
    value === undefined
      ? {
          message: `The network interface ${device} takes no IPv6 address: this kernel has no IPv6 on it`,
          hint: `See "ip -6 address show dev ${device}", ipv6.disable in /proc/cmdline, and that its MTU is 1280 at the least.`,
        }
      : {
          message: `The network interface ${device} takes no IPv6 address: ${file} is ${value}`,
          hint: `Run "echo 0 > ${file}", and see who sets it: sysctl.d(5).`,
        },
  ];
}

/** Whether a network interface that is up has no link to anything; undefined where it has, or is not there. */
export async function lookAtCarrier(host: Host, device: string): Promise<Obstacle | undefined> {
  const { exitCode, stdout } = await host.run(['ip', '-j', 'link', 'show', 'dev', device]);
  const [link] = exitCode === 0 ? v.parse(linkSchema, JSON.parse(stdout)) : [];
  if (link?.flags?.includes('NO-CARRIER') !== true) return undefined;
  return {
    message: `The network interface ${device} is up, and has no carrier: nobody reaches an address on it`,
    hint: `See its cable, and the switch or bridge at the other end: "ip link show ${device}".`,
  };
}

/** A host name that the name service does not know: exportfs leaves that client out, and serves everybody else. */
export async function lookAtClients(host: Host, clients: string): Promise<Obstacle[]> {
  // exports(5): a pattern, a network, a netgroup, an address are not looked up.
  if (host.kind === 'rehearsal' || !/^[a-z0-9_.-]+$/i.test(clients) || isIP(clients) !== 0) return [];
  // 2: not found (getent(1)). Whether it answers at all is not this client's trouble.
  const { exitCode } = await host.run(['getent', 'ahosts', clients], { short: true });
  return exitCode === 2
    ? [
        {
          message: `The client ${clients} cannot be resolved, so that nothing is exported to it`,
          hint: 'See "getent ahosts", /etc/hosts and DNS.',
          isNote: true,
        },
      ]
    : [];
}
