import { constants } from 'node:fs';
import { isMountedAlike, type MountedAs } from './mounted-as.js';
import { replaceDurably } from '../../host/replace-file.js';
import { readAt, withRegularFile } from '../safe-files/files.js';
import type { HeldDirectory } from '../safe-files/held-directory.js';

/** What a trial has shown, as one of its two nodes keeps it beside the records. */
export interface Verdict {
  /** Of what is tried, and how. */
  readonly format: 1;
  readonly node: string;
  readonly other: string;
  /** ISO 8601. */
  readonly at: string;
  /** Of nlm-failover. */
  readonly version: string;
  /** How the storage was mounted on this node; null: in no way that the node can see. */
  readonly mount: MountedAs | null;
  readonly kept: boolean;
  /** What was wrong, a sentence each. */
  readonly why: readonly string[];
  /** How often each node wrote. */
  readonly written: Readonly<Record<string, number>>;
}

const most = 64 << 10;

export function keepVerdict(held: HeldDirectory, verdict: Verdict): void {
  replaceDurably(held.at(nameOf(verdict.node)), `${JSON.stringify(verdict)}\n`, 0o600);
}

/** The last one of a node; undefined: it has taken part in none, or in one of another format. */
export function readVerdict(held: HeldDirectory, node: string): Verdict | undefined {
  const text = withRegularFile(held.at(nameOf(node)), constants.O_RDONLY, (fd) =>
    readAt(fd, 0, most).toString('utf8'),
  );
  if (text === undefined) return undefined;
  try {
    const read: unknown = JSON.parse(text);
    return isVerdict(read) ? read : undefined;
  } catch {
    return undefined;
  }
}

/** Of this format: its writer has no other. */
function isVerdict(read: unknown): read is Verdict {
  return typeof read === 'object' && read !== null && 'format' in read && read.format === 1;
}

/** Whether a verdict holds for how the storage is mounted now. */
export function holdsFor({ mount }: Verdict, now: MountedAs | undefined): boolean {
  return mount !== null && now !== undefined
    ? isMountedAlike(mount, now)
    : mount === null && now === undefined;
}

function nameOf(node: string): string {
  return `${node}.verdict`;
}
