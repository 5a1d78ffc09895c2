-- Schemas, enumerated types and shared functions of the health passport.
--
-- Run as haven_migrator acting as haven_owner. Roles, extensions and database grants are made
-- before, by provision, as the master; this file only asserts them.

DO $$
DECLARE
    missing text;
BEGIN
    SELECT string_agg(what, ', ' ORDER BY what) INTO missing
    FROM (
        SELECT 'role ' || name AS what
        FROM unnest(ARRAY[
            'haven_owner', 'haven_migrator', 'haven_app_rw', 'haven_app_ro', 'haven_app_a',
            'haven_app_b', 'haven_reader', 'haven_auditor', 'haven_loader', 'haven_backfill',
            'haven_emergency'
        ]) AS name
        WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name)
        UNION ALL
        SELECT 'extension ' || name
        FROM unnest(ARRAY['pg_stat_statements', 'pg_trgm', 'pgcrypto']) AS name
        WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = name)
        UNION ALL
        SELECT 'CREATE on the database for ' || current_user
        WHERE NOT has_database_privilege(current_user, current_database(), 'CREATE')
    ) AS wanted;
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'The database % is not bootstrapped; missing: %. Run provision first: it makes roles, extensions and grants as the master.', current_database(), missing;
    END IF;
    IF current_user <> 'haven_owner' THEN
        RAISE EXCEPTION 'The schema must be made by haven_owner, not by %. Log in as haven_migrator and SET ROLE haven_owner.', current_user;
    END IF;
END
$$;

-- From here on, what the owner makes is nobody else's until it is granted.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;

CREATE SCHEMA haven_health;
CREATE SCHEMA audit;
CREATE SCHEMA IF NOT EXISTS haven_ops;

COMMENT ON SCHEMA haven_health IS 'The health passport: patients, their records, verifications and the sync queue.';
COMMENT ON SCHEMA audit IS 'Who looked at or changed what; append-only.';
COMMENT ON SCHEMA haven_ops IS 'What operating the database needs: ledgers, heartbeat, archives.';

GRANT USAGE ON SCHEMA haven_health
    TO haven_app_rw, haven_app_ro, haven_reader, haven_loader, haven_backfill, haven_emergency;
GRANT USAGE ON SCHEMA audit
    TO haven_app_rw, haven_reader, haven_auditor, haven_loader, haven_emergency;

CREATE TYPE haven_health.gender AS ENUM ('male', 'female', 'other', 'unknown');
COMMENT ON TYPE haven_health.gender IS 'Gender as the person states it.';

CREATE TYPE haven_health.displacement_status AS ENUM (
    'refugee', 'asylum_seeker', 'internally_displaced', 'stateless', 'returnee', 'other'
);
COMMENT ON TYPE haven_health.displacement_status IS 'Legal or practical status of displacement.';

CREATE TYPE haven_health.verification_status AS ENUM (
    'unverified', 'pending', 'verified', 'expired', 'revoked'
);
COMMENT ON TYPE haven_health.verification_status IS 'How far an identity or a claim is verified.';

CREATE TYPE haven_health.blood_type AS ENUM ('A+', 'A-', 'B+', 'B-', 'AB+', 'AB-', 'O+', 'O-');
COMMENT ON TYPE haven_health.blood_type IS 'ABO group and Rh factor.';

CREATE TYPE haven_health.record_type AS ENUM (
    'vital_signs', 'lab_result', 'immunization', 'medication', 'procedure', 'diagnosis',
    'allergy', 'clinical_note', 'imaging', 'discharge_summary', 'referral', 'prescription',
    'vaccination_certificate', 'screening', 'emergency_contact'
);
COMMENT ON TYPE haven_health.record_type IS 'What a health record is about.';

CREATE TYPE haven_health.record_status AS ENUM (
    'draft', 'final', 'amended', 'corrected', 'cancelled', 'entered_in_error'
);
COMMENT ON TYPE haven_health.record_status IS 'Where a health record is in its life.';

CREATE TYPE haven_health.record_priority AS ENUM ('routine', 'urgent', 'emergency', 'stat');
COMMENT ON TYPE haven_health.record_priority IS 'Clinical priority, rising.';

CREATE TYPE haven_health.access_level AS ENUM ('public', 'standard', 'restricted', 'confidential');
COMMENT ON TYPE haven_health.access_level IS 'Who may open a record, ever fewer.';

CREATE TYPE haven_health.sync_action AS ENUM ('create', 'update', 'delete');
COMMENT ON TYPE haven_health.sync_action IS 'What a device did to a record while offline.';

CREATE TYPE haven_health.sync_status AS ENUM (
    'pending', 'in_progress', 'completed', 'failed', 'conflict'
);
COMMENT ON TYPE haven_health.sync_status IS 'Where a sync item is in its life; failed is for good.';

CREATE TYPE haven_health.sync_direction AS ENUM ('upload', 'download', 'bidirectional');
COMMENT ON TYPE haven_health.sync_direction IS 'Which way a sync item goes, seen from the device.';

CREATE TYPE audit.access_action AS ENUM (
    'view', 'create', 'update', 'delete', 'export', 'print', 'share', 'emergency', 'audit', 'sync'
);
COMMENT ON TYPE audit.access_action IS 'What was done to a resource.';

CREATE TYPE audit.access_channel AS ENUM (
    'web_portal', 'mobile_app', 'api', 'emergency_system', 'sync_service', 'admin_console',
    'integration'
);
COMMENT ON TYPE audit.access_channel IS 'Through what a resource was reached.';

CREATE TYPE audit.access_result AS ENUM ('success', 'denied', 'error', 'partial', 'timeout');
COMMENT ON TYPE audit.access_result IS 'How an access ended.';

-- Who stages rows in temporary tables needs the types for their columns.
GRANT USAGE ON TYPE
    haven_health.gender, haven_health.displacement_status, haven_health.verification_status,
    haven_health.blood_type, haven_health.record_type, haven_health.record_status,
    haven_health.record_priority, haven_health.access_level, haven_health.sync_action,
    haven_health.sync_status, haven_health.sync_direction, audit.access_action,
    audit.access_channel, audit.access_result
    TO haven_loader, haven_backfill;

-- Applications set both per transaction, in one statement, since RDS Proxy may pin a session to
-- its client for settings:
--   SELECT set_config('haven.organization_id', $1, true), set_config('haven.user_id', $2, true);
-- In policies, call these inside (SELECT ...): evaluated once a statement, not once a row.
CREATE FUNCTION haven_health.current_organization_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(current_setting('haven.organization_id', true), '')::uuid;
COMMENT ON FUNCTION haven_health.current_organization_id() IS
    'The organization that the application set for this transaction; null when it set none.';

CREATE FUNCTION haven_health.current_user_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN NULLIF(current_setting('haven.user_id', true), '')::uuid;
COMMENT ON FUNCTION haven_health.current_user_id() IS
    'The user that the application set for this transaction; null when it set none.';

GRANT EXECUTE ON FUNCTION
    haven_health.current_organization_id(), haven_health.current_user_id()
    TO haven_app_rw, haven_app_ro, haven_emergency, haven_loader;

CREATE FUNCTION haven_health.touch_updated_at() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION haven_health.touch_updated_at() IS 'Trigger: keeps updated_at current.';

CREATE FUNCTION audit.refuse_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only: % is refused.', TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$;
COMMENT ON FUNCTION audit.refuse_change() IS 'Trigger: refuses UPDATE, DELETE and TRUNCATE, for the owner too.';
