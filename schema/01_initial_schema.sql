-- The ground floor: schemas, enumerated types, the settings that row-level security reads, shared
-- trigger functions. Roles, passwords and extensions are made before, by the bootstrap of provision,
-- because the owner may not create them; this file asserts them first and says what is missing.

DO $$
DECLARE
    missing text[] := '{}';
    absent text;
BEGIN
    IF current_user <> 'haven_owner' THEN
        missing := missing || format('the session must act as haven_owner (it is %s): SET ROLE haven_owner', current_user);
    END IF;
    SELECT string_agg(wanted, ', ' ORDER BY wanted) INTO absent
      FROM unnest(ARRAY['haven_owner', 'haven_migrator', 'haven_app_rw', 'haven_app_ro', 'haven_app_a', 'haven_app_b',
                        'haven_reader', 'haven_auditor', 'haven_loader', 'haven_backfill', 'haven_emergency']) AS wanted
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted);
    IF absent IS NOT NULL THEN
        missing := missing || ('the roles ' || absent);
    ELSIF NOT pg_catalog.pg_has_role('haven_owner', 'haven_emergency', 'MEMBER') THEN
        missing := missing || 'membership of haven_owner in haven_emergency'::text;
    END IF;
    SELECT string_agg(wanted, ', ' ORDER BY wanted) INTO absent
      FROM unnest(ARRAY['pg_stat_statements']) AS wanted
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = wanted);
    IF absent IS NOT NULL THEN
        missing := missing || ('the extensions ' || absent);
    END IF;
    IF NOT pg_catalog.has_database_privilege(current_user, current_database(), 'CREATE') THEN
        missing := missing || format('CREATE on database %s for %s', current_database(), current_user);
    END IF;
    IF missing <> '{}' THEN
        RAISE EXCEPTION 'The database was not bootstrapped; missing: %. Provision makes all of it, connected as the master; run it, then migrate again.',
            array_to_string(missing, '; ')
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END
$$;

-- PUBLIC has nothing: neither now nor on what later files create.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;

CREATE SCHEMA haven_health;
COMMENT ON SCHEMA haven_health IS 'Patients, their health records, verifications, and the queue that synchronizes devices.';
CREATE SCHEMA audit;
COMMENT ON SCHEMA audit IS 'Who did what to whose data, when and why. Append-only.';
-- The migration runner keeps its ledger here, so the schema usually exists already.
CREATE SCHEMA IF NOT EXISTS haven_ops;
COMMENT ON SCHEMA haven_ops IS 'What operations keep about themselves: the migration ledger and its like. No patient data.';

GRANT USAGE ON SCHEMA haven_health
    TO haven_app_rw, haven_app_ro, haven_reader, haven_loader, haven_backfill, haven_emergency;
GRANT USAGE ON SCHEMA audit
    TO haven_app_rw, haven_auditor, haven_reader, haven_loader, haven_backfill, haven_emergency;

-- Enumerated types: the applications and the phones agree on these words.

CREATE TYPE haven_health.gender AS ENUM ('male', 'female', 'other', 'unknown');
COMMENT ON TYPE haven_health.gender IS 'Gender as the person states it.';

CREATE TYPE haven_health.displacement_status AS ENUM
    ('refugee', 'asylum_seeker', 'internally_displaced', 'stateless', 'returnee', 'other');
COMMENT ON TYPE haven_health.displacement_status IS 'Legal or factual status of displacement.';

CREATE TYPE haven_health.verification_status AS ENUM ('unverified', 'pending', 'verified', 'expired', 'revoked');
COMMENT ON TYPE haven_health.verification_status IS 'How far an identity or a claim has been proven.';

CREATE TYPE haven_health.record_type AS ENUM
    ('vital_signs', 'lab_result', 'immunization', 'medication', 'procedure', 'diagnosis', 'allergy', 'clinical_note',
     'imaging', 'discharge_summary', 'referral', 'prescription', 'vaccination_certificate', 'screening',
     'emergency_contact');
COMMENT ON TYPE haven_health.record_type IS 'What a health record is about.';

CREATE TYPE haven_health.record_status AS ENUM
    ('draft', 'final', 'amended', 'corrected', 'cancelled', 'entered_in_error');
COMMENT ON TYPE haven_health.record_status IS 'Life cycle of a health record.';

CREATE TYPE haven_health.record_priority AS ENUM ('routine', 'urgent', 'emergency', 'stat');
COMMENT ON TYPE haven_health.record_priority IS 'Clinical priority, least urgent first.';

CREATE TYPE haven_health.sync_action AS ENUM ('create', 'update', 'delete');
COMMENT ON TYPE haven_health.sync_action IS 'What a device did to a record.';

CREATE TYPE haven_health.sync_status AS ENUM ('pending', 'in_progress', 'completed', 'failed', 'conflict');
COMMENT ON TYPE haven_health.sync_status IS 'Where an entry of the sync queue stands.';

CREATE TYPE haven_health.sync_direction AS ENUM ('upload', 'download', 'bidirectional');
COMMENT ON TYPE haven_health.sync_direction IS 'Which way a change travels, seen from the device.';

CREATE TYPE audit.access_action AS ENUM
    ('view', 'create', 'update', 'delete', 'export', 'print', 'share', 'emergency', 'audit', 'sync');
COMMENT ON TYPE audit.access_action IS 'What was done to the data.';

CREATE TYPE audit.access_channel AS ENUM
    ('web_portal', 'mobile_app', 'api', 'emergency_system', 'sync_service', 'admin_console', 'integration');
COMMENT ON TYPE audit.access_channel IS 'Through which door the data was reached.';

CREATE TYPE audit.access_outcome AS ENUM ('success', 'denied', 'error', 'partial', 'timeout');
COMMENT ON TYPE audit.access_outcome IS 'How the access ended.';

-- A temporary table for loading is made LIKE the real one, which needs the types.
GRANT USAGE ON TYPE
    haven_health.gender, haven_health.displacement_status, haven_health.verification_status,
    haven_health.record_type, haven_health.record_status, haven_health.record_priority,
    haven_health.sync_action, haven_health.sync_status, haven_health.sync_direction,
    audit.access_action, audit.access_channel, audit.access_outcome
    TO haven_loader, haven_backfill, haven_reader;

-- The settings that row-level security reads. Unset or empty is NULL, and NULL sees nothing.

CREATE FUNCTION haven_health.current_organization_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('haven.organization_id', true), '')::uuid;
COMMENT ON FUNCTION haven_health.current_organization_id() IS
    'Organization the transaction acts for (setting haven.organization_id), or NULL. An ill-formed value is an error.';

CREATE FUNCTION haven_health.current_user_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('haven.user_id', true), '')::uuid;
COMMENT ON FUNCTION haven_health.current_user_id() IS
    'Person the transaction acts for (setting haven.user_id), or NULL. An ill-formed value is an error.';

GRANT EXECUTE ON FUNCTION haven_health.current_organization_id(), haven_health.current_user_id()
    TO haven_app_rw, haven_app_ro, haven_reader, haven_loader, haven_backfill, haven_emergency;

-- Shared trigger functions. A trigger needs no EXECUTE right of the one whose statement fires it.

CREATE FUNCTION haven_health.touch_row() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.created_at := OLD.created_at;
    NEW.updated_at := greatest(clock_timestamp(), OLD.updated_at);
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION haven_health.touch_row() IS
    'BEFORE UPDATE row trigger: sets updated_at, which never goes back, and keeps created_at as it was.';

CREATE FUNCTION audit.refuse_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '%.% is append-only: % is refused for everyone, the owner included.',
        TG_TABLE_SCHEMA, TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END
$$;
COMMENT ON FUNCTION audit.refuse_change() IS
    'BEFORE UPDATE, DELETE or TRUNCATE trigger: refuses. Row and statement level.';

CREATE FUNCTION haven_health.is_country_list(codes text[]) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN array_to_string(codes, ',', '?') ~ '^([A-Z]{2}(,[A-Z]{2})*)?$';
COMMENT ON FUNCTION haven_health.is_country_list(text[]) IS
    'True when every element is shaped like an ISO 3166 alpha-2 code. The empty list is fine.';

GRANT EXECUTE ON FUNCTION haven_health.is_country_list(text[])
    TO haven_app_rw, haven_loader, haven_backfill;
