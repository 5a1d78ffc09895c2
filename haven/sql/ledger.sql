-- name: ledger_further
-- What the ledger keeps besides the files; a ledger of an older Haven gets it in place.
ALTER TABLE haven_ops.migrations
    ADD COLUMN IF NOT EXISTS restore_lsn pg_lsn,
    ADD COLUMN IF NOT EXISTS catalogue_digest text,
    ADD COLUMN IF NOT EXISTS last_key text[],
    ADD COLUMN IF NOT EXISTS rows_done bigint;
COMMENT ON COLUMN haven_ops.migrations.restore_lsn IS
    'Place in the WAL just before the file; started_at is the time of it.';
COMMENT ON COLUMN haven_ops.migrations.catalogue_digest IS
    'Digest of the catalogue after the file, where a run ended with it.';
COMMENT ON COLUMN haven_ops.migrations.last_key IS 'Primary key up to which a backfill has come.';
COMMENT ON COLUMN haven_ops.migrations.rows_done IS 'How many rows a backfill has written so far.';
CREATE TABLE IF NOT EXISTS haven_ops.catalogue (
    kind text NOT NULL,
    identity text NOT NULL,
    definition jsonb NOT NULL,
    PRIMARY KEY (kind, identity)
);
COMMENT ON TABLE haven_ops.catalogue IS
    'Every object that migrations own, as the last run left it; what differs was changed outside.';
COMMENT ON COLUMN haven_ops.catalogue.kind IS 'Sort of object.';
COMMENT ON COLUMN haven_ops.catalogue.identity IS 'Its name, with its schema.';
COMMENT ON COLUMN haven_ops.catalogue.definition IS 'Its definition, without OIDs.';
CREATE TABLE IF NOT EXISTS haven_ops.history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    happened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    event text NOT NULL CHECK (event IN ('undone', 'baseline', 'repaired', 'drift accepted')),
    number integer,
    reason text NOT NULL,
    before jsonb,
    who text NOT NULL,
    tool_version text NOT NULL
);
COMMENT ON TABLE haven_ops.history IS
    'What happened to the ledger besides files that were applied; rows are only ever added.';
COMMENT ON COLUMN haven_ops.history.id IS 'Key of the row.';
COMMENT ON COLUMN haven_ops.history.happened_at IS 'When it happened.';
COMMENT ON COLUMN haven_ops.history.event IS 'What happened.';
COMMENT ON COLUMN haven_ops.history.number IS 'Number of the file, or of the newest one then.';
COMMENT ON COLUMN haven_ops.history.reason IS 'Why: given by a person, or what was run.';
COMMENT ON COLUMN haven_ops.history.before IS
    'The row of the ledger as it was, or the objects whose change was accepted.';
COMMENT ON COLUMN haven_ops.history.who IS 'Who did it: identity, host and process.';
COMMENT ON COLUMN haven_ops.history.tool_version IS 'Version of Haven that did it.';
DO $$
BEGIN
    -- Only where provision made the roles; elsewhere the ledger serves without them.
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'haven_reader') THEN
        GRANT SELECT ON haven_ops.migrations, haven_ops.catalogue, haven_ops.history TO haven_reader;
    END IF;
END $$;

-- name: ledger_patience
-- How long a change of the ledger waits for those who read it.
SET LOCAL ROLE haven_owner; SET LOCAL lock_timeout = {lock_timeout};

-- name: ledger_restore
-- The last moment before a file.
SELECT number, name, extract(epoch FROM started_at)::text, restore_lsn::text
FROM haven_ops.migrations WHERE number = %(number)s;

-- name: ledger_now
SELECT extract(epoch FROM clock_timestamp())::text;

-- name: ledger_changed
-- When a file was last begun or ended, or something else happened.
SELECT extract(epoch FROM greatest(
    (SELECT max(greatest(started_at, finished_at)) FROM haven_ops.migrations),
    (SELECT max(happened_at) FROM haven_ops.history)))::text;

-- name: ledger_accepted
-- Whether drift was accepted while a file above a number was the newest.
SELECT EXISTS (SELECT FROM haven_ops.history WHERE event = 'drift accepted' AND number > %(number)s);

-- name: ledger_event
-- A row of history; it commits with what it tells of.
INSERT INTO haven_ops.history (event, number, reason, before, who, tool_version)
VALUES ({event}, {number}, {reason},
    coalesce({before}::jsonb, (SELECT to_jsonb(m) FROM haven_ops.migrations AS m WHERE m.number = {number})),
    {who}, {tool_version});

-- name: migration_end_undo
-- The row of the file that was undone goes with what it made, and history keeps it. What was
-- written down of the file before is older than what stands now.
RESET ALL; SET LOCAL ROLE haven_owner; SET LOCAL statement_timeout = 0;
{event}
DELETE FROM haven_ops.migrations WHERE number = {number};
UPDATE haven_ops.migrations SET catalogue_digest = NULL WHERE number = {number} - 1;
COMMIT;

-- name: ledger_baseline
-- A file that the database has, though nobody ran it here.
INSERT INTO haven_ops.migrations (number, name, checksum, chained_checksum, statements,
    statements_done, duration_ms, who, tool_version, started_at, finished_at, state)
VALUES (%(number)s, %(name)s, %(checksum)s, %(chained)s, %(statements)s, %(statements)s, 0,
    %(who)s, %(tool_version)s, now(), now(), 'done');

-- name: ledger_checksum
-- A file that was edited is taken as it is now.
UPDATE haven_ops.migrations SET checksum = %(checksum)s WHERE number = %(number)s;

-- name: ledger_link
-- A link of the chain that runs over all files.
UPDATE haven_ops.migrations SET chained_checksum = %(chained)s WHERE number = %(number)s;
