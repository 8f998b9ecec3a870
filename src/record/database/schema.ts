/** PRAGMA application_id of a record: "NLMF". */
export const applicationId = 0x4e4c4d46;

/**
 * The schema, step by step: step n takes a database from user_version n to n + 1. A step that was released
 * is never edited; add another. Times are in ms since 1970. STRICT, so that a defect is an error, not a row.
 */
export const migrations: readonly string[] = [
  `
  -- Who is notified at the next takeover: since when, and recorded by which node.
  CREATE TABLE clients (
    client TEXT NOT NULL,
    fsid TEXT NOT NULL,
    node TEXT NOT NULL,
    since INTEGER NOT NULL,
    my_name TEXT,
    PRIMARY KEY (client, fsid, node)
  ) STRICT, WITHOUT ROWID;

  -- How far each node's journal is folded. generation: the file's first line, cut to 256 bytes.
  -- fsids, uptime, wall: of the last serving line before read_to; null before any.
  CREATE TABLE journals (
    node TEXT NOT NULL PRIMARY KEY,
    generation TEXT NOT NULL,
    read_to INTEGER NOT NULL,
    fsids TEXT,
    uptime REAL,
    wall INTEGER
  ) STRICT, WITHOUT ROWID;

  -- Lines kept aside for people, bytes escaped; the newest 1000.
  CREATE TABLE bad_lines (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    node TEXT NOT NULL,
    place INTEGER NOT NULL,
    text TEXT NOT NULL
  ) STRICT;

  CREATE TABLE ownership (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    owner TEXT,
    epoch INTEGER NOT NULL,
    released INTEGER NOT NULL CHECK (released IN (0, 1)),
    since INTEGER
  ) STRICT;
  INSERT INTO ownership VALUES (1, NULL, 0, 1, NULL);

  -- The last state sent in SM_NOTIFY for this address, by any node; 0: none yet.
  CREATE TABLE nsm (only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1), state INTEGER NOT NULL) STRICT;
  INSERT INTO nsm VALUES (1, 0);

  -- Who is to be notified of the latest state, and when each was; reason: why not yet.
  CREATE TABLE notifications (
    client TEXT NOT NULL PRIMARY KEY,
    state INTEGER NOT NULL,
    told_at INTEGER,
    reason TEXT
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE operations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    node TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    began_at INTEGER NOT NULL,
    ended_at INTEGER,
    outcome TEXT,
    detail TEXT
  ) STRICT;

  CREATE TABLE steps (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    operation INTEGER NOT NULL REFERENCES operations (id) ON DELETE CASCADE,
    step TEXT NOT NULL,
    fsid TEXT,
    state TEXT NOT NULL,
    ms REAL NOT NULL,
    detail TEXT NOT NULL,
    at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX steps_of_operation ON steps (operation);
  `,
  `
  -- What the lock manager held when the address went down (A-1). copy: of several that are alike, from 0.
  CREATE TABLE held_locks (
    fsid TEXT NOT NULL,
    inode INTEGER NOT NULL,
    mode TEXT NOT NULL CHECK (mode IN ('READ', 'WRITE')),
    first TEXT NOT NULL,
    last TEXT NOT NULL,
    copy INTEGER NOT NULL,
    reclaimed_at INTEGER,
    PRIMARY KEY (fsid, inode, mode, first, last, copy)
  ) STRICT, WITHOUT ROWID;

  -- Whom the statd of a node has announced since the last grace began.
  CREATE TABLE announcements (
    client TEXT NOT NULL,
    node TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (client, node)
  ) STRICT, WITHOUT ROWID;

  -- noted_epoch: held_locks was filled by a release of this epoch, not yet followed by a takeover.
  -- planned: held_locks is what the last grace is compared with. graces: begun in this epoch.
  CREATE TABLE audit (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    noted_epoch INTEGER,
    planned INTEGER NOT NULL CHECK (planned IN (0, 1)),
    graces INTEGER NOT NULL,
    began_at INTEGER,
    compared_at INTEGER
  ) STRICT;
  INSERT INTO audit VALUES (1, NULL, 0, 0, NULL, NULL);

  -- What the audits found, until acknowledged and beyond. clients: a JSON list.
  CREATE TABLE findings (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    epoch INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    fsid TEXT,
    inode INTEGER,
    mode TEXT,
    first TEXT,
    last TEXT,
    path TEXT,
    clients TEXT NOT NULL,
    at INTEGER NOT NULL,
    acknowledged_at INTEGER
  ) STRICT;
  `,
  `
  -- Why held_locks may lack locks that were held at the release: a clause; null where it has them all.
  ALTER TABLE audit ADD COLUMN note_gap TEXT DEFAULT 'an older version noted them';
  `,
  `
  -- Which machine of the owner's name the owner is (src/host/reading/machine-id.ts); null: it claimed before this was noted, or is
  -- presumed.
  ALTER TABLE ownership ADD COLUMN machine TEXT;
  `,
  `
  -- 1: what is right before read_to is no line of ours, and was passed over: a hole, say.
  ALTER TABLE journals ADD COLUMN passed_over INTEGER NOT NULL DEFAULT 0 CHECK (passed_over IN (0, 1));
  `,
  `
  -- Whom to notify first: see notifications.ts.
  ALTER TABLE notifications ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;

  -- Who may have lost the locks of one audit, a JSON list: once, however many locks. findings.clients is empty then.
  CREATE TABLE suspects (id INTEGER PRIMARY KEY AUTOINCREMENT, clients TEXT NOT NULL) STRICT;
  ALTER TABLE findings ADD COLUMN suspects INTEGER REFERENCES suspects (id);
  `,
  `
  -- forced: by whose word the address was taken from a node that had not released it; null: nobody's. notified, not_notified: clients, as
  -- it ended; null: none were to be, or it did not come to that. lost: locks, or clients, that the audit of its grace found lost; null: not compared.
  ALTER TABLE operations ADD COLUMN forced TEXT;
  ALTER TABLE operations ADD COLUMN notified INTEGER;
  ALTER TABLE operations ADD COLUMN not_notified INTEGER;
  ALTER TABLE operations ADD COLUMN lost INTEGER;
  `,
  `
  -- What the configuration of each node said of the address when its last operation began: a digest for each key that all nodes share
  -- (src/failover/access/shared-keys.ts).
  CREATE TABLE configurations (
    node TEXT NOT NULL,
    key TEXT NOT NULL,
    digest TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (node, key)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Whom the owner has taken the address from, who had not released it, until what he left is dealt with; null: nobody.
  ALTER TABLE ownership ADD COLUMN taken_from TEXT;
  `,
];
