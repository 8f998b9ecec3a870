import type { Database } from 'better-sqlite3';
import { FailoverError, exitCodes } from '../../errors.js';
import { addressIn } from '../record-error.js';
import { claimAudit } from './audit.js';

/** The node that may change anything of the floating IP. */
export interface Ownership {
  /** The node's name. Undefined: nobody has claimed it yet. */
  readonly owner: string | undefined;
  /** Which machine of that name. Undefined of an owner: nobody knows, as it claimed before that was noted, or is presumed. */
  readonly machine: string | undefined;
  /** Raised by every takeover; 0 before the first. */
  readonly epoch: number;
  /** True: another node may claim it without proof that the owner is dead. */
  readonly released: boolean;
  /** Milliseconds since 1970: when the epoch began. Undefined of an owner: see isPresumed. */
  readonly since: number | undefined;
}

/** A node: its name, and the machine that has it. Two machines of one name are two nodes. */
export interface NodeIdentity {
  readonly node: string;
  /** See machine-id.ts. Undefined: this process only reads, and is nobody. */
  readonly machine: string | undefined;
}

/**
 * Whether `me` is the owner, or may well be: where nobody knows which machine of that name it is, the name has to do. That is
 * enough to go on with an address, and to let go of it; it is not enough to take one over.
 */
export function isOwnedBy({ owner, machine }: Ownership, me: NodeIdentity): boolean {
  return owner === me.node && (machine === undefined || machine === me.machine);
}

/** Whether that is certain. */
export function isCertainlyOwnedBy(ownership: Ownership, me: NodeIdentity): boolean {
  return ownership.machine === me.machine && ownership.owner === me.node && !isPresumed(ownership);
}

/** Whether the owner is another machine of this node's name. */
export function isNamesake({ owner, machine }: Ownership, me: NodeIdentity): boolean {
  return owner === me.node && machine !== undefined && machine !== me.machine;
}

/**
 * Whether the owner is only who the journals say served last, as rebuild found nothing better: it may have released the address
 * since, or another node may have claimed and mounted it. It may go on with what it has, and let go; no takeover may, not
 * even its own, without the caller's word that no other node has the address.
 */
export function isPresumed({ owner, since }: Ownership): boolean {
  return owner !== undefined && since === undefined;
}

interface OwnershipRow {
  owner: string | null;
  machine: string | null;
  epoch: number;
  released: number;
  since: number | null;
}

export function readOwnership(db: Database): Ownership {
  const row = db
    .prepare<[], OwnershipRow>('SELECT owner, machine, epoch, released, since FROM ownership')
    .get();
  return {
    owner: row?.owner ?? undefined,
    machine: row?.machine ?? undefined,
    epoch: row?.epoch ?? 0,
    released: row?.released !== 0,
    since: row?.since ?? undefined,
  };
}

/** A node that has the address and has not released it, as the record has it at one moment. */
export interface Holder {
  readonly node: string;
  readonly machine: string | undefined;
  readonly epoch: number;
  /** The last thing that is known to have been done before or in that epoch, ms since 1970, by the clock of whoever did it. */
  readonly lastWrite: number;
}

/** Undefined: nobody has it, or it is not certain who (isPresumed). */
export function readHolder(db: Database): Holder | undefined {
  const now = readOwnership(db);
  const { owner, machine, epoch, released } = now;
  if (owner === undefined || released || isPresumed(now)) return undefined;
  const last = db
    .prepare<[], number | null>(
      `SELECT max(at) FROM (
         SELECT since AS at FROM ownership
         UNION ALL SELECT max(began_at) FROM operations UNION ALL SELECT max(ended_at) FROM operations
         UNION ALL SELECT max(at) FROM steps
         UNION ALL SELECT began_at FROM audit UNION ALL SELECT compared_at FROM audit
         UNION ALL SELECT max(told_at) FROM notifications)`,
    )
    .pluck()
    .get();
  return { node: owner, machine, epoch, lastWrite: last ?? 0 };
}

export interface Claim {
  readonly node: string;
  /**
   * That the present owner is dead, or cut off from storage and network: the caller's word, or of whom it was proved, and when. A proof
   * holds for that owner in that epoch, and only while nothing more has been done there.
   */
  readonly fenced: boolean | Holder;
  /** Milliseconds since 1970. */
  readonly now: number;
  /** Every node exports its file systems: who died with it may have left locks there, until that is dealt with (settleTakeover). */
  readonly isShared?: boolean;
}

/**
 * Makes `me` the owner and returns its epoch: one up, or, where it is the owner already and has not released
 * (the same command again after a crash), as it was. One of two that claim at once sees the other's claim.
 * Throws NOT_RELEASED (exit code 4) where another node is the owner, has not released, and is not `fenced`; also where this
 * node is presumed to be, or where nobody knows whether it is the machine of its name that is.
 */
export function claim(
  db: Database,
  me: NodeIdentity,
  { fenced, now: claimedAt, isShared = false }: Claim,
): number {
  return db
    .transaction(() => {
      const now = readOwnership(db);
      const { owner, epoch, released } = now;
      if (!released && isCertainlyOwnedBy(now, me)) return epoch;
      if (owner !== undefined && !released && !holdsStill(db, fenced))
        throw notReleased(me, owner, now, addressIn(db.name));
      claimAudit(db, owner !== undefined && released);
      // Whoever claimed it since may have been ended, or have let go, before that was dealt with.
      const dead = new Set([...takenFrom(db), ...(released || owner === undefined ? [] : [owner])]);
      dead.delete(me.node);
      db.prepare(
        'UPDATE ownership SET owner = ?, machine = ?, epoch = ?, released = 0, since = ?, taken_from = ?',
      ).run(
        me.node,
        me.machine ?? null,
        epoch + 1,
        claimedAt,
        isShared && dead.size > 0 ? [...dead].join(' ') : null,
      );
      return epoch + 1;
    })
    .immediate();
}

/** From whom the address was taken, who had not released it, as long as that is not settled: the last owners, by their names. */
export function takenFrom(db: Database): string[] {
  const names = db.prepare<[], string | null>('SELECT taken_from FROM ownership').pluck().get();
  return names?.split(' ') ?? [];
}

/** What those nodes have left is dealt with. */
export function settleTakeover(db: Database, epoch: number): void {
  db.prepare('UPDATE ownership SET taken_from = NULL WHERE epoch = ?').run(epoch);
}

/** Whether what was said or proved of the owner is of the one that it is now. */
function holdsStill(db: Database, fenced: Claim['fenced']): boolean {
  if (typeof fenced === 'boolean') return fenced;
  const now = readHolder(db);
  return (
    now?.node === fenced.node &&
    now.machine === fenced.machine &&
    now.epoch === fenced.epoch &&
    now.lastWrite === fenced.lastWrite
  );
}

/** Throws NOT_OWNER (exit code 4) unless `me` is the owner, in this epoch. */
export function assertOwner(db: Database, me: NodeIdentity, epoch: number): void {
  const now = readOwnership(db);
  if (isOwnedBy(now, me) && now.epoch === epoch) return;
  const { node } = me;
  const { says, hint } = whyNotOwner(me, now, epoch, addressIn(db.name));
  throw new FailoverError(says, {
    code: 'NOT_OWNER',
    exitCode: exitCodes.notOwner,
    operation: `checking that ${node} is the owner in epoch ${epoch}`,
    hint,
  });
}

function whyNotOwner(
  me: NodeIdentity,
  now: Ownership,
  epoch: number,
  address: string,
): { says: string; hint: string } {
  const hint = `Nothing more was changed on this node. "nlm-failover status ${address}" shows who has the address.`;
  if (now.owner === undefined)
    return { says: `nobody has claimed the address, so node ${me.node} may not change it`, hint };
  const owner = ownerName(now.owner, me, now);
  if (now.epoch !== epoch)
    return {
      says: `${owner} has taken the address over (epoch ${now.epoch}); node ${me.node} had it in epoch ${epoch}`,
      hint,
    };
  // In one epoch nobody but its owner has had it.
  return {
    says: `${owner} owns the address (epoch ${now.epoch}); this node does not`,
    hint: isNamesake(now, me) ? `Run it there. ${hint}` : `Run it on ${now.owner}. ${hint}`,
  };
}

/** Says whether the owner has let go. Throws NOT_OWNER. */
export function setReleased(db: Database, me: NodeIdentity, epoch: number, released: boolean): void {
  db.transaction(() => {
    assertOwner(db, me, epoch);
    db.prepare('UPDATE ownership SET released = ?').run(released ? 1 : 0);
  }).immediate();
}

/** "node A", or what tells a machine of one's own name from oneself. */
function ownerName(owner: string, me: NodeIdentity, now: Ownership): string {
  return isNamesake(now, me) ? `another machine that is called ${owner} too` : `node ${owner}`;
}

function notReleased(me: NodeIdentity, owner: string, now: Ownership, address: string): FailoverError {
  const { says, hint } = whyNotReleased(me, owner, now, `"nlm-failover release ${address}"`);
  return new FailoverError(says, {
    code: 'NOT_RELEASED',
    exitCode: exitCodes.notOwner,
    operation: `claiming the address for ${me.node}`,
    hint,
  });
}

function whyNotReleased(
  me: NodeIdentity,
  owner: string,
  now: Ownership,
  release: string,
): { says: string; hint: string } {
  const { epoch, machine } = now;
  const nobodyElse = 'If no other node has the address up or its file systems mounted, add --fenced.';
  if (isPresumed(now)) {
    return {
      says: `the record was rebuilt from the journals, and these know only that node ${owner} served the address last (epoch ${epoch})`,
      hint: `Run ${release} on ${owner}. ${nobodyElse}`,
    };
  }
  if (owner === me.node && machine === undefined) {
    return {
      says: `a node called ${owner} owns the address (epoch ${epoch}). An earlier version wrote the record, which does not say which machine that is`,
      hint: `Run ${release} on the node that serves the address. ${nobodyElse}`,
    };
  }
  return {
    says: `${ownerName(owner, me, now)} owns the address (epoch ${epoch}) and has not released it`,
    hint:
      owner === me.node
        ? `Give each node a name of its own ("node" in the configuration), and run ${release} on the other ${owner}. If that machine is dead for certain, or was this one before its system was installed anew, add --fenced.`
        : `Run ${release} on ${owner}. If ${owner} is dead for certain, add --fenced.`,
  };
}
