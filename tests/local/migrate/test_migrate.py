"""The migration runner against a real server."""

import pytest

pytestmark = pytest.mark.local

ONE = "CREATE TABLE public.one (id bigint PRIMARY KEY);\nINSERT INTO public.one VALUES (1);\n"


def test_files_are_applied_in_order_and_recorded(place):
    place.write("01_one.sql", ONE)
    place.write("02_two.sql", "-- a comment at the end\nALTER TABLE public.one ADD n text; -- end")
    result = place.run()
    assert (result.applied, result.already, result.statements) == (
        ("01_one.sql", "02_two.sql"),
        0,
        3,
    )
    assert place.ledger() == [(1, "01_one.sql", "done", 2, 2), (2, "02_two.sql", "done", 1, 1)]
    owner = "SELECT tableowner FROM pg_tables WHERE tablename = 'one'"
    assert place.ask(owner) == [("haven_owner",)]
    uncommented = (
        "SELECT attname FROM pg_attribute WHERE attrelid = 'haven_ops.migrations'::regclass "
        "AND attnum > 0 AND col_description(attrelid, attnum) IS NULL"
    )
    assert place.ask(uncommented) == []
