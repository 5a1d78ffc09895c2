-- Patients, and the organizations that were granted one.
--
-- Under row-level security only leakproof operators reach an index before the policy:
-- =, <, ^@ on plain columns do; ILIKE and lower() do not. Names are therefore searched by
-- search_name ^@ 'prefix' on a stored lower-case column.

CREATE TABLE haven_health.patients (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    deleted_by uuid,
    given_name text NOT NULL,
    family_name text NOT NULL,
    middle_names text,
    preferred_name text,
    names_in_scripts jsonb NOT NULL DEFAULT '{}',
    search_name text COLLATE "C" NOT NULL
        GENERATED ALWAYS AS (lower(family_name || ' ' || given_name)) STORED,
    date_of_birth date,
    estimated_birth_year smallint,
    gender haven_health.gender NOT NULL DEFAULT 'unknown',
    displacement_status haven_health.displacement_status NOT NULL,
    unhcr_number text,
    displacement_date date,
    origin_country text,
    current_camp text,
    camp_section text,
    phone_number text,
    alternate_phone text,
    email text,
    current_address text,
    gps_latitude numeric(8, 6),
    gps_longitude numeric(9, 6),
    emergency_contact_name text,
    emergency_contact_phone text,
    emergency_contact_relationship text,
    primary_language text NOT NULL,
    languages_spoken text[] NOT NULL DEFAULT '{}',
    interpreter_needed boolean NOT NULL DEFAULT false,
    communication_preferences jsonb NOT NULL DEFAULT '{}',
    dietary_restrictions text[] NOT NULL DEFAULT '{}',
    religion text,
    cultural_considerations text,
    blood_type haven_health.blood_type,
    allergies jsonb NOT NULL DEFAULT '[]',
    chronic_conditions jsonb NOT NULL DEFAULT '[]',
    current_medications jsonb NOT NULL DEFAULT '[]',
    verification_status haven_health.verification_status NOT NULL DEFAULT 'unverified',
    identity_documents jsonb NOT NULL DEFAULT '[]',
    biometric_hash text,
    photo_url text,
    access_permissions jsonb NOT NULL DEFAULT '{}',
    cross_border_permissions jsonb NOT NULL DEFAULT '{}',
    data_sharing_consent jsonb NOT NULL DEFAULT '{}',
    created_by_organization uuid NOT NULL,
    managing_organization uuid NOT NULL,
    last_updated_by uuid,
    import_source text,
    CONSTRAINT patients_pkey PRIMARY KEY (id),
    CONSTRAINT patients_manager_key UNIQUE (managing_organization, id),
    CONSTRAINT patients_unhcr_number_key UNIQUE (unhcr_number),
    CONSTRAINT patients_names_not_blank CHECK (
        btrim(given_name) <> '' AND btrim(family_name) <> ''
    ),
    CONSTRAINT patients_unhcr_number_not_blank CHECK (btrim(unhcr_number) <> ''),
    CONSTRAINT patients_names_in_scripts_object CHECK (jsonb_typeof(names_in_scripts) = 'object'),
    CONSTRAINT patients_birth_known CHECK (
        num_nonnulls(date_of_birth, estimated_birth_year) >= 1
    ),
    CONSTRAINT patients_date_of_birth_range CHECK (
        date_of_birth BETWEEN DATE '1900-01-01' AND current_date
    ),
    CONSTRAINT patients_estimated_birth_year_range CHECK (
        estimated_birth_year BETWEEN 1900 AND extract(year FROM current_date)
    ),
    CONSTRAINT patients_origin_country_iso CHECK (origin_country ~ '^[A-Z]{2}$'),
    CONSTRAINT patients_coordinates CHECK (
        num_nulls(gps_latitude, gps_longitude) <> 1
        AND gps_latitude BETWEEN -90 AND 90
        AND gps_longitude BETWEEN -180 AND 180
    ),
    CONSTRAINT patients_email_shape CHECK (email ~ '^[^@\s]+@[^@\s]+$'),
    CONSTRAINT patients_primary_language_tag CHECK (
        primary_language ~ '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$'
    ),
    CONSTRAINT patients_json_shapes CHECK (
        jsonb_typeof(communication_preferences) = 'object'
        AND jsonb_typeof(allergies) = 'array'
        AND jsonb_typeof(chronic_conditions) = 'array'
        AND jsonb_typeof(current_medications) = 'array'
        AND jsonb_typeof(identity_documents) = 'array'
        AND jsonb_typeof(access_permissions) = 'object'
        AND jsonb_typeof(cross_border_permissions) = 'object'
        AND jsonb_typeof(data_sharing_consent) = 'object'
    ),
    CONSTRAINT patients_deletion_whole CHECK (num_nulls(deleted_at, deleted_by) <> 1)
);

CREATE TABLE haven_health.patient_grants (
    patient_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    can_write boolean NOT NULL DEFAULT false,
    granted_at timestamptz NOT NULL DEFAULT now(),
    granted_by uuid NOT NULL,
    granted_by_organization uuid NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz,
    purpose text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT patient_grants_pkey PRIMARY KEY (patient_id, organization_id),
    -- Only who manages a patient can grant it; when the manager changes, so does the giver.
    CONSTRAINT patient_grants_patient_fkey FOREIGN KEY (patient_id, granted_by_organization)
        REFERENCES haven_health.patients (id, managing_organization)
        ON UPDATE CASCADE ON DELETE RESTRICT,
    CONSTRAINT patient_grants_purpose_not_blank CHECK (btrim(purpose) <> ''),
    CONSTRAINT patient_grants_expires_later CHECK (expires_at > granted_at),
    CONSTRAINT patient_grants_revoked_later CHECK (revoked_at >= granted_at)
);

CREATE INDEX patients_organization_name_idx
    ON haven_health.patients (managing_organization, search_name) WHERE deleted_at IS NULL;
CREATE INDEX patients_phone_idx
    ON haven_health.patients (phone_number) WHERE phone_number IS NOT NULL;
CREATE INDEX patients_biometric_idx
    ON haven_health.patients (biometric_hash) WHERE biometric_hash IS NOT NULL;
CREATE INDEX patients_updated_idx ON haven_health.patients (managing_organization, updated_at);
CREATE INDEX patient_grants_giver_idx ON haven_health.patient_grants (granted_by_organization);
CREATE INDEX patient_grants_organization_idx
    ON haven_health.patient_grants (organization_id, patient_id) WHERE revoked_at IS NULL;

CREATE TRIGGER patients_touch_updated_at BEFORE UPDATE ON haven_health.patients
    FOR EACH ROW EXECUTE FUNCTION haven_health.touch_updated_at();
CREATE TRIGGER patient_grants_touch_updated_at BEFORE UPDATE ON haven_health.patient_grants
    FOR EACH ROW EXECUTE FUNCTION haven_health.touch_updated_at();

-- Both read under the caller's own policies. EXISTS lets the planner choose, by the number of
-- rows, between one index probe a row and one hash of all grants of the organization.
CREATE FUNCTION haven_health.may_write_patient(patient uuid) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN EXISTS (
        SELECT FROM haven_health.patients AS p
        WHERE p.id = patient AND (
            p.managing_organization = haven_health.current_organization_id()
            OR EXISTS (
                SELECT FROM haven_health.patient_grants AS g
                WHERE g.patient_id = patient
                    AND g.organization_id = haven_health.current_organization_id()
                    AND g.can_write AND g.revoked_at IS NULL
                    AND (g.expires_at IS NULL OR g.expires_at > now())
            )
        )
    );
COMMENT ON FUNCTION haven_health.may_write_patient(uuid) IS
    'Whether the current organization manages the patient or holds a writing grant.';
GRANT EXECUTE ON FUNCTION haven_health.may_write_patient(uuid) TO haven_app_rw, haven_app_ro;

ALTER TABLE haven_health.patients ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE haven_health.patient_grants ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY managed_or_granted ON haven_health.patients FOR SELECT
    TO haven_app_rw, haven_app_ro
    USING (
        managing_organization = (SELECT haven_health.current_organization_id())
        OR EXISTS (
            SELECT FROM haven_health.patient_grants AS g
            WHERE g.patient_id = patients.id
                AND g.organization_id = (SELECT haven_health.current_organization_id())
                AND g.revoked_at IS NULL
                AND (g.expires_at IS NULL OR g.expires_at > now())
        )
    );
CREATE POLICY own_created ON haven_health.patients FOR INSERT TO haven_app_rw
    WITH CHECK (
        managing_organization = (SELECT haven_health.current_organization_id())
        AND created_by_organization = (SELECT haven_health.current_organization_id())
    );
CREATE POLICY own_or_writable_changed ON haven_health.patients FOR UPDATE TO haven_app_rw
    USING (
        managing_organization = (SELECT haven_health.current_organization_id())
        OR EXISTS (
            SELECT FROM haven_health.patient_grants AS g
            WHERE g.patient_id = patients.id
                AND g.organization_id = (SELECT haven_health.current_organization_id())
                AND g.can_write AND g.revoked_at IS NULL
                AND (g.expires_at IS NULL OR g.expires_at > now())
        )
    );
CREATE POLICY across_read ON haven_health.patients FOR SELECT
    TO haven_reader, haven_loader, haven_backfill, haven_emergency USING (true);
CREATE POLICY across_loaded ON haven_health.patients FOR INSERT TO haven_loader WITH CHECK (true);
CREATE POLICY across_backfilled ON haven_health.patients FOR UPDATE TO haven_backfill USING (true);

-- A grant is seen by the organization that received it and by the one that gave it. Nothing here
-- reads patients, whose own policy reads grants: policies must not go in a circle.
CREATE POLICY given_or_received ON haven_health.patient_grants FOR SELECT
    TO haven_app_rw, haven_app_ro
    USING (
        organization_id = (SELECT haven_health.current_organization_id())
        OR granted_by_organization = (SELECT haven_health.current_organization_id())
    );
CREATE POLICY given ON haven_health.patient_grants FOR INSERT TO haven_app_rw
    WITH CHECK (granted_by_organization = (SELECT haven_health.current_organization_id()));
CREATE POLICY given_changed ON haven_health.patient_grants FOR UPDATE TO haven_app_rw
    USING (granted_by_organization = (SELECT haven_health.current_organization_id()));
CREATE POLICY across_read ON haven_health.patient_grants FOR SELECT
    TO haven_reader, haven_loader, haven_backfill USING (true);
CREATE POLICY across_loaded ON haven_health.patient_grants FOR INSERT
    TO haven_loader WITH CHECK (true);
CREATE POLICY across_backfilled ON haven_health.patient_grants FOR UPDATE
    TO haven_backfill USING (true);

-- Who manages a patient is not changed by applications: a writing grant must not become a takeover.
-- Handing a patient over is an operation, done as haven_backfill.
GRANT SELECT, INSERT ON haven_health.patients TO haven_app_rw;
GRANT UPDATE (
    deleted_at, deleted_by, given_name, family_name, middle_names, preferred_name,
    names_in_scripts, date_of_birth, estimated_birth_year, gender, displacement_status,
    unhcr_number, displacement_date, origin_country, current_camp, camp_section,
    phone_number, alternate_phone, email, current_address, gps_latitude, gps_longitude,
    emergency_contact_name, emergency_contact_phone, emergency_contact_relationship,
    primary_language, languages_spoken, interpreter_needed, communication_preferences,
    dietary_restrictions, religion, cultural_considerations, blood_type, allergies,
    chronic_conditions, current_medications, verification_status, identity_documents,
    biometric_hash, photo_url, access_permissions, cross_border_permissions,
    data_sharing_consent, last_updated_by
) ON haven_health.patients TO haven_app_rw;
GRANT SELECT, INSERT ON haven_health.patient_grants TO haven_app_rw;
GRANT UPDATE (can_write, expires_at, revoked_at, purpose)
    ON haven_health.patient_grants TO haven_app_rw;
GRANT SELECT ON haven_health.patients, haven_health.patient_grants
    TO haven_app_ro, haven_reader;
GRANT SELECT ON haven_health.patients TO haven_emergency;
GRANT SELECT, INSERT ON haven_health.patients, haven_health.patient_grants TO haven_loader;
GRANT SELECT, UPDATE ON haven_health.patients, haven_health.patient_grants TO haven_backfill;

COMMENT ON TABLE haven_health.patients IS 'Refugees and displaced people: one row a person.';
COMMENT ON COLUMN haven_health.patients.id IS 'Key of the patient.';
COMMENT ON COLUMN haven_health.patients.created_at IS 'When the row was made.';
COMMENT ON COLUMN haven_health.patients.updated_at IS 'When the row last changed; kept by a trigger.';
COMMENT ON COLUMN haven_health.patients.deleted_at IS 'When the row was deleted softly; null while it is alive.';
COMMENT ON COLUMN haven_health.patients.deleted_by IS 'User who deleted it softly.';
COMMENT ON COLUMN haven_health.patients.given_name IS 'Given name in Latin script.';
COMMENT ON COLUMN haven_health.patients.family_name IS 'Family name in Latin script.';
COMMENT ON COLUMN haven_health.patients.middle_names IS 'Middle names, as written.';
COMMENT ON COLUMN haven_health.patients.preferred_name IS 'What the person wants to be called.';
COMMENT ON COLUMN haven_health.patients.names_in_scripts IS 'Names in other scripts, by language tag.';
COMMENT ON COLUMN haven_health.patients.search_name IS 'Lower-case family and given name, for search by prefix with ^@.';
COMMENT ON COLUMN haven_health.patients.date_of_birth IS 'Exact date of birth, where known.';
COMMENT ON COLUMN haven_health.patients.estimated_birth_year IS 'Estimated year of birth, where the date is not known.';
COMMENT ON COLUMN haven_health.patients.gender IS 'Gender as stated.';
COMMENT ON COLUMN haven_health.patients.displacement_status IS 'Status of displacement.';
COMMENT ON COLUMN haven_health.patients.unhcr_number IS 'Registration number of UNHCR; unique when present.';
COMMENT ON COLUMN haven_health.patients.displacement_date IS 'When the person was displaced.';
COMMENT ON COLUMN haven_health.patients.origin_country IS 'Country of origin, ISO 3166-1 alpha-2.';
COMMENT ON COLUMN haven_health.patients.current_camp IS 'Camp or settlement where the person lives now.';
COMMENT ON COLUMN haven_health.patients.camp_section IS 'Section of the camp.';
COMMENT ON COLUMN haven_health.patients.phone_number IS 'Telephone number.';
COMMENT ON COLUMN haven_health.patients.alternate_phone IS 'Another telephone number.';
COMMENT ON COLUMN haven_health.patients.email IS 'E-mail address.';
COMMENT ON COLUMN haven_health.patients.current_address IS 'Address as written.';
COMMENT ON COLUMN haven_health.patients.gps_latitude IS 'Latitude in degrees, WGS 84.';
COMMENT ON COLUMN haven_health.patients.gps_longitude IS 'Longitude in degrees, WGS 84.';
COMMENT ON COLUMN haven_health.patients.emergency_contact_name IS 'Whom to call in an emergency.';
COMMENT ON COLUMN haven_health.patients.emergency_contact_phone IS 'Telephone number of the emergency contact.';
COMMENT ON COLUMN haven_health.patients.emergency_contact_relationship IS 'What the emergency contact is to the patient.';
COMMENT ON COLUMN haven_health.patients.primary_language IS 'First language, BCP 47.';
COMMENT ON COLUMN haven_health.patients.languages_spoken IS 'Languages spoken, BCP 47.';
COMMENT ON COLUMN haven_health.patients.interpreter_needed IS 'Whether an interpreter is needed.';
COMMENT ON COLUMN haven_health.patients.communication_preferences IS 'How the person wants to be reached.';
COMMENT ON COLUMN haven_health.patients.dietary_restrictions IS 'What the person does not eat.';
COMMENT ON COLUMN haven_health.patients.religion IS 'Religion, where stated.';
COMMENT ON COLUMN haven_health.patients.cultural_considerations IS 'What care should respect.';
COMMENT ON COLUMN haven_health.patients.blood_type IS 'Blood type.';
COMMENT ON COLUMN haven_health.patients.allergies IS 'Summary of allergies.';
COMMENT ON COLUMN haven_health.patients.chronic_conditions IS 'Summary of chronic conditions.';
COMMENT ON COLUMN haven_health.patients.current_medications IS 'Summary of current medications.';
COMMENT ON COLUMN haven_health.patients.verification_status IS 'How far the identity is verified.';
COMMENT ON COLUMN haven_health.patients.identity_documents IS 'Identity documents seen: type, country, reference.';
COMMENT ON COLUMN haven_health.patients.biometric_hash IS 'Salted hash of biometric features; never the features.';
COMMENT ON COLUMN haven_health.patients.photo_url IS 'Where the photograph is kept.';
COMMENT ON COLUMN haven_health.patients.access_permissions IS 'Consent: who may open what.';
COMMENT ON COLUMN haven_health.patients.cross_border_permissions IS 'Consent: to which countries data may go.';
COMMENT ON COLUMN haven_health.patients.data_sharing_consent IS 'Consent: with whom data may be shared, and when it was given.';
COMMENT ON COLUMN haven_health.patients.created_by_organization IS 'Organization that registered the patient.';
COMMENT ON COLUMN haven_health.patients.managing_organization IS 'Organization that manages the patient; it sees and grants.';
COMMENT ON COLUMN haven_health.patients.last_updated_by IS 'User who last changed the row.';
COMMENT ON COLUMN haven_health.patients.import_source IS 'System that the row was imported from.';
COMMENT ON TABLE haven_health.patient_grants IS
    'Organizations that were granted a patient by the organization that manages it.';
COMMENT ON COLUMN haven_health.patient_grants.patient_id IS 'Patient that is granted.';
COMMENT ON COLUMN haven_health.patient_grants.organization_id IS 'Organization that receives the grant.';
COMMENT ON COLUMN haven_health.patient_grants.can_write IS 'Whether it may also write.';
COMMENT ON COLUMN haven_health.patient_grants.granted_at IS 'When it was granted.';
COMMENT ON COLUMN haven_health.patient_grants.granted_by IS 'User who granted it.';
COMMENT ON COLUMN haven_health.patient_grants.granted_by_organization IS 'Organization that granted it; the one that manages the patient.';
COMMENT ON COLUMN haven_health.patient_grants.expires_at IS 'When it ends by itself; null for never.';
COMMENT ON COLUMN haven_health.patient_grants.revoked_at IS 'When it was revoked; null while it holds.';
COMMENT ON COLUMN haven_health.patient_grants.purpose IS 'What it was granted for.';
COMMENT ON COLUMN haven_health.patient_grants.updated_at IS 'When the row last changed; kept by a trigger.';
