import type { Suspect } from '../prover.js';
import { type FenceEvent, type NodeState, readBoolean, takesPower } from './answers.js';

// Whether what Pacemaker says proves that a node is down. Pure.

/** What Pacemaker's tools said at one moment. */
export interface Cluster {
  /** What the cluster calls this node. */
  readonly localName: string;
  /** stonith-enabled and fencing-enabled, as they were printed; the default of both is true. */
  readonly enabled: readonly string[];
  /** The meta attribute of the resource that is being started; empty: it has none, and Pacemaker's default holds. */
  readonly requires: string;
  /** The names of the nodes in the configuration of the cluster. */
  readonly nodes: readonly string[];
  readonly states: readonly NodeState[];
  /** The ids of the nodes that have a resource history. */
  readonly withHistory: readonly string[];
  /** Of the suspect, or of every node. */
  readonly events: readonly FenceEvent[];
}

export type Verdict =
  /** `isByDevice`: a fence device did it, and not somebody's word. */
  | { readonly is: 'proved'; readonly said: string; readonly isByDevice: boolean }
  /** Pacemaker is at it, or will be. */
  | { readonly is: 'awaited'; readonly what: string }
  | { readonly is: 'unproved'; readonly because: string };

const unproved = (because: string): Verdict => ({ is: 'unproved', because });

/**
 * How far the clocks of two nodes may be apart, ms. The record's times are by the clock of its owner, those of the fencing history by that of
 * the nodes that fenced it. They are only compared on the strict side: what the owner wrote last must be older than the fencing. A clock
 * of the owner that is ahead so makes that a proof is refused. One that is behind could make an older fencing pass for a proof, of
 * an owner that was fenced, came back, and went on with the address; that needs it to be in the cluster again, or its clock to be
 * behind by more than the time from the one to the other. Hence this, where it is back.
 */
const clocksApart = 60_000;

/** Whether it is proved that the owner of an address is down since it last touched it; `here`: this node's name in the configuration. */
export function judge(cluster: Cluster, suspect: Suspect, here: string): Verdict {
  const { node, lastWrite, mustBeDown = false } = suspect;
  const unfit = whyUnfit(cluster, here);
  if (unfit !== undefined) return unproved(unfit);
  if (node === cluster.localName) return unproved('the cluster calls this very node so');
  const state = stateOf(cluster, node);
  if (state === undefined)
    return unproved(`the cluster knows no node ${node}${cluster.nodes.includes(node) ? ' yet' : ''}`);
  const last = lastFencing(cluster, node);
  // A fencing that is under way or wanted says that the last one was not the end of it. A resource history says that the node came back.
  const isOver = !isLost(state) && !isBeingFenced(cluster, node);
  const isGone = isDown(state) && !cluster.withHistory.includes(state.id);
  const since = isGone ? lastWrite : lastWrite + clocksApart;
  if (isOver && (isGone || !mustBeDown) && last?.completed !== undefined && last.completed > since)
    return { is: 'proved', said: saidOf(last), isByDevice: !isByHuman(last) };
  return howItIs(cluster, state, last, lastWrite);
}

/** What keeps a node from being proved down that has not been fenced since. */
function howItIs(
  cluster: Cluster,
  state: NodeState,
  last: FenceEvent | undefined,
  lastWrite: number,
): Verdict {
  const { name } = state;
  if (isBeingFenced(cluster, name))
    return { is: 'awaited', what: `Pacemaker to fence ${name}, which it is at` };
  // lib/pengine/unpack.c, determine_online_status_fencing: "peer is no longer part of the cluster", "peer process is no longer available".
  if (isLost(state)) return { is: 'awaited', what: `Pacemaker to fence ${name}, which it has lost` };
  const before =
    last?.completed === undefined
      ? ''
      : `; it was fenced ${timeText(last.completed)}, and the record has what was done ${timeText(lastWrite)}`;
  if (state.isMember === true && state.isOnline)
    return unproved(`${name} is a member of the cluster, and has not been fenced since${before}`);
  // A clean leave stops the resources first, which releases the address: what was not released then was not Pacemaker's to stop, or it
  // was in maintenance mode, and runs on.
  if (isDown(state))
    return unproved(
      `${name} is not in the cluster, and has not been fenced since: it may run on with what Pacemaker did not stop${before}`,
    );
  return unproved(`Pacemaker does not say that ${name} is down (${stateText(state)})${before}`);
}

/** What Pacemaker's word depends on, whoever is asked about; as a clause. */
export function whyUnfit(
  { localName, enabled, requires }: Pick<Cluster, 'localName' | 'enabled' | 'requires'>,
  here: string,
): string | undefined {
  if (localName !== here)
    return `this node is "${localName}" in the cluster and "${here}" in the configuration, so that its names are not those of the record`;
  if (!enabled.every((one) => readBoolean(one) === true))
    return 'fencing is off in the cluster (stonith-enabled, fencing-enabled)';
  // Pacemaker Explained, "requires": the default is fencing where that is on; unfencing is that and more.
  if (!['', 'fencing', 'unfencing'].includes(requires.toLowerCase()))
    return `the resource has requires="${requires}", so that Pacemaker starts it without fencing`;
  return undefined;
}

function stateOf({ states }: Cluster, node: string): NodeState | undefined {
  const [state, ...more] = states.filter(({ name }) => name === node);
  return more.length === 0 ? state : undefined;
}

/** Neither a member nor expected to be one: fenced, or it left by itself. */
function isDown({ isMember, isOnline, expected }: NodeState): boolean {
  return isMember === false && !isOnline && expected === 'down';
}

/** Expected to be there, and is not. */
function isLost({ isMember, isOnline, expected }: NodeState): boolean {
  return expected === 'member' && (isMember === false || !isOnline);
}

function fencingsOf({ events }: Cluster, node: string): FenceEvent[] {
  return events.filter(({ target, action }) => target === node && takesPower.has(action));
}

function isBeingFenced(cluster: Cluster, node: string): boolean {
  return fencingsOf(cluster, node).some(({ status }) => status === 'pending');
}

function lastFencing(cluster: Cluster, node: string): FenceEvent | undefined {
  return fencingsOf(cluster, node)
    .filter(({ status, completed }) => status === 'success' && completed !== undefined)
    .toSorted((a, b) => (a.completed ?? 0) - (b.completed ?? 0))
    .at(-1);
}

/** stonith_admin --confirm. */
function isByHuman({ delegate }: FenceEvent): boolean {
  return delegate === 'a human';
}

function saidOf(event: FenceEvent): string {
  const { target, action, delegate, completed = 0 } = event;
  const by = delegate === undefined ? '' : ` by ${delegate}`;
  const how = isByHuman(event) ? 'was confirmed to be down' : `was fenced (${action})`;
  return `${target} ${how}${by} (Pacemaker, ${timeText(completed)})`;
}

function stateText({ isMember, isOnline, join, expected }: NodeState): string {
  return `member ${isMember ?? 'unknown'}, online ${isOnline}, join ${join ?? 'none'}, expected ${expected ?? 'none'}`;
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
