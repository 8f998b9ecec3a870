// Holds a database as a process does that writes to it, until its standard input ends: node hold-database.js FILE
import Database from 'better-sqlite3';

const db = new Database(process.argv[2] ?? '', { fileMustExist: true });
db.exec('BEGIN EXCLUSIVE');
process.stdout.write('held\n');
process.stdin.resume().once('end', () => db.close());
