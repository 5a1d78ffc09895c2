"""What the command line prints: results on standard output, everything else on standard error."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table

Progress = Callable[[str], None]
_OUT = Console(highlight=False, soft_wrap=True, emoji=False)
_WIDE = 200
ENDPOINT = "AWS_ENDPOINT_URL"
_ERR = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def no_progress(_message: str) -> None:
    """Say nothing."""


def line(text: str) -> None:
    """Print one line of result."""
    _OUT.print(text, markup=False)


def error(text: str) -> None:
    """Print one paragraph about what went wrong."""
    _ERR.print(text, markup=False, style="red" if _ERR.is_terminal else None)


@contextlib.contextmanager
def progress(*, quiet: bool) -> Iterator[Progress]:
    """Show what is being done: a spinner with the last step on a terminal, else a line each."""
    if quiet:
        yield no_progress
    elif _ERR.is_terminal:
        with _ERR.status("starting") as status:
            yield status.update
    else:
        begin = time.monotonic()
        yield lambda message: _ERR.print(
            f"{time.monotonic() - begin:6.1f} s  {message}", markup=False
        )


def _json(model: BaseModel) -> None:
    sys.stdout.write(model.model_dump_json(indent=2) + "\n")


def report(model: Any, *, as_json: bool) -> None:
    """Print an operation's report."""
    if as_json:
        _json(model)
        return
    verb = "would be " if model.dry_run else ""
    for step in model.steps:
        hazards = f"  [{', '.join(step.hazards)}]" if step.hazards else ""
        line(f"  {step.verb} {step.subject}: {step.because}{hazards}")
        for change in step.changes:
            line(f"      {change}")
    for text in model.details:
        line(f"  {text}")
    count = len(model.steps)
    what = "nothing to change" if not count else f"{count} {verb}changed"
    line(
        f"{model.operation} {model.stack}: {what}, in {model.seconds:.1f} s "
        f"({model.aws_reads} AWS reads, {model.aws_writes} writes)."
    )
    if model.restore:
        line(model.restore)
    for warning in model.warnings:
        _ERR.print(f"note: {warning}", markup=False)


def adoption(model: Any, *, as_json: bool) -> None:
    """Print what was found of a stack that is to be taken over."""
    if as_json:
        _json(model)
        return
    for item in model.resources:
        owner = f" of '{item.owner}'" if item.standing == "foreign" else ""
        line(f"  {item.address}: {item.standing}{owner}")
        for text in item.differs:
            line(f"      differs in {text}")
        if item.tags:
            line(f"      would get {', '.join(item.tags)}")
    standings = Counter(item.standing for item in model.resources)
    counts = ", ".join(f"{count} {standing}" for standing, count in sorted(standings.items()))
    line(f"{model.operation} {model.stack}: {counts}; {len(model.steps)} lack tags.")


def status(model: Any, *, as_json: bool) -> None:
    """Print what exists of a stack."""
    if as_json:
        _json(model)
        return
    table = Table(box=None)
    for title in ("instance", "role", "class", "status", "zone", "endpoint"):
        table.add_column(title, no_wrap=True)
    for item in model.instances:
        table.add_row(
            item.name, item.role, item.instance_class, item.status, item.zone, item.endpoint
        )
    _table(table)
    table = Table(box=None)
    for title in ("operation", "last run", "ended", "evidence"):
        table.add_column(title, no_wrap=True)
    for item in model.last_runs:
        table.add_row(item.operation, item.finished, item.outcome, item.evidence)
    _table(table)
    for item in model.credentials:
        if item.since and item.due:
            line(f"{item.role}: password since {item.since:%Y-%m-%d}, due {item.due:%Y-%m-%d}")
    line(f"heartbeat {model.heartbeat}")
    line(f"epoch {model.epoch}, {model.promotion or 'no promotion'} under way")
    line(f"{model.stack}: {model.existing} of {model.wanted} resources exist; {model.lock}")


def _table(table: Table) -> None:
    """Print a table without cutting it off where the terminal is narrow."""
    Console(width=max(_OUT.width, _WIDE), highlight=False, emoji=False).print(table)


def credentials(model: Any, *, as_json: bool) -> None:
    """Print a stack's credentials and what is wrong with them."""
    if as_json:
        _json(model)
        return
    table = Table(box=None)
    for title in ("secret", "role", "since", "due", "login"):
        table.add_column(title, no_wrap=True)
    for item in model.credentials:
        since, end = (f"{day:%Y-%m-%d}" if day else "" for day in (item.since, item.due))
        table.add_row(item.secret, item.role, since, end, item.login or "not tried")
    _table(table)
    for item in model.findings:
        line(f"  {item.trouble} {item.subject}: {item.text}. {item.cure}")
    wrong = sum(not item.note for item in model.findings)
    line(
        f"secret-check {model.stack}: {len(model.credentials)} credentials, {wrong} wrong, "
        f"{len(model.findings) - wrong} notes."
    )


def loaded(model: Any, *, as_json: bool) -> None:
    """Print what was loaded of an export."""
    if as_json:
        _json(model)
        return
    for item in model.tables:
        lacking = (
            f"; without their types: {', '.join(item.without_type)}" if item.without_type else ""
        )
        line(f"  {item.table}: {item.rows:,} rows, equal{lacking}")
    rows = sum(item.rows for item in model.tables)
    line(
        f"{len(model.tables)} tables, {rows:,} rows of {model.manifest} are in {model.into}, "
        f"{model.seconds:.1f} s."
    )


def outputs(model: Any, *, as_json: bool) -> None:
    """Print a stack's outputs."""
    if as_json:
        values = {item.name: item.value for item in model.outputs}
        sys.stdout.write(json.dumps(values, indent=2) + "\n")
        return
    for item in model.outputs:
        line(f"{item.name} = {item.value}")


def stack(model: BaseModel, *, as_json: bool) -> None:
    """Print a stack with its defaults."""
    if as_json:
        _json(model)
        return
    _section("", model.model_dump(mode="json"))


def _section(name: str, values: Mapping[str, Any]) -> None:
    tables = {key: value for key, value in values.items() if isinstance(value, dict) and value}
    if name:
        line(f"\n[{name}]")
    for key, value in values.items():
        if key not in tables and value is not None and value != {}:
            line(f"{key} = {json.dumps(value)}")
    for key, value in tables.items():
        _section(f"{name}.{key}" if name else key, value)


def exports(values: Mapping[str, str]) -> None:
    """Print shell exports.

    Version 1 of awscli sends RDS requests of us-east-1 past ``AWS_ENDPOINT_URL``, so where that is
    set, ``aws`` becomes a function that passes it as an option.
    """
    for key, value in values.items():
        sys.stdout.write(f"export {key}={shlex.quote(value)}\n")
    if ENDPOINT in values:
        sys.stdout.write(f'aws() {{ command aws --endpoint-url "${ENDPOINT}" "$@"; }}\n')
