-- name: migration_place
-- Where a migration would run: on a primary or not, and what there is of the ledger.
SELECT pg_is_in_recovery(),
       to_regnamespace('haven_ops') IS NOT NULL,
       to_regclass('haven_ops.migrations') IS NOT NULL,
       EXISTS (SELECT FROM pg_attribute WHERE attname = 'rows_done'
           AND attrelid = to_regclass('haven_ops.migrations'))
       AND coalesce((SELECT has_table_privilege(r.oid, to_regclass('haven_ops.history'), 'SELECT')
           FROM pg_roles AS r WHERE r.rolname = 'haven_reader'), true);

-- name: migration_role
-- Objects belong to the owner, never to a login, so that rotating logins touches none.
SET ROLE haven_owner;

-- name: migration_try_lock
-- One of Haven's two advisory locks, for as long as this session lives.
SELECT pg_try_advisory_lock(%(key)s);

-- name: migration_lock_holder
-- Who holds an advisory lock of this database: application, process, since when.
SELECT a.application_name, l.pid, to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
FROM pg_locks AS l
JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32) + l.objid::bigint = %(key)s;

-- name: ledger_schema
-- The schema of Haven's own records, made by the first migration of a database.
CREATE SCHEMA haven_ops;
COMMENT ON SCHEMA haven_ops IS 'What Haven itself keeps in this database: ledgers and heartbeats.';

-- name: ledger_table
-- One row per migration file that ran or is under way.
CREATE TABLE haven_ops.migrations (
    number integer PRIMARY KEY CHECK (number > 0),
    name text NOT NULL UNIQUE,
    checksum text NOT NULL,
    chained_checksum text NOT NULL,
    statements integer NOT NULL,
    statements_done integer NOT NULL,
    done_digest text NOT NULL DEFAULT '',
    duration_ms bigint,
    who text NOT NULL,
    tool_version text NOT NULL,
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    state text NOT NULL CHECK (state IN ('running', 'failed', 'done')),
    CHECK (state <> 'done' OR (finished_at IS NOT NULL AND statements_done = statements))
);
COMMENT ON TABLE haven_ops.migrations IS
    'Ledger of migration files: one row each, written in the transaction of the file.';
COMMENT ON COLUMN haven_ops.migrations.number IS 'Number of the file, from 1 without gaps.';
COMMENT ON COLUMN haven_ops.migrations.name IS 'Name of the file.';
COMMENT ON COLUMN haven_ops.migrations.checksum IS 'SHA-256 of the text, with line ends as LF.';
COMMENT ON COLUMN haven_ops.migrations.chained_checksum IS
    'SHA-256 over the chained checksum of the file before and this checksum.';
COMMENT ON COLUMN haven_ops.migrations.statements IS 'How many statements the file holds.';
COMMENT ON COLUMN haven_ops.migrations.statements_done IS
    'How many of them are done; fewer only while a non-transactional file is under way.';
COMMENT ON COLUMN haven_ops.migrations.done_digest IS
    'SHA-256 over the statements that are done; kept for non-transactional files.';
COMMENT ON COLUMN haven_ops.migrations.duration_ms IS 'Milliseconds from start to finish.';
COMMENT ON COLUMN haven_ops.migrations.who IS 'Who ran it: identity, host and process.';
COMMENT ON COLUMN haven_ops.migrations.tool_version IS 'Version of Haven that ran it.';
COMMENT ON COLUMN haven_ops.migrations.started_at IS 'When it was begun first.';
COMMENT ON COLUMN haven_ops.migrations.finished_at IS 'When its last statement was done.';
COMMENT ON COLUMN haven_ops.migrations.state IS
    'done; running (also after a crash) or failed for a non-transactional file.';

-- name: ledger_read
-- The history that the files are held against. An older ledger has no digests of the catalogue.
SELECT number, name, checksum, chained_checksum, state, statements_done, done_digest,
    coalesce(to_jsonb(m) ->> 'catalogue_digest', ''), coalesce(to_jsonb(m) ->> 'last_key', '')
FROM haven_ops.migrations AS m ORDER BY number;

-- name: migration_begin_file
-- Fresh settings, the owner's role, and one transaction for the whole file. What was prepared
-- outlives a rollback, and another attempt would prepare it again. The string is one transaction
-- from its first word, begun under the settings that the file before left behind, so what RESET
-- comes too late for is said.
DEALLOCATE ALL; RESET ALL; SET ROLE haven_owner; BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SET LOCAL lock_timeout = {lock_timeout}; SET LOCAL statement_timeout = {statement_timeout};

-- name: migration_restore_point
-- The place in the WAL just before a file, where no file before it has told.
SELECT pg_current_wal_lsn()::text;

-- name: migration_end_file
-- The ledger row commits with the file, or neither does.
RESET ALL; SET LOCAL ROLE haven_owner; SET LOCAL statement_timeout = 0;
INSERT INTO haven_ops.migrations (number, name, checksum, chained_checksum, statements,
    statements_done, duration_ms, who, tool_version, started_at, finished_at, state, restore_lsn)
VALUES ({number}, {name}, {checksum}, {chained}, {statements}, {statements},
    (extract(epoch FROM clock_timestamp() - now()) * 1000)::bigint,
    {who}, {tool_version}, now(), clock_timestamp(), 'done', {lsn});
COMMIT;

-- name: migration_verify
-- A query by which a file proves what it did; it runs read-only, and the file fails if it is not true.
SAVEPOINT haven_verify; SET LOCAL transaction_read_only = on; DO {body};
ROLLBACK TO SAVEPOINT haven_verify;

-- name: migration_analyze
-- Statistics of what a migration changed; whoever has it locked is not waited for.
SET LOCAL lock_timeout = '1s'; ANALYZE {table};

-- name: migration_begin_statements
-- Fresh settings for a file that runs statement by statement.
RESET ALL; SET ROLE haven_owner;
SET lock_timeout = {lock_timeout}; SET statement_timeout = {statement_timeout};

-- name: migration_begin_statement
-- A statement that can, shares a transaction with its progress.
BEGIN READ WRITE;

-- name: migration_begun
-- A non-transactional file is under way.
INSERT INTO haven_ops.migrations AS m (number, name, checksum, chained_checksum, statements,
    statements_done, who, tool_version, started_at, state, restore_lsn)
VALUES ({number}, {name}, {checksum}, {chained}, {statements}, 0, {who}, {tool_version},
    clock_timestamp(), 'running', pg_current_wal_lsn())
ON CONFLICT (number) DO UPDATE SET checksum = excluded.checksum,
    chained_checksum = excluded.chained_checksum, statements = excluded.statements,
    who = excluded.who, tool_version = excluded.tool_version, state = 'running',
    catalogue_digest = NULL
WHERE m.state <> 'done';

-- name: migration_progress
-- So many statements are done.
SET LOCAL ROLE haven_owner;
UPDATE haven_ops.migrations SET statements_done = {done}, done_digest = {digest}
WHERE number = {number};
COMMIT;

-- name: migration_close
-- The file is done, or stopped at a statement that failed.
BEGIN READ WRITE; SET LOCAL ROLE haven_owner;
UPDATE haven_ops.migrations SET state = {state},
    finished_at = CASE WHEN {state} = 'done' THEN clock_timestamp() END,
    duration_ms = (extract(epoch FROM clock_timestamp() - started_at) * 1000)::bigint
WHERE number = {number};
COMMIT;

-- name: migration_reset
-- After a file, the session as new; some settings would already reach the reading of the next.
-- The lock of the session that works is taken again: nobody waits for it but who has the run's.
-- The first value is the place in the WAL from which the next file starts.
RESET ALL; CLOSE ALL; UNLISTEN *; DEALLOCATE ALL; DISCARD TEMP; DISCARD SEQUENCES;
SELECT pg_current_wal_lsn()::text, pg_advisory_unlock_all(), pg_try_advisory_lock({key});

-- name: migration_index
-- An index by name, and whether it is valid; without a schema, by the search path.
-- The cast cuts long names as the server does.
SELECT i.indisvalid, n.nspname, c.relname
FROM pg_class AS c
JOIN pg_index AS i ON i.indexrelid = c.oid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = %(name)s::text::name
  AND CASE WHEN %(schema)s = '' THEN pg_table_is_visible(c.oid)
      ELSE n.nspname = %(schema)s::text::name END;

-- name: migration_unfinished
-- What REINDEX CONCURRENTLY leaves when it is cut off, of a table or index and the parts of it; by
-- no name, of all. That of TOAST tables nobody but a superuser can drop.
WITH named AS (
    SELECT c.oid
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relname = %(name)s::text::name
      AND CASE WHEN %(schema)s = '' THEN pg_table_is_visible(c.oid)
          ELSE n.nspname = %(schema)s::text::name END
), meant AS (
    SELECT coalesce(i.indrelid, named.oid) AS oid
    FROM named
    LEFT JOIN pg_index AS i ON i.indexrelid = named.oid
), tables AS (
    SELECT oid FROM meant
    UNION
    SELECT tree.relid FROM meant, LATERAL pg_partition_tree(meant.oid) AS tree
)
SELECT n.nspname, c.relname
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid
  AND c.relname ~ '_cc(new|old)[0-9]*$'
  AND pg_has_role(c.relowner, 'USAGE')
  AND n.nspname <> 'pg_toast'
  AND (%(name)s = '' OR i.indrelid IN (SELECT oid FROM tables))
ORDER BY 1, 2;

-- name: migration_detachment
-- Whether a partition is being detached; no row where it is none.
SELECT i.inhdetachpending
FROM pg_inherits AS i
JOIN pg_class AS p ON p.oid = i.inhparent
JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE p.relname = %(parent)s::text::name
  AND c.relname = %(part)s::text::name
  AND CASE WHEN %(parent_schema)s = '' THEN pg_table_is_visible(p.oid)
      ELSE p.relnamespace = to_regnamespace(quote_ident(%(parent_schema)s)) END
  AND CASE WHEN %(schema)s = '' THEN pg_table_is_visible(c.oid)
      ELSE c.relnamespace = to_regnamespace(quote_ident(%(schema)s)) END;

-- name: migration_finish_detachment
-- The second half of DETACH PARTITION CONCURRENTLY, which was cut off in between.
ALTER TABLE {parent} DETACH PARTITION {part} FINALIZE;

-- name: migration_drop_index
-- What CREATE INDEX or REINDEX CONCURRENTLY left behind when it was cut off.
DROP INDEX CONCURRENTLY IF EXISTS {index};

-- name: migration_no_lock_limit
-- CONCURRENTLY waits for others without making them wait, and failing would leave rubbish.
SET lock_timeout = 0;

-- name: migration_lock_limit
-- Back to the limit of the file.
SET lock_timeout = {lock_timeout};
