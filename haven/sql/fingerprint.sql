-- name: fingerprint_session
-- What must be the same wherever rows are hashed: some types go through their text. One statement, as
-- some drivers send no two at once; and rows in the order that they lie in, whoever else reads.
SELECT set_config('datestyle', 'ISO, MDY', true), set_config('intervalstyle', 'postgres', true),
    set_config('timezone', 'UTC', true), set_config('extra_float_digits', '1', true),
    set_config('bytea_output', 'hex', true), set_config('xmlbinary', 'base64', true),
    set_config('lc_monetary', 'C', true), set_config('search_path', '', true),
    set_config('jit', 'off', true), set_config('synchronize_seqscans', 'off', true),
    set_config('statement_timeout', '0', true),
    set_config('idle_in_transaction_session_timeout', '0', true);

-- name: fingerprint_begin
-- One snapshot for all that follows; where there are rights to write, they are not used.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;

-- name: fingerprint_moment
-- The snapshot, for other sessions and for comparisons later, and the moment of it.
SELECT pg_export_snapshot(), pg_current_snapshot()::text, pg_is_in_recovery(),
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text,
    clock_timestamp();

-- name: fingerprint_join
-- Look at what another session sees.
SET TRANSACTION SNAPSHOT {snapshot};

-- name: fingerprint_relations
-- Every table and partition that has rows of its own, its columns in their order, and whether their
-- types can be hashed: hash_record_extended wants an extended hash function of each.
WITH RECURSIVE hashes AS MATERIALIZED (
    SELECT c.opcintype
    FROM pg_opclass AS c
    JOIN pg_am AS m ON m.oid = c.opcmethod AND m.amname = 'hash'
    JOIN pg_amproc AS p ON p.amprocfamily = c.opcfamily AND p.amproclefttype = c.opcintype
        AND p.amprocrighttype = c.opcintype AND p.amprocnum = 2
    WHERE c.opcdefault
), unwrapped (given, inner_type) AS (
    SELECT DISTINCT a.atttypid, a.atttypid FROM pg_attribute AS a WHERE a.attnum > 0
    UNION
    SELECT u.given, coalesce(
        CASE WHEN t.typtype = 'd' THEN t.typbasetype WHEN one.typarray = t.oid THEN t.typelem END,
        g.rngsubtype)
    FROM unwrapped AS u
    JOIN pg_type AS t ON t.oid = u.inner_type
    LEFT JOIN pg_type AS one ON one.oid = t.typelem
    LEFT JOIN pg_range AS g ON t.oid IN (g.rngtypid, g.rngmultitypid)
    WHERE t.typtype = 'd' OR one.typarray = t.oid OR g.rngsubtype IS NOT NULL
), hashable AS MATERIALIZED (
    SELECT u.given AS oid
    FROM unwrapped AS u
    JOIN pg_type AS t ON t.oid = u.inner_type
    WHERE t.typtype = 'e' OR (t.typtype = 'b' AND (t.oid IN (SELECT opcintype FROM hashes)
        OR EXISTS (
            SELECT FROM pg_cast AS k WHERE k.castsource = t.oid AND k.castmethod = 'b'
              AND k.castcontext = 'i' AND k.casttarget IN (SELECT opcintype FROM hashes))))
)
SELECT n.nspname, c.relname,
    array_agg(a.attname::text ORDER BY a.attnum),
    array_agg((a.atttypid IN (SELECT oid FROM hashable)) ORDER BY a.attnum),
    coalesce((SELECT array_agg(k.attname::text) FROM pg_index AS i
        JOIN pg_attribute AS k ON k.attrelid = c.oid AND k.attnum = ANY (i.indkey::int2[])
        WHERE i.indrelid = c.oid AND i.indisprimary), '{}'),
    pg_table_size(c.oid), c.reltuples::bigint,
    has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE'),
    c.relpersistence = 'p',
    coalesce((SELECT quote_ident(rn.nspname) || '.' || quote_ident(r.relname) FROM pg_class AS r
        JOIN pg_namespace AS rn ON rn.oid = r.relnamespace
        WHERE c.relispartition AND r.oid = pg_partition_root(c.oid)), '')
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass
      AND d.objid = c.oid AND d.deptype = 'e')
GROUP BY c.oid, n.oid, n.nspname, c.relname, c.reltuples, c.relpersistence, c.relispartition
HAVING count(a.attnum) > 0
ORDER BY n.nspname, c.relname;

-- name: fingerprint_sum
-- Count and sum of a relation: plain aggregates, so that all workers share the work.
SELECT count(*), coalesce(sum({whole}), 0)::text FROM ONLY {relation} AS t WHERE {within};

-- name: fingerprint_standing
-- The same by when row versions were written, held against a snapshot and a moment.
SELECT {written}, count(*), sum({whole})::text FROM ONLY {relation} AS t WHERE {within} GROUP BY 1;

-- name: fingerprint_buckets
-- The same again, by bucket; the planner takes each row for a group, and one worker does all.
SELECT bucket, written, count(*), sum(whole)::text
FROM (
    SELECT ({key} & {mask})::int AS bucket, {written} AS written, {whole} AS whole
    FROM ONLY {relation} AS t WHERE {within}
) AS hashed GROUP BY 1, 2;

-- name: fingerprint_rows
-- Rows one by one, of some buckets, by when they were written.
SELECT {key}, {whole}, {written} FROM ONLY {relation} AS t
WHERE ({key} & {mask})::int = ANY ({buckets}::int[]);

-- name: fingerprint_strong
-- The hash of a row by the text of each value: the text of a row quotes them, so that none runs into
-- the next.
('x' || left(encode(sha256(convert_to(ROW({texts})::text, 'UTF8')), 'hex'), 16))::bit(64)::bigint

-- name: fingerprint_keys
-- Keys themselves, of some buckets.
SELECT {key}, ARRAY[{values}] FROM ONLY {relation} AS t
WHERE ({key} & {mask})::int = ANY ({buckets}::int[]);

-- name: fingerprint_written
-- When a row version was written. Transactions before the oldest that was at work are over; those
-- from the snapshot's end on came after it; of those between, PostgreSQL lists the ones that were
-- at work, but not their subtransactions, and on a replica none. The moments of commits are only
-- known where the server keeps them. Ages are counted by hand, since age() keeps to one worker.
CASE
    WHEN ({latest} - t.xmin::text::bigint) & 4294967295 > {oldest} THEN 'before'
    WHEN {keeps_times} AND pg_xact_commit_timestamp(t.xmin) > {until}::timestamptz THEN 'later'
    WHEN ({latest} - t.xmin::text::bigint) & 4294967295 > {newest}
        AND t.xmin <> ALL ({at_work}::text[]::xid[]) THEN 'during'
    ELSE 'after'
END

-- name: fingerprint_packed
-- Rows as manifests keep them: key and whole, and from when on a row may be gone where there is a rule.
SELECT {columns} FROM ONLY {relation} AS t WHERE {within};

-- name: fingerprint_newest
-- How many rows a relation has, and how many transactions ago the newest was written.
SELECT count(*), min(age(xmin)) FROM ONLY {relation};

-- name: fingerprint_age
-- How many transactions ago one was.
SELECT age(%(xid)s::text::xid);

-- name: fingerprint_present
-- Whether the server keeps the moments of commits, and which transaction will be the next.
SELECT current_setting('track_commit_timestamp')::boolean,
    pg_snapshot_xmax(pg_current_snapshot())::text;
