import type { Database } from 'better-sqlite3';
import { FailoverError, exitCodes } from '../../errors.js';
import { claimAudit } from './audit.js';

/** Who may change anything of the floating IP. */
export interface Ownership {
  /** Undefined: nobody has claimed it yet. */
  readonly owner: string | undefined;
  /** Raised by every takeover; 0 before the first. */
  readonly epoch: number;
  /** True: another node may claim it without being told that the owner is dead. */
  readonly released: boolean;
  /** Milliseconds since 1970: when the epoch began. Undefined of an owner: see isPresumed. */
  readonly since: number | undefined;
}

/**
 * Whether the owner is only who the journals say served last, as rebuild found nothing better: it may have released the address
 * since, or another node may have claimed and mounted it. It may go on with what it has, and let go; no takeover may, not
 * even its own, without the caller's word that no other node has the address.
 */
export function isPresumed({ owner, since }: Ownership): boolean {
  return owner !== undefined && since === undefined;
}

export function readOwnership(db: Database): Ownership {
  const row = db
    .prepare<[], { owner: string | null; epoch: number; released: number; since: number | null }>(
      'SELECT owner, epoch, released, since FROM ownership',
    )
    .get();
  return {
    owner: row?.owner ?? undefined,
    epoch: row?.epoch ?? 0,
    released: row?.released !== 0,
    since: row?.since ?? undefined,
  };
}

export interface Claim {
  readonly node: string;
  /** The caller's word that the present owner is dead, or cut off from storage and network. */
  readonly fenced: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/**
 * Makes `node` the owner and returns its epoch: one up, or, where it is the owner already and has not released
 * (the same command again after a crash), as it was. One of two that claim at once sees the other's claim.
 * Throws NOT_RELEASED (exit code 4) where another node is the owner, has not released, and is not `fenced`; also where this
 * node is presumed to be.
 */
export function claim(db: Database, { node, fenced, now: claimedAt }: Claim): number {
  return db
    .transaction(() => {
      const now = readOwnership(db);
      const { owner, epoch, released } = now;
      if (owner === node && !released && !isPresumed(now)) return epoch;
      if (owner !== undefined && !released && !fenced)
        throw isPresumed(now) ? onlyPresumed(node, owner, epoch) : notReleased(node, owner, epoch);
      claimAudit(db, owner !== undefined && released);
      db.prepare('UPDATE ownership SET owner = ?, epoch = ?, released = 0, since = ?').run(
        node,
        epoch + 1,
        claimedAt,
      );
      return epoch + 1;
    })
    .immediate();
}

/** Throws NOT_OWNER (exit code 4) unless `node` is the owner, in this epoch. */
export function assertOwner(db: Database, node: string, epoch: number): void {
  const now = readOwnership(db);
  if (now.owner === node && now.epoch === epoch) return;
  throw new FailoverError(
    now.owner === undefined
      ? `nobody has claimed the address, so node ${node} may not change it`
      : `node ${now.owner} has taken the address over (epoch ${now.epoch}); node ${node} had it in epoch ${epoch}`,
    {
      code: 'NOT_OWNER',
      exitCode: exitCodes.notOwner,
      operation: `checking that ${node} is the owner in epoch ${epoch}`,
      hint: 'nothing more was changed on this node; "nlm-failover status" shows who has the address',
    },
  );
}

/** Says whether the owner has let go. Throws NOT_OWNER. */
export function setReleased(db: Database, node: string, epoch: number, released: boolean): void {
  db.transaction(() => {
    assertOwner(db, node, epoch);
    db.prepare('UPDATE ownership SET released = ?').run(released ? 1 : 0);
  }).immediate();
}

function notReleased(node: string, owner: string, epoch: number): FailoverError {
  return new FailoverError(`node ${owner} owns the address (epoch ${epoch}) and has not released it`, {
    code: 'NOT_RELEASED',
    exitCode: exitCodes.notOwner,
    operation: `claiming the address for ${node}`,
    hint: `run "nlm-failover release" on ${owner}; or, if ${owner} is dead for certain, add --fenced`,
  });
}

function onlyPresumed(node: string, owner: string, epoch: number): FailoverError {
  return new FailoverError(
    `the record was rebuilt from the journals, which know only that node ${owner} served the address last (epoch ${epoch})`,
    {
      code: 'NOT_RELEASED',
      exitCode: exitCodes.notOwner,
      operation: `claiming the address for ${node}`,
      hint: `run "nlm-failover release" on ${owner}; or, if no other node has the address up or its file systems mounted, add --fenced`,
    },
  );
}
