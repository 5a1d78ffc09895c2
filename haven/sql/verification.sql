-- name: verify_surroundings
-- What a catalogue of migrations leaves out, since provision makes it: extensions, roles, settings.
SELECT 'installed extension', quote_ident(e.extname),
    jsonb_build_object('version', e.extversion, 'schema', e.extnamespace::regnamespace)::text
FROM pg_extension AS e
UNION ALL
SELECT 'role', quote_ident(r.rolname), jsonb_build_object(
    'login', r.rolcanlogin, 'inherits', r.rolinherit, 'makes roles', r.rolcreaterole,
    'makes databases', r.rolcreatedb, 'replicates', r.rolreplication, 'superuser', r.rolsuper,
    'passes row-level security', r.rolbypassrls, 'connections', r.rolconnlimit,
    'member of', (SELECT jsonb_agg(DISTINCT g.rolname) FROM pg_auth_members AS m
        JOIN pg_roles AS g ON g.oid = m.roleid WHERE m.member = r.oid))::text
FROM pg_roles AS r WHERE r.rolname !~ '^(pg_|rds)'
UNION ALL
SELECT 'settings', concat_ws(' in ', coalesce(quote_ident(r.rolname), 'everybody'), CASE WHEN s.setdatabase <> 0 THEN 'this database' END),
    to_jsonb(ARRAY(SELECT unnest(s.setconfig) ORDER BY 1))::text
FROM pg_db_role_setting AS s
LEFT JOIN pg_roles AS r ON r.oid = s.setrole
LEFT JOIN pg_database AS d ON d.oid = s.setdatabase
WHERE (s.setdatabase = 0 OR d.datname = current_database())
  AND (r.rolname IS NULL OR r.rolname !~ '^(pg_|rds)')
UNION ALL
SELECT 'database', 'this one', jsonb_build_object(
    'owner', pg_get_userbyid(d.datdba), 'encoding', pg_encoding_to_char(d.encoding),
    'collation', d.datcollate, 'character type', d.datctype, 'connections', d.datconnlimit,
    'privileges', (SELECT jsonb_agg(g ORDER BY g) FROM (
        SELECT concat_ws(' ', CASE WHEN a.grantee = 0 THEN 'PUBLIC'
            ELSE pg_get_userbyid(a.grantee)::text END, a.privilege_type) AS g
        FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a) AS granted))::text
FROM pg_database AS d WHERE d.datname = current_database();

-- name: verify_ledger
-- Which migrations a database has, as the ledger says.
SELECT number, name, checksum, chained_checksum FROM haven_ops.migrations
WHERE state = 'done' ORDER BY number;

-- name: verify_has_ledger
-- Whether there is a ledger that this role may read.
SELECT coalesce(has_table_privilege(to_regclass('haven_ops.migrations'), 'SELECT')
    AND has_schema_privilege('haven_ops', 'USAGE'), false)
WHERE to_regnamespace('haven_ops') IS NOT NULL;

-- name: verify_may_go
-- From when on a completed item of the sync queue may be gone, in seconds since 1970.
coalesce(ceil(extract(epoch FROM t.completed_at))::bigint + {seconds}, {never})

-- name: verify_indexes
-- B-tree indexes with rows of their own, the smallest first.
SELECT c.oid, n.nspname || '.' || c.relname, pg_relation_size(c.oid)
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_index AS i ON i.indexrelid = c.oid
JOIN pg_am AS m ON m.oid = c.relam AND m.amname = 'btree'
WHERE c.relkind = 'i' AND c.relpersistence = 'p' AND i.indisvalid AND i.indisready
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY pg_relation_size(c.oid), n.nspname, c.relname;

-- name: verify_amcheck
-- What looks into indexes; on RDS the master may install it.
CREATE EXTENSION IF NOT EXISTS amcheck;

-- name: verify_index
-- Whether a B-tree is in order, and has an entry for every row. By number: the master may not look
-- into every schema.
SELECT bt_index_check(index => %(index)s::oid::regclass, heapallindexed => true);

-- name: verify_sequences
-- Sequences that feed a column: where they are, and the column.
SELECT s.oid::regclass::text, tn.nspname, t.relname, a.attname, pg_sequence_last_value(s.oid),
    q.seqincrement
FROM pg_class AS s
JOIN pg_sequence AS q ON q.seqrelid = s.oid
JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = s.oid AND d.deptype IN ('a', 'i')
    AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
JOIN pg_class AS t ON t.oid = d.refobjid
JOIN pg_namespace AS tn ON tn.oid = t.relnamespace
JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
WHERE s.relkind = 'S' ORDER BY 1;

-- name: verify_sequence_reach
-- The value of a column that its sequence must be past.
SELECT {extreme}({column})::bigint FROM {relation};

-- name: verify_foreign_keys
-- Rows of a sample of every table whose foreign key leads nowhere, by constraint. Dynamic, since the
-- columns are read from the catalogue; identifiers are quoted by the server.
SELECT k.conname, k.conrelid::regclass::text,
    (xpath('/row/c/text()', query_to_xml(format(
        'SELECT count(*) AS c FROM (SELECT * FROM %s LIMIT %s) AS child WHERE (%s) IS NOT NULL AND NOT EXISTS (SELECT FROM %s AS parent WHERE (%s) = (%s))',
        k.conrelid::regclass, {sample}::bigint,
        (SELECT string_agg(format('child.%I', a.attname), ', ' ORDER BY p.place) FROM unnest(k.conkey)
            WITH ORDINALITY AS p (attnum, place) JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = p.attnum),
        k.confrelid::regclass,
        (SELECT string_agg(format('parent.%I', a.attname), ', ' ORDER BY p.place) FROM unnest(k.confkey)
            WITH ORDINALITY AS p (attnum, place) JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = p.attnum),
        (SELECT string_agg(format('child.%I', a.attname), ', ' ORDER BY p.place) FROM unnest(k.conkey)
            WITH ORDINALITY AS p (attnum, place) JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = p.attnum)
    ), false, true, '')))[1]::text::bigint
FROM pg_constraint AS k
WHERE k.contype = 'f' AND k.conparentid = 0
  AND has_table_privilege(k.conrelid, 'SELECT') AND has_table_privilege(k.confrelid, 'SELECT');

-- name: verify_checks
-- Rows of a sample of every table that break one of its CHECK constraints, by constraint.
SELECT k.conname, k.conrelid::regclass::text,
    (xpath('/row/c/text()', query_to_xml(format(
        'SELECT count(*) AS c FROM (SELECT * FROM %s LIMIT %s) AS child WHERE NOT (%s)',
        k.conrelid::regclass, {sample}::bigint, pg_get_expr(k.conbin, k.conrelid)
    ), false, true, '')))[1]::text::bigint
FROM pg_constraint AS k
JOIN pg_class AS c ON c.oid = k.conrelid
WHERE k.contype = 'c' AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND has_table_privilege(k.conrelid, 'SELECT');

-- name: verify_an_organization
-- The organization that manages most patients, and how many.
SELECT managing_organization, count(*) FROM haven_health.patients
WHERE deleted_at IS NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1;

-- name: verify_has_patients
-- Whether the schema of the health passport is there.
SELECT to_regclass('haven_health.patients') IS NOT NULL;

-- name: verify_as_organization
-- Act for an organization, as applications do, for one transaction.
SELECT set_config('haven.organization_id', %(organization)s::text, true),
    set_config('haven.user_id', %(user)s::text, true);

-- name: verify_visible_patients
-- How many patients are to be seen, and how many of others that were not granted.
SELECT count(*) FILTER (WHERE managing_organization = %(organization)s::uuid AND deleted_at IS NULL),
    count(*) FROM haven_health.patients;

-- name: verify_now
-- What time it is where the database is.
SELECT clock_timestamp();
