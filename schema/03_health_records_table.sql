-- Health records. The content arrives encrypted; the database never sees it in clear.

CREATE TABLE haven_health.health_records (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    patient_id uuid NOT NULL,
    record_date timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    deleted_by uuid,
    effective_date timestamptz,
    record_type haven_health.record_type NOT NULL,
    record_subtype text,
    title text NOT NULL,
    status haven_health.record_status NOT NULL DEFAULT 'draft',
    priority haven_health.record_priority NOT NULL DEFAULT 'routine',
    access_level haven_health.access_level NOT NULL DEFAULT 'standard',
    second_factor_required boolean NOT NULL DEFAULT false,
    emergency_accessible boolean NOT NULL DEFAULT false,
    version integer NOT NULL DEFAULT 1,
    previous_version_id uuid,
    change_reason text,
    encrypted_content bytea NOT NULL,
    content_type text NOT NULL,
    encryption_key_id text NOT NULL,
    provider_id uuid,
    provider_name text,
    facility_id uuid,
    facility_name text,
    categories text[] NOT NULL DEFAULT '{}',
    tags text[] NOT NULL DEFAULT '{}',
    icd_codes text[] NOT NULL DEFAULT '{}',
    loinc_codes text[] NOT NULL DEFAULT '{}',
    attachments jsonb NOT NULL DEFAULT '[]',
    authorized_viewers uuid[] NOT NULL DEFAULT '{}',
    verified_by uuid,
    verified_at timestamptz,
    source_system text,
    external_id text,
    imported_at timestamptz,
    ledger_hash text,
    ledger_transaction_id text,
    CONSTRAINT health_records_pkey PRIMARY KEY (id),
    CONSTRAINT health_records_patient_fkey FOREIGN KEY (patient_id)
        REFERENCES haven_health.patients (id) ON DELETE RESTRICT,
    CONSTRAINT health_records_previous_fkey FOREIGN KEY (previous_version_id)
        REFERENCES haven_health.health_records (id) ON DELETE RESTRICT,
    CONSTRAINT health_records_title_not_blank CHECK (btrim(title) <> ''),
    CONSTRAINT health_records_content_not_empty CHECK (octet_length(encrypted_content) > 0),
    CONSTRAINT health_records_key_not_blank CHECK (btrim(encryption_key_id) <> ''),
    CONSTRAINT health_records_content_type_shape CHECK (content_type ~ '^[^/\s]+/[^/\s]+'),
    CONSTRAINT health_records_versions CHECK (
        version >= 1 AND (version > 1) = (previous_version_id IS NOT NULL)
    ),
    CONSTRAINT health_records_not_its_own_previous CHECK (previous_version_id <> id),
    CONSTRAINT health_records_change_explained CHECK (version = 1 OR change_reason IS NOT NULL),
    CONSTRAINT health_records_verified_whole CHECK (num_nulls(verified_by, verified_at) <> 1),
    CONSTRAINT health_records_source_whole CHECK (
        external_id IS NULL OR source_system IS NOT NULL
    ),
    CONSTRAINT health_records_ledger_whole CHECK (
        ledger_transaction_id IS NULL OR ledger_hash IS NOT NULL
    ),
    CONSTRAINT health_records_attachments_array CHECK (jsonb_typeof(attachments) = 'array'),
    CONSTRAINT health_records_deletion_whole CHECK (num_nulls(deleted_at, deleted_by) <> 1)
);

-- Ciphertext does not compress.
ALTER TABLE haven_health.health_records ALTER COLUMN encrypted_content SET STORAGE EXTERNAL;
-- 200 M rows: a fifth of them dead is too late to vacuum.
ALTER TABLE haven_health.health_records SET (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.01
);

-- Most reads: one patient's records, newest first. Not partial: the foreign key's own check,
-- when a patient is deleted or gets another key, needs all rows of the patient too.
CREATE INDEX health_records_patient_newest_idx
    ON haven_health.health_records (patient_id, record_date DESC, id);
CREATE INDEX health_records_emergency_idx
    ON haven_health.health_records (patient_id, record_date DESC)
    WHERE emergency_accessible AND deleted_at IS NULL;
CREATE UNIQUE INDEX health_records_external_key
    ON haven_health.health_records (source_system, external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX health_records_previous_key
    ON haven_health.health_records (previous_version_id) WHERE previous_version_id IS NOT NULL;

CREATE TRIGGER health_records_touch_updated_at BEFORE UPDATE ON haven_health.health_records
    FOR EACH ROW EXECUTE FUNCTION haven_health.touch_updated_at();

ALTER TABLE haven_health.health_records ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

-- The subquery reads patients under the caller's own policy: whose patient is visible.
CREATE POLICY of_visible_patients ON haven_health.health_records FOR SELECT
    TO haven_app_rw, haven_app_ro
    USING (EXISTS (
        SELECT FROM haven_health.patients AS p WHERE p.id = health_records.patient_id
    ));
CREATE POLICY of_writable_patients_made ON haven_health.health_records FOR INSERT
    TO haven_app_rw WITH CHECK (haven_health.may_write_patient(patient_id));
CREATE POLICY of_writable_patients_changed ON haven_health.health_records FOR UPDATE
    TO haven_app_rw USING (haven_health.may_write_patient(patient_id));
CREATE POLICY across_read ON haven_health.health_records FOR SELECT
    TO haven_reader, haven_loader, haven_backfill USING (true);
CREATE POLICY in_emergency ON haven_health.health_records FOR SELECT
    TO haven_emergency USING (emergency_accessible AND deleted_at IS NULL);
CREATE POLICY across_loaded ON haven_health.health_records FOR INSERT
    TO haven_loader WITH CHECK (true);
CREATE POLICY across_backfilled ON haven_health.health_records FOR UPDATE
    TO haven_backfill USING (true);

GRANT SELECT, INSERT, UPDATE ON haven_health.health_records TO haven_app_rw;
GRANT SELECT ON haven_health.health_records TO haven_app_ro, haven_reader, haven_emergency;
GRANT SELECT, INSERT ON haven_health.health_records TO haven_loader;
GRANT SELECT, UPDATE ON haven_health.health_records TO haven_backfill;

COMMENT ON TABLE haven_health.health_records IS 'Medical records of patients, encrypted by the application.';
COMMENT ON COLUMN haven_health.health_records.id IS 'Key of this version of the record.';
COMMENT ON COLUMN haven_health.health_records.patient_id IS 'Patient it belongs to; a patient with records cannot be deleted.';
COMMENT ON COLUMN haven_health.health_records.record_date IS 'When it was recorded, clinically.';
COMMENT ON COLUMN haven_health.health_records.created_at IS 'When the row was made.';
COMMENT ON COLUMN haven_health.health_records.updated_at IS 'When the row last changed; kept by a trigger.';
COMMENT ON COLUMN haven_health.health_records.deleted_at IS 'When the row was deleted softly; null while it is alive.';
COMMENT ON COLUMN haven_health.health_records.deleted_by IS 'User who deleted it softly.';
COMMENT ON COLUMN haven_health.health_records.effective_date IS 'From when it holds, where that differs from the record date.';
COMMENT ON COLUMN haven_health.health_records.record_type IS 'What it is about.';
COMMENT ON COLUMN haven_health.health_records.record_subtype IS 'A finer sort within the type.';
COMMENT ON COLUMN haven_health.health_records.title IS 'Title for lists; holds no finding.';
COMMENT ON COLUMN haven_health.health_records.status IS 'Where it is in its life.';
COMMENT ON COLUMN haven_health.health_records.priority IS 'Clinical priority.';
COMMENT ON COLUMN haven_health.health_records.access_level IS 'Who may open it; enforced by the application.';
COMMENT ON COLUMN haven_health.health_records.second_factor_required IS 'Whether opening it needs a second factor.';
COMMENT ON COLUMN haven_health.health_records.emergency_accessible IS 'Whether emergency access may return it.';
COMMENT ON COLUMN haven_health.health_records.version IS 'Version, counted from 1.';
COMMENT ON COLUMN haven_health.health_records.previous_version_id IS 'The version that this one replaces.';
COMMENT ON COLUMN haven_health.health_records.change_reason IS 'Why this version replaced the previous one.';
COMMENT ON COLUMN haven_health.health_records.encrypted_content IS 'Ciphertext, made by the application.';
COMMENT ON COLUMN haven_health.health_records.content_type IS 'Media type of the content before encryption.';
COMMENT ON COLUMN haven_health.health_records.encryption_key_id IS 'Key that the application encrypted with.';
COMMENT ON COLUMN haven_health.health_records.provider_id IS 'Person who provided the care.';
COMMENT ON COLUMN haven_health.health_records.provider_name IS 'Name of the provider, as written then.';
COMMENT ON COLUMN haven_health.health_records.facility_id IS 'Facility where it was recorded.';
COMMENT ON COLUMN haven_health.health_records.facility_name IS 'Name of the facility, as written then.';
COMMENT ON COLUMN haven_health.health_records.categories IS 'Categories for display.';
COMMENT ON COLUMN haven_health.health_records.tags IS 'Free tags.';
COMMENT ON COLUMN haven_health.health_records.icd_codes IS 'Codes of the International Classification of Diseases.';
COMMENT ON COLUMN haven_health.health_records.loinc_codes IS 'LOINC codes.';
COMMENT ON COLUMN haven_health.health_records.attachments IS 'References to attachments kept elsewhere.';
COMMENT ON COLUMN haven_health.health_records.authorized_viewers IS 'Users who may open it besides those its access level allows.';
COMMENT ON COLUMN haven_health.health_records.verified_by IS 'User who verified it.';
COMMENT ON COLUMN haven_health.health_records.verified_at IS 'When it was verified.';
COMMENT ON COLUMN haven_health.health_records.source_system IS 'System that it was imported from.';
COMMENT ON COLUMN haven_health.health_records.external_id IS 'Its key there; unique per source system.';
COMMENT ON COLUMN haven_health.health_records.imported_at IS 'When it was imported.';
COMMENT ON COLUMN haven_health.health_records.ledger_hash IS 'Hash that was written to the ledger.';
COMMENT ON COLUMN haven_health.health_records.ledger_transaction_id IS 'Transaction of the ledger that holds the hash.';
