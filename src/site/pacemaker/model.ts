// What Pacemaker is to be told of the addresses, whatever the program that tells it: pcs, crm or cibadmin.

/** A name and its value: a parameter of an agent, a meta attribute. */
export type Pair = readonly [name: string, value: string];

export interface Operation {
  readonly name: 'start' | 'stop' | 'monitor';
  /** Seconds; 0 for what is not repeated. */
  readonly interval: number;
  /** Seconds. */
  readonly timeout: number;
  /** OCF_CHECK_LEVEL of a monitor; absent: 0. */
  readonly depth?: number;
  /** What the cluster does where it fails; absent: as the cluster has it. */
  readonly onFail?: 'ignore' | 'restart';
}

/** A resource of one agent, ocf:PROVIDER:TYPE. */
export interface Primitive {
  readonly id: string;
  readonly provider: string;
  readonly type: string;
  readonly parameters: readonly Pair[];
  readonly operations: readonly Operation[];
  readonly meta: readonly Pair[];
}

/** Primitives that start in this order on one node, and stop the other way round. */
export interface Group {
  readonly id: string;
  readonly members: readonly Primitive[];
  readonly meta: readonly Pair[];
}

/** One primitive on several nodes, on each once. */
export interface Clone {
  readonly id: string;
  readonly instance: Primitive;
  readonly meta: readonly Pair[];
}

export type Resource = Primitive | Group | Clone;

/** Of two resources never both are starting at one time, on whichever nodes. */
export interface Serialized {
  readonly id: string;
  readonly one: string;
  readonly other: string;
}

/** The node that a resource comes home to. */
export interface Preference {
  readonly id: string;
  readonly resource: string;
  readonly node: string;
  readonly score: number;
}

/**
 * What ties a resource to another one, or keeps it from nodes.
 * - stops-first: where both stop, it stops before `other`
 * - starts-first: where it starts, on whichever node, and `other` stops, it starts before that
 * - only-with: only on nodes on which `other` runs
 * - never-where: on no node on which each of these attributes has another value, or none
 */
export type Tie =
  | {
      readonly kind: 'stops-first' | 'starts-first' | 'only-with';
      readonly id: string;
      readonly resource: string;
      readonly other: string;
    }
  | {
      readonly kind: 'never-where';
      readonly id: string;
      readonly resource: string;
      readonly isNot: readonly Pair[];
    };

export interface ClusterConfig {
  readonly resources: readonly Resource[];
  readonly orders: readonly Serialized[];
  readonly preferences: readonly Preference[];
  readonly ties: readonly Tie[];
  /** Constraints that the cluster is to have no more, by their ids. */
  readonly gone: readonly string[];
}

export function isGroup(resource: Resource): resource is Group {
  return 'members' in resource;
}

export function isClone(resource: Resource): resource is Clone {
  return 'instance' in resource;
}

/** The primitives of a resource: its members, or itself. */
export function primitivesOf(resource: Resource): readonly Primitive[] {
  if (isClone(resource)) return [resource.instance];
  return isGroup(resource) ? resource.members : [resource];
}

/** All constraints, by their ids. */
export function constraintIds({
  preferences,
  orders,
  ties,
}: Pick<ClusterConfig, 'preferences' | 'orders' | 'ties'>): string[] {
  return [...preferences, ...orders, ...ties].map(({ id }) => id);
}

export function agentOf({ provider, type }: Pick<Primitive, 'provider' | 'type'>): string {
  return `ocf:${provider}:${type}`;
}

/** "nfs-10.10.1.1", "nfs-fd00--1": an id is an NCName (XML), which has no colon. No two addresses have one. */
export function resourceId(address: string): string {
  return `nfs-${address.replaceAll(':', '-')}`;
}

const serializedPrefix = 'nfs-serialize-';

/** The order of two resources, both by their ids. */
export function serialized(one: string, other: string): Serialized {
  const short = (id: string) => id.replace(/^nfs-/, '');
  return { id: `${serializedPrefix}${short(one)}-${short(other)}`, one, other };
}

/** Whether a constraint of this id is one that keeps two starts apart. */
export function isSerialized(id: string): boolean {
  return id.startsWith(serializedPrefix);
}

/** The id of the constraint that brings a resource home; of several nodes, each of which has a score, that of one. */
export function preferenceId(resource: string, node?: string): string {
  return node === undefined ? `${resource}-prefer` : `${resource}-prefer-${node}`;
}

/** The id of a tie. One resource has one of each kind. */
export function tieId(kind: Tie['kind'], resource: string): string {
  return `${resource}-${kind}`;
}
