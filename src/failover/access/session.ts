import { realpathSync } from 'node:fs';
import path from 'node:path';
import type { Config, FloatingIp } from '../../config/config.js';
import { exitCodes, FailoverError } from '../../errors.js';
import type { Host } from '../../host/host.js';
import { machineIfKnown, machineOf } from '../../host/reading/machine-id.js';
import {
  isCertainlyOwnedBy,
  isFull,
  isOwnedBy,
  type Holder,
  type MonitorRecord,
  type NodeIdentity,
  openRecord,
  type Ownership,
  type Reserve,
} from '../../record/record.js';
import { makeStateDirectory } from '../../record/safe-files/state-directory.js';
import { refuseRecordBeside } from './record-beside.js';
import { recordLocation, type RecordLocation, recordReachable, unreachable } from './location.js';

/** That a node is down which has the address. */
export interface Proof {
  readonly holder: Holder;
  /** What was proved, and by whom, as a clause. */
  readonly said: string;
}

/**
 * The record of one address during one operation: opened when it can be reached, closed before its
 * volume is unmounted, and asked again before every effect whether this node is still the owner.
 */
export class RecordSession {
  readonly #host: Host;
  readonly #ip: FloatingIp;
  readonly #me: NodeIdentity;
  readonly #busySeconds: number;
  #record: MonitorRecord | undefined;
  #epoch: number | undefined;
  #previous: Ownership | undefined;
  #proof: Proof | undefined;
  #handedOver = false;
  #reserve: Reserve | undefined;
  #vacant: Ownership | undefined;

  constructor(host: Host, ip: FloatingIp, { node, timeouts }: Pick<Config, 'node' | 'timeouts'>) {
    this.#host = host;
    this.#ip = ip;
    this.#me = { node, machine: machineIfKnown(host) };
    this.#busySeconds = timeouts.record;
  }

  /** Where the record is, as the host is mounted now. */
  get location(): RecordLocation {
    return recordLocation(this.#host, this.#ip);
  }

  /** The open record; undefined before it could be opened. */
  get record(): MonitorRecord | undefined {
    return this.#record;
  }

  /** The open record. Throws FailoverError RECORD_UNREACHABLE where there is none. */
  get opened(): MonitorRecord {
    if (this.#record === undefined) throw unreachable(this.#host, this.#ip);
    return this.#record;
  }

  /** The epoch this node claimed or held when the operation began. */
  get epoch(): number {
    return this.#epoch ?? 0;
  }

  /** Opens the record where it can be reached; with `create` makes one where there was none. `isChecked`: see withRecord. */
  open({
    create,
    isChecked = false,
  }: {
    readonly create: boolean;
    readonly isChecked?: boolean;
  }): MonitorRecord | undefined {
    if (this.#record === undefined && recordReachable(this.#host, this.#ip)) {
      // On the moving volume the state directory is ours to make; on shared storage its absence means: not mounted.
      const { directory } = this.location;
      const place = { directory, ...this.#me, isChecked, busySeconds: this.#busySeconds };
      this.#record = openRecord({ ...place, create: false });
      if (this.#record === undefined && create) {
        refuseRecordBeside(this.#host, this.#ip);
        makeStateDirectoryOf(this.#host, this.#ip);
        this.#record = openRecord({ ...place, create });
      }
      if (this.#reserve !== undefined) this.#record?.useReserve(this.#reserve);
    }
    return this.#record;
  }

  /** What finds no space from now on takes that of the reserve: see reserve.ts. */
  useReserve(reserve: Reserve): void {
    this.#reserve = reserve;
    this.#record?.useReserve(reserve);
  }

  /** `work`, and again with the space of the reserve where there was none. */
  async withReserve<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (isFull(error) && this.opened.spendReserve()) return work();
      throw error;
    }
  }

  /** Leaves no file of the record open. */
  close(): void {
    this.#record?.close();
    this.#record = undefined;
  }

  /** Whether this node is the owner: see ownership.ts. */
  owns(ownership: Ownership): boolean {
    return isOwnedBy(ownership, this.#me);
  }

  /** Whether it certainly is, and has not released: it goes on where it was, after a crash too. */
  holds(ownership: Ownership | undefined): boolean {
    return ownership !== undefined && !ownership.released && isCertainlyOwnedBy(ownership, this.#me);
  }

  /**
   * Of whom it would have to be proved that he is down: another node, that has the address and has not released it. Undefined: nobody is in the
   * way, or it is not certain who (one of this node's own name, say), of whom nothing can be proved.
   */
  get suspect(): Holder | undefined {
    if (this.#epoch !== undefined) return undefined;
    const holder = this.#record?.holder();
    return holder === undefined || holder.node === this.#me.node ? undefined : holder;
  }

  /**
   * takeover: this node becomes the owner. `fenced`: the caller's word that the owner is down, or the proof of it. Throws FailoverError
   * NOT_RELEASED (exit code 4), NO_MACHINE_ID.
   */
  claim(fenced: boolean | Proof): number {
    if (this.#epoch !== undefined) return this.#epoch;
    machineOf(this.#host);
    this.#previous = this.opened.ownership();
    const isProved = typeof fenced === 'object';
    const epoch = this.opened.claim({
      node: this.#me.node,
      fenced: isProved ? fenced.holder : fenced,
      now: this.#host.now(),
      isShared: this.#ip.shared !== undefined,
    });
    this.#epoch = epoch;
    if (isProved) this.#proof = fenced;
    return epoch;
  }

  /** takeover: what it took to claim the address; undefined: no proof. */
  get proof(): Proof | undefined {
    return this.#proof;
  }

  /** takeover: what this operation claimed goes back, where nobody had it before: another node need not wait for this one. */
  giveBack(): void {
    const before = this.#previous;
    if (this.#epoch === undefined || (before?.owner !== undefined && !before.released)) return;
    if (!this.hasLostOwnership) this.#record?.setReleased(this.#me.node, this.#epoch, true);
    this.#epoch = undefined;
  }

  /** The ownership as it was before this operation's claim. */
  get previous(): Ownership | undefined {
    return this.#previous;
  }

  /** takeover: the node that had not released the address when this operation claimed it; undefined: none. */
  get takenFrom(): string | undefined {
    const before = this.#previous;
    return before === undefined || before.released || this.holds(before) ? undefined : before.owner;
  }

  /**
   * takeover, of what every node exports: the same, and each one from whom an earlier run or another node took the address, and was ended before
   * it could deal with what that one has left (settleTakeover).
   */
  get deadOwners(): readonly string[] {
    return this.#previous === undefined ? [] : (this.#record?.takenFrom() ?? []);
  }

  /** What they have left is dealt with: a later run has nothing to do with those nodes. */
  settleTakeover(): void {
    if (this.deadOwners.length > 0) this.#record?.settleTakeover(this.epoch);
  }

  /** release: whether the record says that another node may take over. */
  get isHandedOver(): boolean {
    return this.#handedOver;
  }

  /** release: the record says so now; nothing of it stays open. */
  handedOver(): void {
    this.#handedOver = true;
    this.close();
  }

  /**
   * release: this node must be the owner, or nobody may be: a record that nobody owns yet, or whose owner has let go.
   * Then what a takeover has left here that was stopped before its claim is taken away, and the ownership not touched.
   * Throws FailoverError NOT_OWNER (exit code 4), NO_MACHINE_ID.
   */
  expectOwner(): void {
    const ownership = this.#record?.ownership();
    if (this.#record === undefined || ownership?.owner === undefined) return;
    if (!this.owns(ownership) && ownership.released) {
      this.#vacant = ownership;
      return;
    }
    machineOf(this.#host);
    this.#record.assertOwner(this.#me.node, ownership.epoch);
    this.#epoch = ownership.epoch;
  }

  /**
   * Writes to the record as its owner: whether this node still is is asked in the same transaction. Throws FailoverError
   * NOT_OWNER (exit code 4), and then nothing was written. What this cannot close: an effect on the machine that was under
   * way when another node took over, and a record on the moving volume of a node that was said to be dead and was not.
   */
  asOwner<T>(what: string, write: (record: MonitorRecord) => T): T {
    const record = this.opened;
    return record.exclusively(what, () => {
      this.assertStillOwner();
      return write(record);
    });
  }

  /** Whether another node has taken the address over: then not even this operation's own log is written any more. */
  get hasLostOwnership(): boolean {
    try {
      this.assertStillOwner();
      return false;
    } catch (error) {
      if (error instanceof FailoverError && error.exitCode === exitCodes.notOwner) return true;
      throw error;
    }
  }

  /** Right before each effect. Throws FailoverError NOT_OWNER (exit code 4). */
  assertStillOwner(): void {
    if (this.#epoch !== undefined) this.#record?.assertOwner(this.#me.node, this.#epoch);
    const now = this.#vacant === undefined ? undefined : this.#record?.ownership();
    // Somebody has claimed it meanwhile: refused as a node that is not the owner.
    if (now !== undefined && (now.epoch !== this.#vacant?.epoch || !now.released))
      this.#record?.assertOwner(this.#me.node, now.epoch);
  }
}

/** Makes the state directory where it lies on a volume of the address, below the volume's real place: only what lies there is others' to change. */
export function makeStateDirectoryOf(host: Host, ip: FloatingIp): void {
  const { onVolume } = recordLocation(host, ip);
  if (onVolume === undefined) return;
  const top = realpathSync(host.path(onVolume));
  makeStateDirectory(top, path.join(top, path.relative(onVolume, ip.stateDirectory)));
}
