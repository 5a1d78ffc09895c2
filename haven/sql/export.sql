-- name: export_columns
-- The columns of every table that has rows of its own: how SQL writes their types, and which type of
-- PostgreSQL's own is under each once domains are resolved.
WITH RECURSIVE resolved (given, inner_type) AS (
    SELECT DISTINCT a.atttypid, a.atttypid FROM pg_attribute AS a WHERE a.attnum > 0
    UNION
    SELECT r.given, t.typbasetype FROM resolved AS r
    JOIN pg_type AS t ON t.oid = r.inner_type WHERE t.typtype = 'd'
)
SELECT n.nspname, c.relname, a.attname::text, format_type(a.atttypid, a.atttypmod),
    CASE WHEN b.typnamespace = 'pg_catalog'::regnamespace THEN b.typname ELSE '' END,
    t.typnamespace = 'pg_catalog'::regnamespace, a.attnotnull, a.attgenerated <> ''
FROM pg_attribute AS a
JOIN pg_class AS c ON c.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_type AS t ON t.oid = a.atttypid
JOIN resolved AS r ON r.given = a.atttypid
JOIN pg_type AS b ON b.oid = r.inner_type AND b.typtype <> 'd'
WHERE c.relkind IN ('r', 'm') AND a.attnum > 0 AND NOT a.attisdropped
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
ORDER BY n.nspname, c.relname, a.attnum;

-- name: export_tables
-- Every table, materialized view and leaf partition, also what cannot be exported; pages are those of
-- its main part, which ranges of rows are counted in.
SELECT n.nspname, c.relname, pg_table_size(c.oid),
    pg_relation_size(c.oid) / current_setting('block_size')::bigint, c.reltuples::bigint,
    has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE'),
    c.relpersistence = 'p',
    coalesce((SELECT quote_ident(rn.nspname) || '.' || quote_ident(r.relname) FROM pg_class AS r
        JOIN pg_namespace AS rn ON rn.oid = r.relnamespace
        WHERE c.relispartition AND r.oid = pg_partition_root(c.oid)), '')
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass
      AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname;

-- name: export_server
-- Which server it is, and how it writes text: SQL_ASCII takes any bytes for text.
SELECT current_setting('server_version'), current_setting('server_encoding');

-- name: export_rows
-- Rows of a table, or of a range of its pages, in the order that they lie in.
SELECT {columns} FROM ONLY {relation} AS t WHERE {within};

-- name: export_within
-- A range of pages.
t.ctid >= {first}::tid AND t.ctid < {until}::tid

-- name: export_from
-- The pages from one on.
t.ctid >= {first}::tid

-- name: export_year
-- The year of a date or moment; none of infinity.
CASE WHEN isfinite(t.{name}) THEN extract(year FROM t.{name})::integer END

-- name: load_schema
-- Where tables of an export go.
CREATE SCHEMA IF NOT EXISTS {schema};

-- name: load_statement
-- The statement that makes a table as it was exported, and the types that its columns have there: where
-- the database does not have one, the plain type that stands for it.
SELECT format('CREATE TABLE %%I.%%I (%%s)', %(schema)s::text, %(name)s::text,
        string_agg(format('%%I %%s', one.name, one.type), ', ' ORDER BY one.at)),
    array_agg(one.type ORDER BY one.at)
FROM (
    SELECT c.name, c.at, CASE WHEN to_regtype(c.type) IS NULL THEN c.plain ELSE c.type END AS type
    FROM unnest(%(names)s::text[], %(types)s::text[], %(plain)s::text[]) WITH ORDINALITY
        AS c (name, type, plain, at)
) AS one;

-- name: load_exists
-- Whether there is something of that name already.
SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = %(name)s;

-- name: load_rows
-- Rows as CSV: what is not there at all is null, what is empty is in quotes.
COPY {table} ({columns}) FROM STDIN (FORMAT csv);
