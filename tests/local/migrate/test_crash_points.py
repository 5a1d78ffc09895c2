"""Whatever files there are and wherever runs are killed, the last run ends as a clean one would."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.local.migrate.conftest import PROJECT, Place, Server, fresh_database

pytestmark = pytest.mark.local

KILLED = 9
# Ends the process before it sends something, or after the answer: whichever is the n-th of both.
RUNNER = """
import itertools, json, os, sys
from pathlib import Path
from haven import pg
from haven.pg import Login
from tasks.ledger import Author
from tasks.migration_work import Terms
from tasks.migrations import migrate_database
login, folder, nth = json.loads(sys.argv[1])
counted, wait = itertools.count(1), pg.BoundedConnection.wait
def tripwire(self, *args, **kwargs):
    if next(counted) == nth:
        os._exit(9)
    answer = wait(self, *args, **kwargs)
    if next(counted) == nth:
        os._exit(9)
    return answer
pg.BoundedConnection.wait = tripwire
login = Login(**login | {"ca_bundle": Path(login["ca_bundle"])})
migrate_database(Terms(login, Author("killed", "0"), 2, 3, lambda _: None), Path(folder))
"""
FIRST = """
CREATE TABLE public.one (id bigint PRIMARY KEY, n int NOT NULL, note text);
INSERT INTO public.one SELECT g, 0, 'note ' || g FROM generate_series(1, 30) AS g;
"""
# Each may stand anywhere behind the first file, once or several times; {n} is its number.
FILES = [
    "CREATE TABLE public.t{n} (id bigint PRIMARY KEY);\nINSERT INTO public.t{n} VALUES ({n});",
    "UPDATE public.one SET n = n + 1 WHERE id % 3 = 0;",
    "ALTER TABLE public.one ADD COLUMN c{n} int DEFAULT {n};",
    """-- haven: verify SELECT count(*) >= 30 FROM public.one
    INSERT INTO public.one VALUES (100 + {n}, {n}, 'more');""",
    """-- haven: non-transactional
    CREATE INDEX CONCURRENTLY i{n} ON public.one (note);
    UPDATE public.one SET n = n + 1 WHERE id = 1;""",
    """-- haven: non-transactional
    INSERT INTO public.one VALUES (1000 + {n}, 0, NULL);
    CREATE INDEX CONCURRENTLY IF NOT EXISTS j{n} ON public.one (n);
    DROP INDEX CONCURRENTLY j{n};""",
    """-- haven: non-transactional
    REINDEX INDEX CONCURRENTLY public.one_pkey;
    UPDATE public.one SET n = n + 1 WHERE id = 2;""",
    "-- haven: backfill 7\nUPDATE public.one SET n = n + 1 WHERE id % 2 = 0;",
]
STATE = {
    "ledger": "SELECT number, name, checksum, chained_checksum, statements, statements_done, state, "
    "rows_done, catalogue_digest FROM haven_ops.migrations ORDER BY number",
    "catalogue": "SELECT * FROM haven_ops.catalogue ORDER BY 1, 2",
    "rows": "SELECT * FROM public.one ORDER BY id",
    "invalid": "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid",
}


def state(place: Place) -> dict[str, list[tuple[Any, ...]]]:
    return {name: place.ask(query) for name, query in STATE.items()}


def killed(place: Place, nth: int) -> int:
    """Run in a process that is killed at a point; return how it ended."""
    login = place.login
    given_ = json.dumps(
        [
            {
                "host": login.host,
                "port": login.port,
                "database": login.database,
                "user": login.user,
                "password": login.password,
                "ca_bundle": str(login.ca_bundle),
            },
            str(place.folder),
            nth,
        ]
    )
    command = [sys.executable, "-c", RUNNER, given_]
    return subprocess.run(command, cwd=PROJECT, check=False, timeout=60).returncode  # noqa: S603


@settings(
    max_examples=6,
    deadline=None,
    database=None,
    print_blob=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    files=st.lists(st.sampled_from(FILES), min_size=1, max_size=4),
    kills=st.lists(st.integers(1, 150), min_size=1, max_size=3),
)
def test_kills_leave_nothing_behind(
    migration_server: Server, tmp_path: Path, files: list[str], kills: list[int]
) -> None:
    for old in tmp_path.glob("*.sql"):
        old.unlink()
    texts = [FIRST, *(text.replace("{n}", str(n)) for n, text in enumerate(files, start=2))]
    for number, text in enumerate(texts, start=1):
        (tmp_path / f"{number:02}_file.sql").write_text(text, encoding="utf-8")
    with fresh_database(migration_server.login) as login:
        place = Place(login, tmp_path, "")
        place.run()
        clean = state(place)
    with fresh_database(migration_server.login) as login:
        place = Place(login, tmp_path, "")
        for nth in kills:
            assert killed(place, nth) in (KILLED, 0)
        place.run()
        assert state(place) == clean
        assert place.run().pending == ()
