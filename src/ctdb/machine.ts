import {
  type Awaited,
  type Behind,
  hasReached,
  hasStarted,
  isUnderWay,
  nobodyBehind,
  type Note,
  type Phase,
  type Pnn,
} from './note.js';

// The barrier as one node sees it: what it does next, by its own state and one look at the others. Nothing here has an effect; note.ts says what
// it is for.

/** How long is waited, ms. */
export interface Limits {
  /** For the others to reach a phase. */
  readonly waitMs: number;
  /** From the first start of a generation to the last one that its graces cover. */
  readonly spreadMs: number;
  /** So long after its note has changed last a node counts as living that CTDB does not know as connected. */
  readonly freshMs: number;
  /** No node that has its locks refuses longer, but for `waitMs` in which it opens; see refusalMs. */
  readonly closedMs: number;
  /** The refusal ends by itself so long after it was renewed last. */
  readonly ruleMs: number;
  /** Before whoever came too late begins a generation again, the second time; twice as long each time after that. */
  readonly retryMs: number;
}

/** Why this node wants a reconfiguration: an event said so; or nobody did, and its addresses are others than they were. */
export type Wanted = 'event' | 'found';

/** One look. */
export interface Seen {
  /** By the monotonic clock, ms. */
  readonly now: number;
  /** Of every node that has one, this node's left out; undefined: the storage does not answer. */
  readonly notes: ReadonlyMap<Pnn, Note> | undefined;
  /** Whom CTDB says is connected, this node left out. */
  readonly connected: ReadonlySet<Pnn>;
  /** What of this node no reconfiguration has covered. */
  readonly wanted: Wanted | undefined;
  /** Whether its lock manager is in grace still. */
  readonly inGrace: boolean;
  /** What it refused came through since the last look, by another's change of the packet filter or as its process stood still; it is refused again. */
  readonly wasOpen?: boolean;
}

/** What is to be done now. `open`: the refusal ends, though the lock manager is the old one. */
export type Act = 'none' | 'refuse' | 'stop' | 'start' | 'open';

/** What one node knows. */
export interface State {
  readonly generation: number;
  readonly phase: Phase;
  readonly behind: Behind;
  /** Of the others, the last change of each note as it was seen, and since when it is known not to have changed. */
  readonly beats: ReadonlyMap<Pnn, { readonly beat: number; readonly at: number; readonly since: number }>;
  /** Since when it waits for the phase of the others. */
  readonly waitingSince: number;
  /** Since when it refuses; undefined: it does not. */
  readonly closedSince: number | undefined;
  /** When it last looked; undefined: never. */
  readonly lookedAt: number | undefined;
  /** The highest generation that others were seen in, and when last none of them had started in it. */
  readonly watched: { readonly generation: number; readonly noneStartedAt: number };
  /** It gives up, or has started too late: that generation, and all before it, are not joined any more. */
  readonly missed: number;
  /** How often in a row it came too late, and before when it does not begin another generation for that. */
  readonly late: { readonly times: number; readonly notBefore: number };
  /** The last stop has failed. */
  readonly stopFailed: boolean;
}

export interface Decision {
  readonly state: State;
  readonly act: Act;
}

/** What a process finds as it starts. */
export interface Found {
  readonly now: number;
  /** This node's own, of a process before this one. */
  readonly note: Note | undefined;
  /** The machine has booted since that was written. */
  readonly isRebooted: boolean;
  /** `up`: it serves; `refusing`: it runs, and the refusal stands; `down`: it does not run. */
  readonly lockManager: 'up' | 'refusing' | 'down';
  /** Since when it refuses, by `now`; undefined: it does not, or nobody knows. */
  readonly closedSince: number | undefined;
}

/** Begins, or goes on where a process that was killed has stopped: by what is so, not by what was written. */
export function initialState({ now, note, isRebooted, lockManager, closedSince }: Found): State {
  const before = note ?? { generation: 0, phase: 'idle' };
  const wasIn = before.phase !== 'idle' && before.phase !== 'gone';
  const base = {
    behind: nobodyBehind,
    beats: new Map(),
    waitingSince: now,
    lookedAt: undefined,
    watched: { generation: before.generation, noneStartedAt: Number.NEGATIVE_INFINITY },
    missed: 0,
    late: { times: 0, notBefore: Number.NEGATIVE_INFINITY },
    stopFailed: false,
  };
  const at = (phase: Phase, generation = before.generation): State => ({
    ...base,
    generation,
    phase,
    closedSince: phase === 'refusing' || phase === 'stopped' ? (closedSince ?? now) : undefined,
  });
  if (lockManager === 'refusing') return at('refusing');
  if (isRebooted || !wasIn) return at('idle', wasIn ? Math.max(0, before.generation - 1) : before.generation);
  // It has stopped, and what it has stopped for goes on.
  if (lockManager === 'down') return at('stopped');
  return at(before.phase === 'started' ? 'started' : 'called');
}

/** What the others read. */
export function noteOf({ generation, phase, behind }: State, beat: number): Note {
  return { generation, phase, behind, beat };
}

/** The next act, by one look. */
export function decide(before: State, seen: Seen, limits: Limits): Decision {
  const { now, notes } = seen;
  if (notes === undefined) return withoutStorage(before, now, limits);
  const state = watch(before, seen, limits);
  const living = livingNotes(state, seen, limits);
  const decision = next(state, { ...seen, notes }, living, limits);
  return { ...decision, state: { ...decision.state, lookedAt: now } };
}

/**
 * A look beside an act, which may last longer than the spread of the starts: only when the others started is seen, so that a node whose own start is slow is
 * not too late by its last look before that.
 */
export function lookBeside(
  before: State,
  seen: Pick<Seen, 'now' | 'notes' | 'connected'>,
  limits: Limits,
): State {
  if (seen.notes === undefined) return before;
  const state = watch(before, seen, limits);
  return { ...watchLiving(state, notesOf(livingNotes(state, seen, limits)), seen.now), lookedAt: seen.now };
}

/**
 * For how long the kernel is to refuse without this process; 0: not at all. Also renewed again and again it ends in time: a process that hangs,
 * or is killed and started over and over, closes nothing for ever.
 */
export function refusalMs({ closedSince }: Pick<State, 'closedSince'>, now: number, limits: Limits): number {
  const most = (closedSince ?? now) + limits.closedMs + limits.waitMs - now;
  return Math.max(0, Math.min(limits.ruleMs, most));
}

/** What the act has come to. */
export function done(state: State, act: Act, hasWorked: boolean, now: number, limits: Limits): State {
  switch (act) {
    case 'none':
      return state;
    case 'refuse':
      if (hasWorked)
        return {
          ...state,
          phase: 'refusing',
          waitingSince: now,
          closedSince: state.closedSince ?? now,
          stopFailed: false,
        };
      return now - state.waitingSince < limits.waitMs ? state : givenUp(state, now, limits);
    case 'stop':
      return hasWorked
        ? { ...state, phase: 'stopped', waitingSince: now, stopFailed: false }
        : { ...state, stopFailed: true };
    case 'start':
      if (!hasWorked) return state;
      return {
        ...state,
        phase: 'started',
        waitingSince: now,
        closedSince: undefined,
        missed: now - state.watched.noneStartedAt > limits.spreadMs ? state.generation : state.missed,
      };
    case 'open':
      return { ...givenUp(state, now, limits), closedSince: undefined };
  }
}

/** Nobody knows what the others do: what is closed opens in the end, and what is down comes back. */
function withoutStorage(state: State, now: number, limits: Limits): Decision {
  const { phase } = state;
  if (!isOverdue(state, now, limits)) return { state, act: 'none' };
  return { state, act: phase === 'refusing' ? 'open' : phase === 'stopped' ? 'start' : 'none' };
}

function isOverdue({ closedSince }: State, now: number, { closedMs }: Limits): boolean {
  return closedSince !== undefined && now - closedSince >= closedMs;
}

/** Whose notes change, and what the others have been seen in. */
function watch(state: State, { now, notes }: Pick<Seen, 'now' | 'notes'>, limits: Limits): State {
  const beats = new Map(
    [...(notes ?? [])].map(([pnn, { beat }]) => {
      const before = state.beats.get(pnn);
      // One that was never seen before may be of a node that is dead: it is fresh when it changes.
      return [
        pnn,
        before?.beat === beat
          ? before
          : { beat, at: before === undefined ? now - limits.freshMs : now, since: now },
      ] as const;
    }),
  );
  return { ...state, beats };
}

function livingNotes(
  state: State,
  { now, notes, connected }: Pick<Seen, 'now' | 'notes' | 'connected'>,
  { freshMs }: Limits,
): Map<Pnn, Note | undefined> {
  const living = new Map<Pnn, Note | undefined>();
  for (const pnn of connected) living.set(pnn, notes?.get(pnn));
  for (const [pnn, note] of notes ?? [])
    if (now - (state.beats.get(pnn)?.at ?? Number.NEGATIVE_INFINITY) < freshMs) living.set(pnn, note);
  for (const [pnn, note] of living) if (note?.phase === 'gone') living.delete(pnn);
  return living;
}

type Living = ReadonlyMap<Pnn, Note | undefined>;

function notesOf(living: Living): Note[] {
  return [...living.values()].filter((note) => note !== undefined);
}

interface Readable extends Seen {
  readonly notes: ReadonlyMap<Pnn, Note>;
}

function next(before: State, seen: Readable, living: Living, limits: Limits): Decision {
  const { now } = seen;
  if (seen.wasOpen === true && before.phase === 'refusing')
    return { state: openedBefore(before, newestOf(before, seen), now), act: 'none' };
  const notes = notesOf(living);
  const active = activeOf(notes);
  const state = watchLiving(before, notes, now);
  const newest = newestOf(state, seen);
  const isLate = now - state.watched.noneStartedAt > limits.spreadMs;
  const takesPart = active > state.generation && active > state.missed;
  if (takesPart || isInBarrier(state)) {
    // Its locks would go, or be reclaimed, when the graces of the others may be over.
    if (isLate && (takesPart || hasToBeInTime(state)) && now >= state.late.notBefore)
      return { state: begun(tooLate(state, now, limits), newest + 1, now), act: 'none' };
    if (takesPart && !isLate) return goOn(begun(state, active, now), seen, living, limits);
    if (isLate && state.phase === 'called') return { state: givenUp(state, now, limits), act: 'none' };
    if (isLate && state.phase === 'refusing') return { state, act: 'open' };
  }
  // Until it starts, whatever comes is covered.
  const mayBegin = (state.phase === 'idle' || state.phase === 'started') && now >= state.late.notBefore;
  if (seen.wanted === 'event' && mayBegin) return { state: begun(state, newest + 1, now), act: 'none' };
  if (seen.wanted === 'found' && mayBegin && state.phase === 'idle' && active === -1)
    return { state: begun(state, newest + 1, now), act: 'none' };
  return goOn(state, seen, living, limits);
}

function newestOf({ generation }: State, { notes }: Readable): number {
  return Math.max(generation, ...[...notes.values()].map((note) => note.generation));
}

/** It may have granted: nobody stops by its word that it refuses before it has said so anew. It does not refuse longer by that. */
function openedBefore(state: State, newest: number, now: number): State {
  return { ...begun(state, newest + 1, now), phase: 'called' };
}

function isInBarrier({ phase }: State): boolean {
  return phase !== 'idle' && phase !== 'gone';
}

/** One that has started in time has nothing to be late with. */
function hasToBeInTime({ phase, generation, missed }: State): boolean {
  return phase !== 'started' || missed >= generation;
}

/** Goes over to a generation; what is done stays done. */
function begun(state: State, generation: number, now: number): State {
  const { phase, watched } = state;
  return {
    ...state,
    generation,
    phase: phase === 'refusing' || phase === 'stopped' ? phase : 'called',
    behind: nobodyBehind,
    waitingSince: now,
    watched: generation > watched.generation ? { generation, noneStartedAt: now } : watched,
  };
}

/** The highest generation that is under way; -1: none. */
function activeOf(notes: readonly Note[]): number {
  return Math.max(-1, ...notes.filter(isUnderWay).map(({ generation }) => generation));
}

function watchLiving(state: State, notes: readonly Note[], now: number): State {
  return watchStarts(state, Math.max(activeOf(notes), state.generation), notes, now);
}

/** Until when none of the others had started in the highest generation that is under way. */
function watchStarts(state: State, generation: number, notes: readonly Note[], now: number): State {
  const { watched, lookedAt } = state;
  const isNewer = generation > watched.generation;
  const noneYet = isNewer ? (lookedAt ?? Number.NEGATIVE_INFINITY) : watched.noneStartedAt;
  const of = Math.max(generation, watched.generation);
  const isAny = notes.some((note) => hasStarted(note, of));
  return { ...state, watched: { generation: of, noneStartedAt: isAny ? noneYet : now } };
}

function tooLate(state: State, now: number, { retryMs }: Limits): State {
  const { times } = state.late;
  return { ...state, late: { times: times + 1, notBefore: now + retryMs * 2 ** Math.min(times, 6) } };
}

/** It takes no part in this generation any more, and serves as it did before. */
function givenUp(state: State, now: number, limits: Limits): State {
  const { generation } = state;
  return {
    ...tooLate(state, now, limits),
    phase: 'idle',
    generation: Math.max(0, generation - 1),
    missed: generation,
    behind: nobodyBehind,
    stopFailed: false,
  };
}

function goOn(state: State, seen: Readable, living: Living, limits: Limits): Decision {
  const { now, inGrace } = seen;
  switch (state.phase) {
    case 'gone':
      return { state, act: 'none' };
    case 'idle':
      return { state: overtaken(state, living), act: 'none' };
    case 'called':
      return { state, act: isOverdue(state, now, limits) ? 'open' : 'refuse' };
    case 'refusing':
      return afterAll('refusing', state, seen, living, limits);
    case 'stopped':
      return afterAll('stopped', state, seen, living, limits);
    case 'started':
      return inGrace
        ? { state, act: 'none' }
        : {
            state: {
              ...state,
              phase: 'idle',
              behind: nobodyBehind,
              late: { times: 0, notBefore: now },
            },
            act: 'none',
          };
  }
}

/** A generation that is over everywhere, and did not need this node. */
function overtaken(state: State, living: Living): State {
  const notes = notesOf(living);
  const highest = Math.max(state.generation, ...notes.map(({ generation }) => generation));
  return notes.some(isUnderWay) ? state : { ...state, generation: highest };
}

/** Once all who live have reached what this node has, or the time for that is over. */
function afterAll(awaited: Awaited, before: State, seen: Readable, living: Living, limits: Limits): Decision {
  const { now } = seen;
  const state = { ...before, behind: joined(before, living, now) };
  const act = awaited === 'refusing' ? 'stop' : 'start';
  const isOver = isOverdue(state, now, limits);
  const missing = [...living]
    .filter(([pnn, note]) => isMissing(pnn, note, awaited, state))
    .map(([pnn]) => pnn);
  // Nothing is lost yet: better the old locks than a stop beside somebody who grants, or one that fails again and again.
  if (isOver && awaited === 'refusing' && (missing.length > 0 || state.stopFailed))
    return { state, act: 'open' };
  if (missing.length === 0) return { state, act };
  if (!isOver && now - state.waitingSince < limits.waitMs) return { state, act: 'none' };
  const behind = { ...state.behind, [awaited]: [...state.behind[awaited], ...missing] };
  return { state: { ...state, behind }, act };
}

/** A node that has nothing to do changes its note every 5 s. */
const silentMs = 6000;

/**
 * Whom others have given up waiting for, this node does not wait for either: one whose own process was killed in a wait would be late by that. Only as
 * far as it sees that for itself: who says so is in the phase that begins by that wait or its end, and the note of the other stands still. Whoever
 * lives has its time: a wrong word would have this node stop beside one that grants.
 */
function joined({ behind, generation, beats }: State, living: Living, now: number): Behind {
  const notes = notesOf(living).filter((note) => note.generation === generation);
  const isStill = (pnn: Pnn) => living.has(pnn) && now - (beats.get(pnn)?.since ?? now) >= silentMs;
  const all = (awaited: Awaited) => {
    const said = notes
      .filter((note) => hasReached(note, generation, awaited))
      .flatMap((note) => note.behind[awaited]);
    return [...new Set([...behind[awaited], ...said.filter(isStill)])];
  };
  return { refusing: all('refusing'), stopped: all('stopped') };
}

/** A node that was left behind is waited for again when it has caught up. */
function isMissing(
  pnn: Pnn,
  note: Note | undefined,
  awaited: Awaited,
  { behind, generation }: State,
): boolean {
  if (hasReached(note, generation, awaited) || behind[awaited].includes(pnn)) return false;
  if (awaited === 'refusing') return true;
  return !behind.refusing.includes(pnn) || hasReached(note, generation, 'refusing');
}
