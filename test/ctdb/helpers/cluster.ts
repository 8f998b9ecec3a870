import {
  type Act,
  decide,
  done,
  initialState,
  type Limits,
  lookBeside,
  noteOf,
  refusalMs,
  type State,
} from '../../../src/ctdb/machine.js';
import type { Note, Pnn } from '../../../src/ctdb/note.js';

// A CTDB cluster in a model: nodes whose lock managers really have locks, grant, stop and start, each with a process that looks and acts by
// src/ctdb/machine.ts, and a storage that holds their notes. Time goes on in steps; what goes wrong is written down where it happens.

export const limits: Limits = {
  waitMs: 10_000,
  spreadMs: 10_000,
  freshMs: 10_000,
  closedMs: 40_000,
  ruleMs: 30_000,
  retryMs: 20_000,
};
/** As long a grace lasts, and a client takes to reclaim after its server has started. */
export const graceMs = 40_000;
export const reclaimMs = 10_000;
/** CTDB says so long after a node has died that it is disconnected. */
export const noticedMs = 15_000;
export const stepMs = 100;
/** Nothing comes any more where nothing has come for so long. */
const settledMs = 5000;

/** What happens to a node, and when, ms from the start. */
export interface Disturbance {
  readonly at: number;
  readonly node: Pnn;
  /**
   * `event`: its addresses change; `found`: the same, and no event says so; `hang`: its process stands still; `kill`: that is killed, and another
   * one starts after `forMs`; `die`: the machine, which boots after `forMs`; `part`: CTDB thinks that it is alone; `blind`: it does not see the storage;
   * `flush`: somebody empties its packet filter.
   */
  readonly what: 'event' | 'found' | 'hang' | 'kill' | 'die' | 'part' | 'blind' | 'flush';
  readonly forMs: number;
}

/** How long each act takes, ms; a number for each, in turn. */
export interface Pace {
  readonly refuse: readonly number[];
  readonly stop: readonly number[];
  readonly start: readonly number[];
}

interface LockManager {
  isUp: boolean;
  graceUntil: number;
  /** When its locks went that its clients may not have reclaimed yet. */
  droppedAt: number | undefined;
  /** Until when they may be under way. */
  backAt: number;
}

export class Node {
  readonly lockManager: LockManager = {
    isUp: true,
    graceUntil: 0,
    droppedAt: undefined,
    backAt: 0,
  };
  ruleUntil = 0;
  closedSince: number | undefined;
  longestClosed = 0;
  state: State | undefined;
  acting: { readonly act: Act; readonly until: number } | undefined;
  hangsUntil = 0;
  isProcess = true;
  processAt = 0;
  isDead = false;
  bootsAt = Number.POSITIVE_INFINITY;
  diedAt = 0;
  isNoticed = true;
  rebooted = false;
  parted = { from: 0, until: 0 };
  blindUntil = 0;
  wasOpen = false;
  wanted: 'event' | 'found' | undefined;
  /** Raised with each change of its addresses; and what its last stop has covered. */
  changes = 0;
  turns = 0;
  /** What was done, and when it was started, ms from the start. */
  readonly acts: Act[] = [];
  readonly startedAt: number[] = [];

  readonly pnn: Pnn;

  constructor(pnn: Pnn) {
    this.pnn = pnn;
  }
}

/** Changes of the machine that a test makes to see that the properties notice. */
export interface Broken {
  /** Another act than the decided one. */
  readonly change?: (act: Act, state: State) => Act;
  /** The packet filter lets everything through. */
  readonly refusesNothing?: boolean;
}

export class Cluster {
  readonly nodes: readonly Node[];
  readonly notes = new Map<Pnn, Note>();
  /** What must never be. */
  readonly wrong: string[] = [];
  readonly pace: Pace;
  readonly broken: Broken;
  now = 1_000_000;
  #beat = 0;
  #turns = 0;
  readonly #began = this.now;

  constructor(count: number, pace: Pace, broken: Broken = {}) {
    this.pace = pace;
    this.broken = broken;
    this.nodes = Array.from({ length: count }, (_, pnn) => new Node(pnn));
    for (const node of this.nodes) this.#startProcess(node);
  }

  /** Lets the time pass to `untilMs` from the start, with what happens meanwhile. */
  run(disturbances: readonly Disturbance[], untilMs: number): void {
    let quietMs = 0;
    const left = disturbances.toSorted((a, b) => a.at - b.at);
    for (; this.now < this.#began + untilMs; this.now += stepMs) {
      while (left[0] !== undefined && this.#began + left[0].at <= this.now) this.#disturb(left.shift());
      // Another one is first each time.
      const first = this.#turns++ % this.nodes.length;
      for (let i = 0; i < this.nodes.length; i += 1) this.#step(this.nodes[(first + i) % this.nodes.length]);
      this.#judge();
      quietMs =
        left.length === 0 && this.isQuiet && this.nodes.every(({ isDead }) => !isDead) ? quietMs + stepMs : 0;
      if (quietMs > settledMs) return;
    }
  }

  /** Whether all who live serve, with nothing closed, nothing open to do, and in one generation. */
  get isQuiet(): boolean {
    const alive = this.nodes.filter((node) => !node.isDead && node.isProcess);
    return (
      alive.every(
        (node) =>
          node.lockManager.isUp &&
          !this.#refuses(node) &&
          node.wanted === undefined &&
          node.state?.phase === 'idle',
      ) && new Set(alive.map((node) => node.state?.generation)).size <= 1
    );
  }

  text(): string {
    return JSON.stringify({
      now: this.now - this.#began,
      wrong: this.wrong,
      nodes: this.nodes.map(({ pnn, state, lockManager, isDead, isProcess, wanted }) => ({
        pnn,
        phase: state?.phase,
        generation: state?.generation,
        late: state?.late,
        isUp: lockManager.isUp,
        isDead,
        isProcess,
        wanted,
      })),
    });
  }

  #disturb(one: Disturbance | undefined): void {
    const node = this.nodes[(one?.node ?? 0) % this.nodes.length];
    if (one === undefined || node === undefined) return;
    const { now } = this;
    switch (one.what) {
      case 'event':
      case 'found':
        node.changes += 1;
        node.wanted = one.what;
        return;
      case 'hang':
        node.hangsUntil = Math.max(node.hangsUntil, now + one.forMs);
        return;
      case 'kill':
        if (node.isDead) return;
        // What it has begun the kernel may finish, or not.
        if (node.acting !== undefined && one.forMs % 2 === 0) this.#effect(node, node.acting.act);
        node.acting = undefined;
        node.isProcess = false;
        node.processAt = now + one.forMs;
        return;
      case 'die':
        if (node.isDead) return;
        node.isDead = true;
        node.diedAt = now;
        node.bootsAt = now + one.forMs;
        node.acting = undefined;
        node.lockManager.isUp = false;
        node.lockManager.droppedAt = undefined;
        node.closedSince = undefined;
        node.ruleUntil = 0;
        node.isNoticed = false;
        return;
      case 'part':
        node.parted = { from: now, until: now + one.forMs };
        return;
      case 'flush':
        node.wasOpen = this.#refuses(node);
        node.ruleUntil = 0;
        return;
      case 'blind':
        node.blindUntil = Math.max(node.blindUntil, now + one.forMs);
        return;
    }
  }

  #step(node: Node | undefined): void {
    if (node === undefined) return;
    const { now } = this;
    if (node.isDead) {
      if (now >= node.diedAt + noticedMs) this.#notice(node);
      if (now < node.bootsAt) return;
      this.#notice(node);
      node.isDead = false;
      node.rebooted = true;
      Object.assign(node.lockManager, { isUp: true, graceUntil: now + graceMs, droppedAt: undefined });
      node.isProcess = false;
      node.processAt = now + 1000;
    }
    if (!node.isProcess) {
      if (now < node.processAt) return;
      this.#startProcess(node);
    }
    if (now < node.hangsUntil || node.state === undefined) return;
    const { phase } = node.state;
    // Renewed beside everything else, as long as the process runs.
    if (phase === 'refusing' || phase === 'stopped')
      node.ruleUntil = now + refusalMs(node.state, now, limits);
    if (node.acting !== undefined) {
      if (now < node.acting.until) {
        node.state = lookBeside(node.state, this.#seen(node), limits);
        return;
      }
      const { act } = node.acting;
      node.acting = undefined;
      this.#effect(node, act);
      node.state = done(node.state, act, true, now, limits);
      this.#write(node);
      return;
    }
    const { wanted, wasOpen } = node;
    node.wasOpen = false;
    const { state, act } = decide(
      node.state,
      { ...this.#seen(node), wanted, wasOpen, inGrace: now < node.lockManager.graceUntil },
      limits,
    );
    node.state = state;
    this.#write(node);
    const changed = this.broken.change?.(act, state) ?? act;
    if (changed === 'none') return;
    // What happens from here on is not covered.
    if (changed === 'start') node.wanted = undefined;
    const times = changed === 'open' ? [100] : this.pace[changed];
    node.acting = { act: changed, until: now + (times[(node.pnn + node.turns++) % times.length] ?? 100) };
  }

  #seen(node: Node) {
    const others = new Map([...this.notes].filter(([pnn]) => pnn !== node.pnn));
    const notes = this.now >= node.blindUntil ? others : undefined;
    return { now: this.now, notes, connected: this.#connectedTo(node) };
  }

  /** Others take its addresses. */
  #notice(node: Node): void {
    if (node.isNoticed) return;
    node.isNoticed = true;
    for (const other of this.nodes) if (!other.isDead) other.wanted = 'event';
  }

  #startProcess(node: Node): void {
    node.isProcess = true;
    node.hangsUntil = 0;
    const { isUp } = node.lockManager;
    node.state = initialState({
      now: this.now,
      note: this.notes.get(node.pnn),
      isRebooted: node.rebooted,
      lockManager: isUp ? (this.#refuses(node) ? 'refusing' : 'up') : 'down',
      closedSince: node.closedSince,
    });
    node.rebooted = false;
    this.#write(node);
  }

  #write(node: Node): void {
    if (node.state === undefined || this.now < node.blindUntil) return;
    this.#beat += 1;
    this.notes.set(node.pnn, noteOf(node.state, this.#beat));
  }

  #connectedTo(node: Node): Set<Pnn> {
    const isParted = ({ parted }: Node) => this.now >= parted.from && this.now < parted.until;
    return new Set(
      this.nodes
        .filter(
          (other) =>
            other !== node &&
            !isParted(node) &&
            !isParted(other) &&
            (!other.isDead || this.now < other.diedAt + noticedMs),
        )
        .map(({ pnn }) => pnn),
    );
  }

  #effect(node: Node, act: Act): void {
    const { lockManager } = node;
    const { now } = this;
    node.acts.push(act);
    if (act === 'start') node.startedAt.push(now - this.#began);
    switch (act) {
      case 'none':
        return;
      case 'refuse':
        node.ruleUntil = now + refusalMs(node.state ?? { closedSince: undefined }, now, limits);
        return;
      case 'stop':
        if (lockManager.isUp) {
          lockManager.isUp = false;
          lockManager.droppedAt = now;
        }
        return;
      case 'start':
        this.#expectAllStopped(node);
        Object.assign(lockManager, { isUp: true, graceUntil: now + graceMs, backAt: now + reclaimMs });
        node.ruleUntil = 0;
        return;
      case 'open':
        node.ruleUntil = 0;
        return;
    }
  }

  #refuses(node: Node): boolean {
    return this.broken.refusesNothing !== true && this.now < node.ruleUntil;
  }

  /** Whether somebody could get a lock here that another one had. */
  #grants(node: Node): boolean {
    const { isUp, graceUntil } = node.lockManager;
    return !node.isDead && isUp && !this.#refuses(node) && this.now >= graceUntil;
  }

  #judge(): void {
    const { now } = this;
    const granting = this.nodes.filter((node) => this.#grants(node));
    for (const node of this.nodes) {
      const { lockManager } = node;
      const isClosed = !node.isDead && this.#refuses(node);
      node.closedSince = isClosed ? (node.closedSince ?? now) : undefined;
      if (node.closedSince !== undefined)
        node.longestClosed = Math.max(node.longestClosed, now - node.closedSince);
      if (lockManager.droppedAt === undefined) continue;
      if (lockManager.isUp && now >= lockManager.backAt) {
        lockManager.droppedAt = undefined;
        continue;
      }
      for (const other of granting)
        this.#say(`node ${other.pnn} grants what clients of node ${node.pnn} have not reclaimed`);
    }
  }

  #expectAllStopped(node: Node): void {
    for (const other of this.nodes)
      if (other.lockManager.isUp && this.now >= other.lockManager.graceUntil)
        this.#say(`node ${node.pnn} starts, and node ${other.pnn} has its locks still`);
  }

  #say(text: string): void {
    if (!this.wrong.some((line) => line.endsWith(text)))
      this.wrong.push(`${this.now - this.#began} ms: ${text}`);
  }
}
