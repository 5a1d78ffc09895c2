-- haven: accepts owner-changed: emergency_access reads past the policies, as haven_emergency
-- Who did what to whose data, and why. Append-only for everyone, the owner included.
--
-- Partitioned by month (UTC) on the access time. There is no default partition: with one,
-- DETACH CONCURRENTLY is refused. Housekeeping makes the coming months ahead and alarms on a
-- missing one; partitions are kept 2,557 days, then detached and archived.
--
-- No foreign keys: a log row outlives its patient.

CREATE TABLE audit.access_logs (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    accessed_at timestamptz NOT NULL DEFAULT now(),
    user_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    patient_id uuid,
    resource_id uuid,
    response_time_ms integer,
    action audit.access_action NOT NULL,
    channel audit.access_channel NOT NULL,
    result audit.access_result NOT NULL,
    emergency_override boolean NOT NULL DEFAULT false,
    data_minimization_applied boolean NOT NULL DEFAULT false,
    sensitive_data_accessed boolean NOT NULL DEFAULT false,
    cross_border_transfer boolean NOT NULL DEFAULT false,
    user_role text NOT NULL,
    resource_type text NOT NULL,
    resource_details jsonb,
    purpose text NOT NULL,
    justification text,
    ip_address inet,
    user_agent text,
    session_id text,
    request_id text,
    error_message text,
    destination_country text,
    -- The time leads: rows of a partition then arrive at the right end of its largest index.
    CONSTRAINT access_logs_pkey PRIMARY KEY (accessed_at, id),
    CONSTRAINT access_logs_purpose_not_blank CHECK (btrim(purpose) <> ''),
    CONSTRAINT access_logs_override_justified CHECK (
        NOT emergency_override OR (justification IS NOT NULL AND btrim(justification) <> '')
    ),
    CONSTRAINT access_logs_response_time_positive CHECK (response_time_ms >= 0),
    CONSTRAINT access_logs_destination CHECK (
        cross_border_transfer = (destination_country IS NOT NULL)
        AND destination_country ~ '^[A-Z]{2}$'
    ),
    CONSTRAINT access_logs_details_object CHECK (jsonb_typeof(resource_details) = 'object')
) PARTITION BY RANGE (accessed_at);

CREATE INDEX access_logs_patient_idx ON audit.access_logs (patient_id, accessed_at DESC)
    WHERE patient_id IS NOT NULL;
CREATE INDEX access_logs_user_idx ON audit.access_logs (user_id, accessed_at DESC);
CREATE INDEX access_logs_organization_idx
    ON audit.access_logs (organization_id, accessed_at DESC);
CREATE INDEX access_logs_emergency_idx ON audit.access_logs (accessed_at)
    WHERE emergency_override;
CREATE INDEX access_logs_refused_idx ON audit.access_logs (accessed_at)
    WHERE result = 'denied';

-- The parent's trigger stops statements that name the parent; each partition has its own for
-- those that name it, and keeps them when it is detached. ALWAYS: also where a session sets
-- session_replication_role.
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.access_logs
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
ALTER TABLE audit.access_logs ENABLE ALWAYS TRIGGER refuse_change;

ALTER TABLE audit.access_logs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY own_organization ON audit.access_logs FOR INSERT TO haven_app_rw
    WITH CHECK (
        organization_id = (SELECT haven_health.current_organization_id())
        AND user_id = (SELECT haven_health.current_user_id())
    );
CREATE POLICY across_read ON audit.access_logs FOR SELECT
    TO haven_auditor, haven_reader, haven_loader USING (true);
CREATE POLICY across_loaded ON audit.access_logs FOR INSERT
    TO haven_loader, haven_emergency WITH CHECK (true);

GRANT INSERT ON audit.access_logs TO haven_app_rw, haven_emergency;
GRANT SELECT ON audit.access_logs TO haven_auditor, haven_reader;
GRANT SELECT, INSERT ON audit.access_logs TO haven_loader;

-- Attaching takes a weaker lock on the parent than CREATE TABLE ... PARTITION OF: readers and
-- writers of other months are not stopped.
CREATE FUNCTION audit.make_access_log_partition(month date) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET timezone = 'UTC'
AS $$
DECLARE
    first_day CONSTANT date := date_trunc('month', month)::date;
    name CONSTANT text := 'access_logs_' || to_char(first_day, 'YYYY_MM');
BEGIN
    PERFORM pg_advisory_xact_lock('audit.access_logs'::regclass::oid::bigint);
    IF to_regclass(format('audit.%I', name)) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format('CREATE TABLE audit.%I (LIKE audit.access_logs INCLUDING ALL)', name);
    EXECUTE format(
        'CREATE TRIGGER refuse_change_of_row BEFORE UPDATE OR DELETE ON audit.%I '
        'FOR EACH ROW EXECUTE FUNCTION audit.refuse_change()', name);
    EXECUTE format(
        'CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.%I '
        'FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()', name);
    EXECUTE format(
        'ALTER TABLE audit.%I ENABLE ALWAYS TRIGGER refuse_change_of_row, '
        'ENABLE ALWAYS TRIGGER refuse_change, '
        'ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
    EXECUTE format(
        'CREATE POLICY across_read ON audit.%I FOR SELECT TO haven_auditor, haven_reader '
        'USING (true)', name);
    EXECUTE format('GRANT SELECT ON audit.%I TO haven_auditor, haven_reader', name);
    EXECUTE format(
        'COMMENT ON TABLE audit.%I IS %L', name,
        'Access log of ' || to_char(first_day, 'YYYY-MM') || ' (UTC); append-only.');
    EXECUTE format(
        'ALTER TABLE audit.access_logs ATTACH PARTITION audit.%I FOR VALUES FROM (%L) TO (%L)',
        name, first_day::timestamptz, (first_day + interval '1 month')::timestamptz);
    RETURN true;
END
$$;
COMMENT ON FUNCTION audit.make_access_log_partition(date) IS
    'Makes the partition of a day''s month with its guards; false when it is there already.';

CREATE FUNCTION audit.ensure_access_log_partitions(months_back int, months_ahead int) RETURNS int
    LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*) FILTER (
        WHERE audit.make_access_log_partition(
            (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => m))::date
        )
    )::int
    FROM generate_series(-months_back, months_ahead) AS m
$$;
COMMENT ON FUNCTION audit.ensure_access_log_partitions(int, int) IS
    'Makes the missing partitions from so many months back to so many ahead; returns how many.';

-- Emergency access: the one SECURITY DEFINER function. Its owner sees every patient and what of
-- the records is open in an emergency, and can append to the log. The row it writes belongs to
-- the transaction that reads: no rows without it, where the application commits before it shows.
CREATE FUNCTION haven_health.emergency_access(
    wanted_patient uuid, caller_role text, reason text
)
    RETURNS TABLE (
        patient_id uuid, given_name text, family_name text, date_of_birth date,
        estimated_birth_year smallint, gender haven_health.gender,
        blood_type haven_health.blood_type, allergies jsonb, chronic_conditions jsonb,
        current_medications jsonb, primary_language text, emergency_contact_name text,
        emergency_contact_phone text, records jsonb
    )
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    caller CONSTANT uuid := haven_health.current_user_id();
    organization CONSTANT uuid := haven_health.current_organization_id();
BEGIN
    IF caller IS NULL OR organization IS NULL THEN
        RAISE EXCEPTION 'Emergency access needs haven.user_id and haven.organization_id.'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF reason IS NULL OR length(btrim(reason)) < 10 THEN
        RAISE EXCEPTION 'Emergency access needs a justification of at least 10 characters.'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY
        SELECT p.id, p.given_name, p.family_name, p.date_of_birth, p.estimated_birth_year,
            p.gender, p.blood_type, p.allergies, p.chronic_conditions, p.current_medications,
            p.primary_language, p.emergency_contact_name, p.emergency_contact_phone,
            coalesce((
                SELECT jsonb_agg(jsonb_build_object(
                    'id', r.id, 'record_type', r.record_type, 'title', r.title,
                    'record_date', r.record_date, 'content_type', r.content_type,
                    'encryption_key_id', r.encryption_key_id,
                    'encrypted_content', encode(r.encrypted_content, 'base64')
                ) ORDER BY r.record_date DESC)
                FROM haven_health.health_records AS r
                WHERE r.patient_id = p.id AND r.emergency_accessible AND r.deleted_at IS NULL
            ), '[]')
        FROM haven_health.patients AS p
        WHERE p.id = wanted_patient AND p.deleted_at IS NULL;
    INSERT INTO audit.access_logs (
        user_id, user_role, organization_id, patient_id, resource_type, resource_id, action,
        channel, result, purpose, emergency_override, justification, sensitive_data_accessed,
        ip_address
    ) VALUES (
        caller, caller_role, organization, wanted_patient, 'patient', wanted_patient, 'emergency',
        'emergency_system',
        CASE WHEN FOUND THEN 'success' ELSE 'denied' END::audit.access_result,
        'emergency care', true, reason, FOUND, inet_client_addr()
    );
END
$$;
COMMENT ON FUNCTION haven_health.emergency_access(uuid, text, text) IS
    'Returns what emergency care needs of any patient, and writes the access-log row of it.';
REVOKE ALL ON FUNCTION haven_health.emergency_access(uuid, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION haven_health.emergency_access(uuid, text, text) TO haven_app_rw;
GRANT CREATE ON SCHEMA haven_health TO haven_emergency;
ALTER FUNCTION haven_health.emergency_access(uuid, text, text) OWNER TO haven_emergency;
REVOKE CREATE ON SCHEMA haven_health FROM haven_emergency;

COMMENT ON TABLE audit.access_logs IS 'Every access to patient data; append-only, by month.';
COMMENT ON COLUMN audit.access_logs.id IS 'Key of the row, unique within its time.';
COMMENT ON COLUMN audit.access_logs.accessed_at IS 'When it happened; decides the partition.';
COMMENT ON COLUMN audit.access_logs.user_id IS 'Who did it.';
COMMENT ON COLUMN audit.access_logs.organization_id IS 'Organization that the user acted for.';
COMMENT ON COLUMN audit.access_logs.patient_id IS 'Whose data; null where no single patient is meant. No foreign key on purpose.';
COMMENT ON COLUMN audit.access_logs.resource_id IS 'Key of the resource.';
COMMENT ON COLUMN audit.access_logs.response_time_ms IS 'How long it took, in milliseconds.';
COMMENT ON COLUMN audit.access_logs.action IS 'What was done.';
COMMENT ON COLUMN audit.access_logs.channel IS 'Through what.';
COMMENT ON COLUMN audit.access_logs.result IS 'How it ended.';
COMMENT ON COLUMN audit.access_logs.emergency_override IS 'Whether a rule was overridden in an emergency.';
COMMENT ON COLUMN audit.access_logs.data_minimization_applied IS 'Whether less was shown than could be.';
COMMENT ON COLUMN audit.access_logs.sensitive_data_accessed IS 'Whether sensitive data was shown.';
COMMENT ON COLUMN audit.access_logs.cross_border_transfer IS 'Whether data left the country.';
COMMENT ON COLUMN audit.access_logs.user_role IS 'Role in which the user acted.';
COMMENT ON COLUMN audit.access_logs.resource_type IS 'Sort of resource.';
COMMENT ON COLUMN audit.access_logs.resource_details IS 'Which part of it; holds no medical content.';
COMMENT ON COLUMN audit.access_logs.purpose IS 'Why; required.';
COMMENT ON COLUMN audit.access_logs.justification IS 'Why the override; required with it.';
COMMENT ON COLUMN audit.access_logs.ip_address IS 'Address that it came from.';
COMMENT ON COLUMN audit.access_logs.user_agent IS 'Program that it came from.';
COMMENT ON COLUMN audit.access_logs.session_id IS 'Session of the user.';
COMMENT ON COLUMN audit.access_logs.request_id IS 'Request, for finding it in other logs.';
COMMENT ON COLUMN audit.access_logs.error_message IS 'What went wrong, where something did.';
COMMENT ON COLUMN audit.access_logs.destination_country IS 'Where the data went, ISO 3166-1 alpha-2.';

-- Last, so that the partitions take the comments over.
SELECT audit.ensure_access_log_partitions(1, 12);

-- Loader and backfill work across organizations, so each of their statements leaves a row, whoever
-- assumed them. Statements of applications do not get beyond the condition of the trigger.
CREATE FUNCTION audit.log_operation() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    nobody CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
BEGIN
    INSERT INTO audit.access_logs (
        user_id, user_role, organization_id, resource_type, resource_details, action, channel,
        result, purpose, ip_address
    ) VALUES (
        nobody, current_user, nobody, TG_TABLE_NAME,
        jsonb_build_object(
            'login', session_user, 'application', current_setting('application_name')
        ),
        CASE TG_OP WHEN 'INSERT' THEN 'create' ELSE 'update' END::audit.access_action,
        'admin_console', 'success', 'operation across organizations', inet_client_addr()
    );
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION audit.log_operation() IS
    'Trigger: writes the access-log row of a statement of haven_loader or haven_backfill.';

GRANT USAGE ON SCHEMA audit TO haven_backfill;
GRANT INSERT ON audit.access_logs TO haven_backfill;
CREATE POLICY own_operations ON audit.access_logs FOR INSERT TO haven_backfill
    WITH CHECK (user_role = 'haven_backfill' AND action = 'update');

CREATE TRIGGER patients_log_operation AFTER INSERT OR UPDATE ON haven_health.patients
    FOR EACH STATEMENT WHEN (current_user IN ('haven_loader', 'haven_backfill'))
    EXECUTE FUNCTION audit.log_operation();
CREATE TRIGGER patient_grants_log_operation AFTER INSERT OR UPDATE ON haven_health.patient_grants
    FOR EACH STATEMENT WHEN (current_user IN ('haven_loader', 'haven_backfill'))
    EXECUTE FUNCTION audit.log_operation();
CREATE TRIGGER health_records_log_operation AFTER INSERT OR UPDATE ON haven_health.health_records
    FOR EACH STATEMENT WHEN (current_user IN ('haven_loader', 'haven_backfill'))
    EXECUTE FUNCTION audit.log_operation();
CREATE TRIGGER verifications_log_operation AFTER INSERT OR UPDATE ON haven_health.verifications
    FOR EACH STATEMENT WHEN (current_user IN ('haven_loader', 'haven_backfill'))
    EXECUTE FUNCTION audit.log_operation();
