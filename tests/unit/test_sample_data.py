"""The sample set is the same for the same seed, and can be taken for nobody."""

import re
from datetime import UTC, datetime

import pytest

from haven.sample_data import first_patient, generate, mark, marked_until

UNTIL = datetime(2026, 3, 1, 12, tzinfo=UTC)
REAL_SCRIPTS = re.compile(r"[\u0400-\u04ff\u0600-\u06ff\u1200-\u137f]")


@pytest.fixture(scope="module")
def tables():
    return {table.name: table.rows for table in generate(200, 1, UNTIL)}


def test_the_same_seed_gives_the_same_rows(tables):
    again = {table.name: table.rows for table in generate(200, 1, UNTIL)}
    assert again == tables


def test_another_seed_gives_other_people(tables):
    other = generate(200, 2, UNTIL)[0].rows
    assert not {row["id"] for row in other} & {row["id"] for row in tables["patients"]}


def test_a_larger_set_holds_the_smaller_one(tables):
    larger = {table.name: table.rows for table in generate(220, 1, UNTIL)}
    for name, rows in tables.items():
        assert larger[name][: len(rows)] == rows


def test_the_first_patient_is_known_before_anything_is_drawn(tables):
    assert first_patient(1) == tables["patients"][0]["id"]


def test_the_mark_tells_until_when():
    assert marked_until(mark(3, UNTIL)) == UNTIL


def test_rows_of_a_table_have_the_same_columns(tables):
    for rows in tables.values():
        assert {tuple(row) for row in rows} == {tuple(rows[0])}


def test_nobody_can_be_taken_for_somebody(tables):
    for person in tables["patients"]:
        assert re.fullmatch(r"([A-Z][a-z]|[a-z]{2})+", person["given_name"])
        assert person["unhcr_number"] is None or person["unhcr_number"].startswith("TEST-1-")
        for field in ("phone_number", "emergency_contact_phone"):
            assert re.fullmatch(r"\+120255501\d\d|\+447700900\d{3}", person[field])
        assert person["email"] is None or person["email"].endswith("@example.org")
        assert REAL_SCRIPTS.search(person["names_in_scripts"])
    assert all(row["ip_address"].startswith("192.0.2.") for row in tables["access_logs"])


def test_few_patients_have_very_many_records(tables):
    counts: dict[object, int] = {}
    for row in tables["health_records"]:
        counts[row["patient_id"]] = counts.get(row["patient_id"], 0) + 1
    ranked = sorted(counts.values(), reverse=True)
    assert ranked[0] > 5 * ranked[len(ranked) // 2]
    assert sum(ranked[: len(ranked) // 10]) > sum(ranked) / 4


def test_every_table_gets_rows_and_patients_of_several_organizations(tables):
    assert all(tables.values())
    assert len({row["managing_organization"] for row in tables["patients"]}) > 3
    assert len({row["accessed_at"].strftime("%Y-%m") for row in tables["access_logs"]}) > 2
