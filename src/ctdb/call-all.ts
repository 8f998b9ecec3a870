import { exitCodes, FailoverError } from '../errors.js';
import type { Host } from '../host/host.js';
import { waitUntil } from '../host/running/wait.js';
import { noteMoved, noteSettled } from './local.js';
import { askMembers, type Members } from './members.js';
import { believable, hasReached, isUnderWay, type Pnn } from './note.js';
import { readNotes, type Signed } from './note-files.js';
import { isServing } from './serve.js';

// Before a node is fenced, all others refuse NLM, or are in grace. The file system that they export frees the locks of the dead node as soon as it is
// fenced, long before CTDB says a word (dlm: 8 s after a power cut, CTDB's first event 34 s), and whoever grants then gives them away.

/** Who is called, from where. */
export interface Calling {
  readonly host: Host;
  /** Of serving links. */
  readonly run: string;
  readonly node: string;
  /** Where the notes are. */
  readonly directory: string;
  /** The names of nodes that need not answer: they are about to be fenced. */
  readonly dead: readonly string[];
  /** No longer is anybody waited for, seconds. */
  readonly seconds: number;
}

/** Names of nodes; of one that has never written a note its number in CTDB. */
export interface CalledAll {
  readonly generation: number;
  /** They refuse, or have refused and are in grace. */
  readonly ready: readonly string[];
  /** They may grant still. */
  readonly missing: readonly string[];
}

const lookMs = 100;

/**
 * Has `ctdb serve` of this node begin a reconfiguration, and waits until every node that lives is in it: none of them grants anything outside a
 * grace then. Throws FailoverError NOT_READY where it does not run here; what reading the notes throws.
 */
export async function callAll(calling: Calling): Promise<CalledAll> {
  const { host, run, node, directory, dead, seconds } = calling;
  if (!isServing(run))
    throw new FailoverError('"nlm-failover ctdb serve" does not run here: nobody was called', {
      code: 'NOT_READY',
      exitCode: exitCodes.stepFailed,
      operation: 'join-grace --all',
      hint: 'Start it, or call from another node: systemctl start nlm-failover-ctdb.service ("nlm-failover setup --ctdb" makes it).',
    });
  const there = readNotes(directory);
  const before = believable(there, [...there].find(([, note]) => note.node === node)?.[0], undefined);
  const hasChanged = ([pnn, note]: readonly [Pnn, Signed]) => before.get(pnn)?.beat !== note.beat;
  // One that has not changed may be of a process before this one, which was killed, or of a number that this node had once.
  const ownOf = (notes: ReadonlyMap<Pnn, Signed>) =>
    [...notes].find((one) => one[1].node === node && hasChanged(one))?.[1];
  const newest = Math.max(0, ...[...before.values()].map(({ generation }) => generation));
  let generation: number | undefined;
  noteMoved(run);
  noteSettled(run);
  /** `silent`: CTDB does not say who is connected; then whoever has a note may live. */
  let members: Members | 'silent' | undefined;
  void askMembers(host).then(
    (answer) => (members = answer),
    () => (members = 'silent'),
  );
  const look = (): CalledAll => {
    const notes = believable(readNotes(directory), undefined, newest);
    const own = ownOf(notes);
    if (own !== undefined) generation ??= generationFor(own, newest);
    const called = generation ?? newest + 1;
    const nameOf = (pnn: Pnn) => notes.get(pnn)?.node ?? `node ${pnn}`;
    const lives = (one: readonly [Pnn, Signed]) =>
      one[1].node !== node && (members === 'silent' || hasChanged(one));
    const connected = typeof members === 'object' ? members.connected : [];
    const others = [...connected, ...[...notes].filter(lives).map(([pnn]) => pnn)].filter(
      (pnn) => !dead.includes(nameOf(pnn)) && notes.get(pnn)?.phase !== 'gone',
    );
    const readyOthers = new Set(others.filter((pnn) => hasReached(notes.get(pnn), called, 'refusing')));
    const isReady = hasReached(own, called, 'refusing');
    return {
      generation: called,
      ready: [...[...readyOthers].map(nameOf), ...(isReady ? [node] : [])].toSorted(),
      missing: [
        ...[...new Set(others)].filter((pnn) => !readyOthers.has(pnn)).map(nameOf),
        ...(isReady ? [] : [node]),
      ].toSorted(),
    };
  };
  // Before CTDB has answered, a node whose note has not changed yet may live.
  await waitUntil(host, 'every node to refuse', () => members !== undefined && look().missing.length === 0, {
    seconds,
    intervalMs: lookMs,
  });
  return look();
}

/** One that is on its way does, as its lock manager is not started yet; else the next one, beyond all that anybody has been in. */
function generationFor(own: Signed, newest: number): number {
  return isUnderWay(own) && own.phase !== 'started' ? Math.max(own.generation, newest) : newest + 1;
}
