import { messageOf } from '../errors.js';
import {
  type Act,
  decide,
  done,
  initialState,
  type Limits,
  lookBeside,
  noteOf,
  refusalMs,
  type Seen,
  type State,
} from './machine.js';
import type { Note, Pnn } from './note.js';

// One process on each node: looks at the others, decides (machine.ts), acts. Whatever it does to the machine comes in as `Effects`.

/** What the process does, and what it looks at. What throws is tried again by the next look, and said. */
export interface Effects {
  /** By the clock since the boot, ms. */
  now(): number;
  /** What CTDB said last, as far as it answers; never waits. Undefined: nothing yet. */
  members(): { readonly self: Pnn; readonly connected: ReadonlySet<Pnn> } | undefined;
  /** The waits by a configuration that was changed, where that has been taken now. */
  refresh?(): Limits | undefined;
  /** The notes of all nodes, this one's too, that can be so beside its generation; undefined: it knows none yet. */
  readNotes(own: number | undefined): ReadonlyMap<Pnn, Note>;
  writeNote(pnn: Pnn, note: Note): void;
  /** What it wants, by its addresses and by what events have said. */
  wanted(): Seen['wanted'] | Promise<Seen['wanted']>;
  /** Whether the own note was written before the kernel was started. */
  isRebooted(): boolean;
  lockManager(): Promise<'up' | 'refusing' | 'down'>;
  closedSince(): number | undefined;
  noteClosed(since: number | undefined): void;
  inGrace(): Promise<boolean>;
  /** Throws where the lock manager does not run. */
  expectUp(): Promise<void>;
  /** For so long, or as long anew, ms. */
  refuse(ms: number): Promise<void>;
  /** Whether what `refuse` has refused last is refused still. */
  refuses(): Promise<boolean>;
  letThrough(): Promise<void>;
  /** The lock manager ends; whoever is recorded stays so. */
  stop(): Promise<void>;
  /** The lock manager starts, in grace, and clients are recorded from then on. From its begin on, what moves is not covered by it. */
  start(): Promise<void>;
  /** SM_NOTIFY to the clients of this node's addresses, until they are notified or the signal comes. */
  notify(signal: AbortSignal): Promise<void>;
  /** For people. */
  say(level: 'info' | 'warn', text: string): void;
  /** Once for each look: how the process is. */
  looked(state: State, wrong: readonly string[]): void;
  delay(ms: number, signal: AbortSignal): Promise<void>;
}

/** Between two looks, ms, while something is under way; and while nothing is. */
export const lookMs = { busy: 200, idle: 500 };
/** So often a note changes, and a refusal is renewed, while something is under way; and while nothing is. */
const beatMs = { busy: 1000, idle: 5000 };

/** So often all begin anew where rules were taken away; who takes them away for ever keeps nobody from being served. */
const mostOpened = 5;

export class BarrierProcess {
  readonly #effects: Effects;
  #limits: Limits;
  #state: State | undefined;
  #self: Pnn | undefined;
  #beat: number;
  #wroteAt = Number.NEGATIVE_INFINITY;
  #renewedAt = Number.NEGATIVE_INFINITY;
  #written = '';
  /** One change of the packet filter at a time; and none that refuses any more, once this act lets everything through. */
  #filtering: Promise<unknown> = Promise.resolve();
  #isOpening = false;
  /** The lock manager has started, and something is refused still. */
  #isShut = false;
  /** When it was seen last that what is to be refused is; and what came through since the last look. */
  #refusedAt = Number.NEGATIVE_INFINITY;
  #wasOpen = false;
  /** How often since the lock manager has started. */
  #opened = 0;
  #isKeeping = false;
  /** A renewal of before the last one comes too late. */
  #openings = 0;
  #notifying: { readonly generation: number; readonly abort: AbortController } | undefined;
  /** Each once, until the next look that goes well. */
  readonly #wrong = new Map<string, string>();

  constructor(effects: Effects, limits: Limits) {
    this.#effects = effects;
    this.#limits = limits;
    // Another one than a process before this had.
    this.#beat = Date.now();
  }

  get state(): State | undefined {
    return this.#state;
  }

  /** Looks until the signal comes. What is refused then ends by itself. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        await this.look();
        const ms = this.#state?.phase === 'idle' ? lookMs.idle : lookMs.busy;
        await this.#effects.delay(ms, signal).catch(() => undefined);
      }
    } finally {
      this.#notifying?.abort.abort();
    }
  }

  /** To be called when `run` has ended: the lock manager that it has stopped is started again, with the others, as long as anything is refused. */
  async finish(): Promise<void> {
    const isDown = ({ phase }: State) => phase === 'stopped';
    const { signal } = new AbortController();
    while (
      this.#state !== undefined &&
      isDown(this.#state) &&
      refusalMs(this.#state, this.#effects.now(), this.#limits) > 0
    ) {
      await this.look();
      await this.#effects.delay(lookMs.busy, signal);
    }
    this.#notifying?.abort.abort();
  }

  /** One look, and what follows from it. */
  async look(): Promise<void> {
    const members = await this.#try('asking CTDB', () => this.#effects.members());
    if (members === undefined) return;
    this.#self = members.self;
    // Never within a barrier.
    const at = this.#state?.phase ?? 'idle';
    if (at === 'idle' || at === 'started') {
      this.#opened = 0;
      this.#limits = (await this.#try('the configuration', () => this.#effects.refresh?.())) ?? this.#limits;
    }
    const notes = await this.#try('reading what the others are at', () => this.#readNotes());
    if (this.#state === undefined) {
      // What it did before it was killed stands there alone.
      if (notes === undefined) return;
      const began = await this.#try('looking at the lock manager', () =>
        this.#begin(notes.get(members.self)),
      );
      if (began === undefined) return;
      this.#state = began;
    }
    const wanted = await this.#try('looking for what has moved', () => this.#effects.wanted());
    const inGrace = await this.#try('looking at the grace', () => this.#effects.inGrace());
    const { phase } = this.#state;
    if (phase === 'idle' || phase === 'started')
      await this.#try('the lock manager', () => this.#effects.expectUp());
    else this.#wrong.delete('the lock manager');
    const others = notes === undefined ? undefined : new Map(notes);
    others?.delete(members.self);
    const now = this.#effects.now();
    const seen: Seen = {
      now,
      notes: others,
      connected: members.connected,
      wanted,
      inGrace: inGrace ?? true,
      wasOpen: this.#wasOpen,
    };
    this.#wasOpen = false;
    const before = this.#state;
    const { state, act } = decide(before, seen, this.#limits);
    this.#become(state);
    this.#tell(before, state);
    await this.#write();
    if (act === 'stop') await this.#keepRefusing();
    // Not where something came through just before.
    if (act !== 'none' && !(act === 'stop' && this.#wasOpen)) await this.#act(act);
    else if (this.#isShut && this.#state.phase === 'started') {
      await this.#open();
      this.#isOpening = false;
    }
    await this.#keepRefusing();
    this.#notify();
    await this.#look(this.#state);
  }

  /** Where that cannot be noted, as where /run is full, it goes on all the same: somebody waits for it. */
  async #look(state: State): Promise<void> {
    const wrong = [...this.#wrong.values()];
    await this.#try('saying how it is', () => this.#effects.looked(state, wrong));
  }

  #readNotes(): ReadonlyMap<Pnn, Note> {
    return this.#effects.readNotes(this.#state?.generation);
  }

  async #begin(own: Note | undefined): Promise<State> {
    const effects = this.#effects;
    const state = initialState({
      now: effects.now(),
      note: own,
      isRebooted: own !== undefined && effects.isRebooted(),
      lockManager: await effects.lockManager(),
      closedSince: effects.closedSince(),
    });
    if (state.phase !== 'idle')
      this.#effects.say('warn', `goes on in generation ${state.generation}: ${state.phase}`);
    return state;
  }

  /** Others see meanwhile that it lives, and the kernel goes on refusing. */
  async #act(act: Exclude<Act, 'none'>): Promise<void> {
    const state = this.#state;
    if (state === undefined) return;
    const meanwhile = setInterval(() => {
      void this.#lookBeside();
      void this.#write();
      void this.#look(state);
    }, beatMs.busy);
    const refusing = setInterval(() => void this.#keepRefusing(), lookMs.busy);
    let hasWorked: boolean;
    try {
      hasWorked = (await this.#try(actTexts[act], async () => this.#do(act))) === true;
    } finally {
      clearInterval(meanwhile);
      clearInterval(refusing);
      this.#isOpening = false;
    }
    if (this.#state === undefined) return;
    const before = this.#state;
    this.#become(done(before, act, hasWorked, this.#effects.now(), this.#limits));
    this.#tell(before, this.#state);
    await this.#write();
  }

  async #lookBeside(): Promise<void> {
    const members = await this.#try('asking CTDB', () => this.#effects.members());
    const others = new Map(await this.#try('reading what the others are at', () => this.#readNotes()));
    if (this.#state === undefined || members === undefined || others.size === 0) return;
    others.delete(members.self);
    const seen = { now: this.#effects.now(), notes: others, connected: members.connected };
    this.#state = lookBeside(this.#state, seen, this.#limits);
  }

  async #do(act: Exclude<Act, 'none'>): Promise<true> {
    switch (act) {
      case 'refuse':
        await this.#filtered(() => this.#refuse(this.#effects.now()));
        return true;
      case 'stop':
        await this.#effects.stop();
        return true;
      case 'start':
        await this.#effects.start();
        // In its grace: what comes through is a reclaim, or waits. Where it cannot be let through yet, that is no reason to start anew.
        this.#isShut = true;
        await this.#open();
        return true;
      case 'open':
        await this.#letThrough();
        return true;
    }
  }

  /** What was refused before the lock manager has started comes through: tried until it does, or the refusal has ended by itself. */
  async #open(): Promise<void> {
    const isOpen = await this.#try(actTexts.open, async () => {
      await this.#letThrough();
      return true;
    });
    if (isOpen === true) this.#isShut = false;
  }

  async #letThrough(): Promise<void> {
    this.#isOpening = true;
    this.#openings += 1;
    await this.#filtered(() => this.#effects.letThrough());
  }

  /** One after the other: a renewal that is under way must not end after what takes it away. */
  #filtered(change: () => Promise<void>): Promise<void> {
    const next = this.#filtering.then(change, change);
    this.#filtering = next.catch(() => undefined);
    return next;
  }

  #become(state: State): void {
    const was = this.#state?.closedSince;
    this.#state = state;
    const { closedSince } = state;
    if (closedSince !== was) void this.#try('noting it', () => this.#effects.noteClosed(closedSince));
  }

  /** Writes the note where it says something new, or it is time that it changes. */
  async #write(): Promise<void> {
    const state = this.#state;
    const self = this.#self;
    if (state === undefined || self === undefined) return;
    const { generation, phase, behind } = state;
    const text = JSON.stringify([generation, phase, behind]);
    const now = this.#effects.now();
    const isDue = now - this.#wroteAt >= (phase === 'idle' ? beatMs.idle : beatMs.busy);
    if (text === this.#written && !isDue) return;
    this.#beat += 1;
    const note = noteOf(state, this.#beat);
    const hasWritten = await this.#try('saying what this node is at', () => {
      this.#effects.writeNote(self, note);
      return true;
    });
    if (hasWritten !== true) return;
    this.#written = text;
    this.#wroteAt = now;
  }

  async #keepRefusing(): Promise<void> {
    const state = this.#state;
    if (state === undefined || (state.phase !== 'refusing' && state.phase !== 'stopped')) return;
    const now = this.#effects.now();
    if (this.#isOpening || this.#isKeeping || refusalMs(state, now, this.#limits) === 0) return;
    this.#isKeeping = true;
    const openings = this.#openings;
    const renew = async () => {
      if (openings !== this.#openings) return;
      const isDue = now - this.#renewedAt >= beatMs.busy;
      // Where nobody can say it is renewed in time all the same.
      const stands = await this.#effects.refuses().catch(() => undefined);
      const since = this.#refusedAt;
      if (stands === true) this.#refusedAt = now;
      if (openings !== this.#openings || (stands !== false && !isDue)) return;
      await this.#refuse(now);
      if (stands === false) this.#cameThrough(state, since);
    };
    await this.#try('going on refusing', () => this.#filtered(renew));
    this.#isKeeping = false;
  }

  /** As long as this node may refuse. */
  async #refuse(now: number): Promise<void> {
    const { closedSince } = this.#state ?? { closedSince: undefined };
    await this.#effects.refuse(refusalMs({ closedSince }, now, this.#limits));
    this.#renewedAt = now;
    this.#refusedAt = this.#effects.now();
  }

  #cameThrough({ phase }: State, since: number): void {
    this.#opened += 1;
    const isTooOften = this.#opened > mostOpened;
    this.#wasOpen = !isTooOften;
    const ms = Math.round(this.#refusedAt - since);
    const long = Number.isFinite(ms) ? `${ms} ms` : 'an unknown time';
    const goesOn = isTooOften
      ? `that was so ${mostOpened} times before, so it goes on: whatever takes them away, stop it`
      : 'all begin anew';
    this.#effects.say(
      'warn',
      `NLM was not refused here for up to ${long}: the rules were gone, as after "nft flush ruleset" or a reload of a firewall, and are there again; ${phase === 'refusing' ? `${goesOn}, and what was locked here meanwhile may be what others held, where a node had stopped already` : 'nothing was granted, as the lock manager is down'}`,
    );
  }

  /** Once for each generation, from its start; one that is overtaken ends. */
  #notify(): void {
    const state = this.#state;
    if (state === undefined) return;
    const isDue = state.phase === 'started' && this.#notifying?.generation !== state.generation;
    if (state.phase !== 'started' && state.phase !== 'idle') this.#notifying?.abort.abort();
    if (!isDue) return;
    this.#notifying?.abort.abort();
    const abort = new AbortController();
    this.#notifying = { generation: state.generation, abort };
    void this.#try('notifying the clients', () => this.#effects.notify(abort.signal));
  }

  #tell(before: State, after: State): void {
    const say = (level: 'info' | 'warn', text: string) => this.#effects.say(level, text);
    if (before.generation !== after.generation || before.phase !== after.phase)
      say('info', `generation ${after.generation}: ${after.phase}`);
    for (const awaited of ['refusing', 'stopped'] as const) {
      const left = after.behind[awaited].filter((pnn) => !before.behind[awaited].includes(pnn));
      if (left.length > 0)
        say(
          'warn',
          `generation ${after.generation}: node ${left.join(', ')} has not reached "${awaited}" in time, and is not waited for; what its clients lock meanwhile may be what others held`,
        );
    }
    if (after.late.times > before.late.times)
      say('warn', `generation ${after.generation}: this node was too late for the grace of the others`);
  }

  /** Undefined where it throws, which is said once. */
  async #try<T>(what: string, work: () => T | Promise<T>): Promise<T | undefined> {
    try {
      const result = await work();
      this.#wrong.delete(what);
      return result;
    } catch (error) {
      const text = `${what}: ${messageOf(error)}`;
      if (this.#wrong.get(what) !== text) this.#effects.say('warn', text);
      this.#wrong.set(what, text);
      return undefined;
    }
  }
}

const actTexts = {
  refuse: 'refusing NLM',
  stop: 'stopping the lock manager',
  start: 'starting the lock manager',
  open: 'letting NLM through',
} satisfies Record<Exclude<Act, 'none'>, string>;
