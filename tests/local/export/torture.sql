-- Tables with every type of PostgreSQL, and the values at their edges.
CREATE EXTENSION IF NOT EXISTS citext;
CREATE EXTENSION IF NOT EXISTS hstore;
CREATE SCHEMA "odd schema";
CREATE TYPE "odd schema".mood AS ENUM ('low', 'high', 'it''s "so"');
CREATE DOMAIN "odd schema".short AS text CHECK (length(VALUE) < 9);
CREATE DOMAIN "odd schema".tag_list AS text[];
CREATE TYPE "odd schema".pair AS (a integer, b text);
CREATE TYPE "odd schema".spread AS RANGE (subtype = float8);
CREATE TABLE "odd schema".every_type (
    id integer PRIMARY KEY, b boolean, i2 smallint, i4 integer, i8 bigint, f4 real, f8 double precision,
    n numeric, n2 numeric(12, 2), mo money, t text, v varchar(5), c char(4), na name, one "char",
    ci citext, by bytea, d date, ts timestamp, ts0 timestamp(0), tz timestamptz, tm time, ttz timetz,
    iv interval, u uuid, j json, jb jsonb, x xml, i inet, cd cidr, m6 macaddr, m8 macaddr8, bt bit(3),
    vb varbit, po point, li line, ls lseg, bx box, pa path, pg polygon, cr circle, tv tsvector,
    tq tsquery, o oid, rc regclass, rt regtype, l pg_lsn, xi xid, x8 xid8, ti tid, jp jsonpath,
    h hstore, ia integer[], ta text[], ba bytea[], na2 numeric[], tza timestamptz[], ja jsonb[],
    r4 int4range, r8 int8range, rn numrange, rd daterange, rts tsrange, rtz tstzrange,
    mr int4multirange, mrz tstzmultirange, mood "odd schema".mood, moods "odd schema".mood[],
    s "odd schema".short, tl "odd schema".tag_list, p "odd schema".pair, ps "odd schema".pair[],
    sp "odd schema".spread, "odd "" name, with; (all) of=it" text, "Größe" text,
    "select" integer, g integer GENERATED ALWAYS AS (id * 2) STORED, ser bigserial,
    late timestamptz, lo int4[], snap pg_snapshot
);
INSERT INTO "odd schema".every_type (id) VALUES (1);
INSERT INTO "odd schema".every_type VALUES
    (2, true, -32768, -2147483648, -9223372036854775808, '-Infinity', 'NaN', 'NaN', -9999999999.99,
     '-92233720368547758.08', '', '', '', 'pg_class', 'x', 'Été', '', 'infinity', '-infinity',
     '-infinity', 'infinity', '24:00', '24:00+15:59', '-178000000 years', gen_random_uuid(), '{"a": 1, "a": 2}',
     '{"a": [1, null, "é"]}', '<a>b</a>', '10.0.0.1', '10.0.0.0/8', '08:00:2b:01:02:03',
     '08:00:2b:01:02:03:04:05', B'101', B'', '(1,2)', '{1,2,3}', '[(0,0),(1,1)]', '(1,1),(0,0)',
     '[(0,0),(1,1)]', '((0,0),(1,1),(2,0))', '<(0,0),5>', '''a b'':1A c', 'a & !b', 4294967295,
     'pg_class', 'int4', 'FFFFFFFF/FFFFFFFF', '4294967295', '18446744073709551615', '(4294967295,65535)',
     '$.a[*] ? (@ > 1)', 'a=>NULL, "b c"=>"d\"e"', '{1,NULL,3}', '{{a,NULL},{"","c,\"d\\"}}',
     '{"\\x00ff",NULL}', '{NaN,1.50,-Infinity}', '{infinity,2026-01-01 00:00:00.000001+02}',
     '{"{\"a\": null}"}', '[1,5)', 'empty', '(,1.5]', '[2026-01-01,infinity)', '[-infinity,)',
     '["2026-01-01 00:00+00","2026-06-01 00:00+00")', '{[1,3),[7,9)}', '{}', 'it''s "so"',
     '{low,"it''s \"so\""}', 'short', '{a,b}', '(1,"x, ""y""")', '{"(1,x)",NULL}', '[0.1,Infinity]',
     'odd', 'groß', 3, DEFAULT, 77, '294246-12-31 23:59:59.999999+00', '[2:3][0:1]={{1,2},{3,4}}',
     '10:20:10,14,15');
INSERT INTO "odd schema".every_type VALUES
    (3, false, 32767, 2147483647, 9223372036854775807, '-0', '-0', '-Infinity', 0.00, 0,
     E'tab\there\nline\r\nback\\slash "quoted", ''x''', '\.', 'ab  ', '', '\', 'ABC',
     '\x00ff5c0a22', '-infinity', 'infinity', '0001-01-01 00:00:00', '-infinity', '00:00',
     '00:00-15:59', '178000000 years 11 mons 9999 days 23:59:59.999999', '00000000-0000-0000-0000-000000000000',
     'null', 'null', NULL, '::ffff:1.2.3.4/128', '::/0', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff',
     B'000', B'0101010101', '(NaN,-Infinity)', NULL, NULL, NULL, '((0,0),(1,1))', NULL, NULL, '', '',
     0, NULL, 'integer[]', '0/0', '0', '0', NULL, NULL, '', '{}', '{}', '{}', '{}', '{}', '{}', 'empty',
     NULL, '(,)', '(,)', '(,)', '(,)', '{(,)}', NULL, 'low', '{}', '', '{}', '(,)', '{}', '(,)',
     NULL, NULL, NULL, DEFAULT, 78, '4714-11-24 00:00:00+00 BC', '{}', NULL);
INSERT INTO "odd schema".every_type VALUES
    (4, NULL, NULL, NULL, NULL, 'NaN', 'Infinity', 'Infinity', NULL, '92233720368547758.07', E'\U0001F600 \u00e9 e\u0301',
     NULL, NULL, NULL, NULL, NULL, NULL, '4714-11-24 BC', '4714-11-24 00:00:00 BC', NULL, '2026-03-29 01:30:00.000001+00',
     NULL, NULL, '-00:00:00.000001', NULL, NULL, NULL);
INSERT INTO "odd schema".every_type VALUES
    (5, NULL, NULL, NULL, NULL, '3.4028235e38', '5e-324', 1e-100, NULL, NULL, 'NULL', NULL, NULL, NULL, NULL,
     NULL, NULL, '5874897-12-31', '294246-12-31 23:59:59.999999', NULL, '1969-12-31 23:59:59.999999+00');
INSERT INTO "odd schema".every_type VALUES
    (6, NULL, NULL, NULL, NULL, '1.17549435e-38', '1.7976931348623157e308', repeat('9', 1000)::numeric,
     NULL, NULL, repeat('long ', 100000), NULL, NULL, NULL, NULL, NULL, NULL, '0001-01-01', '0001-01-01 00:00:00', NULL,
     '9999-12-31 23:59:59.999999+00');
CREATE DOMAIN "odd schema".share AS float8;
CREATE DOMAIN "odd schema".code AS char(5);
CREATE DOMAIN "odd schema".since AS timestamptz;
CREATE DOMAIN "odd schema".born AS date;
CREATE DOMAIN "odd schema".token AS uuid;
CREATE DOMAIN "odd schema".raw AS bytea;
CREATE DOMAIN "odd schema".nested AS "odd schema".share;
CREATE TABLE "odd schema".domains (
    a "odd schema".share, b "odd schema".code, c "odd schema".since, d "odd schema".born,
    e "odd schema".token, f "odd schema".raw, g "odd schema".nested, h "odd schema".share[]
);
INSERT INTO "odd schema".domains VALUES
    ('NaN', 'ab', '-infinity', 'infinity', '00000000-0000-0000-0000-000000000001', '\x00', '-Infinity', '{NaN,1}'),
    (1e-7, '', '2026-01-01 00:00+00', '2026-01-01', NULL, '', '-0', '{}');
INSERT INTO "odd schema".domains VALUES (1e22, NULL, '2026-01-01 00:00:00.5+00');
CREATE TABLE "odd schema"."No ""rows"", at all" ("Key" text, v integer);
CREATE TABLE "odd schema"."ключ/.*?" (v text);
INSERT INTO "odd schema"."ключ/.*?" VALUES ('a'), ('a'), (NULL);
CREATE TABLE parts (id integer, at timestamptz) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (1000);
CREATE TABLE part_2 PARTITION OF parts FOR VALUES FROM (1000) TO (5000);
INSERT INTO parts SELECT n, '2026-01-01 00:00+00'::timestamptz + n * interval '1 s' FROM generate_series(1, 3000) AS n;
CREATE MATERIALIZED VIEW seen AS SELECT id, at FROM parts WHERE id < 10;
ANALYZE;
