-- name: relation_sizes
-- How large relations are, with their partitions, indexes and TOAST, and about how many rows; those that are not there are left out.
-- Rows: PostgreSQL's own estimate since the last VACUUM or ANALYZE; -1 when there was none.
SELECT named.schema, named.name, sum(pg_total_relation_size(part.relid))::bigint AS bytes,
    CASE WHEN min(c.reltuples) < 0 THEN -1 ELSE sum(c.reltuples)::bigint END AS rows
FROM unnest(%(schemas)s::text[], %(names)s::text[]) AS named (schema, name)
CROSS JOIN LATERAL to_regclass(
    CASE WHEN named.schema <> '' THEN quote_ident(named.schema) || '.' ELSE '' END
    || quote_ident(named.name)) AS relation
CROSS JOIN LATERAL (
    SELECT relation AS relid UNION SELECT tree.relid FROM pg_partition_tree(relation) AS tree
) AS part
JOIN pg_class AS c ON c.oid = part.relid AND c.relkind IN ('r', 'm')
GROUP BY named.schema, named.name;
