import {
  type ClusterConfig,
  isClone,
  isGroup,
  type Operation,
  type Pair,
  type Preference,
  type Primitive,
  type Resource,
  type Serialized,
  type Tie,
} from '../model.js';
import { type Element, element } from './xml.js';

// Our part of the CIB (Pacemaker's xml/*.rng), with the ids that pcs gives: whoever wrote it, it is the same.

/** What stands below <configuration>, and nothing else of it. */
export function configurationOf(config: ClusterConfig): Element {
  const constraints = [
    ...config.preferences.map(locationOf),
    ...config.orders.map(orderOf),
    ...config.ties.map(tieElement),
  ];
  return element('configuration', {}, [
    element('resources', {}, config.resources.map(resourceElement)),
    ...(constraints.length === 0 ? [] : [element('constraints', {}, constraints)]),
  ]);
}

export function resourceElement(resource: Resource): Element {
  if (isClone(resource)) {
    const { id, instance, meta } = resource;
    return element('clone', { id }, [primitiveElement(instance), ...pairsOf('meta_attributes', id, meta)]);
  }
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

function operationElement(of: string, { name, interval, timeout, depth, onFail }: Operation): Element {
  const id = `${of}-${name}-interval-${interval}s`;
  return element(
    'op',
    {
      name,
      interval: `${interval}s`,
      timeout: `${timeout}s`,
      id,
      ...(onFail === undefined ? {} : { 'on-fail': onFail }),
    },
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

export function tieElement(tie: Tie): Element {
  const { id, resource } = tie;
  switch (tie.kind) {
    case 'stops-first':
    case 'starts-first': {
      const attributes = [
        ['first', resource],
        ['then', tie.other],
        ['kind', 'Optional'],
        ['symmetrical', 'false'],
        ['id', id],
        ['first-action', tie.kind === 'stops-first' ? 'stop' : 'start'],
        ['then-action', 'stop'],
      ];
      return element('rsc_order', Object.fromEntries(attributes));
    }
    case 'only-with':
      return element('rsc_colocation', { id, rsc: resource, 'with-rsc': tie.other, score: 'INFINITY' });
    case 'never-where': {
      const rule = `${id}-rule`;
      const expressions = tie.isNot.map(([attribute, value], at) =>
        element('expression', { id: `${rule}-expr-${at + 1}`, attribute, operation: 'ne', value }),
      );
      return element('rsc_location', { id, rsc: resource }, [
        element('rule', { id: rule, score: '-INFINITY', 'boolean-op': 'and' }, expressions),
      ]);
    }
  }
}

export function locationOf({ id, resource, node, score }: Preference): Element {
  return element('rsc_location', { id, rsc: resource, node, score: `${score}` });
}
