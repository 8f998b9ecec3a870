import { canonicalAddress } from '../../../config/address.js';
import { ownProvider } from '../resource.js';
import { unfit } from '../unfit.js';
import { childrenOf, type Element, idOf, pathTo } from './xml.js';

// Whether what has an id of ours is ours. Pure.

const agentsOfMembers: readonly (readonly [RegExp, string])[] = [
  [/^fs\d+$/, 'Filesystem'],
  [/^export\d+$/, 'exportfs'],
  [/^ip$/, 'IPaddr2'],
  [/^locks$/, 'locks'],
  [/^notify$/, 'notify'],
  [/^address$/, 'address'],
];

/** Whether a member of a group of ours is one that some configuration makes. */
export function isOurs(member: Element, group: string): boolean {
  const id = idOf(member);
  return (
    id.startsWith(`${group}-`) &&
    agentsOfMembers.some(
      ([name, agent]) => name.test(id.slice(group.length + 1)) && member.attributes['type'] === agent,
    )
  );
}

/** What an element of <resources> is part of: a group, a clone; undefined: it stands for itself. */
export function around(cib: Element, one: Element): Element | undefined {
  const above = pathTo(cib, one).at(-2);
  return above === undefined || above.name === 'resources' ? undefined : above;
}

/** The address of a primitive of ours, and of an IPaddr2; several where it has several sets of values. */
export function addressesOf(primitive: Element): readonly string[] {
  const { provider, type } = primitive.attributes;
  const key = provider === ownProvider ? 'address' : type === 'IPaddr2' ? 'ip' : undefined;
  return childrenOf(primitive, 'instance_attributes')
    .flatMap((set) => childrenOf(set, 'nvpair'))
    .flatMap(({ attributes: { name, value } }) => (name === key && value !== undefined ? [value] : []));
}

/** Throws CLUSTER_UNFIT where it has another address: it serves that one, and to change it would let go of the one and take the other. */
export function refuseOtherAddress(primitive: Element, address: string): void {
  const other = addressesOf(primitive).find((value) => (canonicalAddress(value) ?? value) !== address);
  if (other === undefined) return;
  throw unfit(
    `${idOf(primitive)} is in the cluster for another address, ${JSON.stringify(other)}, not for ${address}`,
    'See "cibadmin --query", and remove it there, or give it another name.',
  );
}
