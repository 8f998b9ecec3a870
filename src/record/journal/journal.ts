/**
 * The journal: what one node's callout saw for one floating IP.
 *
 * `<state>/sm_<address>/journal.<node>` is text, in bytes (LC_ALL=C), appended to, one write(2) a line:
 * by callouts/ha-callout as statd's user, and before that, by the command, when it makes the file (B-2).
 *
 *     @1 <uptime> serving <node> <epoch> <wall> <boot> <fsid>[,<fsid>...] .
 *     @1 <uptime> recorded <client> <my_name|-> <fsid> <node> <since> .
 *     @1 <uptime> add-client <client> <my_name|-> <fsid|-> .
 *     @1 <uptime> del-client <client> <my_name|-> <fsid|-> .
 *
 * Every line starts with `@` and the version, and ends with ` .` and a newline; `@` and blanks occur in no
 * field. So a whole line can be distinguished from a torn one, and the next line is found again after a torn one.
 *
 * - uptime: seconds since boot with two decimals, the first field of /proc/uptime.
 * - serving: the first line, and again where the fsids changed meanwhile. From here on `node` records for the address, as its owner in `epoch`. `wall` is
 *   the clock in ms since 1970 at `uptime` of the boot `boot` (/proc/sys/kernel/random/boot_id), so that the
 *   callout need not spend an exec on the time of day. The fsids are what an event with fsid `-` stands for:
 *   nfs-utils' statd does not know which file system the client uses.
 * - recorded: a row of the record when the file was made, or one that the command adopted from statd's own list
 *   later, so that the journals alone suffice to rebuild the database. `since` is in ms since 1970; uptime is 0.
 * - add-client, del-client: statd began, or ceased, to monitor `client`. `my_name` is informative.
 *
 * Reading
 * - A last line without a newline is being written, or was torn by a crash: left until more follows.
 * - `@` in the middle of a line starts a line: what is before it was torn (a full disk). What is before is
 *   kept aside, what follows is used.
 * - Any other bad line is kept aside, with its place, for people. Nothing of it is used or executed.
 *
 * A file is made whole (temporary file, fsync, rename) and never cut or rewritten in place. A new file has
 * another first line, by which a reader on any host sees that its offset into the old one is void; inode
 * numbers mean nothing across hosts. A journal that grew large while serving can be replaced in this way
 * too, once no callout can be between its open and its write.
 */
import { clientNamePattern, fsidPattern, nodePattern } from '../../names.js';

export interface ServingLine {
  readonly kind: 'serving';
  /** Seconds since boot. */
  readonly uptime: number;
  readonly node: string;
  readonly epoch: number;
  /** Milliseconds since 1970. */
  readonly wall: number;
  readonly bootId: string;
  readonly fsids: readonly string[];
}

export interface RecordedLine {
  readonly kind: 'recorded';
  readonly uptime: number;
  readonly client: string;
  readonly myName: string | undefined;
  readonly fsid: string;
  readonly node: string;
  /** Milliseconds since 1970. */
  readonly since: number;
}

export interface EventLine {
  readonly kind: 'add-client' | 'del-client';
  readonly uptime: number;
  readonly client: string;
  readonly myName: string | undefined;
  /** Undefined stands for every fsid of the serving line. */
  readonly fsid: string | undefined;
}

export type JournalLine = ServingLine | RecordedLine | EventLine;

export interface JournalEntry {
  /** In bytes from the start of what was parsed. */
  readonly offset: number;
  /** The line without its newline; one character a byte (latin1). */
  readonly text: string;
  /** Undefined: a bad line. */
  readonly line: JournalLine | undefined;
}

const uptime = '([0-9]{1,12}(?:[.][0-9]{1,2})?)';
const count = '([0-9]{1,15})';
const client = `(${clientNamePattern})`;
const fsid = `(${fsidPattern})`;
const node = `(${nodePattern})`;
const serving = new RegExp(
  `^@1 ${uptime} serving ${node} ${count} ${count} ([0-9a-f-]{1,64}) (${fsidPattern}(?:,${fsidPattern})*) [.]$`,
  'u',
);
const servingHead = new RegExp(`^@1 ${uptime} serving ${node} ${count} `, 'u');
const recorded = new RegExp(
  `^@1 ${uptime} recorded ${client} (?:-|${client}) ${fsid} ${node} ${count} [.]$`,
  'u',
);
const event = new RegExp(
  `^@1 ${uptime} (add-client|del-client) ${client} (?:-|${client}) (?:-|${fsid}) [.]$`,
  'u',
);

/**
 * Parses journal bytes that start at the start of a line. Never throws.
 * Returns what was found, in order, and how many bytes it was: up to the last newline.
 */
export function parseJournal(bytes: Buffer): { entries: JournalEntry[]; consumed: number } {
  const entries: JournalEntry[] = [];
  let offset = 0;
  for (;;) {
    const newline = bytes.indexOf(0x0a, offset);
    if (newline === -1) return { entries, consumed: offset };
    const text = bytes.toString('latin1', offset, newline);
    for (let from = 0; ;) {
      const next = text.indexOf('@', from + 1);
      const piece = next === -1 ? text.slice(from) : text.slice(from, next);
      entries.push({ offset: offset + from, text: piece, line: parseLine(piece) });
      if (next === -1) break;
      from = next;
    }
    offset = newline + 1;
  }
}

/** The epoch of a journal by its first line, also where that was cut; undefined where it is no serving line. */
export function epochOfFirstLine(text: string): number | undefined {
  const [, , , epoch] = servingHead.exec(text) ?? [];
  return epoch === undefined ? undefined : Number(epoch);
}

function parseLine(text: string): JournalLine | undefined {
  return parseEvent(text) ?? parseServing(text) ?? parseRecorded(text);
}

function parseEvent(text: string): EventLine | undefined {
  const match = event.exec(text);
  if (match === null) return undefined;
  const [, time = '', kind = '', name = '', myName, id] = match;
  return {
    kind: kind === 'add-client' ? 'add-client' : 'del-client',
    uptime: Number(time),
    client: name,
    myName,
    fsid: id?.toLowerCase(),
  };
}

function parseServing(text: string): ServingLine | undefined {
  const match = serving.exec(text);
  if (match === null) return undefined;
  const [, time = '', name = '', epoch = '', wall = '', bootId = '', fsids = ''] = match;
  return {
    kind: 'serving',
    uptime: Number(time),
    node: name,
    epoch: Number(epoch),
    wall: Number(wall),
    bootId,
    fsids: fsids.toLowerCase().split(','),
  };
}

function parseRecorded(text: string): RecordedLine | undefined {
  const match = recorded.exec(text);
  if (match === null) return undefined;
  const [, time = '', name = '', myName, id = '', by = '', since = ''] = match;
  return {
    kind: 'recorded',
    uptime: Number(time),
    client: name,
    myName,
    fsid: id.toLowerCase(),
    node: by,
    since: Number(since),
  };
}

/** Bytes of a journal that are read at once; a line that is longer is none of ours. */
export const chunkSize = 1 << 20;

/** Of a chunk without any newline, how much is none of ours: up to the last place where a line may start (@), or all. */
export function foreignLength(bytes: Buffer): number {
  const start = bytes.lastIndexOf(0x40);
  return start > 0 ? start : bytes.length;
}

/** The text of a line, with its newline. What it is given must fit the patterns of names.ts. */
export function formatLine(line: JournalLine): string {
  return `@1 ${line.uptime.toFixed(2)} ${line.kind} ${fields(line).join(' ')} .\n`;
}

function fields(line: JournalLine): (string | number)[] {
  if (line.kind === 'serving') return [line.node, line.epoch, line.wall, line.bootId, line.fsids.join(',')];
  const { client: name, myName = '-', fsid: id = '-' } = line;
  return line.kind === 'recorded' ? [name, myName, id, line.node, line.since] : [name, myName, id];
}
