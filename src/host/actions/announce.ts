import { messageOf } from '../../errors.js';
import { type Action, commandText, type HostContext } from '../action.js';
import { isMissing } from '../running/command.js';
import type { Argv, Host } from '../host.js';
import type { AddressOnInterface } from './address.js';

/**
 * B-4: neighbours learn the new link-layer address. Without it a client was seen to talk to the
 * old node for 36 s, longer than a short grace. It is best effort by nature, so it never fails the
 * step; what could not be done is said.
 */
export function announce(ip: AddressOnInterface): Action<HostContext> {
  return ip.family === 4 ? gratuitousArp(ip) : unsolicitedAdvertisement(ip);
}

/**
 * An ARP announcement: a broadcast request from and for the address itself (RFC 5227 section 2.3).
 * Two programs are called arping. Thomas Habets' counts nobody's answer as a failure (exit status 1),
 * and sends from the interface's first address unless -S says otherwise: seen with 2.23, neighbours then
 * keep the old link-layer address. iputils' knows the announcement as -U.
 */
function gratuitousArp({ address, interface: device }: AddressOnInterface): Action<HostContext> {
  const argvOf: Record<'habets' | 'iputils', Argv> = {
    habets: ['arping', '-U', '-S', address, '-c', '1', '-w', '0.1', '-i', device, address],
    iputils: ['arping', '-U', '-c', '1', '-I', device, address],
  };
  return {
    commands: [
      `${commandText(argvOf.iputils)}   # iputils-arping; with the package arping:`,
      commandText(argvOf.habets),
    ],
    byHand: [
      `${commandText(argvOf.iputils)} || ${commandText(argvOf.habets)}   # one program of that name or the other; what they answer says nothing`,
    ],
    repeats: true,
    check: () => false,
    act: async ({ host }) => {
      try {
        const result = await host.run(argvOf[await flavour(host)], { short: true });
        return result.exitCode > 1
          ? `neighbours not informed: arping said ${result.stderr.trim()}`
          : undefined;
      } catch (error) {
        if (!isMissing(error)) return `neighbours not informed: ${messageOf(error)}`;
        return 'neighbours not informed: no arping here (package arping or iputils-arping); clients may wait for their ARP cache';
      }
    },
    verify: () => undefined,
  };
}

/** Whose arping this host has. Throws COMMAND_MISSING. */
export async function flavour(host: Host): Promise<'habets' | 'iputils'> {
  const { stdout, stderr } = await host.run(['arping', '-h'], { short: true });
  return /\bHabets\b/.test(stdout + stderr) ? 'habets' : 'iputils';
}

/**
 * IPv6: the kernel itself sends an unsolicited neighbour advertisement for a new address where
 * ndisc_notify is set (net/ipv6/addrconf.c addrconf_dad_completed), so this comes before the address.
 */
function unsolicitedAdvertisement({ interface: device }: AddressOnInterface): Action<HostContext> {
  const file = `/proc/sys/net/ipv6/conf/${device}/ndisc_notify`;
  return {
    commands: [`echo 1 > ${file}   # the kernel then advertises the new address itself`],
    check: ({ host }) => host.readText(file)?.trim() === '1',
    act: async ({ host }) => {
      if (host.readText(file) === undefined) return 'neighbours not informed: no ndisc_notify in this kernel';
      await host.writeKernel(file, '1\n');
      return undefined;
    },
    verify: () => undefined,
  };
}
