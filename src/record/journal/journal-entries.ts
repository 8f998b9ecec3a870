import { readAt } from '../safe-files/regular-file.js';
import { chunkSize, foreignLength, parseJournal, type JournalEntry } from './journal.js';

/** Every whole line of an open journal, from its start. */
export function* journalEntries(fd: number): Generator<JournalEntry> {
  for (let at = 0; ;) {
    const bytes = readAt(fd, at, chunkSize);
    const { entries, consumed } = parseJournal(bytes);
    yield* entries;
    if (bytes.length < chunkSize) return;
    at += consumed > 0 ? consumed : foreignLength(bytes);
  }
}
