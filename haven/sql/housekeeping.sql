-- name: housekeeping_ready
-- Whether the schema has come so far.
SELECT EXISTS (
    SELECT FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
    WHERE n.nspname = 'audit' AND p.proname = 'guard_access_log_partition'
);

-- name: housekeeping_partitions
-- The access log's partitions and what was detached from it: bounds, and which guard is missing.
SELECT
    c.relname,
    i.inhrelid IS NOT NULL AS attached,
    coalesce(i.inhdetachpending, false),
    (SELECT array_agg((bound[1])::timestamptz ORDER BY place)
     FROM regexp_matches(pg_get_expr(c.relpartbound, c.oid), '''([^'']+)''', 'g')
         WITH ORDINALITY AS b (bound, place)) AS bounds,
    array_remove(ARRAY[
        CASE WHEN NOT c.relrowsecurity THEN 'row-level security' END,
        CASE WHEN NOT c.relforcerowsecurity THEN 'row-level security for the owner' END,
        CASE WHEN NOT EXISTS (
            SELECT FROM pg_policy AS p WHERE p.polrelid = c.oid AND p.polname = 'across_read'
        ) THEN 'the policy across_read' END,
        CASE WHEN NOT EXISTS (
            SELECT FROM pg_trigger AS t
            WHERE t.tgrelid = c.oid AND t.tgname = 'refuse_change' AND t.tgenabled = 'A'
        ) THEN 'the trigger refuse_change' END,
        CASE WHEN NOT EXISTS (
            SELECT FROM pg_trigger AS t
            WHERE t.tgrelid = c.oid AND t.tgname = 'refuse_change_of_row' AND t.tgenabled = 'A'
        ) THEN 'the trigger refuse_change_of_row' END
    ], NULL) AS missing,
    pg_total_relation_size(c.oid)
FROM pg_class AS c
LEFT JOIN pg_inherits AS i
    ON i.inhrelid = c.oid AND i.inhparent = to_regclass('audit.access_logs')
WHERE c.relkind = 'r' AND (
    i.inhrelid IS NOT NULL
    OR (c.relnamespace = to_regnamespace('audit') AND c.relname ~ '^access_logs_\d{4}_\d{2}$')
)
ORDER BY c.relname;

-- name: housekeeping_default_partition
-- A default partition hides missing months, and stands in the way of DETACH CONCURRENTLY.
SELECT d.oid::regclass::text
FROM pg_partitioned_table AS p JOIN pg_class AS d ON d.oid = p.partdefid
WHERE p.partrelid = to_regclass('audit.access_logs');

-- name: housekeeping_clock
-- The server's time, in which rows are dated.
SELECT clock_timestamp();

-- name: housekeeping_patience
-- Behind a lock that is not given, everybody else would wait too.
SET lock_timeout = '5s';

-- name: housekeeping_make_partition
-- The partition of a month with its guards; false when it is there already.
SELECT audit.make_access_log_partition(%(month)s);

-- name: housekeeping_guard
-- What a partition lacks of its guards.
SELECT audit.guard_access_log_partition(%(name)s);

-- name: housekeeping_detach
-- Readers and writers of the log go on; it waits for transactions that have seen the partition.
ALTER TABLE audit.access_logs DETACH PARTITION {partition} CONCURRENTLY;

-- name: housekeeping_finish_detach
-- The second half of a detaching that was cut off.
ALTER TABLE audit.access_logs DETACH PARTITION {partition} FINALIZE;

-- name: housekeeping_hold
-- Nobody writes to it from here to the end of the transaction; everybody reads.
LOCK TABLE {partition} IN SHARE MODE;

-- name: housekeeping_drop
-- Its rows are proven elsewhere.
DROP TABLE {partition};

-- name: housekeeping_role
-- The role that works across organizations; each of its statements leaves a row in the access log.
SET ROLE haven_backfill;

-- name: housekeeping_sync
-- How many sync items are past their time, and how many nothing has moved for too long: claimed and
-- never finished, waiting, in conflict, or given up.
SELECT
    count(*) FILTER (WHERE status = 'completed'
        AND completed_at < now() - make_interval(days => %(days)s)),
    count(*) FILTER (WHERE status = 'in_progress'
        AND last_attempt_at < now() - make_interval(hours => %(hours)s)),
    count(*) FILTER (WHERE status = 'pending'
        AND greatest(created_at, next_retry_at) < now() - make_interval(hours => %(hours)s)),
    count(*) FILTER (WHERE status = 'conflict'
        AND updated_at < now() - make_interval(hours => %(hours)s)),
    count(*) FILTER (WHERE status = 'failed')
FROM haven_health.sync_queue;

-- name: housekeeping_sync_batch
-- A batch of sync items past their time, the oldest first; what somebody else holds is left. Chosen
-- once, as an array: the planner may ask a set again for each row, and go past its limit.
DELETE FROM haven_health.sync_queue
WHERE id = ANY (ARRAY(
    SELECT id FROM haven_health.sync_queue
    WHERE status = 'completed' AND completed_at < now() - make_interval(days => %(days)s)
    ORDER BY completed_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED
));
