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

export type Resource = Primitive | Group;

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

export interface ClusterConfig {
  readonly resources: readonly Resource[];
  readonly orders: readonly Serialized[];
  readonly preferences: readonly Preference[];
}

export function isGroup(resource: Resource): resource is Group {
  return 'members' in resource;
}

/** The primitives of a resource: its members, or itself. */
export function primitivesOf(resource: Resource): readonly Primitive[] {
  return isGroup(resource) ? resource.members : [resource];
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

/** The id of the constraint that brings a resource home. */
export function preferenceId(resource: string): string {
  return `${resource}-prefer`;
}
