"""A rehearsal on a clone: what blocks is seen to block, what is safe is not, and rows are whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from haven.errors import Failed
from haven.migrations.rehearsal import Rehearsal
from tasks.ledger import Author
from tasks.rehearsal import Clone, Wanted, rehearse
from tasks.rehearsal_sample import Limits
from tasks.rehearsal_watch import LOAD
from tests.local.migrate.conftest import MASTER, PASSWORD, Place, Server, fresh_database

pytestmark = pytest.mark.local

SCHEMA = """
CREATE TABLE public.people (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL,
    size int GENERATED ALWAYS AS (length(name)) STORED);
CREATE TABLE public.visits (id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    person bigint NOT NULL REFERENCES public.people, before uuid REFERENCES public.visits, note text);
CREATE TABLE public.sorts (id bigint PRIMARY KEY, name text);
INSERT INTO public.sorts VALUES (1, 'one'), (2, 'two');
CREATE TABLE public.events (id bigint, at timestamptz NOT NULL, PRIMARY KEY (id, at))
    PARTITION BY RANGE (at);
ALTER TABLE public.visits ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY all_of_them ON public.visits TO haven_reader USING (true);
GRANT SELECT ON public.people, public.visits, public.sorts, public.events TO haven_reader;
"""
ROWS = """
INSERT INTO public.people (name) SELECT 'name ' || n FROM generate_series(1, 20000) AS n;
ALTER TABLE public.visits NO FORCE ROW LEVEL SECURITY;
INSERT INTO public.visits (id, person, note) SELECT md5(n::text)::uuid, n, 'a' FROM generate_series(1, 20000) AS n;
UPDATE public.visits SET before = md5((person - 1)::text)::uuid WHERE person > 1;
ALTER TABLE public.visits FORCE ROW LEVEL SECURITY;
INSERT INTO public.sorts VALUES (3, 'three');
CREATE TABLE public.events_may PARTITION OF public.events FOR VALUES FROM ('2026-05-01') TO ('2026-06-01');
INSERT INTO public.events SELECT n, '2026-05-02' FROM generate_series(1, 100) AS n;
"""
LIMITS = Limits(rows=500)


@pytest.fixture
def clone(place: Place, migration_server: Server) -> Iterator[Clone]:
    """Another database of the same server, where the roles are already."""
    with place.connect() as master:
        row = master.execute("SELECT FROM pg_roles WHERE rolname = 'haven_reader'").fetchone()
        if row is None:
            master.execute(f"CREATE ROLE haven_reader LOGIN PASSWORD '{PASSWORD}'")
        master.execute("GRANT haven_owner TO CURRENT_USER")
    with fresh_database(migration_server.login) as login:
        yield Clone(replace(login, user=MASTER), login, replace(login, user=LOAD))


def rehearsed(place: Place, clone: Clone, **changes: Any) -> Rehearsal:
    """Rehearse what is pending on the clone."""
    with clone_connection(clone) as master:
        master.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    found = place.run(dry_run=True)
    wanted = Wanted(
        place.folder,
        found.already,
        found.pending,
        found.forecasts,
        Author("a test", "0"),
        2.0,
        LIMITS,
    )
    return rehearse(
        replace(place.login, user="haven_reader"),
        clone,
        replace(wanted, **changes),
        place.said.append,
    )


def clone_connection(clone: Clone) -> Any:
    from tests.local.migrate.conftest import connect

    return connect(clone.master, user=MASTER)


def made(place: Place) -> Place:
    place.write("01_schema.sql", SCHEMA)
    place.run()
    with place.connect() as master:
        master.execute("SET ROLE haven_owner")
        for statement in ROWS.split(";\n"):
            master.execute(statement.encode())
        master.execute("ANALYZE")
    return place


def test_it(place: Place, clone: Clone) -> None:
    made(place)
    place.write(
        "02_hot.sql",
        "-- haven: accepts index-blocks-writes: a test\nCREATE INDEX visits_note ON public.visits (note);\nALTER TABLE public.people ADD COLUMN x int;\nSELECT pg_sleep(0.3);\n",
    )
    place.write(
        "03_safe.sql",
        "-- haven: non-transactional\nCREATE INDEX CONCURRENTLY people_name ON public.people (name);\n",
    )
    before = place.ledger()
    result = rehearsed(place, clone)
    for item in result.statements:
        print(item.text)
    print(result.load.text, result.tables, result.notes, result.too_long)
    assert 0
