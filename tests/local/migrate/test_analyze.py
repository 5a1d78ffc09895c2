"""What a migration changed has statistics when it ends."""

import pytest

pytestmark = pytest.mark.local

KNOWN = "SELECT attname FROM pg_stats WHERE tablename = 'sorts' ORDER BY 1"
TABLE = "CREATE TABLE public.sorts (id bigint PRIMARY KEY, name text);\n"
ROWS = "INSERT INTO public.sorts SELECT n, 'a' FROM generate_series(1, 50) AS n;\n"


def test_changed_tables_are_analyzed(place):
    place.write("01_sorts.sql", TABLE + ROWS)
    place.run()
    assert place.ask(KNOWN) == []
    place.write("02_change.sql", "ALTER TABLE public.sorts ADD COLUMN size bigint DEFAULT 1;\n")
    place.run()
    assert place.ask(KNOWN) == [("id",), ("name",), ("size",)]
    assert "analyzed public.sorts" in place.said


def test_what_is_gone_is_left_out(place):
    place.write("01_sorts.sql", TABLE + ROWS + TABLE.replace("sorts", "others"))
    place.run()
    place.write("02_change.sql", "COMMENT ON TABLE public.sorts IS 'x';\n")
    gone = "-- haven: accepts drop-loses-data: a test\n"
    place.write("03_gone.sql", f"{gone}DROP TABLE public.others;\n")
    place.run()
    assert [text for text in place.said if text.startswith("analyzed")] == ["analyzed public.sorts"]
