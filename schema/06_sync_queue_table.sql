-- Sync queue: small and hot, 2,000 writes a second at peak. Workers claim with SKIP LOCKED, most urgent
-- first, then oldest:
--
--     SELECT id FROM haven_health.sync_queue
--      WHERE status = 'pending' AND (next_retry_at IS NULL OR next_retry_at <= now())
--      ORDER BY priority, created_at LIMIT 50 FOR UPDATE SKIP LOCKED;
--
-- Row-level security adds the organization, which is why the claim index starts with it. Finished rows
-- are deleted; the table stays small because autovacuum is made to keep up, not because it is unlogged
-- (an unlogged table is empty after a restore).

CREATE TABLE haven_health.sync_queue (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    sync_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    organization_id uuid NOT NULL DEFAULT haven_health.current_organization_id(),
    device_id text NOT NULL CHECK (length(device_id) BETWEEN 1 AND 200),
    record_type text NOT NULL CHECK (length(record_type) BETWEEN 1 AND 100),
    record_id uuid NOT NULL,
    action haven_health.sync_action NOT NULL,
    priority smallint NOT NULL DEFAULT 3 CHECK (priority BETWEEN 1 AND 5),
    status haven_health.sync_status NOT NULL DEFAULT 'pending',
    direction haven_health.sync_direction NOT NULL DEFAULT 'upload',
    local_version integer CHECK (local_version >= 0),
    server_version integer CHECK (server_version >= 0),
    local_changed_at timestamptz,
    server_changed_at timestamptz,
    conflict boolean NOT NULL DEFAULT false,
    conflict_resolution text CHECK (length(conflict_resolution) <= 100),
    conflict_data jsonb,
    attempts integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    last_attempt_at timestamptz,
    next_retry_at timestamptz,
    error_message text CHECK (length(error_message) <= 2000),
    payload jsonb,
    payload_bytes integer CHECK (payload_bytes >= 0),
    device_info jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(device_info) = 'object'),
    network_type text CHECK (length(network_type) <= 50),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sync_queue_conflict_flagged CHECK (conflict OR (status <> 'conflict' AND conflict_data IS NULL)),
    CONSTRAINT sync_queue_attempts_dated CHECK ((attempts = 0) = (last_attempt_at IS NULL))
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000,
        autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 10000,
        autovacuum_vacuum_cost_delay = 0);

-- Claiming: only what waits, so the index stays as small as the backlog.
CREATE INDEX sync_queue_claim ON haven_health.sync_queue (organization_id, priority, created_at)
    WHERE status = 'pending';
-- Work left behind by a worker that died.
CREATE INDEX sync_queue_in_progress ON haven_health.sync_queue (organization_id, last_attempt_at)
    WHERE status = 'in_progress';
-- What a device has outstanding.
CREATE INDEX sync_queue_device ON haven_health.sync_queue (organization_id, device_id)
    WHERE status <> 'completed';

CREATE TRIGGER sync_queue_touch BEFORE UPDATE ON haven_health.sync_queue
    FOR EACH ROW EXECUTE FUNCTION haven_health.touch_row();
CREATE TRIGGER sync_queue_operations AFTER INSERT OR UPDATE ON haven_health.sync_queue FOR EACH STATEMENT
    WHEN (current_user IN ('haven_loader', 'haven_backfill')) EXECUTE FUNCTION audit.log_operation();

ALTER TABLE haven_health.sync_queue ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY application_reads ON haven_health.sync_queue FOR SELECT TO haven_app_rw, haven_app_ro
    USING (organization_id = (SELECT haven_health.current_organization_id()));
CREATE POLICY application_queues ON haven_health.sync_queue FOR INSERT TO haven_app_rw
    WITH CHECK (organization_id = (SELECT haven_health.current_organization_id()));
CREATE POLICY application_works ON haven_health.sync_queue FOR UPDATE TO haven_app_rw
    USING (organization_id = (SELECT haven_health.current_organization_id()));
CREATE POLICY application_clears ON haven_health.sync_queue FOR DELETE TO haven_app_rw
    USING (organization_id = (SELECT haven_health.current_organization_id()));
CREATE POLICY reader_reads ON haven_health.sync_queue FOR SELECT TO haven_reader USING (true);
CREATE POLICY loader_reads ON haven_health.sync_queue FOR SELECT TO haven_loader USING (true);
CREATE POLICY loader_loads ON haven_health.sync_queue FOR INSERT TO haven_loader WITH CHECK (true);
CREATE POLICY backfill_reads ON haven_health.sync_queue FOR SELECT TO haven_backfill USING (true);
CREATE POLICY backfill_changes ON haven_health.sync_queue FOR UPDATE TO haven_backfill USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON haven_health.sync_queue TO haven_app_rw;
GRANT SELECT ON haven_health.sync_queue TO haven_app_ro, haven_reader;
GRANT SELECT, INSERT ON haven_health.sync_queue TO haven_loader;
GRANT SELECT, UPDATE ON haven_health.sync_queue TO haven_backfill;

COMMENT ON TABLE haven_health.sync_queue IS 'Changes on their way between devices and here. Finished rows are deleted.';
COMMENT ON COLUMN haven_health.sync_queue.id IS 'Key.';
COMMENT ON COLUMN haven_health.sync_queue.sync_id IS 'Id the device gave the change; unique, so sending it twice is harmless.';
COMMENT ON COLUMN haven_health.sync_queue.organization_id IS 'Organization of the device. Row-level security reads it.';
COMMENT ON COLUMN haven_health.sync_queue.device_id IS 'Which device.';
COMMENT ON COLUMN haven_health.sync_queue.record_type IS 'Which kind of record changed.';
COMMENT ON COLUMN haven_health.sync_queue.record_id IS 'Which record.';
COMMENT ON COLUMN haven_health.sync_queue.action IS 'What happened to it.';
COMMENT ON COLUMN haven_health.sync_queue.priority IS 'Urgency: 1 first, 5 last.';
COMMENT ON COLUMN haven_health.sync_queue.status IS 'Where the entry stands. One to be tried again goes back to pending; failed is final.';
COMMENT ON COLUMN haven_health.sync_queue.direction IS 'Which way it travels.';
COMMENT ON COLUMN haven_health.sync_queue.local_version IS 'Version on the device.';
COMMENT ON COLUMN haven_health.sync_queue.server_version IS 'Version here.';
COMMENT ON COLUMN haven_health.sync_queue.local_changed_at IS 'When it changed on the device.';
COMMENT ON COLUMN haven_health.sync_queue.server_changed_at IS 'When it changed here.';
COMMENT ON COLUMN haven_health.sync_queue.conflict IS 'Whether both sides changed.';
COMMENT ON COLUMN haven_health.sync_queue.conflict_resolution IS 'How the conflict was settled.';
COMMENT ON COLUMN haven_health.sync_queue.conflict_data IS 'Both sides, for who settles it.';
COMMENT ON COLUMN haven_health.sync_queue.attempts IS 'How often it was tried.';
COMMENT ON COLUMN haven_health.sync_queue.last_attempt_at IS 'When it was tried last; NULL when never.';
COMMENT ON COLUMN haven_health.sync_queue.next_retry_at IS 'Not to be tried before; NULL is at once.';
COMMENT ON COLUMN haven_health.sync_queue.error_message IS 'What went wrong last.';
COMMENT ON COLUMN haven_health.sync_queue.payload IS 'The change; health content in it is encrypted by the application.';
COMMENT ON COLUMN haven_health.sync_queue.payload_bytes IS 'Size of the change as sent, in bytes.';
COMMENT ON COLUMN haven_health.sync_queue.device_info IS 'Model and software of the device, an object.';
COMMENT ON COLUMN haven_health.sync_queue.network_type IS 'Network it came over.';
COMMENT ON COLUMN haven_health.sync_queue.created_at IS 'When it was queued.';
COMMENT ON COLUMN haven_health.sync_queue.updated_at IS 'When it was changed last; kept by a trigger.';
