// Which node an address comes home to, and where it goes else. Pure.

export interface Homes {
  readonly addresses: readonly string[];
  /** In the order of the configuration. */
  readonly nodes: readonly string[];
  /** The home that the cluster gives an address now; undefined: none. */
  readonly current: (address: string) => string | undefined;
}

/**
 * The home of each address: the first on the first node, and so on around. A home that the cluster has stays, so that no lock moves because
 * a node was added or taken away, unless its node has more than its share.
 */
export function homesOf({ addresses, nodes, current }: Homes): ReadonlyMap<string, string> {
  const share = Math.ceil(addresses.length / nodes.length);
  const homes = new Map<string, string>();
  const count = (node: string) => [...homes.values()].filter((home) => home === node).length;
  for (const address of addresses) {
    const home = current(address);
    if (home !== undefined && nodes.includes(home) && count(home) < share) homes.set(address, home);
  }
  for (const address of addresses) {
    if (homes.has(address)) continue;
    const least = nodes.toSorted((one, other) => count(one) - count(other))[0];
    if (least !== undefined) homes.set(address, least);
  }
  return homes;
}

/** Between a node and the next better one: beyond what keeps a resource where it is. */
const scoreStep = 1000;

/** The score of every node for an address, home the highest, then whoever comes before it in the ring of nodes, so that the addresses of several nodes that die do not all come to one. */
export function scoresOf(home: string, nodes: readonly string[]): readonly (readonly [string, number])[] {
  const at = nodes.indexOf(home) + 1;
  return [...nodes.slice(at), ...nodes.slice(0, at)].map((node, index) => [node, (index + 1) * scoreStep]);
}
