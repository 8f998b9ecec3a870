import type { Database } from 'better-sqlite3';

/** What a node's configuration said of the address when its last operation began. */
export interface NotedConfiguration {
  readonly node: string;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** A digest for each key that all nodes share. */
  readonly keys: Readonly<Record<string, string>>;
}

/** In place of what was noted of that node before. */
export function noteConfiguration(db: Database, { node, at, keys }: NotedConfiguration): void {
  db.transaction(() => {
    db.prepare('DELETE FROM configurations WHERE node = ?').run(node);
    const insert = db.prepare('INSERT INTO configurations (node, key, digest, at) VALUES (?, ?, ?, ?)');
    for (const [key, digest] of Object.entries(keys)) insert.run(node, key, digest, at);
  })();
}

/** Of every node that has noted one, by the nodes' names. */
export function readConfigurations(db: Database): NotedConfiguration[] {
  const rows = db
    .prepare<[], { node: string; key: string; digest: string; at: number }>(
      'SELECT node, key, digest, at FROM configurations ORDER BY node, key',
    )
    .all();
  const nodes = [...new Set(rows.map(({ node }) => node))];
  return nodes.map((node) => {
    const own = rows.filter((row) => row.node === node);
    return {
      node,
      at: own[0]?.at ?? 0,
      keys: Object.fromEntries(own.map(({ key, digest }) => [key, digest])),
    };
  });
}
