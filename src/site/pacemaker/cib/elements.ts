import {
  type ClusterConfig,
  isGroup,
  type Operation,
  type Pair,
  type Preference,
  type Primitive,
  type Resource,
  type Serialized,
} from '../model.js';
import { type Element, element } from './xml.js';

// Our part of the CIB (Pacemaker's xml/*.rng), with the ids that pcs gives: whoever wrote it, it is the same.

/** What stands below <configuration>, and nothing else of it. */
export function configurationOf(config: ClusterConfig): Element {
  const constraints = [...config.preferences.map(locationOf), ...config.orders.map(orderOf)];
  return element('configuration', {}, [
    element('resources', {}, config.resources.map(resourceElement)),
    ...(constraints.length === 0 ? [] : [element('constraints', {}, constraints)]),
  ]);
}

export function resourceElement(resource: Resource): Element {
  if (!isGroup(resource)) return primitiveElement(resource);
  const { id, members, meta } = resource;
  return element('group', { id }, [
    ...members.map(primitiveElement),
    ...pairsOf('meta_attributes', id, meta),
  ]);
}

function primitiveElement({ id, provider, type, parameters, operations, meta }: Primitive): Element {
  return element('primitive', { id, class: 'ocf', type, provider }, [
    ...pairsOf('instance_attributes', id, parameters),
    ...pairsOf('meta_attributes', id, meta),
    element(
      'operations',
      {},
      operations.map((operation) => operationElement(id, operation)),
    ),
  ]);
}

function operationElement(of: string, { name, interval, timeout, depth }: Operation): Element {
  const id = `${of}-${name}-interval-${interval}s`;
  return element(
    'op',
    { name, interval: `${interval}s`, timeout: `${timeout}s`, id },
    depth === undefined ? [] : pairsOf('instance_attributes', id, [['OCF_CHECK_LEVEL', `${depth}`]]),
  );
}

function pairsOf(
  name: 'instance_attributes' | 'meta_attributes',
  of: string,
  pairs: readonly Pair[],
): readonly Element[] {
  if (pairs.length === 0) return [];
  return [
    element(
      name,
      { id: `${of}-${name}` },
      pairs.map(([key, value]) => pairElement(`${of}-${name}`, key, value)),
    ),
  ];
}

export function pairElement(set: string, name: string, value: string): Element {
  return element('nvpair', { id: `${set}-${name}`, name, value });
}

export function orderOf({ id, one, other }: Serialized): Element {
  const attributes = [
    ['first', one],
    ['then', other],
    ['kind', 'Serialize'],
    ['id', id],
    ['first-action', 'start'],
    ['then-action', 'start'],
  ];
  return element('rsc_order', Object.fromEntries(attributes));
}

export function locationOf({ id, resource, node, score }: Preference): Element {
  return element('rsc_location', { id, rsc: resource, node, score: `${score}` });
}
