"""All rows of the table of conformance."""

from __future__ import annotations

from tests.local.localcloud.rows_elsewhere import ELSEWHERE
from tests.local.localcloud.rows_refused import REFUSED
from tests.local.localcloud.rows_stories import STORIES
from tests.local.localcloud.table import Row

ROWS: list[Row] = sorted([*ELSEWHERE, *REFUSED, *STORIES], key=lambda row: row.id)
