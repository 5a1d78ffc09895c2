"""squawk is asked as it is installed; what it says of the cases is told apart as they say."""

import hashlib
import subprocess

import pytest

from haven.errors import Failed
from haven.migrations.files import Migration, read_folder
from haven.migrations.lint.linter import judge
from haven.migrations.lint.squawk import FINER, IGNORED, SAME, further
from haven.migrations.plan import Pending, plan_migrations
from haven.migrations.script import read_script
from tasks import squawk
from tasks.lint import lint
from tests.local.conftest import ROOT
from tests.unit.migrations.lint_cases import BEFORE, HAZARDOUS
from tests.unit.migrations.lint_harmless import HARMLESS

OUTSIDE = ("CONCURRENTLY", "VACUUM", "CLUSTER", "REINDEX", "SUBSCRIPTION")


def written(folder, texts):
    """Write texts as files, and read them as pending ones; each stands for itself."""
    scripts = {}
    for number, (name, text) in enumerate(texts.items(), start=2):
        apart = any(word in text for word in OUTSIDE)
        full = f"{'-- haven: non-transactional' if apart else ''}\n{text};\n"
        path = folder / f"{number:04}_case.sql"
        path.write_text(full)
        checksum = hashlib.sha256(full.encode()).hexdigest()
        scripts[name] = read_script(Pending(Migration(number, path.name, path, full, checksum), ""))
    return scripts


def new_to_us(folder, texts):
    before = Migration(1, "01_before.sql", folder / "01_before.sql", BEFORE, "")
    scripts = written(folder, texts)
    said = squawk.remarks(list(scripts.values()))
    assert said
    return {
        name: found
        for name, script in scripts.items()
        if (found := [item.hazard.name for item in further(said, judge([before], [script]))])
    }


def test_what_is_harmless_is_harmless_to_both(tmp_path):
    assert new_to_us(tmp_path, HARMLESS) == {}


def test_what_squawk_finds_in_the_hazards_is_found_here(tmp_path):
    texts = {name: text for name, (text, _) in HAZARDOUS.items()}
    assert new_to_us(tmp_path, texts) == {}


def test_what_only_squawk_finds_counts(tmp_path):
    texts = {
        "time without zone": "ALTER TABLE visits ADD COLUMN at timestamp",
        "char": "ALTER TABLE visits ADD COLUMN code_2 char(3)",
    }
    assert new_to_us(tmp_path, texts) == {
        "time without zone": ["prefer-timestamp-tz"],
        "char": ["ban-char-field"],
    }


def test_the_rules_that_are_told_apart_are_rules_of_squawk(tmp_path):
    path = tmp_path / "01_a.sql"
    path.write_text("SELECT 1;\n")
    # It refuses a name that it does not know; what is no SQL to it is no rule.
    names = ",".join(sorted((IGNORED | FINER | SAME.keys()) - {"syntax-error"}))
    command = [str(squawk._program()), f"--exclude={names}", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert "invalid rule name" not in done.stderr
    assert done.returncode == 0


def test_the_schema_that_comes_with_haven_passes():
    files = read_folder(ROOT / "schema")
    scripts = [read_script(pending) for pending in plan_migrations(files, []).pending]
    assert {finding.hazard.name for finding in lint([], scripts).findings} == {"owner-changed"}


def test_a_squawk_that_is_not_there_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(squawk, "_program", lambda: tmp_path / "none")
    with pytest.raises(Failed, match="could not be asked: FileNotFoundError"):
        squawk.remarks(list(written(tmp_path, {"one": "SELECT 1"}).values()))
