/**
 * The tables, as one step after the other: what a step does is never changed
 * once it was released, since databases exist that it has made.
 *
 * - `tasks`: a row for each run of a task id; `key` rises as they come, so it
 *   stands for the time wherever lists are ordered. A row without a state is one
 *   of which only events or output have come so far.
 * - `statuses`: the newest status of each, as JSON, apart so that lists stay thin.
 * - `moves`: each state that a task was in.
 * - `events`, `output`: what came, by its `seq`; `output.line` is the number of
 *   lines that have ended before, and `output.style` the colours that hold there.
 * - `totals`: how many tasks are in each state, kept by triggers.
 * - `task_search`: the words of a task, by its key.
 *
 * @module
 */

/** The steps; the number of the last is the version of the tables. */
export const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE tasks (
  key INTEGER PRIMARY KEY,
  task_id TEXT NOT NULL,
  created_at TEXT NOT NULL,
  state TEXT,
  playbook TEXT,
  inventory TEXT,
  template TEXT,
  worker_id TEXT NOT NULL DEFAULT '',
  started_at TEXT,
  completed_at TEXT,
  updated_at TEXT NOT NULL,
  events_seq INTEGER NOT NULL DEFAULT 0,
  events_missing INTEGER NOT NULL DEFAULT 0,
  output_seq INTEGER NOT NULL DEFAULT 0,
  output_missing INTEGER NOT NULL DEFAULT 0,
  output_bytes_missing INTEGER NOT NULL DEFAULT 0,
  output_lines INTEGER NOT NULL DEFAULT 0,
  output_bytes INTEGER NOT NULL DEFAULT 0,
  output_is_open INTEGER NOT NULL DEFAULT 0,
  output_style TEXT NOT NULL DEFAULT ''
);
CREATE UNIQUE INDEX tasks_by_id ON tasks (task_id, created_at);
CREATE INDEX tasks_by_state ON tasks (state, key);
CREATE INDEX tasks_by_playbook ON tasks (playbook, key);
CREATE INDEX tasks_by_inventory ON tasks (inventory, key);
CREATE INDEX tasks_by_template ON tasks (template, key);
CREATE INDEX tasks_by_worker ON tasks (worker_id, key);
CREATE INDEX tasks_by_end ON tasks (completed_at, state);
CREATE INDEX tasks_by_update ON tasks (updated_at);

CREATE TABLE statuses (key INTEGER PRIMARY KEY, status TEXT NOT NULL);

CREATE TABLE moves (
  key INTEGER NOT NULL,
  number INTEGER NOT NULL,
  at TEXT NOT NULL,
  state TEXT NOT NULL,
  worker_id TEXT NOT NULL,
  PRIMARY KEY (key, number)
) WITHOUT ROWID;

CREATE TABLE events (
  key INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  time TEXT NOT NULL,
  col INTEGER NOT NULL,
  host TEXT,
  state TEXT,
  changed INTEGER,
  duration REAL,
  play TEXT NOT NULL,
  task TEXT NOT NULL,
  message TEXT,
  left_out INTEGER NOT NULL,
  PRIMARY KEY (key, seq)
) WITHOUT ROWID;
CREATE INDEX events_starts ON events (key, seq) WHERE state IS NULL;
CREATE INDEX events_failed ON events (key, seq)
  WHERE state IN ('failed', 'unreachable', 'ignored', 'rescued');
CREATE INDEX events_cells ON events (key, col, host);

CREATE TABLE output (
  id INTEGER PRIMARY KEY,
  key INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  line INTEGER NOT NULL,
  stream TEXT NOT NULL,
  truncated INTEGER NOT NULL,
  left_out INTEGER NOT NULL,
  style TEXT NOT NULL,
  text TEXT NOT NULL
);
CREATE UNIQUE INDEX output_by_seq ON output (key, seq);
CREATE INDEX output_by_line ON output (key, line, seq);

CREATE TABLE totals (state TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER tasks_added AFTER INSERT ON tasks WHEN NEW.state IS NOT NULL BEGIN
  INSERT INTO totals VALUES (NEW.state, 1)
    ON CONFLICT (state) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER tasks_moved AFTER UPDATE OF state ON tasks
  WHEN NEW.state IS NOT OLD.state BEGIN
  UPDATE totals SET count = count - 1 WHERE state = OLD.state;
  INSERT INTO totals VALUES (NEW.state, 1)
    ON CONFLICT (state) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER tasks_removed AFTER DELETE ON tasks BEGIN
  UPDATE totals SET count = count - 1 WHERE state = OLD.state;
END;

CREATE VIRTUAL TABLE task_search USING fts5 (
  words, content = '', contentless_delete = 1, tokenize = 'unicode61', prefix = '2 3 4 5 6'
);

CREATE TABLE audit (
  id INTEGER PRIMARY KEY,
  at TEXT NOT NULL,
  who TEXT,
  address TEXT NOT NULL,
  action TEXT NOT NULL,
  task_id TEXT,
  detail TEXT NOT NULL
);
`,
  `
CREATE TABLE sessions (
  hash TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  password TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
`,
];
