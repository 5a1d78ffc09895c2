-- name: sample_data_mark
-- The source of a set's first patient, where that set is loaded already.
SELECT import_source FROM haven_health.patients WHERE id = %(first)s;

-- name: sample_data_present
-- How many of a set's patients are there.
SELECT count(*)::int FROM haven_health.patients WHERE id = ANY (%(keys)s);

-- name: sample_data_partitions
-- Make the months that the set's access logs fall in; as the owner.
SELECT audit.ensure_access_log_partitions(%(months_back)s, 1);

-- name: sample_data_stage
-- COPY into a table under row-level security is refused, so rows are staged.
CREATE TEMPORARY TABLE {stage} ON COMMIT DROP AS SELECT {columns} FROM {table} WITH NO DATA;

-- name: sample_data_copy
-- Fill the stage.
COPY {stage} ({columns}) FROM STDIN;

-- name: sample_data_insert
-- Rows that are there already are left as they are.
INSERT INTO {table} ({columns}) SELECT {columns} FROM {stage} ON CONFLICT DO NOTHING;

-- name: sample_data_analyze
-- Statistics for the planner, and for jobs that refuse to believe in an empty table.
ANALYZE {table};
