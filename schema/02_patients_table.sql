-- Patients: 5 million per region. Read by key, by UNHCR number, by organization, and by name within an
-- organization. Row-level security puts its condition before any other; only leakproof operators may
-- use an index in front of it. That is why names are searched by equality and by prefix (^@) on
-- stored keys: LIKE and trigrams are not leakproof and would scan.

CREATE FUNCTION haven_health.name_key(name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT
    RETURN coalesce(
        nullif(
            regexp_replace(
                regexp_replace(
                    translate(lower(name), 'áàâäãåéèêëíìîïóòôöõúùûüýÿçñ', 'aaaaaaeeeeiiiiooooouuuuyycn'),
                    '[aeiouy''’`. -]', '', 'g'),
                '(.)\1+', '\1', 'g'),
            ''),
        lower(name));
COMMENT ON FUNCTION haven_health.name_key(text) IS
    'Key under which spellings of a name meet: lower case, no accents, no vowels, no doubled letters (Mohammed and Muhamad are mhmd). Other scripts keep their letters.';

CREATE FUNCTION haven_health.is_permission_map(permissions jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN jsonb_typeof(permissions) <> 'object' THEN false ELSE NOT EXISTS (
        SELECT FROM jsonb_each(permissions) AS entry (organization, permission)
         WHERE organization !~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
            OR jsonb_typeof(permission) <> 'object'
            OR coalesce(permission ->> 'level' NOT IN ('read', 'write'), true)
            OR permission ->> 'until' !~ '^\d{4}-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-5]\dZ$') END;
COMMENT ON FUNCTION haven_health.is_permission_map(jsonb) IS
    'True for an object of organization id (lower-case uuid) to {"level": "read" or "write", "until": optional UTC time as 2031-01-31T00:00:00Z}.';

CREATE FUNCTION haven_health.permission_is_open(permission jsonb) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN coalesce(
        (permission ->> 'until') COLLATE "C" > to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') COLLATE "C",
        true);
COMMENT ON FUNCTION haven_health.permission_is_open(jsonb) IS
    'True when a permission has no end or its end is still to come.';

GRANT EXECUTE ON FUNCTION haven_health.name_key(text), haven_health.is_permission_map(jsonb),
    haven_health.permission_is_open(jsonb)
    TO haven_app_rw, haven_app_ro, haven_loader, haven_backfill;

CREATE TABLE haven_health.patients (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    given_name text NOT NULL CHECK (length(btrim(given_name)) BETWEEN 1 AND 200),
    family_name text CHECK (length(btrim(family_name)) BETWEEN 1 AND 200),
    middle_name text CHECK (length(middle_name) <= 200),
    preferred_name text CHECK (length(preferred_name) <= 200),
    names_in_scripts jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(names_in_scripts) = 'object'),
    birth_date date,
    estimated_birth_year smallint,
    gender haven_health.gender NOT NULL DEFAULT 'unknown',
    displacement_status haven_health.displacement_status NOT NULL,
    unhcr_number text UNIQUE CHECK (unhcr_number ~ '^[A-Z0-9][A-Z0-9-]{2,39}$'),
    displacement_date date CHECK (displacement_date >= DATE '1900-01-01'),
    origin_country text CHECK (origin_country ~ '^[A-Z]{2}$'),
    camp_name text CHECK (length(camp_name) <= 200),
    camp_section text CHECK (length(camp_section) <= 100),
    phone text CHECK (phone ~ '^\+?[0-9][0-9 ().-]{2,29}$'),
    alternate_phone text CHECK (alternate_phone ~ '^\+?[0-9][0-9 ().-]{2,29}$'),
    email text CHECK (email ~ '^[^@\s]+@[^@\s]+$' AND length(email) <= 320),
    address text CHECK (length(address) <= 1000),
    latitude numeric(8, 6) CHECK (latitude BETWEEN -90 AND 90),
    longitude numeric(9, 6) CHECK (longitude BETWEEN -180 AND 180),
    emergency_contact_name text CHECK (length(emergency_contact_name) <= 200),
    emergency_contact_phone text CHECK (emergency_contact_phone ~ '^\+?[0-9][0-9 ().-]{2,29}$'),
    emergency_contact_relationship text CHECK (length(emergency_contact_relationship) <= 100),
    primary_language text CHECK (primary_language ~ '^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$'),
    spoken_languages text[] NOT NULL DEFAULT '{}',
    interpreter_needed boolean NOT NULL DEFAULT false,
    communication_preferences jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(communication_preferences) = 'object'),
    dietary_restrictions text[] NOT NULL DEFAULT '{}',
    religion text CHECK (length(religion) <= 100),
    cultural_considerations text CHECK (length(cultural_considerations) <= 2000),
    blood_type text CHECK (blood_type IN ('A+', 'A-', 'B+', 'B-', 'AB+', 'AB-', 'O+', 'O-')),
    allergies jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(allergies) = 'array'),
    chronic_conditions jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(chronic_conditions) = 'array'),
    current_medications jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(current_medications) = 'array'),
    verification_status haven_health.verification_status NOT NULL DEFAULT 'unverified',
    identity_documents jsonb NOT NULL DEFAULT '[]' CHECK (jsonb_typeof(identity_documents) = 'array'),
    biometric_hash text CHECK (length(biometric_hash) <= 512),
    photo_url text CHECK (photo_url ~ '^(https|s3)://' AND length(photo_url) <= 2000),
    access_permissions jsonb NOT NULL DEFAULT '{}' CHECK (haven_health.is_permission_map(access_permissions)),
    cross_border_permissions jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(cross_border_permissions) = 'object'),
    data_sharing_consent boolean NOT NULL DEFAULT false,
    creating_organization_id uuid NOT NULL DEFAULT haven_health.current_organization_id(),
    managing_organization_id uuid NOT NULL DEFAULT haven_health.current_organization_id(),
    last_updated_by uuid DEFAULT haven_health.current_user_id(),
    import_source text CHECK (length(import_source) <= 200),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    deleted_by uuid,
    search_name text COLLATE "C" NOT NULL GENERATED ALWAYS AS
        (lower(coalesce(family_name || ' ', '') || given_name)) STORED,
    sound_key text COLLATE "C" NOT NULL GENERATED ALWAYS AS
        (haven_health.name_key(given_name) || coalesce(' ' || haven_health.name_key(family_name), '')) STORED,
    CONSTRAINT patients_birth_known CHECK (num_nonnulls(birth_date, estimated_birth_year) >= 1),
    CONSTRAINT patients_birth_date_plausible CHECK
        (birth_date >= DATE '1900-01-01' AND extract(year FROM birth_date) <= extract(year FROM now())),
    CONSTRAINT patients_birth_year_plausible CHECK
        (estimated_birth_year >= 1900 AND estimated_birth_year <= extract(year FROM now())),
    CONSTRAINT patients_birth_agrees CHECK (extract(year FROM birth_date) = estimated_birth_year),
    CONSTRAINT patients_coordinates_both CHECK ((latitude IS NULL) = (longitude IS NULL)),
    CONSTRAINT patients_deleted_by_someone CHECK (deleted_at IS NOT NULL OR deleted_by IS NULL)
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);

-- By organization, and by name within it (family name first, prefix), and by how it sounds.
CREATE INDEX patients_organization_name ON haven_health.patients (managing_organization_id, search_name);
CREATE INDEX patients_organization_sound ON haven_health.patients (managing_organization_id, sound_key);
-- Patients an organization was granted. Few have grants, most have none, so it stays small.
CREATE INDEX patients_granted ON haven_health.patients USING gin (access_permissions)
    WITH (fastupdate = off);

CREATE TRIGGER patients_touch BEFORE UPDATE ON haven_health.patients
    FOR EACH ROW EXECUTE FUNCTION haven_health.touch_row();

ALTER TABLE haven_health.patients ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;

CREATE POLICY application_reads ON haven_health.patients FOR SELECT TO haven_app_rw, haven_app_ro
    USING (managing_organization_id = (SELECT haven_health.current_organization_id())
        OR (access_permissions ? (SELECT haven_health.current_organization_id()::text)
            AND haven_health.permission_is_open(
                access_permissions -> (SELECT haven_health.current_organization_id()::text))));
CREATE POLICY application_registers ON haven_health.patients FOR INSERT TO haven_app_rw
    WITH CHECK (managing_organization_id = (SELECT haven_health.current_organization_id()));
-- Only the managing organization changes a patient, grants access, or hands the patient over. Who hands
-- over keeps a grant, since the new row must stay visible to the one who writes it.
CREATE POLICY application_changes ON haven_health.patients FOR UPDATE TO haven_app_rw
    USING (managing_organization_id = (SELECT haven_health.current_organization_id()))
    WITH CHECK (managing_organization_id = (SELECT haven_health.current_organization_id())
        OR access_permissions ? (SELECT haven_health.current_organization_id()::text));
CREATE POLICY reader_reads ON haven_health.patients FOR SELECT TO haven_reader USING (true);
CREATE POLICY loader_reads ON haven_health.patients FOR SELECT TO haven_loader USING (true);
CREATE POLICY loader_loads ON haven_health.patients FOR INSERT TO haven_loader WITH CHECK (true);
CREATE POLICY backfill_reads ON haven_health.patients FOR SELECT TO haven_backfill USING (true);
CREATE POLICY backfill_changes ON haven_health.patients FOR UPDATE TO haven_backfill USING (true) WITH CHECK (true);
CREATE POLICY emergency_reads ON haven_health.patients FOR SELECT TO haven_emergency USING (true);

GRANT SELECT, INSERT, UPDATE ON haven_health.patients TO haven_app_rw;
GRANT SELECT ON haven_health.patients TO haven_app_ro, haven_reader, haven_emergency;
GRANT SELECT, INSERT ON haven_health.patients TO haven_loader;
GRANT SELECT, UPDATE ON haven_health.patients TO haven_backfill;

COMMENT ON TABLE haven_health.patients IS 'One row per person. Soft-deleted, never removed while anything refers to it.';
COMMENT ON COLUMN haven_health.patients.id IS 'Key, made here or by a device offline.';
COMMENT ON COLUMN haven_health.patients.given_name IS 'Given name in Latin script, or the only name.';
COMMENT ON COLUMN haven_health.patients.family_name IS 'Family name in Latin script; NULL for who has none.';
COMMENT ON COLUMN haven_health.patients.middle_name IS 'Middle or patronymic names.';
COMMENT ON COLUMN haven_health.patients.preferred_name IS 'Name the person wants to be called by.';
COMMENT ON COLUMN haven_health.patients.names_in_scripts IS 'Names in other scripts: language tag to {"given": ..., "family": ...}.';
COMMENT ON COLUMN haven_health.patients.birth_date IS 'Exact date of birth, when known; 1900 to the current year.';
COMMENT ON COLUMN haven_health.patients.estimated_birth_year IS 'Year of birth when the date is not known; 1900 to the current year.';
COMMENT ON COLUMN haven_health.patients.gender IS 'Gender as stated.';
COMMENT ON COLUMN haven_health.patients.displacement_status IS 'Status of displacement.';
COMMENT ON COLUMN haven_health.patients.unhcr_number IS 'Registration number of UNHCR: upper case; unique when present.';
COMMENT ON COLUMN haven_health.patients.displacement_date IS 'When the person was displaced.';
COMMENT ON COLUMN haven_health.patients.origin_country IS 'Country of origin, ISO 3166 alpha-2.';
COMMENT ON COLUMN haven_health.patients.camp_name IS 'Camp or settlement, if any.';
COMMENT ON COLUMN haven_health.patients.camp_section IS 'Section of the camp.';
COMMENT ON COLUMN haven_health.patients.phone IS 'Telephone number.';
COMMENT ON COLUMN haven_health.patients.alternate_phone IS 'Second telephone number.';
COMMENT ON COLUMN haven_health.patients.email IS 'E-mail address.';
COMMENT ON COLUMN haven_health.patients.address IS 'Postal or descriptive address.';
COMMENT ON COLUMN haven_health.patients.latitude IS 'Latitude in degrees, WGS 84; with longitude or not at all.';
COMMENT ON COLUMN haven_health.patients.longitude IS 'Longitude in degrees, WGS 84; with latitude or not at all.';
COMMENT ON COLUMN haven_health.patients.emergency_contact_name IS 'Whom to call in an emergency.';
COMMENT ON COLUMN haven_health.patients.emergency_contact_phone IS 'Telephone number of the emergency contact.';
COMMENT ON COLUMN haven_health.patients.emergency_contact_relationship IS 'What the emergency contact is to the patient.';
COMMENT ON COLUMN haven_health.patients.primary_language IS 'First language, BCP 47 tag.';
COMMENT ON COLUMN haven_health.patients.spoken_languages IS 'Other languages spoken, BCP 47 tags.';
COMMENT ON COLUMN haven_health.patients.interpreter_needed IS 'Whether an interpreter is needed.';
COMMENT ON COLUMN haven_health.patients.communication_preferences IS 'How the person wants to be reached, as an object.';
COMMENT ON COLUMN haven_health.patients.dietary_restrictions IS 'Dietary restrictions.';
COMMENT ON COLUMN haven_health.patients.religion IS 'Religion, if the person wants it known.';
COMMENT ON COLUMN haven_health.patients.cultural_considerations IS 'What care should take into account.';
COMMENT ON COLUMN haven_health.patients.blood_type IS 'ABO group and Rh factor.';
COMMENT ON COLUMN haven_health.patients.allergies IS 'Known allergies, a list.';
COMMENT ON COLUMN haven_health.patients.chronic_conditions IS 'Chronic conditions, a list.';
COMMENT ON COLUMN haven_health.patients.current_medications IS 'Current medication, a list.';
COMMENT ON COLUMN haven_health.patients.verification_status IS 'How far the identity was proven.';
COMMENT ON COLUMN haven_health.patients.identity_documents IS 'Identity documents: kind, number, issuer, expiry; a list.';
COMMENT ON COLUMN haven_health.patients.biometric_hash IS 'Salted hash of a biometric template; never the template.';
COMMENT ON COLUMN haven_health.patients.photo_url IS 'Where the photo is kept (https or s3).';
COMMENT ON COLUMN haven_health.patients.access_permissions IS 'Organizations granted access: organization id to level (read or write) and optional end. Row-level security reads it.';
COMMENT ON COLUMN haven_health.patients.cross_border_permissions IS 'Consent per country: ISO 3166 alpha-2 to conditions.';
COMMENT ON COLUMN haven_health.patients.data_sharing_consent IS 'Whether the person consents to sharing with partners.';
COMMENT ON COLUMN haven_health.patients.creating_organization_id IS 'Organization that registered the patient.';
COMMENT ON COLUMN haven_health.patients.managing_organization_id IS 'Organization that manages the patient. Row-level security reads it.';
COMMENT ON COLUMN haven_health.patients.last_updated_by IS 'Person who changed the row last.';
COMMENT ON COLUMN haven_health.patients.import_source IS 'Where the row was imported from, if it was.';
COMMENT ON COLUMN haven_health.patients.created_at IS 'When the row was made.';
COMMENT ON COLUMN haven_health.patients.updated_at IS 'When the row was changed last; kept by a trigger.';
COMMENT ON COLUMN haven_health.patients.deleted_at IS 'When the row was soft-deleted; NULL while it lives.';
COMMENT ON COLUMN haven_health.patients.deleted_by IS 'Person who soft-deleted the row.';
COMMENT ON COLUMN haven_health.patients.search_name IS 'Family then given name in lower case, for prefix search (search_name ^@ ''ab'').';
COMMENT ON COLUMN haven_health.patients.sound_key IS 'Keys of given and family name under which spellings meet; see name_key().';
