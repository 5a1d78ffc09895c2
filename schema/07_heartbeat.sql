-- The heartbeat: one row per stack, written anew every few seconds. How old it is where it is read
-- says how far that place is behind, also while nobody writes anything else.

CREATE TABLE haven_ops.heartbeat (
    stack text NOT NULL,
    beat_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    beats bigint NOT NULL DEFAULT 1,
    epoch bigint NOT NULL DEFAULT 1,
    instance text NOT NULL,
    who text NOT NULL,
    CONSTRAINT heartbeat_pkey PRIMARY KEY (stack),
    CONSTRAINT heartbeat_stack_not_blank CHECK (btrim(stack) <> ''),
    CONSTRAINT heartbeat_instance_not_blank CHECK (btrim(instance) <> ''),
    CONSTRAINT heartbeat_counts CHECK (beats >= 1 AND epoch >= 1)
) WITH (
    -- Each beat is a HOT update: no index changes, and the page has room, so that it is pruned by
    -- the beats themselves. Vacuum has little left to do; it must not take the lock that cutting
    -- off empty pages needs, since replicas would hold up their readers for it.
    fillfactor = 10,
    vacuum_truncate = false,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 10000
);

-- It holds no data of patients: grants are all that limits it.
GRANT USAGE ON SCHEMA haven_ops TO haven_migrator, haven_reader, haven_auditor;
GRANT SELECT, INSERT, UPDATE ON haven_ops.heartbeat TO haven_migrator;
GRANT SELECT ON haven_ops.heartbeat TO haven_reader, haven_auditor;

COMMENT ON TABLE haven_ops.heartbeat IS
    'One row per stack, written every few seconds: how old it is tells how far a replica or a backup is behind.';
COMMENT ON COLUMN haven_ops.heartbeat.stack IS 'Prefix of the stack: project and environment.';
COMMENT ON COLUMN haven_ops.heartbeat.beat_at IS 'When it was written, by the clock of the server that it was written to.';
COMMENT ON COLUMN haven_ops.heartbeat.beats IS 'How often it was written; tells beats apart when clocks do not.';
COMMENT ON COLUMN haven_ops.heartbeat.epoch IS 'Which line of primaries wrote it: a promotion raises it.';
COMMENT ON COLUMN haven_ops.heartbeat.instance IS 'Resource id (DbiResourceId) of the instance that it was written to.';
COMMENT ON COLUMN haven_ops.heartbeat.who IS 'Who wrote it: user, host and process.';
