import type { FloatingIp } from '../../config/config.js';
import { section } from './cib/merge.js';
import { around, isOurs, refuseOtherAddress } from './cib/ours.js';
import { isSerialized, preferenceId, resourceId, tieId } from './model.js';
import { ownProvider } from './resource.js';
import { unfit } from './unfit.js';
import { all, childrenOf, type Element, idOf, withId } from './cib/xml.js';

// Before something of ours goes: what has an id of ours and is not ours, and what would be left behind without it. Pure.

/** The resource of an id of ours, wherever somebody has put it. */
export function resourceIn(cib: Element, id: string): Element | undefined {
  return withId(section(cib, 'resources'), id);
}

/** The constraints that nlm-failover makes for these, as it makes them: what somebody else means by such an id is left alone. */
export function ownConstraints(cib: Element, ids: readonly string[]): readonly Element[] {
  return childrenOf(section(cib, 'constraints')).filter((one) => {
    const { name, attributes } = one;
    const { id = '', rsc = '', first = '', then = '', node, kind } = attributes;
    // By a rule, or of sets, it is somebody else's where ours has none: see refuseOtherMeaning.
    if (childrenOf(one).length > 0)
      return name === 'rsc_location' && ids.includes(rsc) && id === tieId('never-where', rsc);
    if (name === 'rsc_location')
      return ids.includes(rsc) && [preferenceId(rsc), preferenceId(rsc, node)].includes(id);
    if (name === 'rsc_colocation') return ids.includes(rsc) && id === tieId('only-with', rsc);
    if (name !== 'rsc_order') return false;
    const ties = (['stops-first', 'starts-first'] as const).map((tie) => tieId(tie, first));
    if (ids.includes(first) && ties.includes(id)) return true;
    return isSerialized(id) && kind === 'Serialize' && (ids.includes(first) || ids.includes(then));
  });
}

/** Throws CLUSTER_UNFIT where the resource of an address cannot go without harm to what others have configured. */
export function refuseForeign(cib: Element, { address }: Pick<FloatingIp, 'address'>): void {
  const id = resourceId(address);
  const top = resourceIn(cib, id);
  if (top === undefined) return;
  refuseInside(cib, top);
  const members = top.name === 'group' ? childrenOf(top, 'primitive') : [top];
  const isMade =
    ['group', 'primitive'].includes(top.name) &&
    members.some(({ attributes }) => attributes['provider'] === ownProvider);
  if (!isMade) {
    throw unfit(
      `${id} is in the cluster, and nlm-failover did not make it`,
      'Remove it yourself, where it is to go.',
    );
  }
  const stranger = members.find((one) => one !== top && !isOurs(one, id));
  if (stranger !== undefined) {
    throw unfit(
      `${idOf(stranger)} is in the group ${id}, and nlm-failover did not make it`,
      'Take it out of the group first.',
    );
  }
  for (const member of members) refuseOtherAddress(member, address);
  refuseRule(top);
  refuseUsers(cib, top, [id]);
}

/** The same of a clone; `others`: the resources that are tied to it, and go too. */
export function refuseForeignClone(cib: Element, id: string, others: readonly string[]): void {
  const top = resourceIn(cib, id);
  if (top === undefined) return;
  const [instance] = childrenOf(top, 'primitive');
  if (top.name !== 'clone' || instance?.attributes['provider'] !== ownProvider)
    throw unfit(
      `${id} is in the cluster, and nlm-failover did not make it`,
      'Remove it yourself, where it is to go.',
    );
  refuseRule(top);
  refuseUsers(cib, top, [id, ...others]);
}

/** crm_resource sets the target-role that is there, also where a rule says that it does not hold now (seen: 2.1.5): nothing would stop. */
function refuseRule(top: Element): void {
  const ruled = all(top)
    .filter(({ name }) => name === 'meta_attributes')
    .filter((set) => childrenOf(set, 'rule').length > 0)
    .find((set) => childrenOf(set, 'nvpair').some(({ attributes }) => attributes['name'] === 'target-role'));
  if (ruled === undefined) return;
  throw unfit(
    `${idOf(ruled)} of ${idOf(top)} has target-role by a rule, so that nobody can stop it for certain`,
    'Remove that set first.',
  );
}

/** Where it is part of something, that would be left without it, or empty, which no cluster takes. */
function refuseInside(cib: Element, top: Element): void {
  const above = around(cib, top);
  if (above === undefined) return;
  throw unfit(
    `${idOf(top)} is in the ${above.name} ${idOf(above)}, and nlm-failover did not make that`,
    `Take it out of the ${above.name} first.`,
  );
}

/** Whatever names one of ours, anywhere in the configuration: a constraint, a tag, an access rule, a set of values. */
function refuseUsers(cib: Element, top: Element, ids: readonly string[]): void {
  const constraints = ownConstraints(cib, ids);
  const ours = new Set([top, ...constraints].flatMap(all).map(({ attributes }) => attributes['id']));
  const own = new Set([top, ...constraints]);
  const user = childrenOf(section(cib, 'configuration'))
    .flatMap((part) => childrenOf(part))
    .find((one) => !own.has(one) && all(one).some((part) => namesOne(part, ours)));
  if (user === undefined) return;
  const kind = user.name.startsWith('rsc_') ? 'constraint' : user.name;
  throw unfit(
    `The ${kind} ${idOf(user)} names ${idOf(top)}, and nlm-failover did not make it`,
    kind === 'constraint'
      ? `Remove it first; one that a move left ends with: crm_resource --clear --resource ${idOf(top)}`
      : `Take ${idOf(top)} out of it first.`,
  );
}

/** Every attribute that is an IDREF in Pacemaker's xml/*.rng, and the meta attribute "container", which Pacemaker reads as one. */
function namesOne({ name, attributes }: Element, ours: ReadonlySet<string | undefined>): boolean {
  const references = ['rsc', 'with-rsc', 'first', 'then', 'id-ref', 'reference', 'template'];
  const named = references.map((one) => attributes[one]);
  if (['resource_ref', 'obj_ref'].includes(name)) named.push(attributes['id']);
  if (name === 'nvpair' && attributes['name'] === 'container') named.push(attributes['value']);
  return named.some((one) => one !== undefined && ours.has(one));
}
