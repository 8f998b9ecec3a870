import * as v from 'valibot';
import { type Action, type HostContext, runOrFail } from '../../host/action.js';
import type { Argv, Host } from '../../host/host.js';
import { ipJson } from '../../host/reading/ip-json.js';
import { instanceInterface, instancePrefix } from './place.js';

const routesSchema = v.array(v.object({ gateway: v.optional(v.string()), dev: v.optional(v.string()) }));

/** B-4: clients beyond the subnet are reached as the host reaches them, through its default gateway on this interface. */
export function copyDefaultRoute({
  address,
  parent,
}: {
  readonly address: string;
  readonly parent: string;
}): Action<HostContext> {
  const family = address.includes(':') ? '-6' : '-4';
  const prefix = instancePrefix(address);
  const show: Argv = ['ip', '-j', family, 'route', 'show', 'default'];
  const inside = (argv: readonly string[]): Argv => [...prefix, ...argv];
  return {
    commands: [
      `${inside(['ip', family, 'route', 'replace', 'default', 'via', 'GATEWAY', 'dev', instanceInterface]).join(' ')}   # where the host has one on ${parent}`,
    ],
    byHand: [
      `ip ${family} route show default dev ${parent} | while read -r _ _ gateway _; do ${inside(['ip', family, 'route', 'replace', 'default', 'via']).join(' ')} "$gateway" dev ${instanceInterface}; done`,
    ],
    check: async ({ host }) => {
      const gateway = await gatewayOn(host, show, parent);
      return gateway === undefined || (await gatewayOn(host, inside(show), instanceInterface)) === gateway;
    },
    act: async ({ host }) => {
      const gateway = await gatewayOn(host, show, parent);
      if (gateway === undefined) return undefined;
      await runOrFail(
        host,
        inside(['ip', family, 'route', 'replace', 'default', 'via', gateway, 'dev', instanceInterface]),
      );
      return undefined;
    },
    verify: () => undefined,
  };
}

async function gatewayOn(host: Host, show: Argv, device: string): Promise<string | undefined> {
  const routes = await ipJson(host, show, routesSchema);
  return routes.find((route) => route.dev === device)?.gateway;
}
