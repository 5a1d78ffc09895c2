-- name: diagnosis_session
-- It only reads, and waits for nobody.
SET default_transaction_read_only = on;
SET lock_timeout = '2s';
SET statement_timeout = '60s';
SET search_path = pg_catalog, public;

-- name: diagnosis_tables
-- Every table, with TOAST tables and what is the server's own: any of them may wrap around.
SELECT
    quote_ident(n.nspname) || '.' || quote_ident(c.relname),
    coalesce(s.n_live_tup, 0), coalesce(s.n_dead_tup, 0), pg_relation_size(c.oid),
    age(c.relfrozenxid), mxid_age(c.relminmxid), greatest(s.last_vacuum, s.last_autovacuum)
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_stat_all_tables AS s ON s.relid = c.oid
WHERE c.relkind IN ('r', 'm', 't') AND c.relfrozenxid <> 0 AND c.relpersistence <> 't';

-- name: diagnosis_indexes
-- Every index that can be dropped by itself: those of partitions go with their parent's. Two of the
-- same definition do the same.
SELECT
    quote_ident(n.nspname) || '.' || quote_ident(c.relname), i.indrelid::regclass::text,
    coalesce((SELECT sum(pg_relation_size(t.relid)) FROM pg_partition_tree(c.oid) AS t),
             pg_relation_size(c.oid))::bigint,
    i.indisunique OR i.indisprimary OR i.indisexclusion OR i.indisreplident OR EXISTS (
        SELECT FROM pg_constraint AS k WHERE k.conindid = c.oid
    ),
    concat_ws(' | ', am.amname, i.indkey::text, i.indclass::text, i.indcollation::text,
              i.indoption::text, pg_get_expr(i.indexprs, i.indrelid),
              pg_get_expr(i.indpred, i.indrelid))
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_am AS am ON am.oid = c.relam
WHERE NOT c.relispartition AND i.indisvalid AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema';

-- name: diagnosis_usage
-- How often this server used each index, those of partitions counted for their root.
SELECT quote_ident(n.nspname) || '.' || quote_ident(root.relname), sum(s.idx_scan)::bigint
FROM pg_stat_user_indexes AS s
JOIN pg_class AS root ON root.oid = coalesce(pg_partition_root(s.indexrelid), s.indexrelid)
JOIN pg_namespace AS n ON n.oid = root.relnamespace
GROUP BY 1;

-- name: diagnosis_usage_since
-- Since when it counts; a server that never forgot counts from its start on, at the least.
SELECT coalesce(stats_reset, pg_postmaster_start_time()) FROM pg_stat_database
WHERE datname = current_database();

-- name: diagnosis_waste_candidates
-- Tables and B-trees that are worth looking into, the largest first.
SELECT c.oid, quote_ident(n.nspname) || '.' || quote_ident(c.relname), c.relkind = 'i',
       pg_relation_size(c.oid)
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_am AS am ON am.oid = c.relam
WHERE c.relkind IN ('r', 'm', 'i') AND am.amname IN ('heap', 'btree') AND c.relpersistence = 'p'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indexrelid = c.oid AND NOT i.indisvalid)
  AND pg_relation_size(c.oid) >= %(least)s
ORDER BY pg_relation_size(c.oid) DESC;

-- name: diagnosis_knows_extension
-- Whether an extension is there.
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = %(name)s);

-- name: diagnosis_waste_of_table
-- Free space and dead rows: pages that are all visible are not read for it.
SELECT (approx_free_space + dead_tuple_len)::bigint FROM pgstattuple_approx(%(relation)s);

-- name: diagnosis_waste_of_index
-- What leaves have free besides the tenth that a fresh B-tree has, and pages that are deleted.
SELECT (leaf_pages * (greatest(0, 90 - CASE WHEN leaf_pages = 0 THEN 90 ELSE avg_leaf_density END) / 100)
        * current_setting('block_size')::int
        + (deleted_pages + empty_pages) * current_setting('block_size')::int)::bigint
FROM pgstatindex(%(relation)s::regclass);

-- name: diagnosis_sequences
-- Sequences that do not start again, and the column that each numbers, if it does. What a role may
-- not read of one is left out. The functions are asked of what is a sequence alone.
SELECT
    quote_ident(n.nspname) || '.' || quote_ident(c.relname),
    coalesce(d.refobjid::regclass::text || '.' || quote_ident(a.attname), ''),
    pg_sequence_last_value(s.seqrelid), s.seqstart,
    CASE WHEN s.seqincrement > 0
        THEN least(s.seqmax, CASE a.atttypid WHEN 'int2'::regtype THEN 32767
                                             WHEN 'int4'::regtype THEN 2147483647 END)
        ELSE greatest(s.seqmin, CASE a.atttypid WHEN 'int2'::regtype THEN -32768
                                                WHEN 'int4'::regtype THEN -2147483648 END)
    END
FROM pg_sequence AS s
JOIN pg_class AS c ON c.oid = s.seqrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_depend AS d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass
    AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
LEFT JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
WHERE NOT s.seqcycle AND has_sequence_privilege(s.seqrelid, 'USAGE, SELECT')
  AND pg_sequence_last_value(s.seqrelid) IS NOT NULL;

-- name: diagnosis_slots
-- Replication slots, and the WAL that is kept for each.
SELECT slot_name, active, coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint,
       coalesce(wal_status, '')
FROM pg_replication_slots;

-- name: diagnosis_load
-- Connections of clients, and how many there may be besides those kept for the server's own.
SELECT count(*)::int,
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
FROM pg_stat_activity WHERE backend_type = 'client backend';

-- name: diagnosis_load_by_user
-- Who has the connections.
SELECT coalesce(usename::text, ''), count(*)::int FROM pg_stat_activity
WHERE backend_type = 'client backend' GROUP BY 1 ORDER BY 2 DESC, 1;

-- name: diagnosis_sessions
-- Sessions with an open transaction, and for how long each has done nothing in it.
SELECT pid, coalesce(usename::text, ''), application_name, clock_timestamp() - xact_start,
       CASE WHEN state LIKE 'idle in transaction%%' THEN clock_timestamp() - state_change END
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND xact_start IS NOT NULL AND pid <> %(own)s;

-- name: diagnosis_statements
-- What took most of the server's time since its statistics count.
SELECT queryid, calls, total_exec_time, mean_exec_time,
       total_exec_time / nullif(sum(total_exec_time) OVER (), 0), query
FROM pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND queryid IS NOT NULL
ORDER BY total_exec_time DESC LIMIT %(most)s;
