-- name: bootstrap_roles
-- Every role of ours that exists, the powers it must not have, and its settings.
SELECT
    r.rolname, r.rolcanlogin, r.rolinherit,
    array_remove(ARRAY[
        CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END,
        CASE WHEN r.rolcreatedb THEN 'CREATEDB' END
    ], NULL),
    coalesce(
        (SELECT s.setconfig FROM pg_db_role_setting AS s
         WHERE s.setrole = r.oid AND s.setdatabase = 0), '{}'
    )
FROM pg_roles AS r
WHERE r.rolname = ANY (%(roles)s);

-- name: bootstrap_memberships
-- Roles that ours are members of; the option is of the grant since version 16, before of the role.
SELECT
    member.rolname, granted.rolname,
    bool_or(coalesce((to_jsonb(m) ->> 'inherit_option')::boolean, member.rolinherit))
FROM pg_auth_members AS m
JOIN pg_roles AS member ON member.oid = m.member
JOIN pg_roles AS granted ON granted.oid = m.roleid
WHERE member.rolname = ANY (%(roles)s)
GROUP BY 1, 2;

-- name: bootstrap_extensions
-- Extensions that are installed in this database.
SELECT extname FROM pg_extension;

-- name: bootstrap_grants
-- Privileges on this database and on schema public; a null list stands for the default one. A role
-- may be called PUBLIC, and is not everybody.
SELECT 'database', CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE r.rolname END, a.privilege_type
FROM pg_database AS d
CROSS JOIN LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
LEFT JOIN pg_roles AS r ON r.oid = a.grantee
WHERE d.datname = current_database() AND r.rolname IS DISTINCT FROM 'PUBLIC'
UNION ALL
SELECT 'schema', CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE r.rolname END, a.privilege_type
FROM pg_namespace AS n
CROSS JOIN LATERAL aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS a
LEFT JOIN pg_roles AS r ON r.oid = a.grantee
WHERE n.nspname = 'public' AND r.rolname IS DISTINCT FROM 'PUBLIC';

-- name: bootstrap_lock
-- One bootstrap at a time; held to the end of the transaction.
SELECT pg_advisory_xact_lock(hashtext('haven bootstrap'));

-- name: bootstrap_keep_verifier
-- Hand a role's verifier over as a parameter: in the text of ALTER ROLE, PostgreSQL's log and
-- pg_stat_statements would keep it. Both settings end with the transaction.
SELECT set_config('haven.role', %(role)s, true), set_config('haven.verifier', %(verifier)s, true);

-- name: bootstrap_use_verifier
-- Give the role its verifier. The first statement waits for whoever else alters the role, so that
-- a session which is ended while it waits logs that one; an error is raised without its statement.
DO $$
BEGIN
    EXECUTE format('ALTER ROLE %I PASSWORD NULL', current_setting('haven.role'));
    EXECUTE format(
        'ALTER ROLE %I PASSWORD %L', current_setting('haven.role'), current_setting('haven.verifier')
    );
EXCEPTION WHEN query_canceled OR others THEN
    RAISE USING ERRCODE = SQLSTATE, MESSAGE = SQLERRM;
END
$$;
