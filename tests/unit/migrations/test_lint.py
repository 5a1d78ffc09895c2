"""What a migration blocks, loses or lays open is found; what is harmless is let through."""

import hashlib
from pathlib import Path

import pytest
from pglast import parse_sql

from haven.migrations.files import Migration
from haven.migrations.lint.hazards import HAZARDS
from haven.migrations.lint.linter import judge
from haven.migrations.plan import Pending
from haven.migrations.reference import hazards, headers
from haven.migrations.script import read_script
from tests.unit.migrations.lint_cases import BEFORE, HARMLESS, HAZARDOUS

ROOT = Path(__file__).parents[3]
OUTSIDE = ("CONCURRENTLY", "VACUUM", "CLUSTER", "REINDEX", "SUBSCRIPTION")


def migration(number, text):
    checksum = hashlib.sha256(text.encode()).hexdigest()
    return Migration(number, f"{number:02}_file.sql", Path("file.sql"), text, checksum)


def found_in(*texts, before=BEFORE):
    scripts = []
    for number, text in enumerate(texts, start=2):
        apart = any(word in text for word in OUTSIDE) and "PARTITION OF" not in text
        head = "-- haven: non-transactional\n" if apart else ""
        scripts.append(read_script(Pending(migration(number, f"{head}{text};"), "")))
    judged = judge([migration(1, before)], scripts)
    return [finding for item in judged for finding in item.found]


@pytest.mark.parametrize(("text", "expected"), HAZARDOUS.values(), ids=HAZARDOUS)
def test_a_hazard_is_found(text, expected):
    findings = found_in(text)
    assert [finding.hazard.name for finding in findings] == expected
    for finding in findings:
        assert finding.subject
        assert "{" not in finding.text
        parse_sql(finding.paste.replace("…", "NULL"))


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS)
def test_what_is_harmless_is_let_through(text):
    assert [finding.text for finding in found_in(text)] == []


def test_every_hazard_has_a_case():
    seen = {name for _, names in HAZARDOUS.values() for name in names}
    only_in_down_files = {"undo-deletes"}
    assert seen | only_in_down_files == HAZARDS.keys()


def test_the_reference_is_up_to_date():
    page = (ROOT / "docs" / "reference" / "migration-hazards.md").read_text(encoding="utf-8")
    assert page == hazards()


def test_the_table_of_headers_is_up_to_date():
    assert headers() in (ROOT / "schema" / "FORMATS.md").read_text(encoding="utf-8")
