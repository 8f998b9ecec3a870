import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { exitCodes, FailoverError } from '../../errors.js';
import { journalNodes, journalPath } from '../journal/journal-file.js';
import type { MonitorRecord } from '../monitor-record.js';
import { addressIn, guarded } from '../record-error.js';
import { type NodeIdentity, openRecord, type Ownership } from '../record.js';
import { syncDirectory } from '../../host/directories.js';
import { readAt, withRegularFile } from '../safe-files/files.js';
import { type HeldDirectory, holdDirectory } from '../safe-files/held-directory.js';
import { databaseName } from '../safe-files/layout.js';
import { finishMove, isUnfinished, markMoved, movedTo, unfinishedName } from '../safe-files/moved-mark.js';
import { statesName } from '../safe-files/states-given.js';

export interface MoveRequest {
  /** The former and the new `<state>/sm_<address>`. The new one's parent must exist. */
  readonly from: string;
  readonly to: string;
  readonly me: NodeIdentity;
  readonly busySeconds: number;
  /** Throws where the record may not be moved by this node now. */
  readonly mayMove: (ownership: Ownership) => void;
}

/** No more of a journal: what it says has been folded into the database, and the next B-2 begins it anew. */
const mostJournal = 64 << 20;
const pieceSize = 1 << 20;

/**
 * Moves a record: ownership, epoch, NSM state, clients and journals, with the owners and modes of its files. The new one is complete and
 * durable under another name before it gets its own, with one rename(2); only then the former one is marked as moved, and nobody
 * opens it any more. Until then it is as it was: a crash leaves one whole record that counts, and the same request goes on.
 *
 * Nobody else can claim the address meanwhile: the former database is locked. What callouts append to the former journals all the
 * while is for lateClients. Returns false where an earlier run had done it.
 *
 * Throws RECORD_MISSING..., RECORD_EXISTS, RECORD_MOVED (to elsewhere), and what mayMove throws.
 */
export function moveRecord(request: MoveRequest): boolean {
  const { from, to, me, busySeconds } = request;
  return guarded(`moving the record in ${from}`, () => {
    const [former, place] = [holdDirectory(from), holdDirectory(dirname(to))];
    try {
      if (former === undefined || place === undefined) throw nothingThere(former === undefined ? from : to);
      if (movedTo(former) === to) {
        finish(place, to);
        return false;
      }
      const record = openRecord({ directory: from, ...me, create: false, busySeconds });
      if (record === undefined) throw nothingThere(from);
      try {
        moveOpened(former, record, place, request);
      } finally {
        record.close();
      }
      finish(place, to);
      return true;
    } finally {
      former?.close();
      place?.close();
    }
  });
}

/** Whether an earlier run has marked the former record as moved there. */
export function wasMoved({ from, to }: Pick<MoveRequest, 'from' | 'to'>): boolean {
  const former = guarded(`looking at the record in ${from}`, () => holdDirectory(from));
  try {
    return former !== undefined && movedTo(former) === to;
  } finally {
    former?.close();
  }
}

function moveOpened(
  former: HeldDirectory,
  record: MonitorRecord,
  place: HeldDirectory,
  { to, mayMove }: MoveRequest,
): void {
  const name = basename(to);
  const copy = `.${name}.moving`;
  record.fold();
  record.exclusively('moving the record', () => {
    mayMove(record.ownership());
    const there = place.enter(name);
    const isLeft = there !== undefined && isUnfinished(there);
    there?.close();
    // One of a run that was killed before it marked the former one is made anew: events may have come since.
    if (there !== undefined && !isLeft) throw exists(to);
    rmSync(place.at(copy), { recursive: true, force: true });
    copyRecord(former, record, place, copy);
    if (isLeft) rmSync(place.at(name), { recursive: true });
    renameSync(place.at(copy), place.at(name));
    syncDirectory(place.way);
    markMoved(former, to);
  });
}

/** The new one counts from here on. */
function finish(place: HeldDirectory, to: string): void {
  const made = place.enter(basename(to));
  if (made === undefined) throw nothingThere(to);
  finishMove(made);
  made.close();
}

function copyRecord(former: HeldDirectory, record: MonitorRecord, place: HeldDirectory, copy: string): void {
  mkdirSync(place.at(copy), 0o700);
  const made = place.enter(copy);
  if (made === undefined) throw nothingThere(join(place.path, copy));
  try {
    writeFile(made.at(unfinishedName), Buffer.alloc(0));
    writeFile(made.at(databaseName), record.bytes());
    copyFile(former.at(statesName), made.at(statesName));
    for (const node of journalNodes(former.way))
      copyFile(journalPath(former.way, node), journalPath(made.way, node));
    made.chmod(0o711);
    syncDirectory(made.way);
  } finally {
    made.close();
  }
}

function writeFile(file: string, bytes: Buffer): void {
  const fd = openSync(file, 'wx', 0o600);
  try {
    fchmodSync(fd, 0o600);
    writeWhole(fd, bytes);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Owner and mode stay: a journal is statd's user's. One that somebody has made huge is left where it is. */
function copyFile(from: string, to: string): void {
  withRegularFile(from, constants.O_RDONLY, (source) => {
    const { size, uid, gid, mode } = fstatSync(source);
    if (size > mostJournal) return;
    const fd = openSync(to, 'wx', 0o600);
    try {
      for (let at = 0; at < size;) {
        const piece = readAt(source, at, Math.min(pieceSize, size - at));
        if (piece.length === 0) break;
        writeWhole(fd, piece);
        at += piece.length;
      }
      fchownSync(fd, uid, gid);
      fchmodSync(fd, mode & 0o700);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  });
}

function writeWhole(fd: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
}

/**
 * Clients that callouts have written to the former journals after those were copied, and that the new record does not have: a callout
 * that had opened its journal before the address was released writes to it still.
 */
export function lateClients({ from, to, me, busySeconds }: MoveRequest): string[] {
  const place = { ...me, create: false, busySeconds };
  const now = new Set(clientsOf(openRecord({ ...place, directory: to })));
  return clientsOf(openRecord({ ...place, directory: from, evenMoved: true })).filter(
    (client) => !now.has(client),
  );
}

function clientsOf(record: MonitorRecord | undefined): string[] {
  try {
    record?.fold();
    return record?.clientNames() ?? [];
  } finally {
    record?.close();
  }
}

function nothingThere(directory: string): FailoverError {
  return new FailoverError(`There is no record in ${directory}, so nothing was moved`, {
    code: 'RECORD_UNREACHABLE',
    exitCode: exitCodes.stepFailed,
    operation: `moving the record in ${directory}`,
    hint: 'See that both file systems are mounted, and that --from is what state_directory was before.',
  });
}

function exists(directory: string): FailoverError {
  return new FailoverError(`There is another record in ${directory} already, so nothing was moved`, {
    code: 'RECORD_EXISTS',
    exitCode: exitCodes.stepFailed,
    operation: `moving a record to ${directory}`,
    hint: `See which of the two is the right one: "nlm-failover status ${addressIn(directory)}" shows the new one. Move the other one away by hand.`,
  });
}
