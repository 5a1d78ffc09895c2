-- name: rehearsal_roles
-- Roles of a server, but PostgreSQL's own and those of RDS.
SELECT rolname FROM pg_catalog.pg_roles WHERE rolname !~ '^(pg_|rds)' ORDER BY rolname;

-- name: rehearsal_role
-- A role that grants and policies name. Nobody logs in with it.
CREATE ROLE {role} NOLOGIN;

-- name: rehearsal_load_role
-- Whom the synthetic load acts as.
CREATE ROLE {role} LOGIN;

-- name: rehearsal_connect
-- Let the load in.
GRANT CONNECT ON DATABASE {database} TO {role};

-- name: rehearsal_text
-- Values as text that any server reads back the same, and names with their schemas.
SET search_path = pg_catalog;
SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres'; SET timezone = 'UTC';
SET bytea_output = 'hex'; SET extra_float_digits = 1;

-- name: rehearsal_tables
-- Tables with rows of their own, partitions with their parent: columns that can be written, about
-- how many rows (-1: nobody counted), whether policies bind the owner, whether this role may read,
-- whether it may act as the owner, whether rows are in partitions.
SELECT n.nspname, c.relname,
    (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_catalog.pg_attribute AS a
     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''),
    (SELECT CASE WHEN min(part.reltuples) < 0 THEN -1 ELSE sum(part.reltuples) END::bigint
     FROM pg_catalog.pg_class AS part
     WHERE part.relkind = 'r' AND (part.oid = c.oid OR part.oid IN (
         SELECT tree.relid FROM pg_catalog.pg_partition_tree(c.oid) AS tree))),
    c.relforcerowsecurity,
    has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT'),
    pg_has_role(c.relowner, 'USAGE'), c.relkind = 'p'
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT (n.nspname = 'haven_ops' AND c.relname IN ('migrations', 'catalogue', 'history'))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
      WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2;

-- name: rehearsal_references
-- Foreign keys between tables, a partition's as its root's: from which columns to which, and
-- whether every row is known to hold to it.
SELECT DISTINCT cn.nspname, c.relname, pn.nspname, p.relname,
    (SELECT array_agg(a.attname::text ORDER BY k.place)
     FROM unnest(f.conkey) WITH ORDINALITY AS k (number, place)
     JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.number),
    (SELECT array_agg(a.attname::text ORDER BY k.place)
     FROM unnest(f.confkey) WITH ORDINALITY AS k (number, place)
     JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.confrelid AND a.attnum = k.number),
    f.convalidated AND f.conrelid = c.oid AND f.confrelid = p.oid
FROM pg_catalog.pg_constraint AS f
JOIN pg_catalog.pg_class AS c
    ON c.oid = coalesce(pg_catalog.pg_partition_root(f.conrelid)::oid, f.conrelid)
JOIN pg_catalog.pg_namespace AS cn ON cn.oid = c.relnamespace
JOIN pg_catalog.pg_class AS p
    ON p.oid = coalesce(pg_catalog.pg_partition_root(f.confrelid)::oid, f.confrelid)
JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.relnamespace
WHERE f.contype = 'f' AND f.conparentid = 0;

-- name: rehearsal_key
-- A relation's real name and the columns of its primary key.
SELECT n.nspname, c.relname,
    (SELECT array_agg(a.attname::text ORDER BY k.place)
     FROM pg_catalog.pg_index AS i
     CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, place)
     JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.number
     WHERE i.indrelid = c.oid AND i.indisprimary)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass(CASE WHEN %(schema)s <> '' THEN quote_ident(%(schema)s) || '.' ELSE '' END
    || quote_ident(%(name)s));

-- name: rehearsal_partitions
-- Every partition, those of the upper levels first, and the statements that make it, bind its
-- owner to policies, and grant what others may do.
SELECT format('%I.%I', n.nspname, c.relname),
    ARRAY[format('CREATE TABLE %I.%I PARTITION OF %I.%I %s %s', n.nspname, c.relname, pn.nspname,
        p.relname, pg_get_expr(c.relpartbound, c.oid),
        CASE WHEN c.relkind = 'p' THEN 'PARTITION BY ' || pg_get_partkeydef(c.oid) ELSE '' END)]
    || CASE WHEN c.relrowsecurity
        THEN format('ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY', n.nspname, c.relname) END
    || CASE WHEN c.relforcerowsecurity
        THEN format('ALTER TABLE %I.%I FORCE ROW LEVEL SECURITY', n.nspname, c.relname) END
    || (SELECT array_agg(format('GRANT %s ON %I.%I TO %s', a.privilege_type, n.nspname, c.relname,
            CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END))
        FROM aclexplode(c.relacl) AS a LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = a.grantee)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_inherits AS i ON i.inhrelid = c.oid
JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent
JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.relnamespace
WHERE c.relispartition AND c.relkind IN ('r', 'p') AND NOT i.inhdetachpending
ORDER BY (SELECT count(*) FROM pg_catalog.pg_partition_ancestors(c.oid)), 1;

-- name: rehearsal_guards
-- Statements that give a partition its own policies and triggers: those that it has not from above.
SELECT format('CREATE POLICY %%I ON %%s AS %%s FOR %%s TO %%s%%s%%s', p.polname, p.polrelid::regclass,
    CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
    CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
        WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
    (SELECT string_agg(CASE WHEN r.oid IS NULL THEN 'PUBLIC' ELSE quote_ident(r.rolname) END, ', ')
     FROM unnest(p.polroles) AS given (role) LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = role),
    ' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
    ' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')')
FROM pg_catalog.pg_policy AS p WHERE p.polrelid = to_regclass(%(name)s)
UNION ALL
SELECT pg_get_triggerdef(t.oid) || format('; ALTER TABLE %%s %%s TRIGGER %%I', t.tgrelid::regclass,
    CASE t.tgenabled WHEN 'A' THEN 'ENABLE ALWAYS' WHEN 'R' THEN 'ENABLE REPLICA'
        WHEN 'D' THEN 'DISABLE' ELSE 'ENABLE' END, t.tgname)
FROM pg_catalog.pg_trigger AS t
WHERE t.tgrelid = to_regclass(%(name)s) AND NOT t.tgisinternal AND t.tgparentid = 0;

-- name: rehearsal_sample
-- Places of rows, up to a number of rows and of bytes as stored, from pages here and there.
SELECT part, place FROM (
    SELECT part, place,
        sum(width) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS bytes
    FROM (
        SELECT t.tableoid::bigint AS part, t.ctid::text AS place, {width} AS width
        FROM {table} AS t TABLESAMPLE SYSTEM ({percent}) REPEATABLE (1) LIMIT {rows}
    ) AS taken
) AS summed
WHERE bytes <= {bytes};

-- name: rehearsal_width
-- Bytes of a column as stored.
coalesce(pg_column_size(t.{column}), 0)

-- name: rehearsal_parents
-- Places of the rows that rows at some places refer to.
SELECT DISTINCT p.tableoid::bigint, p.ctid::text
FROM {child} AS c JOIN {parent} AS p ON {joined}
WHERE c.ctid = ANY ({places}::text[]::tid[]) AND (c.tableoid::bigint, c.ctid) IN (
    SELECT * FROM unnest({parts}::bigint[], {places}::text[]::tid[]));

-- name: rehearsal_joined
-- A column of the row that refers, and one of the row it refers to.
c.{column} = p.{referred}

-- name: rehearsal_copy_out
-- The rows at some places. A place stays what it is for as long as the snapshot is held.
COPY (
    SELECT {columns} FROM {table} AS t
    WHERE t.ctid = ANY ({places}::text[]::tid[]) AND (t.tableoid::bigint, t.ctid) IN (
        SELECT * FROM unnest({parts}::bigint[], {places}::text[]::tid[]))
) TO STDOUT;

-- name: rehearsal_as_owner
-- Load past foreign keys and triggers, as the owner of the tables.
SET session_replication_role = replica; SET ROLE haven_owner;

-- name: rehearsal_join_owner
-- Let the master act as the owner, on the scratch instance.
GRANT haven_owner TO CURRENT_USER;

-- name: rehearsal_triggers
-- Triggers that would fire all the same: statements that put them to sleep, and that wake them.
SELECT format('ALTER TABLE %I.%I DISABLE TRIGGER %I', n.nspname, c.relname, t.tgname),
    format('ALTER TABLE %I.%I ENABLE %s TRIGGER %I', n.nspname, c.relname,
        CASE t.tgenabled WHEN 'A' THEN 'ALWAYS' ELSE 'REPLICA' END, t.tgname)
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE t.tgenabled IN ('A', 'R') AND NOT t.tgisinternal AND pg_has_role(c.relowner, 'USAGE');

-- name: rehearsal_unforce
-- While rows are loaded, policies do not bind the owner.
ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY;

-- name: rehearsal_force
-- They do again.
ALTER TABLE {table} FORCE ROW LEVEL SECURITY;

-- name: rehearsal_stage
-- Where rows arrive, with every column that is copied.
CREATE TEMPORARY TABLE rehearsal_stage AS SELECT {columns} FROM {table} WITH NO DATA;

-- name: rehearsal_copy_in
-- Rows as they come.
COPY rehearsal_stage FROM STDIN;

-- name: rehearsal_clear
-- What migrations put there is in the database too, unless it was changed since.
DELETE FROM {table};

-- name: rehearsal_insert
-- All of them.
INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM rehearsal_stage;

-- name: rehearsal_count
-- How many rows are there, those that a migration made included.
SELECT count(*) FROM {table};

-- name: rehearsal_unstage
-- Make way for the next table.
DROP TABLE rehearsal_stage;

-- name: rehearsal_prune
-- Rows that refer to some that are not there.
DELETE FROM {child} AS c WHERE {whole} AND NOT EXISTS (SELECT FROM {parent} AS p WHERE {joined});

-- name: rehearsal_filled
-- A row with an empty column refers to nothing.
c.{column} IS NOT NULL

-- name: rehearsal_analyze
-- Statistics of what was loaded.
ANALYZE {table};

-- name: rehearsal_sequences
-- Statements that set each sequence of a column of numbers behind the last value of that column,
-- within the sequence's own bounds, and the table they read.
SELECT n.nspname, c.relname, format(
    'SELECT setval(%L, coalesce(least(greatest(%s(%I), %s), %s), %s)::bigint, count(*) > 0) FROM %I.%I',
    format('%I.%I', sn.nspname, s.relname), CASE WHEN q.seqincrement > 0 THEN 'max' ELSE 'min' END,
    a.attname, q.seqmin, q.seqmax, q.seqstart, n.nspname, c.relname)
FROM pg_catalog.pg_depend AS d
JOIN pg_catalog.pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
JOIN pg_catalog.pg_sequence AS q ON q.seqrelid = s.oid
JOIN pg_catalog.pg_namespace AS sn ON sn.oid = s.relnamespace
JOIN pg_catalog.pg_class AS c ON c.oid = d.refobjid AND c.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')
  AND coalesce(nullif(t.typbasetype, 0), t.oid) IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype,
      'numeric'::regtype)
  AND pg_has_role(c.relowner, 'USAGE') AND NOT c.relispartition;

-- name: rehearsal_load_tables
-- Of relations that are there: the columns of the primary key, and one that may be written.
SELECT n.nspname, c.relname, coalesce(keys.names, '{}'),
    (SELECT a.attname FROM pg_catalog.pg_attribute AS a
     WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
       AND a.attidentity <> 'a'
     ORDER BY a.attname = ANY (coalesce(keys.names, '{}')), a.attnum LIMIT 1)
FROM unnest(%(schemas)s::text[], %(names)s::text[]) AS named (schema, name)
CROSS JOIN LATERAL to_regclass(
    CASE WHEN named.schema <> '' THEN quote_ident(named.schema) || '.' ELSE '' END
    || quote_ident(named.name)) AS relation
JOIN pg_catalog.pg_class AS c ON c.oid = relation AND c.relkind IN ('r', 'p')
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
    SELECT array_agg(a.attname::text ORDER BY k.place) AS names
    FROM pg_catalog.pg_index AS i
    CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, place)
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.number
    WHERE i.indrelid = c.oid AND i.indisprimary
) AS keys ON true
WHERE pg_has_role(c.relowner, 'USAGE') AND n.nspname <> 'haven_ops'
ORDER BY 1, 2;

-- name: rehearsal_load_rights
-- Let the load use a table as an application would that sees all of it.
GRANT USAGE ON SCHEMA {schema} TO {role}; GRANT SELECT, UPDATE ON {table} TO {role};
CREATE POLICY haven_rehearsal ON {table} TO {role} USING (true) WITH CHECK (true);

-- name: rehearsal_load_keys
-- Some keys, as text.
SELECT {keys} FROM {table} AS t LIMIT {count};

-- name: rehearsal_load_key
-- A column of a key, as text.
t.{column}::text

-- name: rehearsal_load_match
-- A column of a key with its value.
{column} = {value}

-- name: rehearsal_load_read
-- What applications do most.
SELECT 1 FROM {table} WHERE {match};

-- name: rehearsal_load_write
-- What applications do next to most, to no effect.
UPDATE {table} SET {column} = {column} WHERE {match};

-- name: rehearsal_unverify
-- A file goes on as if a query of its headers had been true.
ROLLBACK TO SAVEPOINT haven_verify;

-- name: rehearsal_look
-- What a server process holds on relations that others can see, and who waits for it.
SELECT 0 AS process, n.nspname || '.' || c.relname, l.mode
FROM pg_catalog.pg_locks AS l
JOIN pg_catalog.pg_class AS c ON c.oid = l.relation AND c.relkind IN ('r', 'p', 'm', 'v')
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_database AS d ON d.oid = l.database AND d.datname = current_database()
WHERE l.pid = %(process)s AND l.granted AND l.locktype = 'relation'
  AND l.mode <> 'AccessShareLock'
  AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'haven_ops')
UNION ALL
SELECT w.pid, coalesce(n.nspname || '.' || c.relname, ''), ''
FROM pg_catalog.pg_locks AS w
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = w.relation
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT w.granted AND w.pid <> %(process)s AND %(process)s = ANY (pg_blocking_pids(w.pid));

-- name: rehearsal_wal
-- WAL that everybody's statements but the load's have written, in bytes.
SELECT coalesce(sum(wal_bytes), 0)::bigint FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND userid <> (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = %(load)s);
