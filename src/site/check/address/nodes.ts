import { differingKeys, losesClients, sharedKeys } from '../../../failover/access/shared-keys.js';
import type { NotedConfiguration } from '../../../record/record.js';
import { type AddressSite, type Check, failure, type Finding, ok, orElse, warning } from '../check.js';

/** That the other nodes are configured alike: each notes its configuration in the record when an operation begins. */
export const nodesCheck: Check<AddressSite> = {
  name: 'nodes',
  text: "the other nodes' configuration of the address, as each noted it in the record at its last takeover or release: a difference is named by its key. Interface, devices and timeouts may differ. Only where the record can be read: of a state volume, on the node that has it",
  look: async ({ reader: { config }, ip, standing }) => {
    const { record, unreachable } = standing;
    if (record === undefined) return [ok(`not compared: ${unreachable ?? standing.because}`)];
    const others = record.configurations.filter(({ node }) => node !== config.node);
    if (others.length === 0) return [ok('no other node has had the address yet')];
    const own = sharedKeys(config, ip);
    return orElse(
      others.flatMap((other) => differences(own, other)),
      `configured as on ${others.map(({ node }) => node).join(', ')}`,
    );
  },
};

function differences(
  own: Readonly<Record<string, string>>,
  { node, at, keys }: NotedConfiguration,
): Finding[] {
  const all = differingKeys(own, keys);
  const hint = `Make the files alike. Where they are already, ${node} notes it at its next takeover or release.`;
  const said = (found: typeof failure, some: readonly string[]): Finding[] =>
    some.length === 0
      ? []
      : [
          found(
            `the configuration of ${node}, as of ${new Date(at).toISOString()}, differs in ${some.map((key) => `"${key}"`).join(', ')}`,
            hint,
          ),
        ];
  return [
    ...said(failure, all.filter(losesClients)),
    ...said(
      warning,
      all.filter((key) => !losesClients(key)),
    ),
  ];
}
