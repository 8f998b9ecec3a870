import { locationOf, orderOf, pairElement, resourceElement, tieElement } from './elements.js';
import { type ClusterConfig, isGroup, type Resource } from '../model.js';
import { unfit } from '../unfit.js';
import { addressesOf, around, isOurs, refuseOtherAddress } from './ours.js';
import { all, changed, childrenOf, type Element, element, idOf, isElement, withId } from './xml.js';

/** What became, or is to become, of one part of the configuration. */
export interface PartChange {
  readonly id: string;
  readonly state: 'unchanged' | 'created' | 'updated' | 'removed';
  /** What it is, or each thing in it that is otherwise, as a clause. */
  readonly details: readonly string[];
}

export interface Merged {
  readonly cib: Element;
  readonly parts: readonly PartChange[];
}

/**
 * A CIB that has all of this, and else is as it was: what people have added to ours (target-role, a member of a group) stays. Throws
 * CLUSTER_UNFIT where an id of ours is that of something else.
 */
export function merge(cib: Element, config: ClusterConfig): Merged {
  const steps = [
    ...config.resources.map((resource) => (one: Element) => mergeResource(one, resource)),
    ...config.preferences.map((one) => (before: Element) => mergeConstraint(before, locationOf(one))),
    ...config.orders.map((one) => (before: Element) => mergeConstraint(before, orderOf(one))),
    ...config.ties.map((one) => (before: Element) => mergeConstraint(before, tieElement(one))),
  ];
  const parts: PartChange[] = [];
  let now = cib;
  for (const step of steps) {
    const merged = step(now);
    now = merged.cib;
    parts.push(merged.part);
  }
  for (const id of config.gone) {
    const there = withId(section(now, 'constraints'), id);
    if (there === undefined) continue;
    now = replaced(now, there, undefined);
    parts.push({ id, state: 'removed', details: [summary(there)] });
  }
  refuseTwice(now, config);
  return { cib: now, parts };
}

interface One {
  readonly cib: Element;
  readonly part: PartChange;
}

function mergeResource(cib: Element, resource: Resource): One {
  const { id } = resource;
  const wanted = resourceElement(resource);
  refuseStrayMembers(cib, resource);
  const there = withId(section(cib, 'resources'), id);
  if (there === undefined) {
    return {
      cib: inSection(cib, 'resources', wanted),
      part: { id, state: 'created', details: [summary(wanted)] },
    };
  }
  const notes: string[] = [];
  refuseElsewhere(cib, there);
  const next = mergeElement(there, wanted, notes);
  if (notes.length === 0) return { cib, part: { id, state: 'unchanged', details: [summary(wanted)] } };
  return { cib: replaced(cib, there, next), part: { id, state: 'updated', details: notes } };
}

function mergeConstraint(cib: Element, wanted: Element): One {
  const id = wanted.attributes['id'] ?? '';
  const there = withId(section(cib, 'constraints'), id);
  const details = [summary(wanted)];
  if (there === undefined)
    return { cib: inSection(cib, 'constraints', wanted), part: { id, state: 'created', details } };
  refuseOtherMeaning(there, wanted);
  if (isSameConstraint(there, wanted)) return { cib, part: { id, state: 'unchanged', details } };
  return { cib: replaced(cib, there, wanted), part: { id, state: 'updated', details } };
}

/** crm leaves out what is the default: an order is that of starts, and all of a rule must hold. */
const constraintDefaults: Readonly<Record<string, string>> = {
  'first-action': 'start',
  'then-action': 'start',
  'boolean-op': 'and',
};

function isSameConstraint(there: Element, wanted: Element): boolean {
  const [ours, theirs] = [childrenOf(wanted), childrenOf(there)];
  return (
    there.name === wanted.name &&
    Object.entries(wanted.attributes).every(
      // Each program numbers the parts of a rule in its own way.
      ([name, value]) =>
        (name === 'id' && !there.name.startsWith('rsc_')) ||
        (there.attributes[name] ?? constraintDefaults[name]) === value,
    ) &&
    ours.length === theirs.length &&
    ours.every((one, at) => theirs[at] !== undefined && isSameConstraint(theirs[at], one))
  );
}

/** `notes` gets what was otherwise. */
function mergeElement(there: Element, wanted: Element, notes: string[]): Element {
  expectSameKind(there, wanted);
  const { id = '' } = wanted.attributes;
  if (wanted.name === 'group') return mergeGroup(there, wanted, notes);
  if (wanted.name === 'clone') return mergeClone(there, wanted, notes);
  for (const address of addressesOf(wanted)) refuseOtherAddress(there, address);
  const withPairs = ['instance_attributes', 'meta_attributes'].reduce(
    (one, name) => mergePairs(one, childrenOf(wanted, name)[0], id, notes),
    there,
  );
  return mergeOperations(withPairs, wanted, notes);
}

function expectSameKind(there: Element, wanted: Element): void {
  const isSame = ['class', 'provider', 'type'].every(
    (name) => there.attributes[name] === wanted.attributes[name],
  );
  if (there.name === wanted.name && isSame) return;
  const { id = '' } = wanted.attributes;
  throw unfit(
    `${id} is in the cluster, and is ${kindOf(there)}, not ${kindOf(wanted)}`,
    'Where an earlier configuration made it: "nlm-failover pacemaker --teardown --apply" for this address first. Else give it another name there.',
  );
}

function mergeClone(there: Element, wanted: Element, notes: string[]): Element {
  const { id = '' } = wanted.attributes;
  const [instance] = childrenOf(wanted, 'primitive');
  const old = childrenOf(there, 'primitive').find(
    (one) => instance !== undefined && idOf(one) === idOf(instance),
  );
  if (old === undefined || instance === undefined) {
    throw unfit(
      `${id} is in the cluster, and is a clone of something else than ${instance === undefined ? id : idOf(instance)}`,
      'See "cibadmin --query", and remove it there, or give it another name.',
    );
  }
  const next = replaced(there, old, mergeElement(old, instance, notes));
  return mergePairs(next, childrenOf(wanted, 'meta_attributes')[0], id, notes);
}

/** Of a group: each member, and their order. Who is not ours stays behind the member that it follows. */
function mergeGroup(there: Element, wanted: Element, notes: string[]): Element {
  const { id = '' } = wanted.attributes;
  const before = childrenOf(there, 'primitive');
  const ours = childrenOf(wanted, 'primitive').map((member) => {
    const old = before.find((one) => one.attributes['id'] === member.attributes['id']);
    if (old !== undefined) return mergeElement(old, member, notes);
    notes.push(`${member.attributes['id'] ?? ''}: new, ${summary(member)}`);
    return member;
  });
  const members: Element[] = [...ours];
  let at = 0;
  for (const old of before) {
    const { id: name = '' } = old.attributes;
    const place = members.findIndex((one) => one.attributes['id'] === name);
    if (place !== -1) at = place + 1;
    else if (isOurs(old, id)) notes.push(gone(old));
    else members.splice(at++, 0, old);
  }
  if (orderText(before) !== orderText(members) && !notes.some((note) => /: (?:new|gone),/.test(note)))
    notes.push(`${id}: order ${orderText(members)}`);
  const rest = there.children.filter((child) => !isElement(child) || child.name !== 'primitive');
  return mergePairs(
    { ...there, children: [...members, ...rest] },
    childrenOf(wanted, 'meta_attributes')[0],
    id,
    notes,
  );
}

/** A file system cannot go by itself: locks and exports on it would keep it busy, and a stop that fails is answered by fencing. */
function gone(member: Element): string {
  const { id = '' } = member.attributes;
  if (member.attributes['type'] !== 'Filesystem') return `${id}: gone, ${summary(member)}`;
  throw unfit(
    `${id} is a file system that the configuration does not have any more, and the cluster has it mounted`,
    'Take the address out of the cluster first: "nlm-failover pacemaker --teardown --apply"; then write it anew.',
  );
}

function orderText(members: readonly Element[]): string {
  return members.map(({ attributes }) => attributes['id'] ?? '').join(', ');
}

/** Ours are there with our values; whatever else is there stays. */
function mergePairs(owner: Element, wanted: Element | undefined, id: string, notes: string[]): Element {
  if (wanted === undefined) return owner;
  const sets = childrenOf(owner, wanted.name).filter((one) => childrenOf(one, 'rule').length === 0);
  const [set, ...others] = sets;
  if (set === undefined) {
    notes.push(`${id}: ${childrenOf(wanted, 'nvpair').map(pairText).join(', ')}`);
    return { ...owner, children: [...owner.children, wanted] };
  }
  let next = set;
  for (const pair of childrenOf(wanted, 'nvpair')) {
    const { name = '', value = '' } = pair.attributes;
    const old = childrenOf(next, 'nvpair').find((one) => one.attributes['name'] === name);
    if (old?.attributes['value'] === value) continue;
    notes.push(
      `${id}: ${pairText(pair)}, ${old === undefined ? 'which was not there' : `was ${old.attributes['value'] ?? ''}`}`,
    );
    const made =
      old === undefined
        ? pairElement(next.attributes['id'] ?? id, name, value)
        : { ...old, attributes: { ...old.attributes, value } };
    next = old === undefined ? { ...next, children: [...next.children, made] } : replaced(next, old, made);
  }
  const rest = others.reduce((one, other) => withoutRivals(one, other, { wanted, id, notes }), owner);
  return replaced(rest, set, next);
}

/** Of two sets that say something else Pacemaker takes the one with the higher score, or either: what rivals a value of ours goes. */
function withoutRivals(
  owner: Element,
  set: Element,
  { wanted, id, notes }: { readonly wanted: Element; readonly id: string; readonly notes: string[] },
): Element {
  const ours = new Map(
    childrenOf(wanted, 'nvpair').map(({ attributes: { name, value } }) => [name, value] as const),
  );
  const rivals = childrenOf(set, 'nvpair').filter(
    ({ attributes: { name, value } }) => ours.has(name) && ours.get(name) !== value,
  );
  for (const rival of rivals) notes.push(`${id}: ${pairText(rival)} of ${idOf(set)} goes`);
  return rivals.reduce((one, rival) => replaced(one, rival, undefined), owner);
}

function pairText({ attributes: { name = '', value = '' } }: Element): string {
  return `${name}=${value}`;
}

/** Ours with our timeouts; what people have added to one stays, and one that is not ours goes: two monitors would do the same. */
function mergeOperations(owner: Element, wanted: Element, notes: string[]): Element {
  const { id = '' } = wanted.attributes;
  const [ours] = childrenOf(wanted, 'operations');
  if (ours === undefined) return owner;
  const [there = element('operations', {})] = childrenOf(owner, 'operations');
  const before = childrenOf(there, 'op');
  const next = childrenOf(ours, 'op').map((operation) => {
    const old = before.find((one) => operationName(one) === operationName(operation));
    if (old === undefined) {
      notes.push(`${id}: ${operationText(operation)}, which was not there`);
      return operation;
    }
    const { 'on-fail': onFail } = operation.attributes;
    const isSame = operationText(old, onFail) === operationText(operation, onFail);
    if (isSame) return old;
    notes.push(`${id}: ${operationText(operation, onFail)}, was ${operationText(old, onFail)}`);
    return {
      ...old,
      attributes: {
        ...old.attributes,
        timeout: operation.attributes['timeout'] ?? '',
        ...(onFail === undefined ? {} : { 'on-fail': onFail }),
      },
      children: operation.children,
    };
  });
  const stale = before.filter(
    (one) => !next.some((operation) => operationName(one) === operationName(operation)),
  );
  for (const one of stale) notes.push(`${id}: ${operationText(one)} goes`);
  if (notes.length === 0) return owner;
  const operations = { ...there, children: next };
  return childrenOf(owner, 'operations').length === 0
    ? { ...owner, children: [...owner.children, operations] }
    : replaced(owner, there, operations);
}

/** "monitor 10s": of an operation that is not repeated the interval may be left out. */
function operationName({ attributes: { name = '', interval = '0' } }: Element): string {
  return `${name} ${duration(interval)}`;
}

const units: Readonly<Record<string, number>> = { '': 1, s: 1, sec: 1, m: 60, min: 60, h: 3600, hr: 3600 };

/** "10", "10sec" and "10s" are the same (Pacemaker, crm_parse_interval_spec); any other writing is that of itself alone. */
function duration(text: string): string {
  const [, digits, unit = ''] = /^(\d+)([a-z]*)$/.exec(text) ?? [];
  const factor = units[unit];
  return digits === undefined || factor === undefined ? text : `${Number(digits) * factor}s`;
}

/** `onFail`: what it is to be; undefined: whatever people have made it. */
function operationText(operation: Element, onFail?: string): string {
  const { name = '', interval = '0s', timeout = 'none' } = operation.attributes;
  const depth = all(operation).find(({ attributes }) => attributes['name'] === 'OCF_CHECK_LEVEL');
  const every = duration(interval) === '0s' ? '' : ` interval=${duration(interval)}`;
  const level = depth === undefined ? '' : ` ${pairText(depth)}`;
  const failure = onFail === undefined ? '' : ` on-fail=${operation.attributes['on-fail'] ?? 'none'}`;
  return `${name}${every} timeout=${duration(timeout)}${level}${failure}`;
}

/** A clone would start it on several nodes at once. A group of somebody's is theirs to judge. */
function refuseElsewhere(cib: Element, there: Element): void {
  const above = around(cib, there);
  if (above === undefined || above.name === 'group') return;
  throw unfit(
    `${idOf(there)} is in the ${above.name} ${idOf(above)}, and one node at a time may have an address`,
    `Take it out of the ${above.name} first.`,
  );
}

/** A constraint of an id of ours that says something of another resource, of another kind, or by a rule where ours has none, is somebody's own. */
function refuseOtherMeaning(there: Element, wanted: Element): void {
  const names = ['rsc', 'first', 'then', 'with-rsc'];
  const isSame = names.every((name) => there.attributes[name] === wanted.attributes[name]);
  const isAlike = childrenOf(there).length === childrenOf(wanted).length;
  if (there.name === wanted.name && isSame && isAlike) return;
  throw unfit(
    `${idOf(there)} is in the cluster, and is not what nlm-failover means by it (${summary(wanted)})`,
    'See "cibadmin --query --scope constraints", and remove it there, or give it another name.',
  );
}

/** An id is there once in a whole CIB (xml/*.rng, type ID); these elements have one of another as their own. */
const references: ReadonlySet<string> = new Set(['resource_ref', 'obj_ref', 'role']);

/** What is new has no id that something else has already. */
function refuseTwice(cib: Element, config: ClusterConfig): void {
  const seen = new Map<string, Element>();
  for (const one of all(section(cib, 'configuration'))) {
    const id = idOf(one);
    if (id === '' || references.has(one.name)) continue;
    const other = seen.get(id);
    seen.set(id, one);
    if (other === undefined) continue;
    const names = config.resources.map((resource) => resource.id).join(', ');
    throw unfit(
      `${id} is in the cluster already, as a ${other.name}, and ${names} needs it as a ${one.name}`,
      'See "cibadmin --query", and give it another name there.',
    );
  }
}

/** A member of ours outside of its group: its id cannot be there twice. */
function refuseStrayMembers(cib: Element, resource: Resource): void {
  if (!isGroup(resource)) return;
  const group = withId(section(cib, 'resources'), resource.id);
  const stray = resource.members.find(
    ({ id }) =>
      withId(section(cib, 'resources'), id) !== undefined &&
      (group === undefined || withId(group, id) === undefined),
  );
  if (stray === undefined) return;
  throw unfit(
    `${stray.id} is in the cluster, and not in the group ${resource.id}`,
    'Remove it there, or put it back into the group.',
  );
}

export function summary(one: Element): string {
  if (one.name === 'primitive') return kindOf(one);
  if (one.name === 'group')
    return `group of ${childrenOf(one, 'primitive')
      .map(({ attributes }) => attributes['type'] ?? '')
      .join(', ')}`;
  if (one.name === 'clone') return `clone of ${childrenOf(one, 'primitive').map(kindOf).join(', ')}`;
  const {
    rsc = '',
    node = '',
    score = '',
    first = '',
    then = '',
    kind,
    'with-rsc': other = '',
  } = one.attributes;
  if (one.name === 'rsc_colocation') return `${rsc} only where ${other} runs`;
  if (one.name === 'rsc_order')
    return kind === 'Serialize'
      ? `${first} and ${then} never start at one time`
      : `${first} ${one.attributes['first-action'] === 'stop' ? 'stops' : 'starts'} before ${then} stops`;
  const [rule] = childrenOf(one, 'rule');
  if (rule === undefined) return `${rsc} prefers ${node}, ${score}`;
  const unless = childrenOf(rule, 'expression').map(
    ({ attributes: { attribute = '', value = '' } }) => `${attribute} is ${value}`,
  );
  return `${rsc} only where ${unless.join(' or ')}`;
}

function kindOf({ name, attributes }: Element): string {
  const { class: standard, provider, type } = attributes;
  if (name !== 'primitive') return `a ${name}`;
  return [standard, provider, type].filter((word) => word !== undefined).join(':');
}

/** <resources>, <constraints>: what is below it, nothing where it is not there. */
export function section(cib: Element, name: string): Element {
  return all(cib).find((one) => one.name === name) ?? element(name, {});
}

function inSection(cib: Element, name: string, made: Element): Element {
  const there = all(cib).find((one) => one.name === name);
  if (there !== undefined) return replaced(cib, there, { ...there, children: [...there.children, made] });
  const configuration = section(cib, 'configuration');
  return replaced(cib, configuration, {
    ...configuration,
    children: [...configuration.children, element(name, {}, [made])],
  });
}

export function replaced(top: Element, old: Element, made: Element | undefined): Element {
  return changed(top, (one) => (one === old ? made : one));
}
