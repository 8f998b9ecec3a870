// A reconfiguration of a CTDB cluster in which no client loses its lock to another one. The design, from the outside in:
//
// What it is for. All nodes export one cluster file system through the kernel's nfsd, and CTDB moves public addresses between them. A moved client's
// lock must go on the node that has released its address before that client can reclaim it elsewhere, and lockd lets locks go, and begins a grace,
// only as a whole: by its end and its start (fs/lockd/svc.c). So after addresses have moved the lock manager of every node is started anew, and all
// clients of all nodes reclaim.
//
// Why three phases. "All stop, wait, all start" gave a rival the lock in two runs of two: the first node's end frees locks while the last one
// still grants, outside any grace. So
//   refuse  every node drops what comes for lockd, and what lockd says by itself (the GRANTED of a lock that somebody waits for);
//   stop    once all refuse: its lock manager ends, and its locks go;
//   start   once all have stopped: it starts, which begins its grace; what was dropped comes through again, and its clients are notified.
// Whoever grants outside a grace while another node's locks are gone would give them away; no node does, at any time. A node that has started need
// not wait for the others: they hold nothing, so what is reclaimed is in nobody's way.
//
// Events are hints. CTDB's events may be killed, lost, late or said twice, so what counts is what is so: a node wants a reconfiguration when the public
// addresses that it has are not those of its last one, or one of them came or went since. It begins as `ipreallocated` comes, or where that does not
// (`ctdb moveip` of CTDB 4.17), a little after the last takeip or releaseip. No event waits for it: one process on each node does the work.
//
// How nodes agree. `<state>/ctdb/node.<PNN>` is a node's note, on storage out of the clients' reach: it has one writer, and is replaced as a whole. Nobody
// leads. A reconfiguration is a generation, a number; whoever wants one writes the highest one plus 1 into its note, and whoever sees a higher one than its
// own goes over to that, at the edge of a phase: a phase is never cut in two, and what is done (refuse, stop) stays done in the newer generation. Two
// that begin the same one at once mean the same.
//
// Who is waited for. Every node that CTDB says is connected, or whose note changes (its process lives, and sees the storage, whatever CTDB
// thinks of it, as in a partition). Never longer than `waitMs` for each phase: then it is left behind, and named. A node that was left behind may have
// dropped nothing, or have granted meanwhile; when it is back it begins a new generation, as far as the grace of the others cannot cover it any more.
//
// What ends by itself. The refusal is a set of the kernel's packet filter whose elements time out, and are renewed as long as somebody waits: when the
// process is killed, they go. No node refuses longer than `closedMs`, whatever comes meanwhile.
//
// What the grace must cover: the spread of the starts (`spreadMs`; who would start later begins a new generation), the notification and the reclaim.

/** CTDB's number of a node. */
export type Pnn = number;

/**
 * What a node is at. `idle`: it serves, and its last generation is over; `called`: it has seen a newer one, and serves still; `refusing`: nobody
 * reaches its lock manager; `stopped`: it has no locks; `started`: it serves, in grace; `gone`: it has ended its lock manager, and takes part
 * in nothing.
 */
export const phases = ['idle', 'called', 'refusing', 'stopped', 'started', 'gone'] as const;
export type Phase = (typeof phases)[number];

/** What others have to reach before a node goes on. */
export type Awaited = 'refusing' | 'stopped';

/** Nodes that were not waited for any longer, by what they had not reached. */
export type Behind = Readonly<Record<Awaited, readonly Pnn[]>>;

export const nobodyBehind: Behind = { refusing: [], stopped: [] };

/** What one node says of itself. */
export interface Note {
  /** Of the reconfiguration that it is in, or was in last. */
  readonly generation: number;
  readonly phase: Phase;
  readonly behind: Behind;
  /** Another one each time: a note that changes has a process behind it. */
  readonly beat: number;
}

/**
 * A generation so far beyond what this node knows was never begun: with one in each second that takes 136 years. Whoever may write notes, or a damaged
 * disk, could have it as high as numbers go, where the next one is no other number (2^53): nobody would ever come together again.
 */
const mostAhead = 2 ** 32;

/**
 * The notes whose generation can be so. `own`: that of this node, as it knows it without them; undefined: it does not, and goes by its note, that of
 * `self`. Where that cannot be so, it comes back with what the others are at, as its phase may be so all the same.
 */
export function believable<N extends Note>(
  notes: ReadonlyMap<Pnn, N>,
  self: Pnn | undefined,
  own: number | undefined,
): Map<Pnn, N> {
  const known = own ?? ownIn(notes, self);
  const bounded = new Map<Pnn, N>();
  for (const [pnn, note] of notes)
    if (note.generation <= known + mostAhead) bounded.set(pnn, note);
    else if (pnn === self) bounded.set(pnn, { ...note, generation: known });
  return bounded;
}

function ownIn(notes: ReadonlyMap<Pnn, Note>, self: Pnn | undefined): number {
  const [own] = [...notes].filter(([pnn]) => pnn === self).map(([, { generation }]) => generation);
  if (own !== undefined && own <= mostAhead) return own;
  const others = [...notes.values()].map(({ generation }) => generation);
  return Math.max(0, ...others.filter((other) => other <= mostAhead));
}

/** How far it has come in a generation; `idle` is beyond all of that. */
const order: readonly Phase[] = ['called', 'refusing', 'stopped', 'started', 'idle'];

/** Whether a node has reached a phase of this generation: also when it is beyond it, or beyond the generation. */
export function hasReached(note: Note | undefined, generation: number, awaited: Awaited): boolean {
  if (note === undefined || note.generation < generation) return false;
  if (note.phase === 'gone' || note.generation > generation) return true;
  return order.indexOf(note.phase) >= order.indexOf(awaited);
}

/** Whether its locks are gone, or may be, and not all reclaimed yet; or are about to go. */
export function isUnderWay({ phase }: Note): boolean {
  return phase === 'called' || phase === 'refusing' || phase === 'stopped' || phase === 'started';
}

/** Whether it has begun a grace in this generation, or in a later one. */
export function hasStarted(note: Note, generation: number): boolean {
  return note.generation >= generation && (note.phase === 'started' || note.phase === 'idle');
}
