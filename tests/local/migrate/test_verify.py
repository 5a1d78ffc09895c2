"""A file proves what it did, or is not applied."""

import pytest

from haven.errors import Failed

pytestmark = pytest.mark.local

TABLE = "CREATE TABLE public.sorts (id bigint PRIMARY KEY);\nINSERT INTO public.sorts VALUES (1), (2);\n"
TRUE = "-- haven: verify SELECT count(*) = 2 FROM public.sorts\n"
FALSE = "-- haven: verify SELECT count(*) = 3 FROM public.sorts\n"
OUTSIDE = "-- haven: non-transactional\n"


def test_what_is_true_passes(place):
    place.write("01_sorts.sql", TRUE + "-- haven: verify SELECT true\n" + TABLE)
    place.run()
    assert place.ledger() == [(1, "01_sorts.sql", "done", 2, 2)]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT count(*) = 3 FROM public.sorts", "it is not true (SQLSTATE P0004)"),
        ("SELECT NULL::boolean", "it is not true"),
        ("SELECT true FROM public.sorts", "SQLSTATE 21000"),
        ("SELECT 'yes' FROM public.none", "does not exist (SQLSTATE 42P01)"),
        ("SELECT nextval('public.s') > 0", "in a read-only transaction (SQLSTATE 25006)"),
        ("SELECT true -- and a comment", ""),
    ],
)
def test_what_is_not_true_is_rolled_back(place, query, said):
    text = f"-- haven: verify SELECT true\n-- haven: verify {query}\nCREATE SEQUENCE public.s;\n"
    place.write("01_sorts.sql", text + TABLE)
    if not said:
        place.run()
        return
    with pytest.raises(Failed) as raised:
        place.run()
    assert f"01_sorts.sql: what it is to prove does not hold: {query}" in str(raised.value)
    assert said in str(raised.value)
    assert place.ledger() == []
    assert place.ask("SELECT to_regclass('public.sorts')") == [(None,)]


def test_a_file_in_no_transaction_is_done_once_it_is_true(place):
    place.write("01_sorts.sql", OUTSIDE + FALSE + TABLE)
    with pytest.raises(Failed, match="what it is to prove does not hold"):
        place.run()
    assert place.ledger() == [(1, "01_sorts.sql", "failed", 2, 2)]
    place.write("01_sorts.sql", OUTSIDE + TRUE + TABLE)
    place.run()
    assert place.ledger() == [(1, "01_sorts.sql", "done", 2, 2)]
    assert place.ask("SELECT count(*) FROM public.sorts") == [(2,)]


GUARDED = "ALTER TABLE public.sorts ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;\n"


@pytest.mark.parametrize(
    "text",
    [
        "-- haven: verify SELECT NOT EXISTS (SELECT FROM public.sorts WHERE id = 1)\nSELECT 1;",
        "UPDATE public.sorts SET id = id + 10 WHERE id = 1;",
        "DELETE FROM public.sorts WHERE id = 1;",
    ],
)
def test_rows_that_cannot_be_seen_are_not_passed_over(place, text):
    place.write("01_sorts.sql", TABLE)
    place.write("02_guard.sql", GUARDED)
    place.run()
    place.write("03_rows.sql", text)
    with pytest.raises(Failed, match="row-level security policy"):
        place.run()
