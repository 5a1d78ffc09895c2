-- name: fence_open_roles
-- Who could log in and write: everybody but the master, who asks, and RDS's own roles (rdsadmin,
-- rdsrepladmin, rdstopmgr, …; others may begin with rds, too); each with its comment.
SELECT rolname, coalesce(shobj_description(oid, 'pg_authid'), '') FROM pg_roles
WHERE rolcanlogin AND rolname <> current_user
    AND rolname !~ '^(pg_|rds_|rds[a-z]*(admin|mgr|forwarduser)$)'
ORDER BY rolname;

-- name: fence_closed_roles
-- Who could log in before the fence, by the mark that it leaves in a role's comment.
SELECT rolname, shobj_description(oid, 'pg_authid') FROM pg_roles
WHERE right(shobj_description(oid, 'pg_authid'), length(%(mark)s)) = %(mark)s
ORDER BY rolname;

-- name: fence_comment
-- The comment of a role, with or without the mark.
COMMENT ON ROLE {role} IS {text};

-- name: fence_lock_role
-- Let nobody log in as a role.
ALTER ROLE {role} NOLOGIN;

-- name: fence_unlock_role
-- Let a role log in again.
ALTER ROLE {role} LOGIN;

-- name: fence_read_only
-- Let transactions begin as read-only, unless a session says otherwise: the soft part of the fence.
ALTER DATABASE {database} SET default_transaction_read_only = on;

-- name: fence_writable
-- The same, undone.
ALTER DATABASE {database} RESET default_transaction_read_only;

-- name: fence_end_sessions
-- End every other session in this database, whoever's, but for RDS's own.
SELECT count(*) FILTER (WHERE pg_terminate_backend(pid))
FROM pg_stat_activity
WHERE backend_type = 'client backend' AND datname = current_database()
    AND pid <> pg_backend_pid()
    AND coalesce(usename, '') !~ '^rds[a-z]*(admin|mgr|forwarduser)$';

-- name: fence_flush
-- A commit that waits for the disk takes everything before it along, also what was acknowledged
-- sooner (synchronous_commit = off): until then no replica gets it, and pg_current_wal_lsn() leaves it out.
SELECT pg_logical_emit_message(true, 'haven', 'closed');

-- name: fence_state
-- What of the fence stands: the database's default, other sessions in it, and how far it has written.
-- A standby cannot say how far it has written, and is no place for a fence of its own.
SELECT
    EXISTS (
        SELECT FROM pg_db_role_setting AS s JOIN pg_database AS d ON d.oid = s.setdatabase
        WHERE d.datname = current_database() AND s.setrole = 0
            AND 'default_transaction_read_only=on' = ANY (s.setconfig)
    ),
    (
        SELECT count(*) FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND datname = current_database()
            AND pid <> pg_backend_pid()
            AND coalesce(usename, '') !~ '^rds[a-z]*(admin|mgr|forwarduser)$'
    ),
    pg_current_wal_lsn()::text;

-- name: replica_state
-- A server as a candidate: whether it replays, what it has received and replayed, whether it is fed.
-- What was received is kept by the receiver; once it is away, what was replayed is all there is. What
-- came last may be a part of a record: whoever replays then waits for the rest.
SELECT
    pg_is_in_recovery(),
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() END::text,
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END::text,
    pg_is_in_recovery() AND pg_is_wal_replay_paused(),
    coalesce((SELECT status = 'streaming' FROM pg_stat_wal_receiver), false),
    (SELECT latest_end_lsn::text FROM pg_stat_wal_receiver),
    (SELECT extract(epoch FROM clock_timestamp() - last_msg_receipt_time)::double precision
     FROM pg_stat_wal_receiver),
    current_setting('max_connections')::integer,
    pg_current_snapshot()::text,
    EXISTS (
        SELECT FROM pg_stat_activity WHERE backend_type = 'startup'
            AND wait_event IN ('RecoveryWalStream', 'RecoveryRetrieveRetryInterval')
    );

-- name: epoch_exists
-- Whether the schema has come so far. Anybody may ask this.
SELECT EXISTS (
    SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = 'haven_ops' AND c.relname = 'epoch'
);

-- name: epoch_horizon
-- What the primary of an epoch had of the one before when it was promoted; null where it had all.
SELECT horizon FROM haven_ops.epoch WHERE stack = %(stack)s AND epoch = %(epoch)s;

-- name: epoch_begin
-- Begin an epoch, or begin it anew where an earlier attempt was given up.
INSERT INTO haven_ops.epoch (stack, epoch, instance, who)
VALUES (%(stack)s, %(epoch)s, %(instance)s, %(who)s)
ON CONFLICT (stack, epoch) DO UPDATE
SET instance = excluded.instance, who = excluded.who, begun_at = clock_timestamp()
WHERE haven_ops.epoch.opened_at IS NULL;

-- name: epoch_open
-- Open an epoch; of one that was never begun, as in an emergency, there is no row yet.
INSERT INTO haven_ops.epoch (stack, epoch, instance, who, horizon, opened_at)
VALUES (%(stack)s, %(epoch)s, %(instance)s, %(who)s, %(horizon)s, clock_timestamp())
ON CONFLICT (stack, epoch) DO UPDATE SET opened_at = clock_timestamp(), horizon = excluded.horizon
WHERE haven_ops.epoch.opened_at IS NULL;

-- name: epoch_carry
-- Beats from now on are of this epoch.
UPDATE haven_ops.heartbeat SET epoch = %(epoch)s, instance = %(instance)s
WHERE stack = %(stack)s AND epoch < %(epoch)s;

-- name: epoch_withdraw
-- Take back an epoch that was begun and never opened.
DELETE FROM haven_ops.epoch
WHERE stack = %(stack)s AND epoch = %(epoch)s AND opened_at IS NULL;

-- name: epoch_written
-- A write of an application's kind; the time says when it was.
UPDATE haven_ops.epoch SET written_at = clock_timestamp()
WHERE stack = %(stack)s AND epoch = %(epoch)s
RETURNING written_at;

-- name: first_transaction
-- A transaction id of its own, which neither a standby nor a read-only transaction gets.
SELECT clock_timestamp() FROM pg_current_xact_id();
