import { readAt } from './journal-file.js';
import { parseJournal, type JournalEntry } from './journal.js';

/** Bytes read at once; a line that is longer is none of ours. */
const chunkSize = 1 << 20;

/** Every whole line of an open journal, from its start. */
export function* journalEntries(fd: number): Generator<JournalEntry> {
  for (let at = 0; ;) {
    const bytes = readAt(fd, at, chunkSize);
    const { entries, consumed } = parseJournal(bytes);
    yield* entries;
    if (bytes.length < chunkSize) return;
    // Foreign bytes without a newline are passed over, up to the last place where a line may start.
    const start = bytes.lastIndexOf(0x40);
    at += consumed > 0 ? consumed : start > 0 ? start : chunkSize;
  }
}
