-- Verifications of a patient's identity or of a claim about a patient.

CREATE TABLE haven_health.verifications (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    patient_id uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    deleted_by uuid,
    verification_type text NOT NULL,
    verification_method text NOT NULL,
    verification_level text NOT NULL,
    status haven_health.verification_status NOT NULL DEFAULT 'pending',
    verifier_id uuid NOT NULL,
    verifier_name text NOT NULL,
    verifier_organization uuid NOT NULL,
    verifier_role text,
    verifier_credentials jsonb NOT NULL DEFAULT '{}',
    requested_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    completed_at timestamptz,
    expires_at timestamptz,
    evidence jsonb NOT NULL DEFAULT '{}',
    documents jsonb NOT NULL DEFAULT '[]',
    biometric_hash text,
    notes text,
    factors_required smallint NOT NULL DEFAULT 1,
    factors_completed smallint NOT NULL DEFAULT 0,
    ledger_hash text,
    ledger_transaction_id text,
    ledger_network text,
    contract_address text,
    witnesses jsonb NOT NULL DEFAULT '[]',
    reference_contacts jsonb NOT NULL DEFAULT '[]',
    confidence_score numeric(5, 2),
    risk_indicators text[] NOT NULL DEFAULT '{}',
    strength text,
    revoked boolean NOT NULL DEFAULT false,
    revoked_at timestamptz,
    revoked_by uuid,
    revocation_reason text,
    recognized_countries text[] NOT NULL DEFAULT '{}',
    standard text,
    verification_log jsonb NOT NULL DEFAULT '[]',
    ip_address inet,
    device_fingerprint text,
    CONSTRAINT verifications_pkey PRIMARY KEY (id),
    CONSTRAINT verifications_ledger_hash_key UNIQUE (ledger_hash),
    CONSTRAINT verifications_patient_fkey FOREIGN KEY (patient_id)
        REFERENCES haven_health.patients (id) ON DELETE RESTRICT,
    CONSTRAINT verifications_kinds CHECK (
        verification_type IN ('identity', 'medical', 'biometric', 'document', 'credential', 'status')
        AND verification_method IN (
            'document_check', 'biometric_match', 'witness', 'organization', 'digital_signature',
            'multi_factor', 'interview'
        )
        AND verification_level IN ('low', 'medium', 'high', 'very_high')
        AND strength IN ('weak', 'moderate', 'strong')
    ),
    -- Neighbours may be null, so each pair is compared.
    CONSTRAINT verifications_times_in_order CHECK (
        started_at >= requested_at
        AND completed_at >= requested_at AND completed_at >= started_at
        AND expires_at >= requested_at AND expires_at >= started_at
        AND expires_at >= completed_at
    ),
    CONSTRAINT verifications_verified_completed CHECK (
        status <> 'verified' OR completed_at IS NOT NULL
    ),
    CONSTRAINT verifications_factors CHECK (
        factors_required >= 1 AND factors_completed BETWEEN 0 AND factors_required
    ),
    CONSTRAINT verifications_confidence_range CHECK (confidence_score BETWEEN 0 AND 100),
    CONSTRAINT verifications_revoked_whole CHECK (
        num_nonnulls(revoked_at, revoked_by, revocation_reason)
            = CASE WHEN revoked THEN 3 ELSE 0 END
    ),
    CONSTRAINT verifications_revoked_status CHECK (revoked = (status = 'revoked')),
    CONSTRAINT verifications_ledger_whole CHECK (
        num_nonnulls(ledger_transaction_id, ledger_network, contract_address) = 0
        OR ledger_hash IS NOT NULL
    ),
    CONSTRAINT verifications_countries_iso CHECK (
        array_to_string(recognized_countries, ',', '?') ~ '^([A-Z]{2}(,[A-Z]{2})*)?$'
    ),
    CONSTRAINT verifications_json_shapes CHECK (
        jsonb_typeof(verifier_credentials) = 'object'
        AND jsonb_typeof(evidence) = 'object'
        AND jsonb_typeof(documents) = 'array'
        AND jsonb_typeof(witnesses) = 'array'
        AND jsonb_typeof(reference_contacts) = 'array'
        AND jsonb_typeof(verification_log) = 'array'
    ),
    CONSTRAINT verifications_deletion_whole CHECK (num_nulls(deleted_at, deleted_by) <> 1)
);

CREATE INDEX verifications_patient_newest_idx
    ON haven_health.verifications (patient_id, requested_at DESC);
CREATE INDEX verifications_open_idx
    ON haven_health.verifications (verifier_organization, requested_at)
    WHERE status = 'pending' AND deleted_at IS NULL;
-- Which verifications run out next: read by the job that expires them.
CREATE INDEX verifications_expiry_idx
    ON haven_health.verifications (expires_at)
    WHERE status = 'verified' AND deleted_at IS NULL;

CREATE TRIGGER verifications_touch_updated_at BEFORE UPDATE ON haven_health.verifications
    FOR EACH ROW EXECUTE FUNCTION haven_health.touch_updated_at();

ALTER TABLE haven_health.verifications ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY of_visible_patients ON haven_health.verifications FOR SELECT
    TO haven_app_rw, haven_app_ro
    USING (EXISTS (
        SELECT FROM haven_health.patients AS p WHERE p.id = verifications.patient_id
    ));
CREATE POLICY of_writable_patients_made ON haven_health.verifications FOR INSERT
    TO haven_app_rw WITH CHECK (haven_health.may_write_patient(patient_id));
CREATE POLICY of_writable_patients_changed ON haven_health.verifications FOR UPDATE
    TO haven_app_rw USING (haven_health.may_write_patient(patient_id));
CREATE POLICY across_read ON haven_health.verifications FOR SELECT
    TO haven_reader, haven_loader, haven_backfill USING (true);
CREATE POLICY across_loaded ON haven_health.verifications FOR INSERT
    TO haven_loader WITH CHECK (true);
CREATE POLICY across_backfilled ON haven_health.verifications FOR UPDATE
    TO haven_backfill USING (true);

GRANT SELECT, INSERT, UPDATE ON haven_health.verifications TO haven_app_rw;
GRANT SELECT ON haven_health.verifications TO haven_app_ro, haven_reader;
GRANT SELECT, INSERT ON haven_health.verifications TO haven_loader;
GRANT SELECT, UPDATE ON haven_health.verifications TO haven_backfill;

COMMENT ON TABLE haven_health.verifications IS 'Who verified what about a patient, how and until when.';
COMMENT ON COLUMN haven_health.verifications.id IS 'Key of the verification.';
COMMENT ON COLUMN haven_health.verifications.patient_id IS 'Patient that it is about.';
COMMENT ON COLUMN haven_health.verifications.created_at IS 'When the row was made.';
COMMENT ON COLUMN haven_health.verifications.updated_at IS 'When the row last changed; kept by a trigger.';
COMMENT ON COLUMN haven_health.verifications.deleted_at IS 'When the row was deleted softly; null while it is alive.';
COMMENT ON COLUMN haven_health.verifications.deleted_by IS 'User who deleted it softly.';
COMMENT ON COLUMN haven_health.verifications.verification_type IS 'What is verified.';
COMMENT ON COLUMN haven_health.verifications.verification_method IS 'How it is verified.';
COMMENT ON COLUMN haven_health.verifications.verification_level IS 'Level of assurance asked for.';
COMMENT ON COLUMN haven_health.verifications.status IS 'How far it is verified.';
COMMENT ON COLUMN haven_health.verifications.verifier_id IS 'Person who verifies.';
COMMENT ON COLUMN haven_health.verifications.verifier_name IS 'Name of the verifier, as written then.';
COMMENT ON COLUMN haven_health.verifications.verifier_organization IS 'Organization of the verifier.';
COMMENT ON COLUMN haven_health.verifications.verifier_role IS 'Role of the verifier there.';
COMMENT ON COLUMN haven_health.verifications.verifier_credentials IS 'Credentials the verifier showed.';
COMMENT ON COLUMN haven_health.verifications.requested_at IS 'When it was asked for.';
COMMENT ON COLUMN haven_health.verifications.started_at IS 'When work on it began.';
COMMENT ON COLUMN haven_health.verifications.completed_at IS 'When it was decided.';
COMMENT ON COLUMN haven_health.verifications.expires_at IS 'Until when it holds.';
COMMENT ON COLUMN haven_health.verifications.evidence IS 'What the decision stands on.';
COMMENT ON COLUMN haven_health.verifications.documents IS 'Documents seen: type, country, reference.';
COMMENT ON COLUMN haven_health.verifications.biometric_hash IS 'Salted hash that was compared.';
COMMENT ON COLUMN haven_health.verifications.notes IS 'Notes of the verifier.';
COMMENT ON COLUMN haven_health.verifications.factors_required IS 'How many factors are needed.';
COMMENT ON COLUMN haven_health.verifications.factors_completed IS 'How many are done.';
COMMENT ON COLUMN haven_health.verifications.ledger_hash IS 'Hash that was written to the ledger; unique.';
COMMENT ON COLUMN haven_health.verifications.ledger_transaction_id IS 'Transaction of the ledger that holds the hash.';
COMMENT ON COLUMN haven_health.verifications.ledger_network IS 'Network of the ledger.';
COMMENT ON COLUMN haven_health.verifications.contract_address IS 'Address of the contract on the ledger.';
COMMENT ON COLUMN haven_health.verifications.witnesses IS 'People who vouched.';
COMMENT ON COLUMN haven_health.verifications.reference_contacts IS 'Whom to ask.';
COMMENT ON COLUMN haven_health.verifications.confidence_score IS 'Confidence, 0 to 100.';
COMMENT ON COLUMN haven_health.verifications.risk_indicators IS 'What speaks against it.';
COMMENT ON COLUMN haven_health.verifications.strength IS 'Strength of the evidence.';
COMMENT ON COLUMN haven_health.verifications.revoked IS 'Whether it was revoked.';
COMMENT ON COLUMN haven_health.verifications.revoked_at IS 'When it was revoked.';
COMMENT ON COLUMN haven_health.verifications.revoked_by IS 'User who revoked it.';
COMMENT ON COLUMN haven_health.verifications.revocation_reason IS 'Why it was revoked.';
COMMENT ON COLUMN haven_health.verifications.recognized_countries IS 'Countries that recognize it, ISO 3166-1 alpha-2.';
COMMENT ON COLUMN haven_health.verifications.standard IS 'Standard that it follows.';
COMMENT ON COLUMN haven_health.verifications.verification_log IS 'Steps that were taken.';
COMMENT ON COLUMN haven_health.verifications.ip_address IS 'Address that it came from.';
COMMENT ON COLUMN haven_health.verifications.device_fingerprint IS 'Device that it was made on.';
