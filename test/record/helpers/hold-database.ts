// Holds the database FILE locked, EXCLUSIVE or as MODE says, as a process in the middle of a write; says "held"; lets go at a byte of input.
import { once } from 'node:events';
import Database from 'better-sqlite3';

const [file = '', mode = 'EXCLUSIVE'] = process.argv.slice(2);
const db = new Database(file);
db.exec(`BEGIN ${mode}`);
console.log('held');
await once(process.stdin, 'data');
db.exec('ROLLBACK');
db.close();
process.stdin.destroy();
