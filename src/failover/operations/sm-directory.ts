import {
  closeSync,
  fchmodSync,
  fchownSync,
  mkdirSync,
  openSync,
  readdirSync,
  realpathSync,
  rmdirSync,
  rmSync,
} from 'node:fs';
import path from 'node:path';
import type { FloatingIp } from '../../config/config.js';
import { exitCodes, FailoverError } from '../../errors.js';
import type { Owner } from '../../host/directories.js';
import { lockdCallback, monitored } from '../../host/reading/statd.js';
import { isClientName } from '../../names.js';
import { type Reader, withFoldedRecord } from '../access/with-record.js';
import { exposedThrough } from '../access/exposure.js';
import { unreachable } from '../access/location.js';
import { writeAll } from '../../record/safe-files/files.js';
import { type HeldDirectory, holdDirectory } from '../../record/safe-files/held-directory.js';

/** What was written. */
export interface SmDirectory {
  readonly clients: number;
  /** The NSM state that sm-notify will send: noted, so that this address is never given it again. */
  readonly state: number;
  /** Whose the directory is, and so the user that sm-notify becomes. */
  readonly owner: Owner;
}

/**
 * Writes the record of an address as a directory for `sm-notify -P` (nfs-utils support/nsm/file.c): `sm/` with a file for each recorded
 * client, an empty `sm.bak/`, and `state`. They belong to rpc.statd's user, which sm-notify becomes (nsm_drop_privileges), last of all the
 * directory itself: until then nobody else can change what is in it. Nothing of it is left where it fails.
 *
 * `directory`: absolute. It is made, or is empty, and nobody but root can put another one in its place: else DIRECTORY_UNFIT. Throws
 * RECORD_UNREACHABLE and what a record throws.
 */
export async function writeSmDirectory(
  reader: Reader,
  ip: FloatingIp,
  directory: string,
): Promise<SmDirectory> {
  const { host } = reader;
  await expectOutOfReach(reader, ip, directory);
  const { uid, gid } = monitored(host) ?? { uid: 0, gid: 0 };
  const owner = { uid, gid };
  const held = holdEmpty(host.path(directory), owner);
  try {
    const read = withFoldedRecord(reader, ip, (record) => ({
      clients: record.clientNames().filter(isClientName),
      state: record.reserveState({ now: host.now() }),
    }));
    if (read === undefined) throw unreachable(host, ip);
    fill(held.place, read, ip.address, owner);
    return { clients: read.clients.length, state: read.state, owner };
  } catch (error) {
    held.giveUp();
    throw error;
  } finally {
    held.place.close();
  }
}

/** Where a client can remove what is in it nobody is notified, and sm-notify then ends the grace. Throws DIRECTORY_UNFIT. */
async function expectOutOfReach(reader: Reader, ip: FloatingIp, directory: string): Promise<void> {
  if (ip.trustClients) return;
  const through = await exposedThrough(reader, directory);
  if (through.length === 0) return;
  throw unfit(
    directory,
    `it lies on a file system that clients with AUTH_SYS or an anonuid reach, through ${through.join(', ')}`,
  );
}

/** As statd makes them (nsm_insert_monitored_host). */
const fileMode = 0o600;
const directoryMode = 0o700;

function fill(
  held: HeldDirectory,
  { clients, state }: { readonly clients: readonly string[]; readonly state: number },
  myName: string,
  owner: Owner,
): void {
  for (const name of ['sm', 'sm.bak']) mkdirSync(held.at(name), directoryMode);
  for (const client of clients) write(held.at(`sm/${client}`), line(client, myName), owner);
  // A native int; sm-notify sends what is two above it (nsm_get_state).
  write(held.at('state'), Buffer.from(Int32Array.of(state - 2).buffer).toString('latin1'), owner);
  for (const place of [held.at('sm'), held.at('sm.bak'), held.way]) {
    const fd = openSync(place, 'r');
    try {
      fchmodSync(fd, directoryMode);
      fchownSync(fd, owner.uid, owner.gid);
    } finally {
      closeSync(fd);
    }
  }
}

/**
 * A line of nsm_create_monitor_record: lockd's callback and a cookie, none of which sm-notify looks at; mon_name, and the name under which the server is known where there is no -v.
 */
function line(client: string, myName: string): string {
  return `${lockdCallback} ${'0'.repeat(32)} ${client} ${myName}\n`;
}

function write(file: string, text: string, { uid, gid }: Owner): void {
  const fd = openSync(file, 'wx', fileMode);
  try {
    writeAll(fd, text);
    fchmodSync(fd, fileMode);
    fchownSync(fd, uid, gid);
  } finally {
    closeSync(fd);
  }
}

interface Empty {
  readonly place: HeldDirectory;
  /** Takes away what was made. */
  giveUp(): void;
}

/** The directory, made where it is not there. Throws DIRECTORY_UNFIT. */
function holdEmpty(directory: string, owner: Owner): Empty {
  const name = path.basename(directory);
  const parent = fitting(directory, () => holdDirectory(path.dirname(directory)));
  if (parent === undefined) throw unfit(directory, `${path.dirname(directory)} does not exist`);
  try {
    expectPassable(directory, owner);
    const isMade = fitting(directory, () => parent.enter(name)) === undefined;
    if (isMade) mkdirSync(parent.at(name), directoryMode);
    const place = fitting(directory, () => parent.enter(name));
    if (place === undefined) throw unfit(directory, 'it was removed again');
    const { uid, mode } = place.stats;
    if (uid !== process.getuid?.()) throw unfit(directory, `it belongs to uid ${uid}`);
    if ((mode & 0o022) !== 0) throw unfit(directory, 'others can write to it');
    if (readdirSync(place.way).length > 0) throw unfit(directory, 'it is not empty');
    return {
      place,
      giveUp: () => {
        for (const one of ['sm', 'sm.bak', 'state']) rmSync(place.at(one), { recursive: true, force: true });
        if (isMade) rmdirSync(place.path);
      },
    };
  } finally {
    parent.close();
  }
}

/** sm-notify, as that user, goes by the name of each directory on the way. */
function expectPassable(directory: string, { uid }: Owner): void {
  if (uid === 0) return;
  for (let at = realpathSync(path.dirname(directory)); at !== '/'; at = path.dirname(at)) {
    const held = holdDirectory(at);
    const mode = held?.stats.mode ?? 0;
    held?.close();
    if ((mode & 0o001) === 0)
      throw unfit(
        directory,
        `rpc.statd's user (uid ${uid}), which sm-notify becomes, cannot pass through ${at}`,
      );
  }
}

/** What is said of a record there is said of this directory. */
function fitting<T>(directory: string, look: () => T): T {
  try {
    return look();
  } catch (error) {
    if (error instanceof FailoverError)
      throw unfit(directory, error.message.replace(/: somebody else.*$/, ''));
    throw error;
  }
}

function unfit(directory: string, why: string): FailoverError {
  return new FailoverError(`${directory} cannot be used: ${why}`, {
    code: 'DIRECTORY_UNFIT',
    exitCode: exitCodes.usage,
    operation: `looking at ${directory}`,
    hint: 'Name a directory that is not there yet, or is empty, in one that belongs to root and that nobody else can write: /run/sm1, for example.',
  });
}
