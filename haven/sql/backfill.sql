-- name: backfill_table
-- The table of a backfill: what it is, whether tables inherit from it, its primary key in order.
SELECT c.relkind::text, EXISTS (SELECT FROM pg_inherits AS h WHERE h.inhparent = c.oid),
    array_agg(a.attname::text ORDER BY k.place) FILTER (WHERE a.attname IS NOT NULL)
FROM pg_class AS c
LEFT JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
LEFT JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place) ON k.place <= i.indnkeyatts
LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.attnum
WHERE c.oid = to_regclass(%(table)s)
GROUP BY c.oid, c.relkind;

-- name: backfill_hidden
-- The relations among those named whose rows the owner would not all see, because of row-level
-- security; and what is no table, whose rows may come from such a one, functions that read included.
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind IN ('r', 'p')
FROM unnest(%(relations)s::text[]) AS named (name)
JOIN pg_class AS c ON c.oid = to_regclass(named.name)
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind NOT IN ('r', 'p') OR row_security_active(c.oid) AND (
    EXISTS (
        SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND NOT p.polpermissive
            AND EXISTS (SELECT FROM unnest(p.polroles) AS r
                WHERE r = 0 OR pg_has_role('haven_owner', nullif(r, 0), 'USAGE'))
    ) OR NOT EXISTS (
        SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polpermissive AND p.polcmd = '*'
            AND p.polroles && ARRAY[0::oid, 'haven_owner'::regrole::oid]
            AND pg_get_expr(p.polqual, p.polrelid) = 'true'
            AND coalesce(pg_get_expr(p.polwithcheck, p.polrelid), 'true') = 'true'
    ))
UNION
SELECT quote_ident(n.nspname) || '.' || quote_ident(f.proname) || '()', false
FROM unnest(%(schemas)s::text[], %(functions)s::text[]) AS named (schema, name)
JOIN pg_proc AS f ON f.proname = named.name AND f.provolatile <> 'i'
JOIN pg_language AS l ON l.oid = f.prolang AND l.lanname NOT IN ('internal', 'c')
JOIN pg_namespace AS n ON n.oid = f.pronamespace AND named.schema IN ('', n.nspname)
WHERE n.nspname <> 'pg_catalog'
ORDER BY 1;

-- name: backfill_secured
-- Whether row-level security holds for the owner on any of the relations named.
SELECT coalesce(bool_or(row_security_active(to_regclass(name))), false)
FROM unnest(%(relations)s::text[]) AS named (name) WHERE to_regclass(name) IS NOT NULL;

-- name: backfill_bound
-- The last key of the next batch; none when fewer rows than that are left.
SELECT ARRAY[{texts}] FROM {table} AS {name} WHERE {after} ORDER BY {columns} OFFSET {skipped} LIMIT 1;

-- name: backfill_text
-- Keys as text that is read back the same under any settings of the file and the database.
SET LOCAL datestyle = 'ISO'; SET LOCAL intervalstyle = 'iso_8601'; SET LOCAL extra_float_digits = 1;

-- name: backfill_seen
-- From here on policies decide which rows are seen, which was found to be every row.
SET row_security = on;

-- name: backfill_progress
-- How far the batches have come, and how many rows they have written. After the last one no key is
-- kept, which may name a patient.
UPDATE haven_ops.migrations
SET last_key = {last_key}::text[], rows_done = coalesce(rows_done, 0) + {rows},
    statements_done = {statements}, done_digest = {digest}
WHERE number = {number};
