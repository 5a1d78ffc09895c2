-- Health records: 200 million per region. Content arrives encrypted by the application, so it is neither
-- searched nor compressed. Most reads: one patient's records, newest first. Every index here costs
-- gigabytes, so there is one per stated read and one per constraint, and no more.

CREATE TABLE haven_health.health_records (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    patient_id uuid NOT NULL REFERENCES haven_health.patients (id) ON DELETE RESTRICT,
    record_type haven_health.record_type NOT NULL,
    record_subtype text CHECK (length(record_subtype) <= 100),
    title text NOT NULL CHECK (length(btrim(title)) BETWEEN 1 AND 300),
    content bytea NOT NULL CHECK (octet_length(content) BETWEEN 1 AND 67108864),
    content_type text NOT NULL DEFAULT 'application/json' CHECK (content_type ~ '^[a-z]+/[A-Za-z0-9.+-]+$'),
    encryption_key_id text NOT NULL CHECK (length(encryption_key_id) BETWEEN 1 AND 2048),
    record_date timestamptz NOT NULL,
    effective_date timestamptz,
    status haven_health.record_status NOT NULL DEFAULT 'draft',
    priority haven_health.record_priority NOT NULL DEFAULT 'routine',
    provider_id uuid,
    provider_name text CHECK (length(provider_name) <= 200),
    facility_id uuid,
    facility_name text CHECK (length(facility_name) <= 200),
    categories text[] NOT NULL DEFAULT '{}',
    tags text[] NOT NULL DEFAULT '{}',
    icd_codes text[] NOT NULL DEFAULT '{}',
    loinc_codes text[] NOT NULL DEFAULT '{}',
    attachments jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(attachments) = 'array'),
    access_level text NOT NULL DEFAULT 'standard' CHECK (access_level IN ('standard', 'restricted', 'confidential')),
    authorized_viewers uuid[] NOT NULL DEFAULT '{}',
    second_factor_required boolean NOT NULL DEFAULT false,
    version integer NOT NULL DEFAULT 1 CHECK (version >= 1),
    previous_version_id uuid REFERENCES haven_health.health_records (id) ON DELETE RESTRICT,
    change_reason text CHECK (length(change_reason) <= 1000),
    verified_by uuid,
    verified_at timestamptz,
    emergency_accessible boolean NOT NULL DEFAULT false,
    source_system text CHECK (length(source_system) BETWEEN 1 AND 100),
    external_id text CHECK (length(external_id) BETWEEN 1 AND 200),
    imported_at timestamptz,
    ledger_hash text CHECK (length(ledger_hash) <= 256),
    ledger_transaction_id text CHECK (length(ledger_transaction_id) <= 256),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    deleted_by uuid,
    CONSTRAINT health_records_versions_chain CHECK ((version = 1) = (previous_version_id IS NULL)),
    CONSTRAINT health_records_not_own_predecessor CHECK (previous_version_id <> id),
    CONSTRAINT health_records_verified_by_and_at CHECK ((verified_by IS NULL) = (verified_at IS NULL)),
    CONSTRAINT health_records_external_has_source CHECK (external_id IS NULL OR source_system IS NOT NULL),
    CONSTRAINT health_records_deleted_by_someone CHECK (deleted_at IS NOT NULL OR deleted_by IS NULL)
) WITH (fillfactor = 95, autovacuum_vacuum_scale_factor = 0.005, autovacuum_analyze_scale_factor = 0.005,
        autovacuum_vacuum_insert_scale_factor = 0.01);

-- Ciphertext does not compress; trying costs time on every write.
ALTER TABLE haven_health.health_records ALTER COLUMN content SET STORAGE EXTERNAL;

-- One patient's records, newest first; the key breaks ties, so that pages do not overlap.
CREATE INDEX health_records_patient_newest ON haven_health.health_records (patient_id, record_date DESC, id DESC);
-- An external id is unique within its source.
CREATE UNIQUE INDEX health_records_source_external ON haven_health.health_records (source_system, external_id)
    WHERE external_id IS NOT NULL;
-- A version has one successor; also what the self reference looks up.
CREATE UNIQUE INDEX health_records_previous_version ON haven_health.health_records (previous_version_id)
    WHERE previous_version_id IS NOT NULL;
-- What the emergency function reads.
CREATE INDEX health_records_emergency ON haven_health.health_records (patient_id, record_date DESC)
    WHERE emergency_accessible AND deleted_at IS NULL;

CREATE TRIGGER health_records_touch BEFORE UPDATE ON haven_health.health_records
    FOR EACH ROW EXECUTE FUNCTION haven_health.touch_row();

ALTER TABLE haven_health.health_records ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- A record is visible with its patient (the inner query is itself under the policies of patients), and
-- when it names viewers, to those alone.
CREATE POLICY application_reads ON haven_health.health_records FOR SELECT TO haven_app_rw, haven_app_ro
    USING ((authorized_viewers = '{}' OR (SELECT haven_health.current_user_id()) = ANY (authorized_viewers))
        AND EXISTS (SELECT FROM haven_health.patients AS patient WHERE patient.id = health_records.patient_id));
CREATE POLICY application_writes ON haven_health.health_records FOR INSERT TO haven_app_rw
    WITH CHECK (EXISTS (
        SELECT FROM haven_health.patients AS patient
         WHERE patient.id = health_records.patient_id
           AND (patient.managing_organization_id = (SELECT haven_health.current_organization_id())
                OR patient.access_permissions -> (SELECT haven_health.current_organization_id()::text)
                   ->> 'level' = 'write')));
CREATE POLICY application_changes ON haven_health.health_records FOR UPDATE TO haven_app_rw
    USING (EXISTS (
        SELECT FROM haven_health.patients AS patient
         WHERE patient.id = health_records.patient_id
           AND (patient.managing_organization_id = (SELECT haven_health.current_organization_id())
                OR patient.access_permissions -> (SELECT haven_health.current_organization_id()::text)
                   ->> 'level' = 'write')));
CREATE POLICY reader_reads ON haven_health.health_records FOR SELECT TO haven_reader USING (true);
CREATE POLICY loader_reads ON haven_health.health_records FOR SELECT TO haven_loader USING (true);
CREATE POLICY loader_loads ON haven_health.health_records FOR INSERT TO haven_loader WITH CHECK (true);
CREATE POLICY backfill_reads ON haven_health.health_records FOR SELECT TO haven_backfill USING (true);
CREATE POLICY backfill_changes ON haven_health.health_records FOR UPDATE TO haven_backfill
    USING (true) WITH CHECK (true);
CREATE POLICY emergency_reads ON haven_health.health_records FOR SELECT TO haven_emergency
    USING (emergency_accessible AND deleted_at IS NULL);

GRANT SELECT, INSERT, UPDATE ON haven_health.health_records TO haven_app_rw;
GRANT SELECT ON haven_health.health_records TO haven_app_ro, haven_reader, haven_emergency;
GRANT SELECT, INSERT ON haven_health.health_records TO haven_loader;
GRANT SELECT, UPDATE ON haven_health.health_records TO haven_backfill;

COMMENT ON TABLE haven_health.health_records IS 'One row per version of a health record. Content is encrypted before it arrives.';
COMMENT ON COLUMN haven_health.health_records.id IS 'Key, made here or by a device offline.';
COMMENT ON COLUMN haven_health.health_records.patient_id IS 'Whose record it is. A patient with records cannot be removed.';
COMMENT ON COLUMN haven_health.health_records.record_type IS 'What the record is about.';
COMMENT ON COLUMN haven_health.health_records.record_subtype IS 'Finer kind, as the source names it.';
COMMENT ON COLUMN haven_health.health_records.title IS 'Short title shown in lists; holds no finding.';
COMMENT ON COLUMN haven_health.health_records.content IS 'Ciphertext, at most 64 MiB.';
COMMENT ON COLUMN haven_health.health_records.content_type IS 'Media type of the plain text.';
COMMENT ON COLUMN haven_health.health_records.encryption_key_id IS 'Key that decrypts the content: its id or ARN, never the key.';
COMMENT ON COLUMN haven_health.health_records.record_date IS 'When what is recorded was recorded; lists are ordered by it.';
COMMENT ON COLUMN haven_health.health_records.effective_date IS 'When what is recorded took effect, if another time.';
COMMENT ON COLUMN haven_health.health_records.status IS 'Life cycle of the record.';
COMMENT ON COLUMN haven_health.health_records.priority IS 'Clinical priority.';
COMMENT ON COLUMN haven_health.health_records.provider_id IS 'Health worker responsible.';
COMMENT ON COLUMN haven_health.health_records.provider_name IS 'Name of the health worker, as shown.';
COMMENT ON COLUMN haven_health.health_records.facility_id IS 'Facility where it was recorded.';
COMMENT ON COLUMN haven_health.health_records.facility_name IS 'Name of the facility, as shown.';
COMMENT ON COLUMN haven_health.health_records.categories IS 'Categories of the product.';
COMMENT ON COLUMN haven_health.health_records.tags IS 'Free tags.';
COMMENT ON COLUMN haven_health.health_records.icd_codes IS 'ICD codes.';
COMMENT ON COLUMN haven_health.health_records.loinc_codes IS 'LOINC codes.';
COMMENT ON COLUMN haven_health.health_records.attachments IS 'Attachments: name, media type, size, place, key; a list.';
COMMENT ON COLUMN haven_health.health_records.access_level IS 'How delicate it is: standard, restricted, confidential.';
COMMENT ON COLUMN haven_health.health_records.authorized_viewers IS 'Persons who alone may see it; empty means everyone who sees the patient. Row-level security reads it.';
COMMENT ON COLUMN haven_health.health_records.second_factor_required IS 'Whether the application asks for a second factor before showing it.';
COMMENT ON COLUMN haven_health.health_records.version IS 'Version of the record, from 1.';
COMMENT ON COLUMN haven_health.health_records.previous_version_id IS 'Version this one replaces; a version is replaced once.';
COMMENT ON COLUMN haven_health.health_records.change_reason IS 'Why it was changed.';
COMMENT ON COLUMN haven_health.health_records.verified_by IS 'Person who verified it; with verified_at or not at all.';
COMMENT ON COLUMN haven_health.health_records.verified_at IS 'When it was verified.';
COMMENT ON COLUMN haven_health.health_records.emergency_accessible IS 'Whether emergency access shows it.';
COMMENT ON COLUMN haven_health.health_records.source_system IS 'System it was imported from.';
COMMENT ON COLUMN haven_health.health_records.external_id IS 'Its id there; unique per source.';
COMMENT ON COLUMN haven_health.health_records.imported_at IS 'When it was imported.';
COMMENT ON COLUMN haven_health.health_records.ledger_hash IS 'Hash written to the external ledger.';
COMMENT ON COLUMN haven_health.health_records.ledger_transaction_id IS 'Transaction of the external ledger.';
COMMENT ON COLUMN haven_health.health_records.created_at IS 'When the row was made.';
COMMENT ON COLUMN haven_health.health_records.updated_at IS 'When the row was changed last; kept by a trigger.';
COMMENT ON COLUMN haven_health.health_records.deleted_at IS 'When the row was soft-deleted; NULL while it lives.';
COMMENT ON COLUMN haven_health.health_records.deleted_by IS 'Person who soft-deleted the row.';
