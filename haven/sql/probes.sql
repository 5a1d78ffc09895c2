-- name: probe_login
-- Whether the server replays from another, and its version.
SELECT pg_is_in_recovery(), current_setting('server_version');
