-- Epochs: one row per promotion. The row is written while the fence goes up on the primary that is
-- left, comes to the candidate with everything else, and is opened on the new primary alone.

CREATE TABLE haven_ops.epoch (
    stack text NOT NULL,
    epoch bigint NOT NULL,
    instance text NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    opened_at timestamptz,
    written_at timestamptz,
    horizon pg_snapshot,
    who text NOT NULL,
    CONSTRAINT epoch_pkey PRIMARY KEY (stack, epoch),
    CONSTRAINT epoch_stack_not_blank CHECK (btrim(stack) <> ''),
    CONSTRAINT epoch_instance_not_blank CHECK (btrim(instance) <> ''),
    CONSTRAINT epoch_after_the_first CHECK (epoch > 1)
);

-- It holds no data of patients: grants are all that limits it. Applications may ask which epoch they
-- are in, and leave the mark of a first write.
GRANT USAGE ON SCHEMA haven_ops TO haven_app_rw;
GRANT SELECT ON haven_ops.epoch TO haven_app_rw, haven_reader, haven_auditor;
GRANT UPDATE (written_at) ON haven_ops.epoch TO haven_app_rw;
GRANT SELECT, INSERT, UPDATE, DELETE ON haven_ops.epoch TO haven_migrator;

COMMENT ON TABLE haven_ops.epoch IS
    'One row per promotion; the highest epoch is the one that counts, and 1 has no row.';
COMMENT ON COLUMN haven_ops.epoch.stack IS 'Prefix of the stack: project and environment.';
COMMENT ON COLUMN haven_ops.epoch.epoch IS 'Which line of primaries: a promotion raises it.';
COMMENT ON COLUMN haven_ops.epoch.instance IS 'Resource id (DbiResourceId) of the instance that is promoted.';
COMMENT ON COLUMN haven_ops.epoch.begun_at IS 'When the fence of the primary before began to go up.';
COMMENT ON COLUMN haven_ops.epoch.opened_at IS 'When the new primary was opened for writing; null while nobody may write.';
COMMENT ON COLUMN haven_ops.epoch.written_at IS 'The last write of a promotion through the endpoint of applications.';
COMMENT ON COLUMN haven_ops.epoch.horizon IS 'What of the epoch before had come to the new primary, where that was not all: tells what is lost.';
COMMENT ON COLUMN haven_ops.epoch.who IS 'Who promotes: user, host and process.';
