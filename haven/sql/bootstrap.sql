-- Reads and statements of the bootstrap: roles, extensions, schemas, grants. Run as the master.

-- name: bootstrap_roles
-- Our roles with their attributes, the groups they are in, and their settings.
SELECT r.rolname, r.rolcanlogin, r.rolinherit,
       array_remove(ARRAY[
           CASE WHEN r.rolsuper THEN 'superuser' END, CASE WHEN r.rolcreatedb THEN 'createdb' END,
           CASE WHEN r.rolcreaterole THEN 'createrole' END,
           CASE WHEN r.rolreplication THEN 'replication' END,
           CASE WHEN r.rolbypassrls THEN 'bypassrls' END], NULL),
       ARRAY(SELECT DISTINCT g.rolname::text FROM pg_auth_members AS m
             JOIN pg_roles AS g ON g.oid = m.roleid WHERE m.member = r.oid),
       coalesce(s.setconfig, '{}')
  FROM pg_roles AS r
  LEFT JOIN pg_db_role_setting AS s ON s.setrole = r.oid AND s.setdatabase = 0
 WHERE r.rolname = ANY (%(roles)s);

-- name: bootstrap_extensions
-- Extensions of this database.
SELECT extname::text FROM pg_extension;

-- name: bootstrap_schemas
-- Schemas and who was granted what on them; no row of grants is one row of NULLs.
SELECT n.nspname::text,
       CASE WHEN a.grantee = 0 THEN 'public' ELSE pg_get_userbyid(a.grantee)::text END, a.privilege_type
  FROM pg_namespace AS n
  LEFT JOIN LATERAL aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) AS a ON true
 WHERE n.nspname = ANY (%(schemas)s);

-- name: bootstrap_database_grants
-- Who was granted what on this database.
SELECT CASE WHEN a.grantee = 0 THEN 'public' ELSE pg_get_userbyid(a.grantee)::text END, a.privilege_type
  FROM pg_database AS d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a
 WHERE d.datname = current_database();

-- name: bootstrap_database_name
-- The database we are in.
SELECT current_database();

-- name: create_login_role
-- A role that logs in; the password is a SCRAM verifier.
CREATE ROLE {role} LOGIN {inherit} PASSWORD {verifier};

-- name: create_group_role
-- A role that is only assumed or inherited from.
CREATE ROLE {role} NOLOGIN {inherit};

-- name: alter_role_login
-- A role that should log in, or should not.
ALTER ROLE {role} {word};

-- name: alter_role_password
-- A new password, as a SCRAM verifier.
ALTER ROLE {role} PASSWORD {verifier};

-- name: grant_role
-- Membership.
GRANT {group} TO {role};

-- name: revoke_role
-- Membership taken away.
REVOKE {group} FROM {role};

-- name: alter_role_set
-- A setting of every session the role logs in with.
ALTER ROLE {role} SET {setting} = {value};

-- name: alter_role_reset
-- The server's own value again.
ALTER ROLE {role} RESET {setting};

-- name: create_schema
-- A schema of the master.
CREATE SCHEMA IF NOT EXISTS {schema};

-- name: create_extension
-- An extension, beside the others.
CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA extensions;

-- name: grant_on_database
-- A right on this database.
GRANT {privilege} ON DATABASE {subject} TO {grantee};

-- name: revoke_on_database
-- A right on this database taken away.
REVOKE {privilege} ON DATABASE {subject} FROM {grantee};

-- name: grant_on_schema
-- A right on a schema.
GRANT {privilege} ON SCHEMA {subject} TO {grantee};

-- name: revoke_on_schema
-- A right on a schema taken away.
REVOKE {privilege} ON SCHEMA {subject} FROM {grantee};
