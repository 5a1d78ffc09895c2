-- name: probe_login
-- Whether the server replays from another, and its version.
SELECT pg_is_in_recovery(), current_setting('server_version');

-- name: written_lsn
-- How far this primary has written.
SELECT pg_current_wal_lsn()::text;

-- name: has_replayed
-- Whether a replica has replayed so far; not known of what is no replica any more.
SELECT pg_last_wal_replay_lsn() >= %(lsn)s::pg_lsn;

-- name: login_roles
-- Who can log in, but for RDS's own roles.
SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname !~ '^(pg_|rds)' ORDER BY rolname;
