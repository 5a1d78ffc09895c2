"""The table of conformance is whole, and its page in the documentation is its own."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.local.localcloud import rows
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


FOLDER = Path(rows.__file__).parent
ELSEWHERE = [row.check for row in ROWS if isinstance(row.check, str)]


@pytest.mark.parametrize("place", ELSEWHERE)
def test_a_row_names_a_test_that_is_there(place: str) -> None:
    module, _, function = place.partition("::")
    text = (FOLDER / f"{module}.py").read_text(encoding="utf-8")
    assert re.search(rf"^def {function}\(", text, re.MULTILINE)
