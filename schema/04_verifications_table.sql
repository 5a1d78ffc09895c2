-- Verifications: 20 million per region. Who proved which claim about a patient, how, and until when.
-- Read by patient, newest first, and by the hash that the external ledger knows.

CREATE TABLE haven_health.verifications (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    patient_id uuid NOT NULL REFERENCES haven_health.patients (id) ON DELETE RESTRICT,
    verification_type text NOT NULL CHECK (length(verification_type) BETWEEN 1 AND 100),
    method text NOT NULL CHECK (length(method) BETWEEN 1 AND 100),
    level text NOT NULL CHECK (length(level) BETWEEN 1 AND 50),
    status haven_health.verification_status NOT NULL DEFAULT 'pending',
    verifier_id uuid,
    verifier_name text CHECK (length(verifier_name) <= 200),
    verifier_organization_id uuid DEFAULT haven_health.current_organization_id(),
    verifier_role text CHECK (length(verifier_role) <= 100),
    verifier_credentials jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(verifier_credentials) = 'object'),
    requested_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    completed_at timestamptz,
    expires_at timestamptz,
    evidence jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(evidence) = 'array'),
    documents jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(documents) = 'array'),
    biometric_hash text CHECK (length(biometric_hash) <= 512),
    notes text CHECK (length(notes) <= 4000),
    factors_required text[] NOT NULL DEFAULT '{}',
    factors_completed text[] NOT NULL DEFAULT '{}',
    ledger_hash text UNIQUE CHECK (length(ledger_hash) BETWEEN 1 AND 256),
    ledger_transaction_id text CHECK (length(ledger_transaction_id) <= 256),
    ledger_network text CHECK (length(ledger_network) <= 100),
    contract_address text CHECK (length(contract_address) <= 256),
    witnesses jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(witnesses) = 'array'),
    reference_contacts jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(reference_contacts) = 'array'),
    confidence numeric(5, 2) CHECK (confidence BETWEEN 0 AND 100),
    risk_indicators jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(risk_indicators) = 'array'),
    strength text CHECK (length(strength) <= 50),
    revoked boolean NOT NULL DEFAULT false,
    revoked_at timestamptz,
    revoked_by uuid,
    revocation_reason text CHECK (length(btrim(revocation_reason)) BETWEEN 1 AND 1000),
    recognized_countries text[] NOT NULL DEFAULT '{}' CHECK (haven_health.is_country_list(recognized_countries)),
    standard text CHECK (length(standard) <= 100),
    event_log jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(event_log) = 'array'),
    ip_address inet,
    device_fingerprint text CHECK (length(device_fingerprint) <= 512),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    deleted_by uuid,
    CONSTRAINT verifications_started_after_requested CHECK (started_at >= requested_at),
    CONSTRAINT verifications_completed_after_started CHECK (completed_at >= coalesce(started_at, requested_at)),
    CONSTRAINT verifications_expires_last CHECK
        (expires_at >= greatest(requested_at, started_at, completed_at)),
    CONSTRAINT verifications_revoked_all_or_none CHECK
        (num_nonnulls(revoked_at, revoked_by, revocation_reason) = CASE WHEN revoked THEN 3 ELSE 0 END),
    CONSTRAINT verifications_revoked_status CHECK ((status = 'revoked') = revoked),
    CONSTRAINT verifications_deleted_by_someone CHECK (deleted_at IS NOT NULL OR deleted_by IS NULL)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.01, autovacuum_analyze_scale_factor = 0.01);

CREATE INDEX verifications_patient_newest ON haven_health.verifications (patient_id, requested_at DESC, id DESC);
-- What is due to expire: the few that are verified and end.
CREATE INDEX verifications_due ON haven_health.verifications (expires_at)
    WHERE status = 'verified' AND expires_at IS NOT NULL;

CREATE TRIGGER verifications_touch BEFORE UPDATE ON haven_health.verifications
    FOR EACH ROW EXECUTE FUNCTION haven_health.touch_row();

ALTER TABLE haven_health.verifications ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY application_reads ON haven_health.verifications FOR SELECT TO haven_app_rw, haven_app_ro
    USING (EXISTS (SELECT FROM haven_health.patients AS patient WHERE patient.id = verifications.patient_id));
CREATE POLICY application_writes ON haven_health.verifications FOR INSERT TO haven_app_rw
    WITH CHECK (EXISTS (
        SELECT FROM haven_health.patients AS patient
         WHERE patient.id = verifications.patient_id
           AND (patient.managing_organization_id = (SELECT haven_health.current_organization_id())
                OR patient.access_permissions -> (SELECT haven_health.current_organization_id()::text)
                   ->> 'level' = 'write')));
CREATE POLICY application_changes ON haven_health.verifications FOR UPDATE TO haven_app_rw
    USING (EXISTS (
        SELECT FROM haven_health.patients AS patient
         WHERE patient.id = verifications.patient_id
           AND (patient.managing_organization_id = (SELECT haven_health.current_organization_id())
                OR patient.access_permissions -> (SELECT haven_health.current_organization_id()::text)
                   ->> 'level' = 'write')));
CREATE POLICY reader_reads ON haven_health.verifications FOR SELECT TO haven_reader USING (true);
CREATE POLICY loader_reads ON haven_health.verifications FOR SELECT TO haven_loader USING (true);
CREATE POLICY loader_loads ON haven_health.verifications FOR INSERT TO haven_loader WITH CHECK (true);
CREATE POLICY backfill_reads ON haven_health.verifications FOR SELECT TO haven_backfill USING (true);
CREATE POLICY backfill_changes ON haven_health.verifications FOR UPDATE TO haven_backfill
    USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE ON haven_health.verifications TO haven_app_rw;
GRANT SELECT ON haven_health.verifications TO haven_app_ro, haven_reader;
GRANT SELECT, INSERT ON haven_health.verifications TO haven_loader;
GRANT SELECT, UPDATE ON haven_health.verifications TO haven_backfill;

COMMENT ON TABLE haven_health.verifications IS 'One row per attempt to prove a claim about a patient.';
COMMENT ON COLUMN haven_health.verifications.id IS 'Key, made here or by a device offline.';
COMMENT ON COLUMN haven_health.verifications.patient_id IS 'Whom it is about. A patient with verifications cannot be removed.';
COMMENT ON COLUMN haven_health.verifications.verification_type IS 'What is proven: identity, vaccination, kinship, ...';
COMMENT ON COLUMN haven_health.verifications.method IS 'How: document, biometric, witness, ledger, ...';
COMMENT ON COLUMN haven_health.verifications.level IS 'Level of assurance aimed at.';
COMMENT ON COLUMN haven_health.verifications.status IS 'Where it stands.';
COMMENT ON COLUMN haven_health.verifications.verifier_id IS 'Person who verifies.';
COMMENT ON COLUMN haven_health.verifications.verifier_name IS 'Name of the verifier, as shown.';
COMMENT ON COLUMN haven_health.verifications.verifier_organization_id IS 'Organization of the verifier.';
COMMENT ON COLUMN haven_health.verifications.verifier_role IS 'Role of the verifier.';
COMMENT ON COLUMN haven_health.verifications.verifier_credentials IS 'Credentials of the verifier, an object.';
COMMENT ON COLUMN haven_health.verifications.requested_at IS 'When it was asked for.';
COMMENT ON COLUMN haven_health.verifications.started_at IS 'When it began; not before it was asked for.';
COMMENT ON COLUMN haven_health.verifications.completed_at IS 'When it ended; not before it began.';
COMMENT ON COLUMN haven_health.verifications.expires_at IS 'Until when it holds; not before it ended.';
COMMENT ON COLUMN haven_health.verifications.evidence IS 'Evidence looked at, a list.';
COMMENT ON COLUMN haven_health.verifications.documents IS 'Documents looked at, a list.';
COMMENT ON COLUMN haven_health.verifications.biometric_hash IS 'Salted hash of the biometric template compared.';
COMMENT ON COLUMN haven_health.verifications.notes IS 'Notes of the verifier.';
COMMENT ON COLUMN haven_health.verifications.factors_required IS 'Factors asked for.';
COMMENT ON COLUMN haven_health.verifications.factors_completed IS 'Factors given.';
COMMENT ON COLUMN haven_health.verifications.ledger_hash IS 'Hash written to the external ledger; unique.';
COMMENT ON COLUMN haven_health.verifications.ledger_transaction_id IS 'Transaction of the external ledger.';
COMMENT ON COLUMN haven_health.verifications.ledger_network IS 'Which external ledger.';
COMMENT ON COLUMN haven_health.verifications.contract_address IS 'Address of the contract there.';
COMMENT ON COLUMN haven_health.verifications.witnesses IS 'Witnesses, a list.';
COMMENT ON COLUMN haven_health.verifications.reference_contacts IS 'References who can confirm, a list.';
COMMENT ON COLUMN haven_health.verifications.confidence IS 'Confidence in per cent, 0 to 100.';
COMMENT ON COLUMN haven_health.verifications.risk_indicators IS 'Signs of risk, a list.';
COMMENT ON COLUMN haven_health.verifications.strength IS 'Strength of the proof, in words.';
COMMENT ON COLUMN haven_health.verifications.revoked IS 'Whether it was revoked; then at, by and reason are known.';
COMMENT ON COLUMN haven_health.verifications.revoked_at IS 'When it was revoked.';
COMMENT ON COLUMN haven_health.verifications.revoked_by IS 'Person who revoked it.';
COMMENT ON COLUMN haven_health.verifications.revocation_reason IS 'Why it was revoked.';
COMMENT ON COLUMN haven_health.verifications.recognized_countries IS 'Countries that recognize it, ISO 3166 alpha-2.';
COMMENT ON COLUMN haven_health.verifications.standard IS 'Standard it follows.';
COMMENT ON COLUMN haven_health.verifications.event_log IS 'What happened, step by step; a list.';
COMMENT ON COLUMN haven_health.verifications.ip_address IS 'Address it was made from.';
COMMENT ON COLUMN haven_health.verifications.device_fingerprint IS 'Device it was made on.';
COMMENT ON COLUMN haven_health.verifications.created_at IS 'When the row was made.';
COMMENT ON COLUMN haven_health.verifications.updated_at IS 'When the row was changed last; kept by a trigger.';
COMMENT ON COLUMN haven_health.verifications.deleted_at IS 'When the row was soft-deleted; NULL while it lives.';
COMMENT ON COLUMN haven_health.verifications.deleted_by IS 'Person who soft-deleted the row.';
