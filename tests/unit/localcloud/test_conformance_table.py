"""The table of conformance is whole, and its page in the documentation is its own."""

from __future__ import annotations

import importlib
from collections import Counter

import pytest

from tests.local.localcloud.rows import ROWS
from tests.local.localcloud.table import DOCUMENT, rendered


def test_the_page_is_up_to_date() -> None:
    words = "run: python -m tests.local.localcloud.table"
    assert DOCUMENT.read_text() == rendered(ROWS), words


def test_every_service_has_rows() -> None:
    assert len(ROWS) >= 40
    services = Counter(row.id.split("-")[0] for row in ROWS)
    assert set(services) == {"CW", "IAM", "KMS", "RDS", "S3", "SM", "SNS"}
    assert len({row.id for row in ROWS}) == len(ROWS)


ELSEWHERE = [row.check for row in ROWS if isinstance(row.check, str)]


@pytest.mark.parametrize("place", ELSEWHERE)
def test_a_row_names_a_test_that_is_there(place: str) -> None:
    module, _, function = place.partition("::")
    found = importlib.import_module(f"tests.local.localcloud.{module}")
    assert callable(getattr(found, function))
