"""RDS's own export of a snapshot: what a task is called, what it skipped, and whether all is there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from haven.export.columns import Form, Hashed
from haven.export.manifest import ExportedColumn

# Names of tasks are taken for ever, whatever became of the task.
LONGEST = 60
AT_WORK = frozenset({"STARTING", "IN_PROGRESS"})
COMPLETE = "COMPLETE"
ENDED = frozenset({COMPLETE, "FAILED", "CANCELED"})
SUCCESS = "_SUCCESS"
PARQUET = ".parquet"
INFO = "export_tables_info_"
SKIPPED = ("skippedTables", "skippedObjectives", "general")
# What RDS makes of each type; all others become text.
FORMS: Mapping[str, Form] = {
    "int2": Form.INTEGER,
    "int4": Form.INTEGER,
    "int8": Form.INTEGER,
    "smallint": Form.INTEGER,
    "integer": Form.INTEGER,
    "bigint": Form.INTEGER,
    "float4": Form.FLOAT,
    "float8": Form.FLOAT,
    "real": Form.FLOAT,
    "double precision": Form.FLOAT,
    "bool": Form.BOOLEAN,
    "boolean": Form.BOOLEAN,
    "bytea": Form.BYTES,
}


@dataclass(frozen=True, slots=True)
class Told:
    """What RDS tells of one table that it exported."""

    target: str
    status: str
    columns: tuple[ExportedColumn, ...]


def task_name(stack: str, export: str, snapshot: str, attempt: int) -> str:
    """Return what a task is called: the same for the same export of the same snapshot."""
    mark = hashlib.sha256(f"{stack} {export} {snapshot}".encode()).hexdigest()[:12]
    ending = f"-{mark}" if attempt == 1 else f"-{mark}-{attempt}"
    return f"{stack[: LONGEST - len(ending)].rstrip('-')}{ending}"


def skipped(warning: str) -> list[str]:
    """Return what a complete task says that it left out; its words where they cannot be read."""
    if not warning:
        return []
    try:
        parts = json.loads(warning)
        found = [item for part in SKIPPED for item in parts.get(part, ())]
    except (ValueError, AttributeError):
        return [warning]
    return [_named(item) for item in found]


def _named(item: Any) -> str:
    if not isinstance(item, Mapping):
        return str(item)
    name = next((str(value) for key, value in item.items() if key.lower().endswith("name")), "")
    reason = str(item.get("reason", "without a reason"))
    return f"{name}: {reason}" if name else reason


def told(body: bytes) -> list[Told]:
    """Read one of the files that say which tables were exported; keys are of any case."""
    tables = _lower(json.loads(body)).get("pertablestatus", [])
    return [
        Told(
            str(one["target"]),
            str(one["status"]),
            tuple(
                _column(item)
                for item in one.get("schemametadata", {}).get("originaltypemappings", ())
            ),
        )
        for one in tables
    ]


def _column(item: Mapping[str, Any]) -> ExportedColumn:
    kind = str(item["originaltype"])
    form = FORMS.get(kind, Form.TEXT)
    return ExportedColumn(
        name=str(item["columnname"]), type=kind, form=form, loads_as=kind, hashed=Hashed.NOT
    )


def _lower(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key).lower(): _lower(item) for key, item in value.items()}
    return [_lower(item) for item in value] if isinstance(value, list) else value


def missing(
    expected: Iterable[str], found: Iterable[Told], keys: Iterable[str], place: str
) -> list[str]:
    """Say what is not there of the tables that a database has: as ``database.schema.table``."""
    known, there = {one.target: one for one in found}, set(keys)
    return [
        reason
        for target in sorted(expected)
        if (reason := _why_missing(target, known.get(target), there, place))
    ]


def _why_missing(target: str, one: Told | None, keys: set[str], place: str) -> str:
    if one is None:
        return f"{target} is not in what RDS exported"
    if one.status != COMPLETE:
        return f"{target} is {one.status}"
    folder = folder_of(place, target)
    if not any(key.startswith(folder) and key.endswith(SUCCESS) for key in keys):
        return f"{target} has no {SUCCESS} in {folder}"
    return ""


def folder_of(place: str, target: str) -> str:
    """Return where the parts of a table lie below the place of a task."""
    database, _, table = target.partition(".")
    return f"{place}{database}/{table}/"
