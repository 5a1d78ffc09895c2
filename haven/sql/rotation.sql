-- name: role_sessions
-- Who is logged in as a role, and from where.
SELECT
    coalesce(application_name, ''), coalesce(host(client_addr), 'local'), coalesce(state, ''),
    count(*)
FROM pg_stat_activity
WHERE usename = %(role)s AND pid <> pg_backend_pid()
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3;

-- name: end_role_sessions
-- End the sessions of a role: those at rest, or all.
SELECT count(*) FILTER (WHERE pg_terminate_backend(pid))
FROM pg_stat_activity
WHERE usename = %(role)s AND pid <> pg_backend_pid() AND (%(all)s OR state = 'idle');

-- name: privilege_differences
-- What one of two roles may do in this database, and the other may not. Policies count too: they
-- decide which rows a table is to a role.
WITH
    relation AS (
        SELECT c.oid, c.relkind, format('%%I.%%I', n.nspname, c.relname) AS name
        FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    ),
    may (role, subject, privilege) AS (
        SELECT r.role, 'table ' || c.name, p.privilege
        FROM relation AS c
        CROSS JOIN unnest(%(roles)s::text[]) AS r (role)
        CROSS JOIN unnest(ARRAY[
            'SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER'
        ]) AS p (privilege)
        WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
            AND has_table_privilege(r.role, c.oid, p.privilege)
        UNION ALL
        SELECT r.role, 'column ' || c.name || '.' || quote_ident(a.attname), p.privilege
        FROM relation AS c
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attacl IS NOT NULL
        CROSS JOIN unnest(%(roles)s::text[]) AS r (role)
        CROSS JOIN unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES']) AS p (privilege)
        WHERE has_column_privilege(r.role, c.oid, a.attnum, p.privilege)
        UNION ALL
        SELECT r.role, 'sequence ' || c.name, p.privilege
        FROM relation AS c
        CROSS JOIN unnest(%(roles)s::text[]) AS r (role)
        CROSS JOIN unnest(ARRAY['USAGE', 'SELECT', 'UPDATE']) AS p (privilege)
        WHERE c.relkind = 'S' AND has_sequence_privilege(r.role, c.oid, p.privilege)
        UNION ALL
        SELECT r.role, 'function ' || f.oid::regprocedure::text, 'EXECUTE'
        FROM pg_proc AS f
        JOIN pg_namespace AS n ON n.oid = f.pronamespace
        CROSS JOIN unnest(%(roles)s::text[]) AS r (role)
        WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
            AND has_function_privilege(r.role, f.oid, 'EXECUTE')
        UNION ALL
        SELECT r.role, 'schema ' || quote_ident(n.nspname), p.privilege
        FROM pg_namespace AS n
        CROSS JOIN unnest(%(roles)s::text[]) AS r (role)
        CROSS JOIN unnest(ARRAY['USAGE', 'CREATE']) AS p (privilege)
        WHERE n.nspname !~ '^pg_' AND has_schema_privilege(r.role, n.oid, p.privilege)
        UNION ALL
        SELECT r.role, 'database', p.privilege
        FROM unnest(%(roles)s::text[]) AS r (role)
        CROSS JOIN unnest(ARRAY['CONNECT', 'CREATE', 'TEMPORARY']) AS p (privilege)
        WHERE has_database_privilege(r.role, current_database(), p.privilege)
        UNION ALL
        SELECT r.role, 'role ' || quote_ident(g.rolname), 'MEMBER'
        FROM pg_roles AS g
        CROSS JOIN unnest(%(roles)s::text[]) AS r (role)
        WHERE g.rolname <> ALL (%(roles)s) AND pg_has_role(r.role, g.oid, 'MEMBER')
        UNION ALL
        SELECT r.role, 'table ' || c.name, 'policy ' || quote_ident(p.polname)
        FROM pg_policy AS p
        JOIN relation AS c ON c.oid = p.polrelid
        CROSS JOIN unnest(%(roles)s::text[]) AS r (role)
        WHERE EXISTS (
            SELECT FROM unnest(p.polroles) AS f (role)
            WHERE f.role = 0 OR pg_has_role(r.role, f.role, 'MEMBER')
        )
    )
SELECT min(role), subject, privilege
FROM may
GROUP BY subject, privilege
HAVING count(*) = 1
ORDER BY subject, privilege;

-- name: readable_table
-- The first table that the session's role may read.
SELECT n.nspname, c.relname
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
ORDER BY 1, 2
LIMIT 1;

-- name: writable_column
-- The first column that the session's role may write, of a table that it may read.
SELECT n.nspname, c.relname, a.attname
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND a.attidentity = ''
    AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
    AND has_column_privilege(c.oid, a.attnum, 'UPDATE')
ORDER BY 1, 2, a.attnum
LIMIT 1;
