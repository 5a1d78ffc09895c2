-- name: probe_login
-- Whether the server replays from another, and the TLS version of this very connection.
SELECT pg_is_in_recovery(), version
FROM pg_stat_ssl WHERE pid = pg_backend_pid();
