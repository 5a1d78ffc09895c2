-- What devices did while offline, waiting to be merged. Small and hot: 2,000 writes a second.
--
-- A worker claims in one statement, for the organization it set:
--   UPDATE haven_health.sync_queue SET status = 'in_progress', attempts = attempts + 1,
--       last_attempt_at = now()
--   WHERE id IN (SELECT id FROM haven_health.sync_queue
--                WHERE organization_id = $1 AND status = 'pending' AND next_retry_at <= now()
--                ORDER BY priority, created_at LIMIT 100 FOR UPDATE SKIP LOCKED)
--   RETURNING *;

CREATE TABLE haven_health.sync_queue (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    sync_id uuid NOT NULL,
    organization_id uuid NOT NULL DEFAULT haven_health.current_organization_id(),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    next_retry_at timestamptz NOT NULL DEFAULT now(),
    last_attempt_at timestamptz,
    completed_at timestamptz,
    local_timestamp timestamptz NOT NULL,
    server_timestamp timestamptz,
    record_id uuid NOT NULL,
    patient_id uuid,
    local_version integer NOT NULL DEFAULT 1,
    server_version integer,
    payload_size integer NOT NULL GENERATED ALWAYS AS (octet_length(payload)) STORED,
    priority smallint NOT NULL DEFAULT 3,
    attempts smallint NOT NULL DEFAULT 0,
    max_attempts smallint NOT NULL DEFAULT 5,
    status haven_health.sync_status NOT NULL DEFAULT 'pending',
    action haven_health.sync_action NOT NULL,
    direction haven_health.sync_direction NOT NULL DEFAULT 'upload',
    conflict_detected boolean NOT NULL DEFAULT false,
    conflict_resolution text,
    conflict_data jsonb,
    device_id text NOT NULL,
    record_type text NOT NULL,
    error_message text,
    network_type text,
    device_info jsonb NOT NULL DEFAULT '{}',
    payload bytea NOT NULL,
    CONSTRAINT sync_queue_pkey PRIMARY KEY (id),
    CONSTRAINT sync_queue_sync_id_key UNIQUE (sync_id),
    CONSTRAINT sync_queue_priority_range CHECK (priority BETWEEN 1 AND 5),
    CONSTRAINT sync_queue_versions CHECK (local_version >= 0 AND server_version >= 0),
    CONSTRAINT sync_queue_attempts CHECK (attempts >= 0 AND max_attempts >= 1),
    CONSTRAINT sync_queue_payload_limit CHECK (octet_length(payload) <= 10485760),
    CONSTRAINT sync_queue_completed_whole CHECK (
        (status = 'completed') = (completed_at IS NOT NULL)
    ),
    CONSTRAINT sync_queue_conflict_flagged CHECK (
        (status <> 'conflict' OR conflict_detected)
        AND (conflict_detected OR num_nonnulls(conflict_resolution, conflict_data) = 0)
        AND conflict_resolution IN ('local_wins', 'server_wins', 'merged', 'manual')
    ),
    CONSTRAINT sync_queue_network_known CHECK (
        network_type IN ('wifi', 'cellular', 'satellite', 'ethernet', 'mesh', 'unknown')
    ),
    CONSTRAINT sync_queue_device_info_object CHECK (jsonb_typeof(device_info) = 'object')
) WITH (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_scale_factor = 0,
    autovacuum_vacuum_insert_threshold = 50000,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 10000,
    autovacuum_vacuum_cost_delay = 0,
    toast.autovacuum_vacuum_scale_factor = 0,
    toast.autovacuum_vacuum_threshold = 5000,
    toast.autovacuum_vacuum_cost_delay = 0
);
-- The payload is encrypted: it does not compress.
ALTER TABLE haven_health.sync_queue ALTER COLUMN payload SET STORAGE EXTERNAL;

CREATE INDEX sync_queue_claim_idx
    ON haven_health.sync_queue (organization_id, priority, created_at) WHERE status = 'pending';
CREATE INDEX sync_queue_stuck_idx
    ON haven_health.sync_queue (last_attempt_at) WHERE status = 'in_progress';
CREATE INDEX sync_queue_device_idx
    ON haven_health.sync_queue (device_id, created_at) WHERE status <> 'completed';
CREATE INDEX sync_queue_done_idx
    ON haven_health.sync_queue (completed_at) WHERE status = 'completed';

CREATE TRIGGER sync_queue_touch_updated_at BEFORE UPDATE ON haven_health.sync_queue
    FOR EACH ROW EXECUTE FUNCTION haven_health.touch_updated_at();
CREATE TRIGGER sync_queue_log_operation AFTER INSERT OR UPDATE ON haven_health.sync_queue
    FOR EACH STATEMENT WHEN (current_user IN ('haven_loader', 'haven_backfill'))
    EXECUTE FUNCTION audit.log_operation();

ALTER TABLE haven_health.sync_queue ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY own_organization ON haven_health.sync_queue FOR ALL TO haven_app_rw
    USING (organization_id = (SELECT haven_health.current_organization_id()));
CREATE POLICY own_organization_read ON haven_health.sync_queue FOR SELECT TO haven_app_ro
    USING (organization_id = (SELECT haven_health.current_organization_id()));
CREATE POLICY across_read ON haven_health.sync_queue FOR SELECT
    TO haven_reader, haven_loader, haven_backfill USING (true);
CREATE POLICY across_loaded ON haven_health.sync_queue FOR INSERT
    TO haven_loader WITH CHECK (true);
CREATE POLICY across_backfilled ON haven_health.sync_queue FOR UPDATE
    TO haven_backfill USING (true);

GRANT SELECT, INSERT, UPDATE, DELETE ON haven_health.sync_queue TO haven_app_rw;
GRANT SELECT ON haven_health.sync_queue TO haven_app_ro, haven_reader;
GRANT SELECT, INSERT ON haven_health.sync_queue TO haven_loader;
GRANT SELECT, UPDATE ON haven_health.sync_queue TO haven_backfill;

COMMENT ON TABLE haven_health.sync_queue IS 'Changes made offline by devices, waiting to be merged.';
COMMENT ON COLUMN haven_health.sync_queue.id IS 'Key of the item.';
COMMENT ON COLUMN haven_health.sync_queue.sync_id IS 'Key that the device gave it; unique, so sending again does nothing.';
COMMENT ON COLUMN haven_health.sync_queue.organization_id IS 'Organization of the device; decides who sees the item.';
COMMENT ON COLUMN haven_health.sync_queue.created_at IS 'When it arrived; age decides within a priority.';
COMMENT ON COLUMN haven_health.sync_queue.updated_at IS 'When the row last changed; kept by a trigger.';
COMMENT ON COLUMN haven_health.sync_queue.next_retry_at IS 'Not to be claimed before.';
COMMENT ON COLUMN haven_health.sync_queue.last_attempt_at IS 'When it was last claimed.';
COMMENT ON COLUMN haven_health.sync_queue.completed_at IS 'When it was merged.';
COMMENT ON COLUMN haven_health.sync_queue.local_timestamp IS 'When the device made the change, by its own clock.';
COMMENT ON COLUMN haven_health.sync_queue.server_timestamp IS 'When the server last changed the record.';
COMMENT ON COLUMN haven_health.sync_queue.record_id IS 'Record that the change is about.';
COMMENT ON COLUMN haven_health.sync_queue.patient_id IS 'Patient that the change is about, where known.';
COMMENT ON COLUMN haven_health.sync_queue.local_version IS 'Version of the record on the device.';
COMMENT ON COLUMN haven_health.sync_queue.server_version IS 'Version of the record on the server.';
COMMENT ON COLUMN haven_health.sync_queue.payload_size IS 'Size of the payload in bytes.';
COMMENT ON COLUMN haven_health.sync_queue.priority IS 'From 1, first, to 5.';
COMMENT ON COLUMN haven_health.sync_queue.attempts IS 'How often it was claimed.';
COMMENT ON COLUMN haven_health.sync_queue.max_attempts IS 'After so many attempts it fails for good.';
COMMENT ON COLUMN haven_health.sync_queue.status IS 'Where it is in its life.';
COMMENT ON COLUMN haven_health.sync_queue.action IS 'What the device did.';
COMMENT ON COLUMN haven_health.sync_queue.direction IS 'Which way it goes.';
COMMENT ON COLUMN haven_health.sync_queue.conflict_detected IS 'Whether both sides had changed the record.';
COMMENT ON COLUMN haven_health.sync_queue.conflict_resolution IS 'How the conflict was resolved.';
COMMENT ON COLUMN haven_health.sync_queue.conflict_data IS 'What the two sides had; references only.';
COMMENT ON COLUMN haven_health.sync_queue.device_id IS 'Device that it came from.';
COMMENT ON COLUMN haven_health.sync_queue.record_type IS 'Table or sort of the record.';
COMMENT ON COLUMN haven_health.sync_queue.error_message IS 'What went wrong last.';
COMMENT ON COLUMN haven_health.sync_queue.network_type IS 'Network that it came over.';
COMMENT ON COLUMN haven_health.sync_queue.device_info IS 'Model, system and version of the device.';
COMMENT ON COLUMN haven_health.sync_queue.payload IS 'The change, encrypted by the device.';
