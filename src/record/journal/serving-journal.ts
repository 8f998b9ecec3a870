import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { FailoverError, exitCodes } from '../../errors.js';
import { firstLine, journalPath, withJournal } from './journal-file.js';
import { doing } from '../../host/running/watchdog.js';
import { formatLine, parseJournal, type ServingLine } from './journal.js';
import type { MonitorRecord } from '../monitor-record.js';
import { recordError } from '../record-error.js';
import { syncDirectory } from '../../host/directories.js';
import { writeAll } from '../safe-files/files.js';

export interface ServingSession {
  readonly directory: string;
  readonly node: string;
  readonly epoch: number;
  /** At least one. */
  readonly fsids: readonly string[];
  /** Of statd, whose callout appends. */
  readonly uid: number;
  readonly gid: number;
  /** Milliseconds since 1970 at `uptime`, seconds since boot with two decimals, of the boot `bootId`. */
  readonly now: number;
  readonly uptime: string;
  readonly bootId: string;
  /** Makes each write to the file durable by itself (chattr +S); false where its file system cannot. */
  readonly makeSynchronous: (path: string) => Promise<boolean>;
  /** Throws where the node is not the owner any more; asked while nobody else can write. */
  readonly assertOwner: () => void;
}

export interface ServingJournal {
  /** What the serving link is to point to. */
  readonly journal: string;
  /** False: the callout must sync each line. */
  readonly synchronous: boolean;
  /** True: the journal of this very session was there, from an earlier run of the command. */
  readonly kept: boolean;
}

/** Longest first line that a session can be recognised by: some 1,700 UUIDs. */
const longestFirstLine = 1 << 16;

/**
 * B-2: gives this node a journal that begins with the session's serving line and the record as it is.
 * Called before the serving link exists; a crash anywhere leaves the old journal, or the new one.
 *
 * An event that the callout still writes to the old file is not lost with it: its session is over, the lock it was for
 * has been dropped, and the client asks again.
 */
export async function beginServing(record: MonitorRecord, session: ServingSession): Promise<ServingJournal> {
  const { directory, node, makeSynchronous } = session;
  const journal = journalPath(directory, node);
  const line = servingLine(session);
  try {
    record.fold();
    if (
      record.exclusively(`continuing ${journal}`, () => {
        session.assertOwner();
        return continueSession(record, session, line);
      })
    ) {
      return { journal, synchronous: await makeSynchronous(journalPath(record.way, node)), kept: true };
    }
    const { way } = record;
    removeLeftovers(way, node);
    const temporary = join(way, `.journal.${node}.${randomUUID()}`);
    // Only root can make names in this directory; O_EXCL follows no link in any case.
    const fd = openSync(
      temporary,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_APPEND,
      0o600,
    );
    try {
      fchmodSync(fd, 0o600);
      fchownSync(fd, session.uid, session.gid);
      const synchronous = await makeSynchronous(temporary);
      // Under the write lock: nobody folds the old journal, or adds a row, between the list and the rename.
      record.exclusively(`replacing ${journal}`, () => {
        session.assertOwner();
        record.fold();
        // Again from the start, where it is tried again with the space of the reserve.
        ftruncateSync(fd);
        writeRecord(fd, record, line, journal);
        fsyncSync(fd);
        renameSync(temporary, journalPath(way, node));
        syncDirectory(way);
        // Its recorded lines are the record: folded later they would undo a del-client that is folded before them.
        const fsids = line.fsids.map((fsid) => fsid.toLowerCase());
        record.noteFolded(node, { ...line, fsids });
      });
      return { journal, synchronous, kept: false };
    } finally {
      closeSync(fd);
      rmSync(temporary, { force: true });
    }
  } catch (error) {
    throw recordError(`beginning to record in ${journal}`, error);
  }
}

/** Since when a node records for the address, by the first line of its journal; undefined where that says nothing. */
export function servingSince(
  record: MonitorRecord,
  node: string,
): Pick<ServingLine, 'epoch' | 'bootId'> | undefined {
  const line = withJournal(record.way, node, constants.O_RDONLY, firstServingLine);
  return line === undefined ? undefined : { epoch: line.epoch, bootId: line.bootId };
}

function firstServingLine(fd: number): ServingLine | undefined {
  const text = `${firstLine(fd, longestFirstLine) ?? ''}\n`;
  const line = parseJournal(Buffer.from(text, 'latin1')).entries[0]?.line;
  return line?.kind === 'serving' ? line : undefined;
}

function servingLine({ node, epoch, fsids, now, uptime, bootId }: ServingSession): ServingLine {
  const line = { kind: 'serving', uptime: Number(uptime), node, epoch, wall: now, bootId, fsids } as const;
  // Under a first line that nobody can read every event would be lost, and nobody would notice.
  const text = formatLine(line);
  if (parseJournal(Buffer.from(text, 'latin1')).entries[0]?.line === undefined) {
    throw new FailoverError(`this would begin a journal that cannot be read: ${text.trim()}`, {
      code: 'BAD_SERVING_LINE',
      exitCode: exitCodes.configuration,
      operation: `beginning to record for node ${node}`,
      hint: 'Write node and fsid in the configuration with letters, digits and dashes alone.',
    });
  }
  return line;
}

/** Of what is written to the journal, what is in memory at once, in characters. */
const pieceLength = 1 << 20;

/** Writes the serving line, and the record as it is. */
function writeRecord(fd: number, record: MonitorRecord, line: ServingLine, journal: string): void {
  let piece = formatLine(line);
  const flush = (): void => {
    doing(`writing ${journal}`);
    writeAll(fd, piece);
    piece = '';
  };
  record.eachClient((row) => {
    piece += formatLine({ kind: 'recorded', uptime: 0, ...row });
    if (piece.length >= pieceLength) flush();
  });
  flush();
}

/** Whether the journal is of this node, epoch and boot: the same command was run again. Other fsids get a line of their own. */
function continueSession(record: MonitorRecord, session: ServingSession, line: ServingLine): boolean {
  const { node, epoch, bootId, uid, gid } = session;
  const kept = withJournal(record.way, node, constants.O_RDWR | constants.O_APPEND, (fd) => {
    const first = firstServingLine(fd);
    if (first === undefined) return false;
    if (first.node !== node || first.epoch !== epoch || first.bootId !== bootId) return false;
    record.fold();
    fchmodSync(fd, 0o600);
    fchownSync(fd, uid, gid);
    if (record.journalProgress(node)?.session?.fsids.join() !== line.fsids.join())
      writeAll(fd, formatLine(line));
    fsyncSync(fd);
    return true;
  });
  return kept === true;
}

/** Temporary files of a run that was killed. */
function removeLeftovers(directory: string, node: string): void {
  const prefix = `.journal.${node}.`;
  for (const name of readdirSync(directory)) {
    // 36: a UUID. Node "A" must not remove what is node "A.b"'s.
    if (name.startsWith(prefix) && name.length === prefix.length + 36) rmSync(join(directory, name));
  }
}
