"""Migrations in which there is no hazard, on what ``lint_cases`` says stands already."""

HARMLESS = {
    "a look at the ledger": "CREATE VIEW v AS SELECT name FROM haven_ops.migrations",
    "index, concurrently": "CREATE INDEX CONCURRENTLY i ON visits (note)",
    "drop index, concurrently": "DROP INDEX CONCURRENTLY visits_code",
    "reindex, concurrently": "REINDEX TABLE CONCURRENTLY visits",
    "index on a new table": "CREATE TABLE t (a bigint); CREATE INDEX i ON t (a)",
    "drop the index of a new table": "CREATE TABLE t (a bigint); CREATE INDEX i ON t (a); DROP INDEX i",
    "not null, proven before": "ALTER TABLE visits ALTER COLUMN code SET NOT NULL",
    "not null, and then the proof dropped": (
        "ALTER TABLE visits ALTER COLUMN code SET NOT NULL;"
        "ALTER TABLE visits DROP CONSTRAINT code_there"
    ),
    "not null on a new table": "CREATE TABLE t (a bigint); ALTER TABLE t ALTER COLUMN a SET NOT NULL",
    "check, not valid": "ALTER TABLE visits ADD CONSTRAINT c CHECK (id > 0) NOT VALID",
    "check, validated later": "ALTER TABLE visits VALIDATE CONSTRAINT note_there",
    "foreign key, not valid": (
        "ALTER TABLE visits ADD CONSTRAINT c FOREIGN KEY (id) REFERENCES places NOT VALID"
    ),
    "foreign key of a new table": "CREATE TABLE t (a bigint REFERENCES places)",
    "unique, using an index": "ALTER TABLE visits ADD CONSTRAINT c UNIQUE USING INDEX visits_code",
    "varchar to text": "ALTER TABLE visits ALTER COLUMN sort TYPE text",
    "longer varchar": "ALTER TABLE visits ALTER COLUMN sort TYPE varchar(40)",
    "more digits": "ALTER TABLE visits ALTER COLUMN amount TYPE numeric(12, 2)",
    "any digits": "ALTER TABLE visits ALTER COLUMN amount TYPE numeric",
    "cidr to inet": "ALTER TABLE visits ALTER COLUMN address TYPE inet",
    "column": "ALTER TABLE visits ADD COLUMN n bigint",
    "column with a constant": "ALTER TABLE visits ADD COLUMN n bigint NOT NULL DEFAULT 0",
    "column with a cast": "ALTER TABLE visits ADD COLUMN n jsonb NOT NULL DEFAULT '{}'::jsonb",
    "column with the time": "ALTER TABLE visits ADD COLUMN at timestamptz NOT NULL DEFAULT now()",
    "column with the date": "ALTER TABLE visits ADD COLUMN at date DEFAULT CURRENT_DATE",
    "column that refers": "ALTER TABLE visits ADD COLUMN n bigint REFERENCES places",
    "default": "ALTER TABLE visits ALTER COLUMN id SET DEFAULT 1",
    "bigint key": "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n bigint)",
    "uuid key": "CREATE TABLE t (id uuid PRIMARY KEY DEFAULT gen_random_uuid())",
    "guarded patients": (
        "CREATE TABLE notes (patient_id uuid);"
        "ALTER TABLE notes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
    ),
    "a part of patients": (
        "CREATE TABLE visits_new PARTITION OF visits_all FOR VALUES FROM (1) TO (2)"
    ),
    "rename a new table": "CREATE TABLE t (a bigint); ALTER TABLE t RENAME TO u",
    "drop a new table": "CREATE TABLE t (a bigint); DROP TABLE t",
    "rename an index": "ALTER INDEX visits_code RENAME TO visits_codes",
    "new value": "ALTER TYPE mood ADD VALUE 'calm'",
    "delete some": "DELETE FROM visits WHERE seen_at < '2020-01-01'",
    "update some": "UPDATE visits SET note = '' WHERE note IS NULL",
    "update after a weak lock": (
        "ALTER TABLE visits VALIDATE CONSTRAINT note_there; UPDATE visits SET note = '' WHERE id = 1"
    ),
    "update after a change of a new table": (
        "CREATE TABLE t (a bigint); ALTER TABLE t ADD b text; UPDATE visits SET note = '' WHERE id = 1"
    ),
    "insert": "INSERT INTO places (id, name) VALUES (1, 'a; DROP TABLE visits')",
    "definer with a path": (
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER "
        "SET search_path = pg_catalog AS 'SELECT 1'"
    ),
    "invoker": "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "grant to a role": "GRANT SELECT ON visits TO haven_reader",
    "revoke from public": "REVOKE ALL ON visits FROM PUBLIC",
    "role": "CREATE ROLE r NOLOGIN",
    "no password": "ALTER ROLE r PASSWORD NULL",
    "owner stays": "ALTER TABLE visits OWNER TO haven_owner",
    "vacuum": "VACUUM (ANALYZE) visits",
    "analyze": "ANALYZE visits",
    "detach, concurrently": "ALTER TABLE events DETACH PARTITION old CONCURRENTLY",
    "attach a new table": (
        "CREATE TABLE p (id bigint, at date);"
        "ALTER TABLE events ATTACH PARTITION p FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')"
    ),
    "refresh, concurrently": "REFRESH MATERIALIZED VIEW CONCURRENTLY m",
    "comment": "COMMENT ON TABLE visits IS 'DROP TABLE visits'",
    "view": "CREATE OR REPLACE VIEW names AS SELECT name FROM places",
    "policy": "CREATE POLICY p ON visits USING (patient_id = current_setting('haven.patient')::uuid)",
    "policy of a role": "CREATE POLICY p ON visits TO haven_owner USING (true)",
    "policy that restricts": "CREATE POLICY p ON visits AS RESTRICTIVE USING (true)",
    "policy that hides all": "CREATE POLICY p ON visits USING (false)",
    "policy by who asks": "CREATE POLICY p ON visits USING (current_user = 'haven_reader')",
    "policy of what is nobody's": "CREATE POLICY p ON places USING (true)",
    "index on a parent alone": "CREATE INDEX i ON ONLY events (id)",
    "index of a partition, attached": "ALTER INDEX i ATTACH PARTITION j",
    "unique on a parent alone": "ALTER TABLE ONLY events ADD CONSTRAINT c UNIQUE (id, at)",
    "count of visits": "CREATE TABLE t AS SELECT count(*) AS n FROM visits",
    "copy of places": "CREATE TABLE t AS SELECT * FROM places",
    "guarded copy": (
        "CREATE TABLE t AS SELECT * FROM visits;"
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
    ),
    "definer and its path": "ALTER FUNCTION f() SECURITY DEFINER SET search_path = pg_catalog",
    "path of a definer": "ALTER FUNCTION f() SET search_path = pg_catalog",
    "key of a new table, later": (
        "CREATE TABLE t (id bigint NOT NULL); ALTER TABLE t ADD PRIMARY KEY (id)"
    ),
    "statement timeout": "SET statement_timeout = '5min'",
    "merge by key": (
        "MERGE INTO places p USING names n ON p.name = n.name WHEN MATCHED THEN DELETE"
    ),
    "a query in a WITH": "WITH v AS (SELECT id FROM visits) SELECT count(*) FROM v",
    "a function that deletes": (
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC DELETE FROM visits; END"
    ),
    "storage": "ALTER TABLE visits SET (fillfactor = 80)",
    "domain, not valid": "ALTER DOMAIN d ADD CONSTRAINT c CHECK (value > 0) NOT VALID",
    "extension": "CREATE EXTENSION IF NOT EXISTS pg_trgm",
}
