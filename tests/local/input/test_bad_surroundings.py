"""A bad command, environment or place: one paragraph, exit code 1, no traceback, nothing touched."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.connection import test_guards
from tests.unit import test_parameters, test_settings
from tests.unit.migrations import test_bad_folders
from tests.unit.stack import test_stack_file

pytestmark = pytest.mark.local

ROOT = Path(__file__).resolve().parents[3]
LIMIT = 60
IS_ROOT = os.geteuid() == 0
STACK = 'environment = "test"\naccount = "123456789012"\n'

# What is asked, in which environment, and what the answer says.
COMMANDS = [
    (["run", "provison"], {}, "There is no operation 'provison'"),
    (["run", "\udcff"], {}, "There is no operation '\\udcff'"),
    (["run", "provision", "--param", "nonsense"], {}, "not of the form key=value"),
    (["run", "provision", "--param", "other=1"], {}, "other"),
    (["run", "provision", "--other"], {}, "--other"),
    (["nothing"], {}, "nothing"),
    (["plan", "--operation", "other"], {}, "There is no operation 'other'"),
    (["sample-data", "--patients", "0"], {}, "patients"),
    (["sample-data", "--patients", "many"], {}, "patients"),
    (["stack", "check", "--stack", "nowhere"], {}, "The stack 'nowhere' cannot be read"),
    (["stack", "check", "--stack", "bad.toml"], {}, "it is not TOML"),
    (["stack", "check", "--stack", "."], {}, "The stack '.' cannot be read"),
    (["stack", "show", "--stack", "binary.toml"], {}, "it is not UTF-8"),
    (["stack", "check"], {"HAVEN_STACK": "x" * 5000}, "File name too long"),
    (["stack", "check"], {"HAVEN_STACKS_DIR": "/nowhere"}, "Known stacks: none"),
    (["stack", "check"], {"HAVEN_STCK": "local"}, "Did you mean HAVEN_STACK?"),
    (["stack", "check"], {"HAVEN_CLOUD": "\udcff"}, "cloud: Input should be a valid string"),
    (["stack", "check"], {"HAVEN_PARALLEL": "9" * 5000}, "parallel"),
    (["status"], {"HAVEN_LOCAL_DATA": "/nowhere"}, "No local cloud is running"),
    (["status"], {"HAVEN_LOCAL_DATA": "/proc/self/mem"}, "No local cloud is running"),
    (["status"], {"HAVEN_LOCAL_DATA": "x" * 5000}, "No local cloud is running"),
    (["env"], {"HAVEN_ENDPOINT_URL": "http://10.0.0.1:1"}, "not a loopback address"),
    (["outputs"], {"HAVEN_CLOUD": "aws", "AWS_ENDPOINT_URL": "http://[::1]"}, "cloud is aws"),
    (["plan"], {"HAVEN_CLOUD": "aws", "AWS_PROFILE": "of-nobody"}, "of-nobody"),
    (["destroy", "--confirm", "wrong", "--stack", "good.toml"], {}, "No local cloud is running"),
    (["up", "--port", "65536"], {}, "65535"),
    (["up", "--port", "-1"], {}, "port"),
    (["up", "--port", "http"], {}, "port"),
]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "bad.toml").write_text("environment = ", encoding="utf-8")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "good.toml").write_text(STACK, encoding="utf-8")
    return tmp_path


@pytest.fixture
def data() -> Iterator[Path]:
    """A data directory that the servers' user can enter."""
    with tempfile.TemporaryDirectory(prefix="haven-input-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def haven(place: Path, arguments: list[str], environment: dict[str, str]) -> str:
    """Run the command line; return the one paragraph it says, which is all that it does."""
    inherited = {
        key: value
        for key, value in os.environ.items()  # noqa: TID251  # handed on to a child, not read
        if not key.startswith(("HAVEN_", "LOCALCLOUD_", "AWS_"))
    }
    before = snapshot(place)
    done = subprocess.run(  # noqa: S603  # this project
        [sys.executable, "-m", "haven.cli", *arguments],
        cwd=place,
        env={"HAVEN_LOCAL_DATA": str(place / "none"), "COLUMNS": "30000"}
        | {"PYTHONPATH": str(ROOT)}
        | {key: value for key, value in inherited.items() if key != "PYTHONPATH"}
        | environment,
        capture_output=True,
        timeout=LIMIT,
        check=False,
    )
    said = done.stderr.decode("utf-8", "backslashreplace")
    assert done.returncode == 1, said
    assert not done.stdout
    assert "Traceback" not in said
    assert "Nobody foresaw this" not in said
    assert said.strip().count("\n") == 0, said
    assert snapshot(place) == before
    return said


def snapshot(place: Path) -> set[tuple[str, int, int, int, int]]:
    """Return what there is: names, kinds and rights, owners, sizes, times."""
    found = set()
    for path in [place, *place.rglob("*")]:
        facts = path.lstat()
        kind = stat.S_ISREG(facts.st_mode) and facts.st_mtime_ns
        found.add((str(path), facts.st_mode, facts.st_uid, facts.st_size, int(kind)))
    return found


@pytest.mark.parametrize(("arguments", "environment", "words"), COMMANDS)
def test_a_bad_command_is_refused(place, arguments, environment, words):
    assert words in haven(place, arguments, environment)


@contextlib.contextmanager
def small(path: Path, *options: str) -> Iterator[None]:
    """Mount a file system of one MiB; only root can."""
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", ",".join(("size=1m", *options)), "none", str(path)]
    subprocess.run(mount, check=True)  # noqa: S603  # fixed words and a path of this test
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)  # noqa: S603, S607  # as above


@contextlib.contextmanager
def made(path: Path, *, mode: int = 0o755, owner: int = -1, holds: str = "") -> Iterator[None]:
    """Make a folder with these rights, this owner and a file in it."""
    path.mkdir()
    if holds:
        (path / holds).write_text("of somebody", encoding="utf-8")
    os.chown(path, owner, -1)
    path.chmod(mode)
    try:
        yield
    finally:
        path.chmod(0o755)


@contextlib.contextmanager
def nothing(_path: Path) -> Iterator[None]:
    """Make nothing at all."""
    yield


# The data directory below the test's folder, or elsewhere; what is made there; what is said.
AS_ROOT = [
    ("full", small, "1 MiB are free there"),
    ("read-only", lambda path: small(path, "ro"), "cannot be used: "),
    ("foreign", lambda path: made(path, owner=12345), "it belongs to user 12345, not to root"),
]
AS_OTHERS = [
    ("read-only", lambda path: made(path, mode=0o555), "Permission denied"),
    ("/root/none", nothing, "Permission denied"),
]
DIRECTORIES = [
    ("/proc/x", nothing, "No such file or directory"),
    ("/sys/x", nothing, "cannot be used: "),
    ("good.toml", nothing, "File exists"),
    ("good.toml/sub", nothing, "Not a directory"),
    ("d" * 300, nothing, "File name too long"),
    ("/".join(["d" * 200] * 25), nothing, "File name too long"),
    ("holds", lambda path: made(path, holds="thesis.odt"), "holds files that no local cloud made"),
    ("holds2", lambda path: made(path, holds="clusters"), "holds files that no local cloud made"),
    (".", nothing, "holds files that no local cloud made"),
    *(AS_ROOT if IS_ROOT else AS_OTHERS),
]


@pytest.mark.parametrize(("name", "make", "words"), DIRECTORIES, ids=[r[0] for r in DIRECTORIES])
def test_a_bad_data_directory_is_refused(place, name, make, words):
    path = place / name
    with make(path):
        said = haven(place, ["up", "--no-prefect", "--port", "0", "--data", str(path)], {})
    assert words in said
    assert "Nothing was touched." in said


PROGRAMS = [
    ("missing", {}, "has no postgres and initdb"),
    ("empty", {"other": ""}, "has no postgres and initdb"),
    ("without initdb", {"postgres": "echo 'postgres (PostgreSQL) 15.1'"}, "no postgres and initdb"),
    ("too old", {"postgres": "echo 'postgres (PostgreSQL) 14.12'", "initdb": ""}, "is older than"),
    ("much too old", {"postgres": "echo 'postgres (PostgreSQL) 9.6.24'", "initdb": ""}, "older"),
    ("of no version", {"postgres": "echo hello", "initdb": ""}, "is older than PostgreSQL 15"),
    ("without TLS", {"postgres": "echo 'postgres (PostgreSQL) 16.3'", "initdb": ""}, "without TLS"),
    ("failing", {"postgres": "exit 3", "initdb": ""}, "does not run"),
    ("unpacked badly", {"postgres": "", "initdb": "", "../pg-symlinks.json": "{"}, "npm unpacks"),
    ("listed badly", {"postgres": "", "initdb": "", "../pg-symlinks.json": "[1]"}, "npm unpacks"),
]


@pytest.mark.parametrize(
    ("files", "words"), [r[1:] for r in PROGRAMS], ids=[r[0] for r in PROGRAMS]
)
def test_a_bad_postgresql_is_refused(place, data, tmp_path_factory, files, words):
    folder = tmp_path_factory.mktemp("build") / "bin"
    for name, text in files.items():
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text if "json" in name else f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    arguments = ["up", "--no-prefect", "--port", "0", "--data", str(data)]
    said = haven(place, arguments, {"LOCALCLOUD_PG_BIN": str(folder)})
    assert words in said
    assert "LOCALCLOUD_PG_BIN" in said
    assert not list(data.glob("clusters/*"))


def test_a_taken_port_is_told(place, data):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = ["up", "--no-prefect", "--port", str(port), "--data", str(data)]
        assert f"Port {port} on 127.0.0.1 is taken" in haven(place, arguments, {})
    assert not list(data.glob("clusters/*"))


def test_a_file_that_is_not_text_as_env_file_is_told(place):
    (place / ".env").write_bytes(b"HAVEN_STACK=\xff")
    assert "not UTF-8 at byte 12" in haven(place, ["stack", "check"], {})


def test_there_are_a_hundred_rows_of_bad_input_and_each_sort_has_some():
    rows = {
        "stack files": len(test_stack_file.BAD),
        "settings": len(test_settings.BAD),
        "addresses and names": len(test_guards.ADDRESSES) + len(test_guards.NAMES),
        "migration files": len(test_bad_folders.ROWS),
        "parameters": len(test_parameters.BAD),
        "commands": len(COMMANDS),
        "data directories": len(DIRECTORIES),
        "PostgreSQL": len(PROGRAMS),
    }
    assert min(rows.values()) >= 8, rows
    assert sum(rows.values()) >= 250, rows
