-- Access logs: 50 million rows a month, kept for 2,557 days, one partition per month (UTC). Append-only
-- for everyone, the owner included. There is no default partition: a month that was not made ahead is an
-- error that alarms, and old partitions can be detached concurrently.

CREATE TABLE audit.access_logs (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    accessed_at timestamptz NOT NULL DEFAULT now(),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    user_id uuid NOT NULL DEFAULT haven_health.current_user_id(),
    user_role text NOT NULL CHECK (length(user_role) BETWEEN 1 AND 100),
    organization_id uuid NOT NULL DEFAULT haven_health.current_organization_id(),
    patient_id uuid,
    resource_type text NOT NULL CHECK (length(resource_type) BETWEEN 1 AND 100),
    resource_id uuid,
    resource_details jsonb CHECK (jsonb_typeof(resource_details) = 'object'),
    action audit.access_action NOT NULL,
    channel audit.access_channel NOT NULL,
    outcome audit.access_outcome NOT NULL,
    purpose text NOT NULL CHECK (length(btrim(purpose)) BETWEEN 1 AND 500),
    emergency_override boolean NOT NULL DEFAULT false,
    emergency_justification text CHECK (length(emergency_justification) <= 2000),
    ip_address inet,
    user_agent text CHECK (length(user_agent) <= 1000),
    session_id text CHECK (length(session_id) <= 200),
    request_id text CHECK (length(request_id) <= 200),
    response_time_ms integer CHECK (response_time_ms >= 0),
    error_message text CHECK (length(error_message) <= 2000),
    data_minimization_applied boolean NOT NULL DEFAULT false,
    sensitive_data_accessed boolean NOT NULL DEFAULT false,
    cross_border_transfer boolean NOT NULL DEFAULT false,
    destination_country text CHECK (destination_country ~ '^[A-Z]{2}$'),
    PRIMARY KEY (id, accessed_at),
    CONSTRAINT access_logs_override_justified CHECK
        (NOT emergency_override OR coalesce(length(btrim(emergency_justification)) >= 10, false)),
    CONSTRAINT access_logs_transfer_has_destination CHECK
        (cross_border_transfer = (destination_country IS NOT NULL))
) PARTITION BY RANGE (accessed_at);

-- Whose data was accessed, and what somebody did: newest first. Time alone: rows arrive almost in order.
CREATE INDEX access_logs_patient ON audit.access_logs (patient_id, accessed_at DESC);
CREATE INDEX access_logs_user ON audit.access_logs (user_id, accessed_at DESC);
CREATE INDEX access_logs_time ON audit.access_logs USING brin (accessed_at) WITH (pages_per_range = 64);
CREATE INDEX access_logs_overrides ON audit.access_logs (accessed_at DESC) WHERE emergency_override;

-- Statement triggers guard the parent; each partition has its own guards besides, because these do not
-- fire when a partition is addressed directly, and a detached one would have none. ALWAYS: also when
-- session_replication_role says otherwise.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.access_logs
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
ALTER TABLE audit.access_logs ENABLE ALWAYS TRIGGER append_only;

ALTER TABLE audit.access_logs ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY application_logs ON audit.access_logs FOR INSERT TO haven_app_rw
    WITH CHECK (organization_id = (SELECT haven_health.current_organization_id()));
CREATE POLICY auditor_reads ON audit.access_logs FOR SELECT TO haven_auditor USING (true);
CREATE POLICY reader_reads ON audit.access_logs FOR SELECT TO haven_reader USING (true);
CREATE POLICY loader_reads ON audit.access_logs FOR SELECT TO haven_loader USING (true);
CREATE POLICY loader_logs ON audit.access_logs FOR INSERT TO haven_loader WITH CHECK (true);
CREATE POLICY backfill_logs ON audit.access_logs FOR INSERT TO haven_backfill
    WITH CHECK (user_role = 'haven_backfill');
CREATE POLICY emergency_logs ON audit.access_logs FOR INSERT TO haven_emergency WITH CHECK (action = 'emergency');

GRANT INSERT ON audit.access_logs TO haven_app_rw, haven_backfill, haven_emergency;
GRANT SELECT ON audit.access_logs TO haven_auditor, haven_reader;
GRANT SELECT, INSERT ON audit.access_logs TO haven_loader;

COMMENT ON TABLE audit.access_logs IS 'One row per access to patient data. Append-only; outlives the patient; partitioned by month of accessed_at (UTC).';
COMMENT ON COLUMN audit.access_logs.id IS 'Key, with accessed_at; made here or by a device offline.';
COMMENT ON COLUMN audit.access_logs.accessed_at IS 'When the access happened; decides the partition.';
COMMENT ON COLUMN audit.access_logs.recorded_at IS 'When the row was written; later than accessed_at for a device that was offline.';
COMMENT ON COLUMN audit.access_logs.user_id IS 'Who; the nil uuid for a database role acting for operations.';
COMMENT ON COLUMN audit.access_logs.user_role IS 'In which role.';
COMMENT ON COLUMN audit.access_logs.organization_id IS 'For which organization; the nil uuid for operations.';
COMMENT ON COLUMN audit.access_logs.patient_id IS 'Whose data. No foreign key: the row outlives its patient.';
COMMENT ON COLUMN audit.access_logs.resource_type IS 'Which kind of thing was accessed.';
COMMENT ON COLUMN audit.access_logs.resource_id IS 'Which one.';
COMMENT ON COLUMN audit.access_logs.resource_details IS 'Details of what was accessed, an object; never the data itself.';
COMMENT ON COLUMN audit.access_logs.action IS 'What was done.';
COMMENT ON COLUMN audit.access_logs.channel IS 'Through which door.';
COMMENT ON COLUMN audit.access_logs.outcome IS 'How it ended.';
COMMENT ON COLUMN audit.access_logs.purpose IS 'Why; always required.';
COMMENT ON COLUMN audit.access_logs.emergency_override IS 'Whether the usual permission was overridden.';
COMMENT ON COLUMN audit.access_logs.emergency_justification IS 'Why it was overridden, at least 10 characters; required then.';
COMMENT ON COLUMN audit.access_logs.ip_address IS 'Address of the client.';
COMMENT ON COLUMN audit.access_logs.user_agent IS 'Software of the client.';
COMMENT ON COLUMN audit.access_logs.session_id IS 'Session of the application.';
COMMENT ON COLUMN audit.access_logs.request_id IS 'Request of the application.';
COMMENT ON COLUMN audit.access_logs.response_time_ms IS 'How long it took, in milliseconds.';
COMMENT ON COLUMN audit.access_logs.error_message IS 'What went wrong, if it did.';
COMMENT ON COLUMN audit.access_logs.data_minimization_applied IS 'Whether only the needed part was shown.';
COMMENT ON COLUMN audit.access_logs.sensitive_data_accessed IS 'Whether sensitive data was shown.';
COMMENT ON COLUMN audit.access_logs.cross_border_transfer IS 'Whether the data left the country.';
COMMENT ON COLUMN audit.access_logs.destination_country IS 'Where it went, ISO 3166 alpha-2; exactly when it left.';

-- Partitions. ATTACH takes a weaker lock than CREATE ... PARTITION OF, so writers go on.
CREATE FUNCTION audit.ensure_access_log_partitions(first_month date, last_month date) RETURNS integer
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    month timestamp := date_trunc('month', first_month);
    partition text;
    made integer := 0;
BEGIN
    WHILE month <= last_month LOOP
        partition := 'access_logs_' || to_char(month, 'YYYY_MM');
        IF to_regclass('audit.' || partition) IS NULL THEN
            EXECUTE format('CREATE TABLE audit.%I (LIKE audit.access_logs INCLUDING DEFAULTS INCLUDING CONSTRAINTS
                INCLUDING COMMENTS) WITH (autovacuum_vacuum_insert_scale_factor = 0.05)', partition);
            EXECUTE format('COMMENT ON TABLE audit.%I IS %L', partition,
                'Access logs of ' || to_char(month, 'YYYY-MM') || ' (UTC). Append-only.');
            EXECUTE format('ALTER TABLE audit.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', partition);
            EXECUTE format('CREATE POLICY auditor_reads ON audit.%I FOR SELECT TO haven_auditor USING (true)', partition);
            EXECUTE format('CREATE POLICY reader_reads ON audit.%I FOR SELECT TO haven_reader USING (true)', partition);
            EXECUTE format('GRANT SELECT ON audit.%I TO haven_auditor, haven_reader', partition);
            EXECUTE format('ALTER TABLE audit.access_logs ATTACH PARTITION audit.%I FOR VALUES FROM (%L) TO (%L)',
                partition, month AT TIME ZONE 'UTC', (month + interval '1 month') AT TIME ZONE 'UTC');
            EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.%I
                FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()', partition);
            EXECUTE format('CREATE TRIGGER append_only_row BEFORE UPDATE OR DELETE ON audit.%I
                FOR EACH ROW EXECUTE FUNCTION audit.refuse_change()', partition);
            EXECUTE format('ALTER TABLE audit.%I ENABLE ALWAYS TRIGGER append_only, ENABLE ALWAYS TRIGGER append_only_row',
                partition);
            made := made + 1;
        END IF;
        month := month + interval '1 month';
    END LOOP;
    RETURN made;
END
$$;
COMMENT ON FUNCTION audit.ensure_access_log_partitions(date, date) IS
    'Makes the partitions from first_month to last_month that do not exist, each with its guards; returns how many it made. To be run as haven_owner.';

CREATE FUNCTION audit.ensure_access_log_partitions(months_ahead integer) RETURNS integer
    LANGUAGE sql
    RETURN audit.ensure_access_log_partitions(
        ((now() AT TIME ZONE 'UTC') - interval '1 month')::date,
        ((now() AT TIME ZONE 'UTC') + make_interval(months => months_ahead))::date);
COMMENT ON FUNCTION audit.ensure_access_log_partitions(integer) IS
    'Makes the missing partitions from last month (devices sync late) to months_ahead from now; returns how many it made. To be run as haven_owner.';

SELECT audit.ensure_access_log_partitions(12);

-- What loader and backfill do across organizations leaves a row, whoever assumed them.
CREATE FUNCTION audit.log_operation() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO audit.access_logs
        (user_id, user_role, organization_id, resource_type, resource_details, action, channel, outcome, purpose)
    VALUES
        ('00000000-0000-0000-0000-000000000000', current_user, '00000000-0000-0000-0000-000000000000',
         TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME,
         jsonb_build_object('login', session_user, 'application', current_setting('application_name')),
         CASE TG_OP WHEN 'INSERT' THEN 'create' ELSE 'update' END::audit.access_action,
         'admin_console', 'success', 'operation across organizations by ' || current_user);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION audit.log_operation() IS
    'AFTER statement trigger: writes an access-log row for a statement of haven_loader or haven_backfill.';

CREATE TRIGGER patients_operations AFTER INSERT OR UPDATE ON haven_health.patients FOR EACH STATEMENT
    WHEN (current_user IN ('haven_loader', 'haven_backfill')) EXECUTE FUNCTION audit.log_operation();
CREATE TRIGGER health_records_operations AFTER INSERT OR UPDATE ON haven_health.health_records FOR EACH STATEMENT
    WHEN (current_user IN ('haven_loader', 'haven_backfill')) EXECUTE FUNCTION audit.log_operation();
CREATE TRIGGER verifications_operations AFTER INSERT OR UPDATE ON haven_health.verifications FOR EACH STATEMENT
    WHEN (current_user IN ('haven_loader', 'haven_backfill')) EXECUTE FUNCTION audit.log_operation();

-- Emergency access: the one function that runs with the rights of another role. It shows what saves a
-- life, of one patient, and writes its own row here before it answers.
CREATE FUNCTION haven_health.emergency_access(patient uuid, justification text)
    RETURNS TABLE (
        given_name text, family_name text, birth_date date, estimated_birth_year smallint, gender text,
        primary_language text, blood_type text, allergies jsonb, chronic_conditions jsonb,
        current_medications jsonb, emergency_contact_name text, emergency_contact_phone text, records jsonb)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    person uuid := haven_health.current_user_id();
    organization uuid := haven_health.current_organization_id();
    known boolean;
BEGIN
    IF person IS NULL OR organization IS NULL THEN
        RAISE EXCEPTION 'Emergency access needs haven.user_id and haven.organization_id set in the transaction.'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF coalesce(length(btrim(justification)), 0) < 10 THEN
        RAISE EXCEPTION 'Emergency access needs a justification of at least 10 characters.'
            USING ERRCODE = 'check_violation';
    END IF;
    known := EXISTS (SELECT FROM haven_health.patients AS p WHERE p.id = patient);
    INSERT INTO audit.access_logs
        (user_id, user_role, organization_id, patient_id, resource_type, resource_details, action, channel, outcome,
         purpose, emergency_override, emergency_justification, error_message, sensitive_data_accessed)
    VALUES
        (person, 'emergency', organization, patient, 'patient', jsonb_build_object('login', session_user), 'emergency',
         'emergency_system', CASE WHEN known THEN 'success' ELSE 'error' END::audit.access_outcome,
         'emergency access', true, btrim(justification), CASE WHEN NOT known THEN 'no such patient' END, known);
    RETURN QUERY
        SELECT p.given_name, p.family_name, p.birth_date, p.estimated_birth_year, p.gender::text,
               p.primary_language, p.blood_type, p.allergies, p.chronic_conditions,
               p.current_medications, p.emergency_contact_name, p.emergency_contact_phone,
               (SELECT coalesce(jsonb_agg(jsonb_build_object(
                           'id', r.id, 'record_type', r.record_type, 'title', r.title, 'record_date', r.record_date,
                           'content_type', r.content_type, 'encryption_key_id', r.encryption_key_id,
                           'content', encode(r.content, 'base64')) ORDER BY r.record_date DESC), '[]')
                  FROM haven_health.health_records AS r
                 WHERE r.patient_id = p.id AND r.emergency_accessible AND r.deleted_at IS NULL)
          FROM haven_health.patients AS p
         WHERE p.id = patient;
END
$$;
COMMENT ON FUNCTION haven_health.emergency_access(uuid, text) IS
    'Shows the medical summary and the emergency-accessible records of one patient, across organizations, and logs it. Needs haven.user_id, haven.organization_id and a justification.';
GRANT EXECUTE ON FUNCTION haven_health.emergency_access(uuid, text) TO haven_app_rw;
-- The new owner needs CREATE for the moment of the change only.
GRANT CREATE ON SCHEMA haven_health TO haven_emergency;
ALTER FUNCTION haven_health.emergency_access(uuid, text) OWNER TO haven_emergency;
REVOKE CREATE ON SCHEMA haven_health FROM haven_emergency;
