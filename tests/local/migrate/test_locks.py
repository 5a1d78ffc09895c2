"""What is told of statements beforehand, locks and work, is what PostgreSQL then does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pglast import parser

from haven.migrations.files import Migration
from haven.migrations.impact.locks import Lock
from haven.migrations.impact.toll import Toll, whole_toll
from haven.migrations.lint.linter import judge
from haven.migrations.lint.trees import Key
from haven.migrations.plan import Pending
from haven.migrations.script import Script, read_script, tree_of
from haven.migrations.statements import traits_of
from tests.local.migrate.conftest import Place
from tests.unit.migrations.lint_cases import BEFORE, HAZARDOUS
from tests.unit.migrations.lint_harmless import HARMLESS

pytestmark = pytest.mark.local

# What more of the cases need to be there.
ALSO = """
CREATE SCHEMA other;
CREATE TABLE other.t (a bigint);
CREATE TYPE mood AS ENUM ('a');
CREATE DOMAIN d AS int;
CREATE FUNCTION next_number() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint';
CREATE FUNCTION changed() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE TRIGGER x BEFORE INSERT ON visits FOR EACH ROW EXECUTE FUNCTION changed();
CREATE POLICY p ON visits USING (true);
CREATE MATERIALIZED VIEW m AS SELECT id FROM places;
CREATE UNIQUE INDEX ON m (id);
CREATE TABLE old PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2020-02-01');
CREATE TABLE visits_all (id bigint) PARTITION BY RANGE (id);
INSERT INTO places SELECT n, 'a' FROM generate_series(1, 50) AS n;
INSERT INTO visits SELECT n, gen_random_uuid(), n::text, n::text, 1, now(), '10.0.0.0/8', 1, 'a'
FROM generate_series(1, 50) AS n;
INSERT INTO old SELECT n, '2020-01-02' FROM generate_series(1, 50) AS n;
"""
ROWS = 50
MORE = {
    "attach": (
        "ALTER TABLE events DETACH PARTITION old;"
        "ALTER TABLE events ATTACH PARTITION old FOR VALUES FROM ('2020-01-01') TO ('2020-02-01')"
    ),
    "trigger": "CREATE TRIGGER y BEFORE INSERT ON visits FOR EACH ROW EXECUTE FUNCTION changed()",
    "trigger off": "ALTER TABLE visits DISABLE TRIGGER x",
    "always a trigger": "ALTER TABLE visits ENABLE ALWAYS TRIGGER x",
    "rule": "CREATE RULE r AS ON INSERT TO places DO ALSO NOTHING",
    "policy changed": "ALTER POLICY p ON visits USING (false)",
    "policy dropped": "DROP POLICY p ON visits",
    "schema": "ALTER TABLE places SET SCHEMA other",
    "statistics": "CREATE STATISTICS st ON id, name FROM places",
    "statistics target": "ALTER TABLE places ALTER COLUMN name SET STATISTICS 200",
    "inherits": "CREATE TABLE t () INHERITS (places)",
    "part": "CREATE TABLE t PARTITION OF events FOR VALUES FROM ('2021-01-01') TO ('2021-02-01')",
    "column comment": "COMMENT ON COLUMN places.name IS 'x'",
    "default gone": "ALTER TABLE places ALTER COLUMN name DROP DEFAULT",
    "constraint renamed": "ALTER TABLE visits RENAME CONSTRAINT code_there TO there",
    "made from a query": "CREATE TABLE t AS SELECT id FROM places",
    "read": "SELECT count(*) FROM places",
    "rows locked": "SELECT * FROM places FOR UPDATE",
    "merge": (
        "MERGE INTO places USING visits ON places.id = visits.id "
        "WHEN MATCHED THEN UPDATE SET name = 'x'"
    ),
    "insert from": "INSERT INTO places (id) SELECT id FROM visits",
    "with": "WITH w AS (SELECT id FROM visits) DELETE FROM places WHERE id IN (SELECT id FROM w)",
    "lock": "LOCK TABLE places IN EXCLUSIVE MODE",
    "foreign key, in a column": "ALTER TABLE other.t ADD COLUMN b bigint REFERENCES places",
    "foreign key to itself": "CREATE TABLE t (id bigint PRIMARY KEY, up bigint REFERENCES t)",
    "foreign key of a new table, apart": (
        "CREATE TABLE t (a bigint, FOREIGN KEY (a) REFERENCES places)"
    ),
}
CASES = {
    **{name: text for name, (text, _) in HAZARDOUS.items()},
    **{f"harmless: {name}": text for name, text in HARMLESS.items()},
    **{f"more: {name}": text for name, text in MORE.items()},
}
# Below this a lock keeps out neither rows nor other changes of the schema.
STRONG = Lock.SHARE_UPDATE_EXCLUSIVE
PART = ("public", "old")
LEAST = 120
HELD = """
SELECT relation, max(array_position(%s, mode)) FROM pg_locks
WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relation = ANY (%s) GROUP BY 1"""
MODES = [lock.name.title().replace("_", "") + "Lock" for lock in Lock]
# Partitions are locked with their parents, which are told.
THERE = """
SELECT oid::bigint, relnamespace::regnamespace::text, relname, relfilenode::bigint,
    pg_stat_get_xact_tuples_returned(oid)
FROM pg_class
WHERE relnamespace IN ('public'::regnamespace, 'other'::regnamespace)
  AND relkind IN ('r', 'p', 'm', 'v')"""
# More is told than is done: of empty tables, of a domain that no table uses, of a function that is
# as good as a constant, of a collation that no index has, of a table that is logged already.
CAUTIOUS = {
    "index on an unknown table",
    "set not null of an unknown table",
    "domain check",
    "domain not null",
    "default of an own function",
    "collation",
    "set logged",
}
# What rows cost that a query chooses is the query's matter.
OF_ROWS = re.compile(
    r"SELECT|INSERT|UPDATE|DELETE|MERGE|WITH|TRUNCATE|EXPLAIN|.*(UPDATE visits|DELETE FROM)"
    r"|CREATE (TABLE|MATERIALIZED VIEW) t AS"
)


@dataclass(frozen=True, slots=True)
class Impact:
    """Locks by table, and the work; both told or both measured."""

    locks: Mapping[Key, Lock]
    toll: Toll


def script(text: str) -> Script:
    """Read a text as a pending file."""
    head = "" if inside(text) else "-- haven: non-transactional\n"
    migration = Migration(2, "02_case.sql", Path(), f"{head}{text};\n", "")
    return read_script(Pending(migration, ""))


def inside(text: str) -> bool:
    """Tell whether all of it can run in a transaction."""
    return not any(traits_of(tree_of(str(piece))).outside for piece in parser.split(text))


def told(text: str) -> Impact:
    """Return what is told of some statements together."""
    locks: dict[Key, Lock] = {}
    toll = Toll.NONE
    for item in judge([Migration(1, "01_before.sql", Path(), BEFORE, "")], [script(text)]):
        toll = max(toll, whole_toll(item.toll, [finding.hazard.name for finding in item.found]))
        for (schema, name), lock in item.locks.items():
            key = (schema or "public", name)
            locks[key] = max(lock, locks.get(key, lock))
    return Impact(locks, toll)


def done(connection: psycopg.Connection[Any], text: str) -> Impact | None:
    """Run statements in a transaction and measure them on what was there before; then undo."""
    with connection.transaction(force_rollback=True):
        there = {row[0]: row[1:] for row in connection.execute(THERE).fetchall()}
        try:
            connection.execute(text.encode())
        except psycopg.Error:
            return None
        rows = connection.execute(HELD, (MODES, list(there))).fetchall()
        now = {row[0]: row[1:] for row in connection.execute(THERE).fetchall()}
    locks = {there[oid][:2]: Lock(mode) for oid, mode in rows}
    anew = any(there[oid][2] != row[2] for oid, row in now.items() if oid in there)
    read = any(row[3] - there[oid][3] >= ROWS for oid, row in now.items() if oid in there)
    return Impact(locks, Toll.REWRITES if anew else Toll.READS if read else Toll.NONE)


def compared(name: str, text: str, expected: Impact, found: Impact) -> str | None:
    """Say what is wrong with what was told, if anything is."""
    parts = {PART} - expected.locks.keys()
    strong = {key: lock for key, lock in found.locks.items() if lock >= STRONG and key not in parts}
    wanted = {key: lock for key, lock in expected.locks.items() if lock >= STRONG}
    locks = strong == wanted and expected.locks.keys() <= found.locks.keys()
    toll = Toll.READS if expected.toll is Toll.BUILDS else expected.toll
    works = toll == found.toll or (toll > found.toll and name in CAUTIOUS)
    works = works or bool(OF_ROWS.match(text))
    return None if locks and works else f"{name}: told {expected}, found {found}"


def test_statements_do_what_was_told(place: Place, record_property: Any) -> None:
    found = []
    with place.connect() as connection:
        connection.execute((BEFORE + ALSO).encode())
        for name, text in CASES.items():
            impact = done(connection, text) if inside(text) else None
            if impact:
                found.append(compared(name, text, told(text), impact))
    record_property("figures", f"locks and work: {len(found)} of {len(CASES)} cases ran")
    assert [text for text in found if text] == []
    assert len(found) >= LEAST
