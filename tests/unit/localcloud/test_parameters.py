"""Formulas, clamps, classes, storage: figures without a server."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("moto")

from localcloud import instance_classes, parameters
from localcloud.catalogue import Catalogue
from localcloud.parameters import Size
from localcloud.rds import faults, storage
from localcloud.rds.storage import Storage

GIB = 1024**3
ROW = {
    "name": "max_connections",
    "type": "integer",
    "context": "postmaster",
    "unit": None,
    "min": "1",
    "max": "262143",
    "choices": None,
    "boot": "100",
    "text": "",
    "category": "",
}


@pytest.mark.parametrize(
    ("formula", "memory", "value"),
    [
        ("LEAST({DBInstanceClassMemory/9531392},5000)", GIB, "112"),
        ("LEAST({DBInstanceClassMemory/9531392},5000)", 512 * GIB, "5000"),
        ("{DBInstanceClassMemory/32768}", 16 * GIB, "524288"),
        ("GREATEST({DBInstanceClassMemory*1024/63963136},65536)", GIB, "65536"),
        ("SUM({DBInstanceClassMemory/1024},10)", 1024, "11"),
        ("GREATEST({log(DBInstanceClassMemory/21474836480)*600},200)", 80 * GIB, "1200"),
        ("800", GIB, "800"),
        ("plain text", GIB, "plain text"),
    ],
)
def test_formulas(formula: str, memory: int, value: str) -> None:
    assert parameters.evaluate(formula, Size(memory, 2)) == value


@pytest.mark.parametrize(
    "formula", ["{Unknown}", "{__import__('os')}", "{1/0}", "LEAST({1", "{a.b}"]
)
def test_what_is_no_formula(formula: str) -> None:
    with pytest.raises(ValueError, match="formula"):
        parameters.evaluate(formula, Size(GIB, 2))


def test_memory_is_clamped_and_connections_are_not() -> None:
    values = {"shared_buffers": "4000000", "max_connections": "700"}
    settings = parameters.for_server(Catalogue([ROW]), values, Size(GIB, 2), Path("/nowhere"))
    assert settings["shared_buffers"] == "2048"
    assert settings["max_connections"] == "700"
    assert settings["shared_preload_libraries"] == ""


def test_a_standby_is_raised_to_its_source() -> None:
    raised = parameters.raise_to({"a": "5", "b": "9"}, {"a": "7", "b": "3"}, ("a", "b", "c"))
    assert raised == {"a": "7", "b": "9"}


@pytest.mark.parametrize(
    ("name", "gib", "processors"),
    [
        ("db.t3.micro", 1, 2),
        ("db.r6g.large", 16, 2),
        ("db.r6g.16xlarge", 512, 64),
        ("db.m6i.2xlarge", 32, 8),
    ],
)
def test_classes(name: str, gib: int, processors: int) -> None:
    assert instance_classes.size_of(name) == Size(gib * GIB, processors)


@pytest.mark.parametrize("name", ["db.t3.tiny", "db.z9.large", "r6g.large", "db.r6g.5xlarge", ""])
def test_classes_that_are_none(name: str) -> None:
    assert instance_classes.size_of(name) is None


@pytest.mark.parametrize(
    ("asked", "iops", "throughput"),
    [
        (Storage("gp3", 100), 3000, 125),
        (Storage("gp3", 400), 12000, 500),
        (Storage("gp3", 500, 16000, 750), 16000, 750),
        (Storage("gp2", 100), None, None),
        (Storage("io1", 100, 1000), 1000, None),
    ],
)
def test_storage(asked: Storage, iops: int | None, throughput: int | None) -> None:
    found = storage.provisioned(asked)
    assert (found["Iops"], found["StorageThroughput"]) == (iops, throughput)


@pytest.mark.parametrize(
    "asked",
    [
        Storage("gp3", 100, 3000),
        Storage("gp3", 100, None, 125),
        Storage("gp3", 400, 3000),
        Storage("gp3", 19),
        Storage("gp2", 100, 1000),
        Storage("io1", 100),
        Storage("tape", 100),
    ],
)
def test_storage_refused(asked: Storage) -> None:
    with pytest.raises(faults.Fault):
        storage.provisioned(asked)
