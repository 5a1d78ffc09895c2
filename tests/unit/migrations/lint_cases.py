"""Migrations and the hazards in them: what stands already, the file, what is to be found."""

from tests.unit.migrations.lint_detours import DETOURS

# Applied before: a table of patients with rows, one that others refer to, a view, a partition.
BEFORE = """
CREATE TABLE visits (
    id bigint PRIMARY KEY, patient_id uuid NOT NULL, code varchar(20), note text, amount numeric(8, 2),
    seen_at timestamptz, address cidr, count int, sort varchar(20)
);
ALTER TABLE visits ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE visits ADD CONSTRAINT code_there CHECK (code IS NOT NULL) NOT VALID;
ALTER TABLE visits ADD CONSTRAINT note_there CHECK (note IS NOT NULL) NOT VALID;
ALTER TABLE visits VALIDATE CONSTRAINT code_there;
CREATE INDEX visits_code ON visits (code);
CREATE TABLE places (id bigint PRIMARY KEY, name text);
CREATE TABLE events (id bigint, at date) PARTITION BY RANGE (at);
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE VIEW names AS SELECT name FROM places;
"""

HAZARDOUS = {
    **DETOURS,
    "index": ("CREATE INDEX i ON visits (note)", ["index-blocks-writes"]),
    "unique index": ("CREATE UNIQUE INDEX i ON visits (note)", ["index-blocks-writes"]),
    "index if absent": ("CREATE INDEX IF NOT EXISTS i ON visits (note)", ["index-blocks-writes"]),
    "index on an unknown table": ("CREATE INDEX i ON other.t (a)", ["index-blocks-writes"]),
    "partial index": ("CREATE INDEX i ON visits (id) WHERE id > 3", ["index-blocks-writes"]),
    "gin index": ("CREATE INDEX i ON visits USING gin (note)", ["index-blocks-writes"]),
    "drop index": ("DROP INDEX visits_code", ["drop-index-blocks"]),
    "drop two indexes": ("DROP INDEX visits_code, x", ["drop-index-blocks"] * 2),
    "reindex table": ("REINDEX TABLE visits", ["reindex-blocks"]),
    "reindex index": ("REINDEX INDEX visits_code", ["reindex-blocks"]),
    "reindex schema": ("REINDEX SCHEMA public", ["reindex-blocks"]),
    "set not null": ("ALTER TABLE visits ALTER COLUMN seen_at SET NOT NULL", ["not-null-scans"]),
    "set not null, check not validated": (
        "ALTER TABLE visits ALTER COLUMN note SET NOT NULL",
        ["not-null-scans"],
    ),
    "set not null of an unknown table": (
        "ALTER TABLE other.t ALTER COLUMN a SET NOT NULL",
        ["not-null-scans"],
    ),
    "set not null, and its proof dropped": (
        "ALTER TABLE visits ALTER COLUMN code SET NOT NULL, DROP CONSTRAINT code_there",
        ["not-null-scans"],
    ),
    "longer varchar that a check looks at": (
        "ALTER TABLE visits ALTER COLUMN code TYPE varchar(40)",
        ["check-scans"],
    ),
    "check": ("ALTER TABLE visits ADD CONSTRAINT c CHECK (id > 0)", ["check-scans"]),
    "check without a name": ("ALTER TABLE visits ADD CHECK (id > 0)", ["check-scans"]),
    "foreign key": (
        "ALTER TABLE visits ADD CONSTRAINT c FOREIGN KEY (id) REFERENCES places (id)",
        ["foreign-key-scans"],
    ),
    "foreign key to the key": (
        "ALTER TABLE visits ADD FOREIGN KEY (id) REFERENCES places",
        ["foreign-key-scans"],
    ),
    "check, validated at once": (
        (
            "ALTER TABLE visits ADD CONSTRAINT c CHECK (id > 0) NOT VALID;"
            "ALTER TABLE visits VALIDATE CONSTRAINT c"
        ),
        ["validated-under-lock"],
    ),
    "foreign key, validated at once": (
        (
            "ALTER TABLE visits ADD CONSTRAINT c FOREIGN KEY (id) REFERENCES places NOT VALID;"
            "ALTER TABLE visits VALIDATE CONSTRAINT c"
        ),
        ["validated-under-lock"],
    ),
    "unique": ("ALTER TABLE visits ADD CONSTRAINT c UNIQUE (note)", ["constraint-builds-index"]),
    "primary key": ("ALTER TABLE events ADD PRIMARY KEY (id, at)", ["constraint-builds-index"]),
    "exclusion": (
        "ALTER TABLE visits ADD CONSTRAINT c EXCLUDE USING gist (id WITH =)",
        ["exclusion-builds-index"],
    ),
    "int to bigint": (
        "ALTER TABLE visits ALTER COLUMN count TYPE bigint",
        ["type-change-rewrites"],
    ),
    "text to varchar": (
        "ALTER TABLE visits ALTER COLUMN note TYPE varchar(100)",
        ["type-change-rewrites"],
    ),
    "shorter varchar": (
        "ALTER TABLE visits ALTER COLUMN code TYPE varchar(10)",
        ["type-change-rewrites"],
    ),
    "other scale": (
        "ALTER TABLE visits ALTER COLUMN amount TYPE numeric(10, 3)",
        ["type-change-rewrites"],
    ),
    "type with USING": (
        "ALTER TABLE visits ALTER COLUMN code TYPE text USING lower(code)",
        ["type-change-rewrites"],
    ),
    "type of an unknown table": (
        "ALTER TABLE other.t ALTER COLUMN a TYPE text",
        ["type-change-rewrites"],
    ),
    "collation": (
        'ALTER TABLE visits ALTER COLUMN note TYPE text COLLATE "C"',
        ["type-change-rewrites"],
    ),
    "random default": (
        "ALTER TABLE visits ADD COLUMN key uuid DEFAULT gen_random_uuid()",
        ["default-rewrites"],
    ),
    "clock default": (
        "ALTER TABLE visits ADD COLUMN at timestamptz DEFAULT clock_timestamp()",
        ["default-rewrites"],
    ),
    "default of an own function": (
        "ALTER TABLE visits ADD COLUMN n bigint DEFAULT next_number()",
        ["default-rewrites"],
    ),
    "random default, not null": (
        "ALTER TABLE visits ADD COLUMN key uuid NOT NULL DEFAULT gen_random_uuid()",
        ["default-rewrites"],
    ),
    "serial": ("ALTER TABLE visits ADD COLUMN n bigserial", ["default-rewrites"]),
    "identity": (
        "ALTER TABLE visits ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY",
        ["default-rewrites"],
    ),
    "generated": (
        "ALTER TABLE visits ADD COLUMN n bigint GENERATED ALWAYS AS (id * 2) STORED",
        ["default-rewrites"],
    ),
    "required": ("ALTER TABLE visits ADD COLUMN n bigint NOT NULL", ["column-required"]),
    "column that is unique": (
        "ALTER TABLE visits ADD COLUMN n bigint UNIQUE",
        ["constraint-builds-index"],
    ),
    "column with default that refers": (
        "ALTER TABLE visits ADD COLUMN n bigint DEFAULT 1 REFERENCES places",
        ["foreign-key-scans"],
    ),
    "column with default and check": (
        "ALTER TABLE visits ADD COLUMN n bigint DEFAULT 1 CHECK (n > 0)",
        ["check-scans"],
    ),
    "two commands": (
        "ALTER TABLE visits ADD COLUMN n bigint NOT NULL, ALTER COLUMN seen_at SET NOT NULL",
        ["column-required", "not-null-scans"],
    ),
    "int key": ("CREATE TABLE t (id int PRIMARY KEY)", ["key-too-small"]),
    "smallint key": ("CREATE TABLE t (id smallint PRIMARY KEY)", ["key-too-small"]),
    "serial key": ("CREATE TABLE t (id serial PRIMARY KEY)", ["key-too-small"]),
    "int key, named apart": (
        "CREATE TABLE t (a bigint, b int, PRIMARY KEY (a, b))",
        ["key-too-small"],
    ),
    "rename column": ("ALTER TABLE visits RENAME COLUMN note TO notes", ["rename-breaks"]),
    "rename table": ("ALTER TABLE visits RENAME TO visit", ["rename-breaks"]),
    "rename view": ("ALTER VIEW names RENAME TO n", ["rename-breaks"]),
    "rename type": ("ALTER TYPE mood RENAME TO moods", ["rename-breaks"]),
    "rename value": ("ALTER TYPE mood RENAME VALUE 'a' TO 'b'", ["rename-breaks"]),
    "rename schema": ("ALTER SCHEMA a RENAME TO b", ["rename-breaks"]),
    "rename function": ("ALTER FUNCTION f() RENAME TO g", ["rename-breaks"]),
    "drop column": ("ALTER TABLE visits DROP COLUMN note", ["drop-loses-data"]),
    "drop table": ("DROP TABLE visits", ["drop-loses-data"]),
    "drop table if exists": ("DROP TABLE IF EXISTS other.t CASCADE", ["drop-loses-data"]),
    "drop schema": ("DROP SCHEMA a CASCADE", ["drop-loses-data"]),
    "drop materialized view": ("DROP MATERIALIZED VIEW m", ["drop-loses-data"]),
    "drop sequence": ("DROP SEQUENCE s", ["drop-loses-data"]),
    "drop owned": ("DROP OWNED BY someone", ["drop-loses-data"]),
    "drop view": ("DROP VIEW names", ["drop-breaks"]),
    "drop type": ("DROP TYPE mood", ["drop-breaks"]),
    "drop function": ("DROP FUNCTION f(int)", ["drop-breaks"]),
    "drop constraint": ("ALTER TABLE visits DROP CONSTRAINT visits_pkey", ["guard-dropped"]),
    "drop policy": ("DROP POLICY p ON visits", ["row-security-removed"]),
    "drop trigger": ("DROP TRIGGER x ON visits", ["triggers-off"]),
    "triggers off": ("ALTER TABLE visits DISABLE TRIGGER ALL", ["triggers-off"]),
    "truncate": ("TRUNCATE visits", ["truncate-loses-data"]),
    "truncate two": ("TRUNCATE visits, places CASCADE", ["truncate-loses-data"] * 2),
    "delete all": ("DELETE FROM visits", ["truncate-loses-data"]),
    "update all": ("UPDATE visits SET note = ''", ["every-row-written"]),
    "rows changed under a lock": (
        "ALTER TABLE visits ADD COLUMN n bigint; UPDATE visits SET n = 1 WHERE id < 9",
        ["lock-kept"],
    ),
    "rows of another table changed under a lock": (
        "ALTER TABLE visits ADD COLUMN n bigint; DELETE FROM places WHERE id < 9",
        ["lock-kept"],
    ),
    "unlogged": ("CREATE UNLOGGED TABLE t (a bigint)", ["not-logged"]),
    "set unlogged": ("ALTER TABLE places SET UNLOGGED", ["not-logged"]),
    "temporary": ("CREATE TEMP TABLE t (a bigint)", ["temporary-table"]),
    "temporary as": ("CREATE TEMP TABLE t AS SELECT 1 AS a", ["temporary-table"]),
    "slash in a table": ('CREATE TABLE "a/b" (a bigint)', ["export-skips"]),
    "space in a column": ('CREATE TABLE t ("a b" bigint)', ["export-skips"]),
    "new column with a comma": ('ALTER TABLE places ADD COLUMN "a,b" text', ["export-skips"]),
    "definer": (
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        ["definer-search-path"],
    ),
    "definer procedure": (
        "CREATE PROCEDURE f() LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        ["definer-search-path"],
    ),
    "patients unguarded": (
        "CREATE TABLE notes (id bigint PRIMARY KEY, patient_id uuid)",
        ["row-security-missing"],
    ),
    "patients not forced": (
        "CREATE TABLE notes (patient_id uuid); ALTER TABLE notes ENABLE ROW LEVEL SECURITY",
        ["row-security-missing"],
    ),
    "row security off": (
        "ALTER TABLE visits DISABLE ROW LEVEL SECURITY",
        ["row-security-removed"],
    ),
    "row security not forced": (
        "ALTER TABLE visits NO FORCE ROW LEVEL SECURITY",
        ["row-security-removed"],
    ),
    "owner of a table": ("ALTER TABLE visits OWNER TO someone", ["owner-changed"]),
    "owner of a function": ("ALTER FUNCTION f() OWNER TO someone", ["owner-changed"]),
    "owner of a schema": ("CREATE SCHEMA a AUTHORIZATION someone", ["owner-changed"]),
    "reassign": ("REASSIGN OWNED BY haven_owner TO someone", ["owner-changed"]),
    "set role": ("SET ROLE someone", ["owner-changed"]),
    "reset role": ("RESET ROLE", ["owner-changed"]),
    "default authorization": ("SET SESSION AUTHORIZATION DEFAULT", ["owner-changed"]),
    "set role by a function": ("SELECT set_config('role', 'someone', false)", ["owner-changed"]),
    "grant to public": ("GRANT SELECT ON visits TO PUBLIC", ["grant-to-public"]),
    "grant all to public": ("GRANT ALL ON SCHEMA a TO PUBLIC", ["grant-to-public"]),
    "default grant to public": (
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
        ["grant-to-public"],
    ),
    "password": ("CREATE ROLE r LOGIN PASSWORD 'only-for-tests'", ["literal-password"]),
    "new password": ("ALTER ROLE r PASSWORD 'only-for-tests'", ["literal-password"]),
    "password of a mapping": (
        "CREATE USER MAPPING FOR r SERVER s OPTIONS (user 'u', password 'only-for-tests')",
        ["literal-password"],
    ),
    "password of a subscription": (
        "CREATE SUBSCRIPTION s CONNECTION 'host=h password=only-for-tests' PUBLICATION p",
        ["literal-password"],
    ),
    "lock": ("LOCK TABLE visits IN SHARE MODE", ["lock-table"]),
    "vacuum full": ("VACUUM FULL visits", ["rewritten-under-lock"]),
    "vacuum full of all": ("VACUUM (FULL, ANALYZE)", ["rewritten-under-lock"]),
    "cluster": ("CLUSTER visits USING visits_code", ["rewritten-under-lock"]),
    "set logged": ("ALTER TABLE places SET LOGGED", ["rewritten-under-lock"]),
    "set tablespace": ("ALTER TABLE places SET TABLESPACE x", ["rewritten-under-lock"]),
    "detach": ("ALTER TABLE events DETACH PARTITION old", ["detach-blocks"]),
    "attach": (
        "ALTER TABLE events ATTACH PARTITION old FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
        ["attach-scans"],
    ),
    "refresh": ("REFRESH MATERIALIZED VIEW m", ["refresh-blocks"]),
    "domain check": ("ALTER DOMAIN d ADD CONSTRAINT c CHECK (value > 0)", ["domain-scans"]),
    "domain not null": ("ALTER DOMAIN d SET NOT NULL", ["domain-scans"]),
    "superuser": ("CREATE ROLE r SUPERUSER", ["rds-refuses"]),
    "bypassing": ("ALTER ROLE r BYPASSRLS", ["rds-refuses"]),
    "untrusted language": (
        "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'lib', 'f'",
        ["rds-refuses"],
    ),
    "extension": ("CREATE EXTENSION plpython3u", ["rds-refuses"]),
    "data wrapper": ("CREATE FOREIGN DATA WRAPPER w", ["rds-refuses"]),
    "library": ("LOAD 'auto_explain'", ["rds-refuses"]),
}
