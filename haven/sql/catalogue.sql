-- name: catalogue_settings
-- Names are then written out with their schemas, whatever the session's search path. Compiling the
-- query would take longer than running it.
SET LOCAL search_path = pg_catalog; SET LOCAL lock_timeout = {lock_timeout};
SET LOCAL statement_timeout = 0; SET LOCAL jit = off;

-- name: catalogue_role
-- What is written down belongs to the owner; whoever may log in may read the catalogue.
SET LOCAL ROLE haven_owner;

-- name: catalogue_live
-- Everything that migrations own, one row for each object: its kind, its name, and its definition
-- without OIDs. Left out: PostgreSQL's own, the members of extensions, the ledger, and what
-- provision makes. Range partitions come and go with time: theirs are told together, by parent.
WITH extended AS MATERIALIZED (
    SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
), spaces AS MATERIALIZED (
    SELECT n.oid, n.nspname, quote_ident(n.nspname) AS name, n.nspowner, n.nspacl
    FROM pg_namespace AS n
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
), transient AS MATERIALIZED (
    SELECT c.oid, pg_partition_root(c.oid) AS root
    FROM pg_class AS c
    WHERE c.relispartition AND c.relkind IN ('r', 'p', 'f') AND EXISTS (
        SELECT FROM pg_partition_ancestors(c.oid) AS line
        JOIN pg_inherits AS i ON i.inhrelid = line.relid
        JOIN pg_partitioned_table AS p ON p.partrelid = i.inhparent
        WHERE p.partstrat = 'r' AND p.partdefid <> line.relid
    )
), relations AS MATERIALIZED (
    SELECT c.*, s.name || '.' || quote_ident(c.relname) AS name, t.root IS NOT NULL AS part,
        coalesce('each partition of ' || t.root::regclass,
            s.name || '.' || quote_ident(c.relname)) AS place
    FROM pg_class AS c
    JOIN spaces AS s ON s.oid = c.relnamespace
    LEFT JOIN transient AS t ON t.oid = c.oid
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
      AND NOT (s.nspname = 'haven_ops'
          AND c.relname IN ('migrations', 'catalogue', 'history', 'history_id_seq'))
      AND ('pg_class'::regclass, c.oid) NOT IN (SELECT classid, objid FROM extended)
), types AS MATERIALIZED (
    SELECT t.*, s.name || '.' || quote_ident(t.typname) AS name
    FROM pg_type AS t
    JOIN spaces AS s ON s.oid = t.typnamespace
    LEFT JOIN pg_class AS c ON c.oid = t.typrelid
    WHERE t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c'
), found (kind, identity, relation, class, object, part_of_object, owner, sort, acl, definition) AS (
    SELECT 'schema', s.name, NULL::oid, 'pg_namespace'::regclass::oid, s.oid,
        CASE WHEN s.nspname = 'haven_ops' THEN -1 ELSE 0 END, s.nspowner, 'n'::"char", s.nspacl,
        jsonb_build_object()
    FROM spaces AS s
    WHERE s.nspname <> 'haven_ops'
       OR EXISTS (SELECT FROM aclexplode(s.nspacl) AS a WHERE a.grantee <> s.nspowner)
    UNION ALL
    SELECT 'extension', quote_ident(e.extname), NULL, 'pg_extension'::regclass, e.oid, 0, e.extowner,
        NULL, NULL, jsonb_build_object('version', e.extversion, 'schema', e.extnamespace::regnamespace)
    FROM pg_extension AS e WHERE e.extname <> ALL ({extensions}::text[])
    UNION ALL
    SELECT CASE r.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence'
            WHEN 'f' THEN 'foreign table' ELSE 'table' END,
        r.place, r.oid, 'pg_class'::regclass, r.oid, CASE WHEN r.part THEN -1 ELSE 0 END, r.relowner,
        CASE WHEN r.relkind = 'S' THEN 's' ELSE 'r' END::"char", r.relacl,
        jsonb_build_object(
            'persistence', nullif(r.relpersistence, 'p'),
            'row-level security', nullif(r.relrowsecurity, false),
            'row-level security forced', nullif(r.relforcerowsecurity, false),
            'replica identity', nullif(r.relreplident, CASE WHEN r.relkind IN ('r', 'p', 'm') THEN 'd' ELSE 'n' END),
            'options', (SELECT jsonb_agg(o ORDER BY o COLLATE "C") FROM unnest(r.reloptions) AS o),
            'toast options', (SELECT jsonb_agg(o ORDER BY o COLLATE "C")
                FROM pg_class AS toast, unnest(toast.reloptions) AS o WHERE toast.oid = r.reltoastrelid),
            'access method', nullif((SELECT m.amname FROM pg_am AS m WHERE m.oid = r.relam), 'heap'),
            'of type', nullif(r.reloftype, 0)::regtype,
            'partition key', pg_get_partkeydef(r.oid),
            'bounds', CASE WHEN NOT r.part THEN pg_get_expr(r.relpartbound, r.oid) END,
            'inherits from', CASE WHEN r.relkind IN ('r', 'p', 'f') AND NOT r.part THEN (
                SELECT jsonb_agg(i.inhparent::regclass ORDER BY i.inhparent::regclass::text COLLATE "C")
                FROM pg_inherits AS i WHERE i.inhrelid = r.oid) END,
            'query', CASE WHEN r.relkind IN ('v', 'm') THEN pg_get_viewdef(r.oid) END)
        || CASE WHEN r.relkind <> 'S' THEN jsonb_build_object() ELSE (
            SELECT jsonb_build_object('type', q.seqtypid::regtype, 'start', q.seqstart,
                'increment', q.seqincrement, 'least', q.seqmin, 'most', q.seqmax,
                'cache', q.seqcache, 'cycle', q.seqcycle, 'owned by', (
                    SELECT d.refobjid::regclass || '.' || quote_ident(a.attname)
                    FROM pg_depend AS d
                    JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
                    WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid
                      AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0))
            FROM pg_sequence AS q WHERE q.seqrelid = r.oid) END
    FROM relations AS r
    UNION ALL
    SELECT 'column', r.place || '.' || quote_ident(a.attname), r.oid, 'pg_class'::regclass, r.oid,
        CASE WHEN r.part THEN -1 ELSE a.attnum END, NULL, CASE WHEN a.attacl IS NOT NULL THEN 'c' END::"char", a.attacl,
        jsonb_build_object(
            'type', format_type(a.atttypid, a.atttypmod),
            'not null', nullif(a.attnotnull, false),
            CASE WHEN a.attgenerated = '' THEN 'default' ELSE 'generated ' || a.attgenerated::text END,
            pg_get_expr(d.adbin, d.adrelid),
            'identity', nullif(a.attidentity, ''),
            'collation', CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::regcollation END,
            'storage', CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage END,
            'compression', nullif(a.attcompression, ''),
            'statistics', nullif(a.attstattarget, -1),
            'options', (SELECT jsonb_agg(o ORDER BY o COLLATE "C") FROM unnest(a.attoptions) AS o))
    FROM relations AS r
    JOIN pg_attribute AS a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef AS d ON d.adrelid = r.oid AND d.adnum = a.attnum
    WHERE r.relkind <> 'S'
    UNION ALL
    SELECT 'constraint', quote_ident(CASE WHEN r.part THEN replace(k.conname, r.relname, 'PARTITION')
            ELSE k.conname END) || ' on ' || coalesce(r.place, t.name),
        r.oid, 'pg_constraint'::regclass, k.oid, CASE WHEN r.part THEN -1 ELSE 0 END, NULL, NULL, NULL,
        jsonb_build_object('definition', pg_get_constraintdef(k.oid), 'triggers', (
            SELECT nullif(string_agg(DISTINCT g.tgenabled::text, '' ORDER BY g.tgenabled::text), 'O')
            FROM pg_trigger AS g WHERE g.tgconstraint = k.oid))
    FROM pg_constraint AS k
    LEFT JOIN relations AS r ON r.oid = k.conrelid
    LEFT JOIN types AS t ON t.oid = k.contypid
    WHERE (r.oid IS NOT NULL OR t.oid IS NOT NULL)
      AND k.contype <> 't' AND (k.contype <> 'n' OR NOT k.convalidated)
      AND (k.contype <> 'f' OR k.conparentid = 0 OR r.part)
    UNION ALL
    SELECT 'index', CASE WHEN r.part
            THEN coalesce('like ' || (SELECT p.inhparent::regclass FROM pg_inherits AS p WHERE p.inhrelid = c.oid),
                replace(c.relname, r.relname, 'PARTITION')) || ' on ' || r.place
            ELSE c.oid::regclass::text END,
        r.oid, 'pg_class'::regclass, c.oid, CASE WHEN r.part THEN -1 ELSE 0 END, NULL, NULL, NULL,
        jsonb_build_object(
            'definition', CASE WHEN r.part THEN replace(replace(pg_get_indexdef(c.oid),
                quote_ident(c.relname), 'INDEX'), r.name, 'PARTITION') ELSE pg_get_indexdef(c.oid) END,
            'valid', nullif(i.indisvalid, true), 'ready', nullif(i.indisready, true),
            'clustered', nullif(i.indisclustered, false),
            'statistics', (SELECT jsonb_agg(a.attnum || ': ' || a.attstattarget ORDER BY a.attnum)
                FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attstattarget <> -1),
            'replica identity', nullif(i.indisreplident, false))
    FROM relations AS r
    JOIN pg_index AS i ON i.indrelid = r.oid
    JOIN pg_class AS c ON c.oid = i.indexrelid
    UNION ALL
    SELECT CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
        s.name || '.' || quote_ident(p.proname) || '(' || oidvectortypes(p.proargtypes) || ')',
        NULL, 'pg_proc'::regclass, p.oid, 0, p.proowner, 'f', p.proacl,
        CASE WHEN p.prokind = 'a' THEN (
            SELECT to_jsonb(g) - ARRAY['aggfnoid', 'aggtranstype', 'aggmtranstype', 'aggsortop']
                || jsonb_build_object('aggtranstype', g.aggtranstype::regtype,
                    'aggmtranstype', g.aggmtranstype::regtype, 'aggsortop', g.aggsortop::regoper)
            FROM pg_aggregate AS g WHERE g.aggfnoid = p.oid)
        ELSE jsonb_build_object('definition', pg_get_functiondef(p.oid)) END
    FROM pg_proc AS p
    JOIN spaces AS s ON s.oid = p.pronamespace
    UNION ALL
    SELECT 'trigger', quote_ident(g.tgname) || ' on ' || r.place, r.oid, 'pg_trigger'::regclass, g.oid,
        CASE WHEN r.part THEN -1 ELSE 0 END, NULL, NULL, NULL,
        jsonb_build_object('definition', CASE WHEN r.part
            THEN replace(pg_get_triggerdef(g.oid), r.name, 'PARTITION') ELSE pg_get_triggerdef(g.oid) END,
            'enabled', nullif(g.tgenabled, 'O'))
    FROM relations AS r
    JOIN pg_trigger AS g ON g.tgrelid = r.oid AND NOT g.tgisinternal
    UNION ALL
    SELECT 'policy', quote_ident(p.polname) || ' on ' || r.place, r.oid, 'pg_policy'::regclass, p.oid,
        CASE WHEN r.part THEN -1 ELSE 0 END, NULL, NULL, NULL,
        jsonb_build_object('command', p.polcmd, 'restrictive', nullif(NOT p.polpermissive, false),
            'roles', (SELECT jsonb_agg(n ORDER BY n COLLATE "C") FROM (
                SELECT CASE WHEN u = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(u)::text END AS n
                FROM unnest(p.polroles) AS u) AS named),
            'using', pg_get_expr(p.polqual, p.polrelid),
            'check', pg_get_expr(p.polwithcheck, p.polrelid))
    FROM relations AS r
    JOIN pg_policy AS p ON p.polrelid = r.oid
    UNION ALL
    SELECT 'rule', quote_ident(w.rulename) || ' on ' || r.place, r.oid, 'pg_rewrite'::regclass, w.oid,
        CASE WHEN r.part THEN -1 ELSE 0 END, NULL, NULL, NULL,
        jsonb_build_object('definition', CASE WHEN r.part
            THEN replace(pg_get_ruledef(w.oid), r.name, 'PARTITION') ELSE pg_get_ruledef(w.oid) END,
            'enabled', nullif(w.ev_enabled, 'O'))
    FROM relations AS r
    JOIN pg_rewrite AS w ON w.ev_class = r.oid AND w.rulename <> '_RETURN'
    UNION ALL
    SELECT 'type', t.name, NULL, 'pg_type'::regclass, t.oid, 0, t.typowner, 'T', t.typacl,
        jsonb_build_object(
            'sort', CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'r' THEN 'range'
                ELSE 'composite' END,
            'labels', CASE WHEN t.typtype = 'e' THEN (
                SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder)
                FROM pg_enum AS e WHERE e.enumtypid = t.oid) END,
            'base', CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END,
            'not null', nullif(t.typnotnull, false),
            'default', CASE WHEN t.typtype = 'd' THEN t.typdefault END,
            'collation', CASE WHEN t.typtype = 'd' THEN nullif(t.typcollation, 0)::regcollation END,
            'over', (SELECT g.rngsubtype::regtype FROM pg_range AS g WHERE g.rngtypid = t.oid),
            'over collation', (SELECT nullif(g.rngcollation, 0)::regcollation
                FROM pg_range AS g WHERE g.rngtypid = t.oid),
            'attributes', CASE WHEN t.typtype = 'c' THEN (
                SELECT jsonb_agg(concat_ws(' ', quote_ident(a.attname),
                    format_type(a.atttypid, a.atttypmod), 'COLLATE ' || nullif(a.attcollation, 0)::regcollation,
                    'COMMENT ' || quote_literal(col_description(a.attrelid, a.attnum))) ORDER BY a.attnum)
                FROM pg_attribute AS a
                WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) END)
    FROM types AS t
    UNION ALL
    SELECT 'statistics', s.name || '.' || quote_ident(x.stxname), NULL, 'pg_statistic_ext'::regclass, x.oid,
        0, x.stxowner, NULL, NULL, jsonb_build_object('definition', pg_get_statisticsobjdef(x.oid),
            'target', nullif(x.stxstattarget, -1))
    FROM pg_statistic_ext AS x
    JOIN spaces AS s ON s.oid = x.stxnamespace
    JOIN relations AS r ON r.oid = x.stxrelid AND NOT r.part
    UNION ALL
    SELECT 'collation', s.name || '.' || quote_ident(l.collname), NULL, 'pg_collation'::regclass, l.oid, 0,
        l.collowner, NULL, NULL,
        to_jsonb(l) - ARRAY['oid', 'collname', 'collnamespace', 'collowner', 'collversion']
    FROM pg_collation AS l
    JOIN spaces AS s ON s.oid = l.collnamespace
    UNION ALL
    SELECT 'operator', o.oid::regoperator::text, NULL, 'pg_operator'::regclass, o.oid, 0, o.oprowner, NULL, NULL,
        jsonb_build_object('function', o.oprcode::regprocedure, 'hashes', nullif(o.oprcanhash, false),
            'merges', nullif(o.oprcanmerge, false), 'commutator', nullif(o.oprcom, 0)::regoperator,
            'negator', nullif(o.oprnegate, 0)::regoperator, 'restrict', nullif(o.oprrest, 0)::regproc,
            'join', nullif(o.oprjoin, 0)::regproc)
    FROM pg_operator AS o
    JOIN spaces AS s ON s.oid = o.oprnamespace
    UNION ALL
    SELECT 'publication', quote_ident(b.pubname), NULL, 'pg_publication'::regclass, b.oid, 0, b.pubowner,
        NULL, NULL, jsonb_build_object('through the root', nullif(b.pubviaroot, false), 'operations', concat_ws(
            ', ', CASE WHEN b.pubinsert THEN 'insert' END, CASE WHEN b.pubupdate THEN 'update' END,
            CASE WHEN b.pubdelete THEN 'delete' END, CASE WHEN b.pubtruncate THEN 'truncate' END),
            'tables', (
                SELECT jsonb_agg(concat_ws(' ', t.prrelid::regclass, t.prattrs::text,
                    pg_get_expr(t.prqual, t.prrelid)) ORDER BY t.prrelid::regclass::text COLLATE "C")
                FROM pg_publication_rel AS t WHERE t.prpubid = b.oid))
    FROM pg_publication AS b WHERE b.pubowner = 'haven_owner'::regrole
    UNION ALL
    SELECT 'default privileges', 'of ' || quote_ident(pg_get_userbyid(d.defaclrole)) || ' on '
            || CASE d.defaclobjtype WHEN 'r' THEN 'tables' WHEN 'S' THEN 'sequences' WHEN 'f' THEN 'functions'
                WHEN 'T' THEN 'types' WHEN 'n' THEN 'schemas' ELSE d.defaclobjtype::text END
            || coalesce(' in ' || s.name, ''),
        NULL, 'pg_default_acl'::regclass, d.oid, 0, NULL, 'd', d.defaclacl, jsonb_build_object()
    FROM pg_default_acl AS d
    LEFT JOIN spaces AS s ON s.oid = d.defaclnamespace
    WHERE d.defaclnamespace = 0 OR s.oid IS NOT NULL
), told AS (
    SELECT f.kind, f.identity, f.relation, jsonb_strip_nulls(f.definition || jsonb_build_object(
        'owner', CASE WHEN f.owner IS NOT NULL THEN pg_get_userbyid(f.owner) END,
        'comment', d.description,
        'grants', CASE WHEN f.sort IS NOT NULL THEN coalesce((
            SELECT jsonb_object_agg(g.grantee, g.privileges)
            FROM (
                SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_get_userbyid(a.grantee)::text END,
                    string_agg(DISTINCT (a.privilege_type || CASE WHEN a.is_grantable THEN '*' ELSE '' END) COLLATE "C", ', ')
                FROM aclexplode(coalesce(f.acl, acldefault(f.sort, f.owner))) AS a
                GROUP BY a.grantee
            ) AS g (grantee, privileges)
            WHERE f.kind <> 'schema' OR f.identity <> 'public' OR g.grantee <> ALL ({grantees}::text[])
        ), jsonb_build_object()) END)) AS definition
    FROM found AS f
    LEFT JOIN pg_description AS d ON d.classoid = f.class AND d.objoid = f.object
        AND d.objsubid = f.part_of_object
    WHERE (f.class, f.object) NOT IN (SELECT classid, objid FROM extended)
), parts AS (
    SELECT place, count(*) AS many FROM relations WHERE part GROUP BY place
)
SELECT t.kind, t.identity, (CASE WHEN count(DISTINCT t.definition) = 1 THEN (array_agg(t.definition))[1]
        ELSE jsonb_build_object('variants', jsonb_agg(DISTINCT t.definition)) END
    || CASE WHEN count(DISTINCT r.oid) < min(p.many)
        THEN jsonb_build_object('on every partition', false) ELSE jsonb_build_object() END)::text
    AS definition
FROM told AS t
LEFT JOIN relations AS r ON r.oid = t.relation
LEFT JOIN parts AS p ON p.place = r.place
GROUP BY t.kind, t.identity

-- name: catalogue_record
-- Write the live catalogue down, changing only the rows that differ, and return it.
WITH live AS MATERIALIZED (
    {live}
), gone AS (
    DELETE FROM haven_ops.catalogue AS c
    WHERE NOT EXISTS (SELECT FROM live AS l WHERE l.kind = c.kind AND l.identity = c.identity)
), put AS (
    INSERT INTO haven_ops.catalogue AS c (kind, identity, definition)
    SELECT kind, identity, definition::jsonb FROM live
    ON CONFLICT (kind, identity) DO UPDATE SET definition = excluded.definition
    WHERE c.definition <> excluded.definition
)
SELECT kind, identity, definition FROM live;

-- name: catalogue_recorded
-- The catalogue as the last run left it.
SELECT kind, identity, definition::text FROM haven_ops.catalogue;

-- name: catalogue_mark
-- The newest file was the last one when the catalogue was written down.
UPDATE haven_ops.migrations SET catalogue_digest = %(digest)s
WHERE number = (SELECT max(number) FROM haven_ops.migrations);
