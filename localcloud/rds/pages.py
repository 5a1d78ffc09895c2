"""Markers: a Describe answer in pages, as botocore's paginator model names its parts."""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any

from localcloud.rds import faults

_DEFAULT = 100
_FEWEST, _MOST = 20, 100
# API DescribeOrderableDBInstanceOptions, MaxRecords: minimum 20, maximum 10000.
_MOST_OF = {"DescribeOrderableDBInstanceOptions": 10000}


@functools.cache
def _paginated() -> dict[str, Any]:
    folder = resources.files("botocore").joinpath("data/rds/2014-10-31")
    table: dict[str, Any] = json.loads(folder.joinpath("paginators-1.json").read_text())
    return dict(table["pagination"])


def page(operation: str, parameters: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """Return the part of an answer that MaxRecords and Marker ask for."""
    model = _paginated().get(operation)
    if not model or not isinstance(model["result_key"], str):
        return answer
    key = model["result_key"]
    if not isinstance(answer.get(key), list):
        return answer
    most = int(parameters.get("MaxRecords") or _DEFAULT)
    limit = _MOST_OF.get(operation, _MOST)
    if not _FEWEST <= most <= limit:
        raise faults.invalid_value(
            f"Invalid value {most} for MaxRecords. Must be between {_FEWEST} and {limit}"
        )
    start = _start(parameters.get("Marker"))
    following = start + most
    cut = {**answer, key: answer[key][start:following]}
    if following < len(answer[key]):
        cut["Marker"] = str(following)
    return cut


def _start(marker: str | None) -> int:
    if not marker:
        return 0
    if not marker.isdigit():
        raise faults.invalid_value("Could not parse the Marker.")
    return int(marker)
