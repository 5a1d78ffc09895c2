-- name: heartbeat_exists
-- Whether the schema has come so far. Anybody may ask this, also who may not read the row.
SELECT EXISTS (
    SELECT FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = 'haven_ops' AND c.relname = 'heartbeat'
);

-- name: heartbeat_read
-- The last beat that has come here, and its age by this server's own clock.
SELECT stack, beat_at, beats, epoch, instance,
       extract(epoch FROM clock_timestamp() - beat_at)::double precision
FROM haven_ops.heartbeat WHERE stack = %(stack)s;

-- name: heartbeat_write
-- One beat: one statement, so one commit. The epoch stays as a promotion left it.
INSERT INTO haven_ops.heartbeat AS h (stack, instance, who)
VALUES (%(stack)s, %(instance)s, %(who)s)
ON CONFLICT (stack) DO UPDATE
SET beat_at = clock_timestamp(), beats = h.beats + 1,
    instance = excluded.instance, who = excluded.who
RETURNING stack, beat_at, beats, epoch, instance,
          extract(epoch FROM clock_timestamp() - beat_at)::double precision;
