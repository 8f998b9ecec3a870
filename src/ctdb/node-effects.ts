import { existsSync } from 'node:fs';
import { FailoverError, messageOf } from '../errors.js';
import type { Config } from '../config/config.js';
import { versionOf } from '../config/load-config.js';
import { limitOf } from '../failover/limits.js';
import { notSo } from '../host/action.js';
import type { Host } from '../host/host.js';
import { bootClock } from '../host/reading/boot.js';
import { within } from '../host/running/deadline.js';
import type { LockManager, LockManagerAction, LockManagerContext } from '../lockmanager/port.js';
import {
  addressesHere,
  type ContextOf,
  freezeRecords,
  notifyAll,
  publicAddresses,
  takeRecord,
  whyNotOurs,
} from './addresses.js';
import type { Effects } from './barrier-process.js';
import { whyTooShort } from './grace.js';
import {
  closedSince,
  type Covered,
  lastCovered,
  lastLooked,
  movedNow,
  noteClosed,
  noteCovered,
  noteLooked,
  settledMove,
  sinceBoot,
} from './local.js';
import { limitsOf } from './limits.js';
import type { Limits, State } from './machine.js';
import { askMembers, type Members } from './members.js';
import { believable, type Pnn } from './note.js';
import { noteFile, notesDirectory, readNotes, type Signed, writeNote } from './note-files.js';
import { isRefusing, letThrough, lockPorts, type Port, refuse, type Refused, stands } from './refusal.js';
import { refuseUnfit } from './serve.js';
import { type Since, wantedBy } from './wanted.js';

/** This node, as the effects need to know it. */
export interface BarrierNode extends LockManagerContext {
  readonly host: Host;
  readonly config: Config;
  /** Where serving links are, and what local.ts keeps. */
  readonly run: string;
  /** Whose lock manager is stopped and started, whichever address is asked for. */
  readonly driver: LockManager;
  /** `[state].directory`, as this machine names it. */
  readonly stateDirectory: string;
  readonly contextOf: ContextOf;
  readonly say: Effects['say'];
}

/** How the node is read anew when its configuration has changed. */
export interface Again {
  /** Of the file as it was read: see versionOf. */
  readonly mark: string;
  readonly load: () => Promise<BarrierNode>;
}

/** CTDB is asked so often, ms, which starts a program: while something is under way, and while nothing is. */
const askMs = { busy: 1000, idle: 5000 };

/** The machine, as the process needs it. */
export class NodeEffects implements Effects {
  #node: BarrierNode;
  readonly #again: Again | undefined;
  #mark: string | undefined;
  /** The node by a configuration that has changed, for the next look that may take it. */
  #next: BarrierNode | undefined;
  #isLoading = false;
  /** Why that is not taken. */
  #notTaken: string | undefined;
  readonly #directory: string;
  readonly #bootId: string;
  readonly say: Effects['say'];
  #members: Members | undefined;
  #askedAt = Number.NEGATIVE_INFINITY;
  #askMs = askMs.busy;
  #asking = false;
  #notAnswered: string | undefined;
  #ownNote: Signed | undefined;
  /** By the number of the node, what keeps its note from being read. */
  #unread: ReadonlyMap<Pnn, string> = new Map();
  #ports: readonly Port[] = [];
  /** What this process has refused last. */
  #refused: Refused | undefined;
  #since: Since | undefined;
  /** As it has noted it, or would have. */
  #covered: Covered | undefined;
  #startedAt: number | undefined;
  /** Addresses that are here and another node's by CTDB, as of the last start. */
  readonly #notOurs = new Set<string>();
  /** What of the last reconfiguration went wrong, and is no reason to do it again. */
  #left: readonly string[] = [];

  constructor(node: BarrierNode, again?: Again) {
    this.#node = node;
    this.#again = again;
    this.#mark = again?.mark;
    this.#directory = notesDirectory(node.stateDirectory);
    this.#bootId = bootClock(node.host).bootId;
    this.say = node.say;
  }

  now(): number {
    return sinceBoot();
  }

  /** Never waits: a file is read beside the looks, and what it has is taken by a later one. Until it can be, that of before goes on. */
  refresh(): Limits | undefined {
    const again = this.#again;
    const mark = versionOf(this.#node.config.file);
    if (again !== undefined && mark !== this.#mark && !this.#isLoading) {
      this.#mark = mark;
      void this.#load(again);
    }
    const next = this.#next;
    if (next === undefined) return undefined;
    this.#next = undefined;
    this.#node = next;
    this.say('info', `${next.config.file} has changed, and counts from now on`);
    return limitsOf(next.config.timeouts.ctdb);
  }

  async #load({ load }: Again): Promise<void> {
    const { config, stateDirectory, driver } = this.#node;
    this.#isLoading = true;
    try {
      const next = await load();
      const isOther =
        next.config.node !== config.node ||
        next.stateDirectory !== stateDirectory ||
        next.driver.name !== driver.name;
      this.#notTaken = isOther
        ? `${config.file} has changed its node, driver or state directory, and is not taken before "nlm-failover ctdb serve" is started anew`
        : undefined;
      this.#next = isOther ? undefined : next;
    } catch (error) {
      const [why] = messageOf(error).split('\n');
      this.#next = undefined;
      this.#notTaken = `${config.file} has changed, and is not taken, so that what it had before goes on: ${why}`;
    } finally {
      this.#isLoading = false;
    }
    if (this.#notTaken !== undefined) this.say('warn', this.#notTaken);
  }

  /** The last answer; a ctdbd that is gone or hangs holds nobody up, and its nodes are waited for as they were, each for a bounded time. */
  members(): Members | undefined {
    if (!this.#asking && this.now() - this.#askedAt >= this.#askMs) void this.#ask();
    return this.#members ?? this.#noted();
  }

  /**
   * Where ctdbd is dead, and has told this process nothing yet: what a process before it in this boot has noted, which may have stopped the lock
   * manager. Whoever has a note is waited for then. Undefined: there was none.
   */
  #noted(): Members | undefined {
    // Nothing is made there before this node knows its number.
    if (this.#notAnswered === undefined || !existsSync(this.#directory)) return undefined;
    const notes = [...readNotes(this.#directory)];
    const own = notes.find(
      ([, { node, bootId }]) => node === this.#node.config.node && bootId === this.#bootId,
    );
    if (own === undefined) return undefined;
    const [self] = own;
    this.#members = { self, connected: new Set(notes.map(([pnn]) => pnn).filter((pnn) => pnn !== self)) };
    return this.#members;
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    try {
      this.#members = await askMembers(this.#node.host);
      this.#notAnswered = undefined;
    } catch (error) {
      const text = `CTDB does not answer: ${messageOf(error)}`;
      if (this.#notAnswered === undefined) this.say('warn', text);
      this.#notAnswered = text;
    } finally {
      this.#askedAt = this.now();
      this.#asking = false;
    }
  }

  readNotes(own: number | undefined): ReadonlyMap<Pnn, Signed> {
    const self = this.#members?.self;
    const unread = new Map<Pnn, string>();
    const all = readNotes(this.#directory, (pnn, why) => unread.set(pnn, why));
    const notes = believable(all, self, own ?? lastLooked(this.#node.run)?.generation);
    for (const [pnn, { generation }] of all)
      if (notes.get(pnn)?.generation !== generation)
        unread.set(pnn, `its generation is ${generation}, and nobody can have begun so many`);
    const text = (pnn: Pnn) =>
      `${noteFile(this.#directory, pnn)} is no note: ${unread.get(pnn)}. Node ${pnn} is waited for in vain until it writes another one, which it does while it runs; else remove it`;
    for (const pnn of unread.keys()) if (!this.#unread.has(pnn)) this.say('warn', text(pnn));
    this.#unread = new Map([...unread.keys()].map((pnn) => [pnn, text(pnn)]));
    if (self !== undefined) this.#ownNote = notes.get(self);
    return notes;
  }

  writeNote(pnn: Pnn, note: Parameters<Effects['writeNote']>[1]): void {
    writeNote(this.#directory, pnn, { ...note, node: this.#node.config.node, bootId: this.#bootId });
  }

  async wanted(): Promise<ReturnType<typeof wantedBy>['wanted']> {
    const { host, run, config } = this.#node;
    // What is mounted may have come since.
    refuseUnfit(host, publicAddresses(config));
    const { wanted, since } = wantedBy(
      {
        now: this.now(),
        addresses: (await this.#here()).map(({ address }) => address),
        moved: movedNow(run),
        settled: settledMove(run),
        covered: this.#covered ?? lastCovered(run),
      },
      this.#since,
      config.timeouts.ctdb.quiet * 1000,
    );
    this.#since = since;
    return wanted;
  }

  isRebooted(): boolean {
    return this.#ownNote?.bootId !== this.#bootId;
  }

  async lockManager(): Promise<'up' | 'refusing' | 'down'> {
    if (!(await this.#node.driver.isUp(this.#node))) return 'down';
    if (!(await isRefusing(this.#node.host))) return 'up';
    this.#ports = await lockPorts(this.#node.host);
    return 'refusing';
  }

  closedSince(): number | undefined {
    return closedSince(this.#node.run);
  }

  noteClosed(since: number | undefined): void {
    noteClosed(this.#node.run, since);
  }

  async inGrace(): Promise<boolean> {
    const { driver } = this.#node;
    const said = await driver.inGrace();
    if (said !== undefined || this.#startedAt === undefined) return said === true;
    return this.now() - this.#startedAt < driver.graceSeconds() * 1000;
  }

  async expectUp(): Promise<void> {
    const { driver } = this.#node;
    if (!(await driver.isUp(this.#node)))
      throw notSo('B-2', 'it does not run', 'Start it: see [lock_manager].restart.');
  }

  async refuse(ms: number): Promise<void> {
    const { host } = this.#node;
    // While it is down nobody is registered: those that it had are refused still.
    const ports = await lockPorts(host);
    if (ports.length > 0) this.#ports = ports;
    // Of an rpcbind that was started anew, and has forgotten everybody.
    else if (this.#ports.length === 0 && (await this.#node.driver.isUp(this.#node)))
      throw notSo(
        'B-2',
        'rpcbind does not know where the lock manager listens, so that it cannot be refused',
        'See "rpcinfo". Restart the NFS server: what it serves is registered again.',
      );
    const addresses = (await this.#here()).map(({ address }) => address);
    this.#refused = { ports: this.#ports, addresses };
    await refuse(host, this.#refused, ms);
  }

  async refuses(): Promise<boolean> {
    const { host } = this.#node;
    return this.#refused === undefined ? isRefusing(host) : stands(host, this.#refused);
  }

  async letThrough(): Promise<void> {
    await letThrough(this.#node.host);
  }

  async stop(): Promise<void> {
    const { run, driver } = this.#node;
    freezeRecords(run, await this.#here());
    await this.#all('Stopping the lock manager', (one) => driver.beforeGrace(one));
  }

  async start(): Promise<void> {
    const { run, driver, contextOf } = this.#node;
    const moved = movedNow(run) ?? '';
    const here = await this.#here();
    const left: string[] = [];
    this.#notOurs.clear();
    for (const ip of here) {
      const { address } = ip;
      const why = await within(limitOf(`Asking CTDB for ${address}`, this.#node.config), () =>
        whyNotOurs(this.#node.host, address),
      );
      if (why !== undefined) {
        this.#notOurs.add(address);
        left.push(`${address} is here, and left to the node that CTDB has it on: ${why}`);
        continue;
      }
      try {
        left.push(...(await takeRecord(contextOf(ip, new AbortController().signal))));
      } catch (error) {
        // Nothing is better for its clients while no lock manager runs.
        if (!(error instanceof FailoverError)) throw error;
        left.push(`${ip.address} is not recorded, and its clients are not notified: ${messageOf(error)}`);
      }
    }
    await this.#all('Starting the lock manager', (one) => driver.enterGrace(one));
    this.#startedAt = this.now();
    this.#covered = { moved, addresses: here.map(({ address }) => address) };
    try {
      noteCovered(run, this.#covered);
    } catch (error) {
      // It has started: to do that again would take the locks again.
      if (!(error instanceof FailoverError)) throw error;
      left.push(messageOf(error));
    }
    const tooShort = whyTooShort(driver.graceSeconds(), this.#node.config.timeouts.ctdb);
    this.#leave([...left, ...(tooShort === undefined ? [] : [tooShort])]);
  }

  async notify(signal: AbortSignal): Promise<void> {
    const ours = (await this.#here()).filter(({ address }) => !this.#notOurs.has(address));
    this.#leave([...this.#left, ...(await notifyAll(ours, this.#node.contextOf, signal))]);
  }

  looked({ phase, generation }: State, wrong: readonly string[]): void {
    this.#askMs = phase === 'idle' ? askMs.idle : askMs.busy;
    const remarks = [
      ...(this.#notAnswered === undefined ? [] : [this.#notAnswered]),
      ...(this.#notTaken === undefined ? [] : [this.#notTaken]),
      ...this.#unread.values(),
      ...this.#left,
    ];
    noteLooked(this.#node.run, { at: this.now(), phase, generation, wrong: [...wrong], remarks });
  }

  async delay(ms: number, signal: AbortSignal): Promise<void> {
    await this.#node.host.delay(ms, signal);
  }

  #here() {
    return addressesHere(this.#node.host, this.#node.config);
  }

  #leave(left: readonly string[]): void {
    for (const one of left) if (!this.#left.includes(one)) this.say('warn', one);
    this.#left = left;
  }

  /** Of a lock manager whose grace is that of the node, whichever file system is named. */
  async #all(
    what: string,
    of: (filesystem: { fsid: string; device: string; mountpoint: string }) => readonly LockManagerAction[],
  ): Promise<void> {
    const { config } = this.#node;
    const [filesystem] = config.floatingIps.flatMap(({ filesystems }) => filesystems);
    if (filesystem === undefined) return;
    await within(limitOf(what, config), async () => {
      for (const action of of(filesystem)) {
        if (await action.check(this.#node)) continue;
        await action.act(this.#node);
        await action.verify(this.#node);
      }
    });
  }
}
