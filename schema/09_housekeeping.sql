-- What housekeeping needs: completed sync items go after their time, and a partition of the access
-- log that lacks a guard gets it back.

-- Across organizations, but nothing that is still of use to a device.
CREATE POLICY across_swept ON haven_health.sync_queue FOR DELETE TO haven_backfill
    USING (status = 'completed' AND completed_at < now() - interval '1 day');
GRANT DELETE ON haven_health.sync_queue TO haven_backfill;

CREATE OR REPLACE FUNCTION audit.log_operation() RETURNS trigger
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
        CASE TG_OP WHEN 'INSERT' THEN 'create' WHEN 'DELETE' THEN 'delete' ELSE 'update' END
            ::audit.access_action,
        'admin_console', 'success', 'operation across organizations', inet_client_addr()
    );
    RETURN NULL;
END
$$;

ALTER POLICY own_operations ON audit.access_logs
    WITH CHECK (user_role = 'haven_backfill' AND action IN ('update', 'delete'));

CREATE TRIGGER sync_queue_log_deletion AFTER DELETE ON haven_health.sync_queue
    FOR EACH STATEMENT WHEN (current_user = 'haven_backfill')
    EXECUTE FUNCTION audit.log_operation();

-- Also of one that was detached: its rows stay as they are until they are proven elsewhere.
CREATE FUNCTION audit.guard_access_log_partition(name text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF name !~ '^access_logs_\d{4}_\d{2}$' THEN
        RAISE EXCEPTION '% is no partition of the access log.', name
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER refuse_change_of_row BEFORE UPDATE OR DELETE ON audit.%I '
        'FOR EACH ROW EXECUTE FUNCTION audit.refuse_change()', name);
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit.%I '
        'FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()', name);
    EXECUTE format(
        'ALTER TABLE audit.%I ENABLE ALWAYS TRIGGER refuse_change_of_row, '
        'ENABLE ALWAYS TRIGGER refuse_change, '
        'ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('DROP POLICY IF EXISTS across_read ON audit.%I', name);
    EXECUTE format(
        'CREATE POLICY across_read ON audit.%I FOR SELECT TO haven_auditor, haven_reader '
        'USING (true)', name);
    EXECUTE format('GRANT SELECT ON audit.%I TO haven_auditor, haven_reader', name);
END
$$;
COMMENT ON FUNCTION audit.guard_access_log_partition(text) IS
    'Gives a partition of the access log, attached or not, its own guards again.';
