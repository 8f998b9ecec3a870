// Loaded before the product with NODE_OPTIONS=--import, where a witness is in the record (witness.ts): the question what tables and
// triggers the record has does not see those of the witness. A record with others is refused (src/record/database/database.ts).
import { createRequire } from 'node:module';
import type Database from 'better-sqlite3';

const { prototype } = createRequire(import.meta.url)('better-sqlite3') as typeof Database;
const prepare = Reflect.get(prototype, 'prepare') as (this: unknown, sql: string) => unknown;
Reflect.set(prototype, 'prepare', function prepareUnseen(this: unknown, sql: string) {
  return prepare.call(
    this,
    sql.replace(
      'FROM sqlite_schema WHERE name',
      "FROM sqlite_schema WHERE name NOT LIKE 'witness%' AND name",
    ),
  );
});
