"""Hazards that come by other ways than the plain one: within statements, later, under odd names."""

DETOURS = {
    "ledger row gone": ("DELETE FROM haven_ops.migrations WHERE number = 3", ["ledger-changed"]),
    "ledger row added": (
        "INSERT INTO haven_ops.migrations (number) VALUES (9)",
        ["ledger-changed"],
    ),
    "ledger altered": ("ALTER TABLE haven_ops.history ADD COLUMN n bigint", ["ledger-changed"]),
    "ledger gone": (
        "DROP TABLE haven_ops.catalogue",
        ["drop-loses-data", "ledger-changed"],
    ),
    "ledger gone with its schema": (
        "DROP SCHEMA haven_ops CASCADE",
        ["drop-loses-data", "ledger-changed"],
    ),
    "reindex of a parent, concurrently": (
        "REINDEX TABLE CONCURRENTLY events",
        ["reindex-blocks"],
    ),
    "index on a parent of partitions": ("CREATE INDEX i ON events (id)", ["index-blocks-writes"]),
    "unique on a parent of partitions": (
        "ALTER TABLE events ADD CONSTRAINT c UNIQUE (id, at)",
        ["constraint-builds-index"],
    ),
    "foreign key of a parent of partitions": (
        "ALTER TABLE events ADD CONSTRAINT c FOREIGN KEY (id) REFERENCES places",
        ["foreign-key-scans"],
    ),
    "index on a table that was there all the same": (
        "CREATE TABLE IF NOT EXISTS places (id bigint); CREATE INDEX i ON places (name)",
        ["index-blocks-writes"],
    ),
    "drop of a table that was there all the same": (
        "CREATE TABLE IF NOT EXISTS public.places (id bigint); DROP TABLE public.places",
        ["drop-loses-data"],
    ),
    "check of a whole row": (
        "ALTER TABLE visits ADD CHECK (visits.* IS NOT NULL)",
        ["check-scans"],
    ),
    "names with quotes": (
        'ALTER TABLE "Odd" ADD CONSTRAINT "C c" FOREIGN KEY ("A") REFERENCES "O" ("B") ON DELETE CASCADE',
        ["foreign-key-scans"],
    ),
    "unique, with all it can be": (
        'ALTER TABLE visits ADD UNIQUE NULLS NOT DISTINCT (note) INCLUDE ("C") DEFERRABLE',
        ["constraint-builds-index"],
    ),
    "drop index with quotes": ('DROP INDEX "S"."I"', ["drop-index-blocks"]),
    "not null with quotes": ('ALTER TABLE "T" ALTER "C" SET NOT NULL', ["not-null-scans"]),
    "another's function of a steady name": (
        "ALTER TABLE visits ADD COLUMN at timestamptz DEFAULT mine.now()",
        ["default-rewrites"],
    ),
    "column of a domain that is checked": (
        "ALTER TABLE visits ADD COLUMN n positive",
        ["rewritten-under-lock"],
    ),
    "int key, added": (
        "ALTER TABLE places ADD COLUMN n int PRIMARY KEY",
        [
            "column-required",
            "constraint-builds-index",
            "key-too-small",
        ],
    ),
    "int key of a new table, added": (
        "CREATE TABLE t (a text); ALTER TABLE t ADD COLUMN id int PRIMARY KEY",
        ["key-too-small"],
    ),
    "int key of a new table, named later": (
        "CREATE TABLE t (id int NOT NULL); ALTER TABLE t ADD PRIMARY KEY (id)",
        ["key-too-small"],
    ),
    "int that counts": (
        "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY)",
        ["key-too-small"],
    ),
    "delete all, within WITH": (
        "WITH gone AS (DELETE FROM visits RETURNING id) SELECT count(*) FROM gone",
        ["truncate-loses-data"],
    ),
    "delete all, and keep the keys": (
        "WITH gone AS (DELETE FROM visits RETURNING id) INSERT INTO places SELECT id FROM gone",
        ["truncate-loses-data"],
    ),
    "delete all, behind INSERT": (
        "INSERT INTO places WITH gone AS (DELETE FROM visits RETURNING id) SELECT id FROM gone",
        ["truncate-loses-data"],
    ),
    "update all, within WITH": (
        "WITH new AS (UPDATE visits SET note = '' RETURNING id) SELECT count(*) FROM new",
        ["every-row-written"],
    ),
    "delete all, prepared": ("PREPARE p AS DELETE FROM visits", ["truncate-loses-data"]),
    "delete all, explained": ("EXPLAIN ANALYZE DELETE FROM visits", ["truncate-loses-data"]),
    "delete where true": ("DELETE FROM visits WHERE true", ["truncate-loses-data"]),
    "update where one is one": ("UPDATE visits SET note = '' WHERE 1 = 1", ["every-row-written"]),
    "merge that deletes all": (
        "MERGE INTO visits USING places ON true WHEN MATCHED THEN DELETE",
        ["truncate-loses-data"],
    ),
    "merge that writes all": (
        "MERGE INTO visits USING places ON true WHEN MATCHED THEN UPDATE SET note = ''",
        ["every-row-written"],
    ),
    "unlogged by SELECT": ("SELECT 1 AS a INTO UNLOGGED t", ["not-logged"]),
    "temporary by SELECT": ("SELECT 1 AS a INTO TEMP t", ["temporary-table"]),
    "temporary by its schema": ("CREATE TABLE pg_temp.t (a bigint)", ["temporary-table"]),
    "renamed to a slash": (
        'CREATE TABLE t (a bigint); ALTER TABLE t RENAME TO "a/b"',
        ["export-skips"],
    ),
    "column renamed to a space": (
        'CREATE TABLE t (a bigint); ALTER TABLE t RENAME COLUMN a TO "a b"',
        ["export-skips"],
    ),
    "space in a column of a query": ('CREATE TABLE t AS SELECT 1 AS "a b"', ["export-skips"]),
    "copy of patients": ("CREATE TABLE t AS SELECT * FROM visits", ["row-security-missing"]),
    "copy of patients by SELECT": (
        "SELECT patient_id INTO t FROM visits",
        ["row-security-missing"],
    ),
    "stored view of patients": (
        "CREATE MATERIALIZED VIEW t AS SELECT * FROM visits",
        ["row-security-missing"],
    ),
    "table like that of patients": (
        "CREATE TABLE t (LIKE visits)",
        ["row-security-missing"],
    ),
    "heir of that of patients": ("CREATE TABLE t () INHERITS (visits)", ["row-security-missing"]),
    "patients come to a table": (
        "ALTER TABLE places ADD COLUMN patient_id uuid",
        ["row-security-missing"],
    ),
    "policy for all": ("CREATE POLICY p ON visits USING (true)", ["policy-opens"]),
    "policy for all who write": (
        "CREATE POLICY p ON visits FOR INSERT WITH CHECK (1 = 1)",
        ["policy-opens"],
    ),
    "policy opened": ("ALTER POLICY p ON visits USING (true)", ["policy-opens"]),
    "becomes definer": ("ALTER FUNCTION f(int) SECURITY DEFINER", ["definer-search-path"]),
    "path taken away": ("ALTER FUNCTION f() RESET search_path", ["definer-search-path"]),
    "all settings taken away": ("ALTER FUNCTION f() RESET ALL", ["definer-search-path"]),
    "lock timeout lifted": ("SET lock_timeout = 0", ["lock-timeout-changed"]),
    "lock timeout lifted by a function": (
        "SELECT set_config('lock_timeout', '0', false)",
        ["lock-timeout-changed"],
    ),
    "lock timeout reset": ("RESET lock_timeout", ["lock-timeout-changed"]),
    "everything reset": ("RESET ALL", ["lock-timeout-changed"]),
    "file of the server": ("SELECT pg_read_file('PG_VERSION')", ["rds-refuses"]),
    "password of another database": (
        "SELECT dblink_connect('host=h password=only-for-tests')",
        ["literal-password"],
    ),
    "all in a tablespace": (
        "ALTER TABLE ALL IN TABLESPACE a SET TABLESPACE b",
        ["rewritten-under-lock"],
    ),
}
