// Holds the database FILE locked, as a process that is in the middle of a write; says "held"; lets go when told to.
import { once } from 'node:events';
import Database from 'better-sqlite3';

const db = new Database(process.argv[2]);
db.exec('BEGIN EXCLUSIVE');
console.log('held');
await once(process.stdin, 'data');
db.exec('ROLLBACK');
db.close();
process.stdin.destroy();
