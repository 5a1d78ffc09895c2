"""Schemas and upgrade scripts that others have published run as migrations, as they run in psql.

They come out of packages, which are downloaded: PyPI's by pip, Debian's by apt-get.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from haven.errors import Refused
from localcloud import binaries
from tests.local.migrate.conftest import PASSWORD, Place, fresh_database

pytestmark = [pytest.mark.local, pytest.mark.slow]

FINDING = re.compile(r"^(\S+\.sql):\d+: ([a-z-]+): ", re.MULTILINE)
# pg_dump 15.14 and later put a key of their own there, new each time.
RESTRICT = re.compile(r"^\\(un)?restrict .*$", re.MULTILINE)
# Rows that say when they were made, as a date or in milliseconds since 1970.
CLOCK = re.compile(r"\b20\d\d-\d\d-\d\d \d\d:\d\d:\d\d[.\d]*|\b1\d{12}\b")
NEEDED = ("psql", "pg_dump")


@dataclass(frozen=True, slots=True)
class Collection:
    """SQL files in a package, in the order of their names; how many there are at least."""

    package: str
    files: str
    least: int
    debian: bool = True


COLLECTIONS = {
    "procrastinate": Collection(
        "procrastinate==3.10.0", "procrastinate/sql/migrations/*.sql", 38, debian=False
    ),
    "icinga2-ido": Collection("icinga2-ido-pgsql", "usr/share/icinga2-ido-pgsql/schema/*.sql", 1),
    "icingadb": Collection("icingadb", "usr/share/icingadb/schema/pgsql/schema.sql", 1),
    "powerdns": Collection(
        "pdns-backend-pgsql", "usr/share/pdns-backend-pgsql/schema/schema.pgsql.sql", 1
    ),
    "roundcube": Collection("roundcube-core", "usr/share/roundcube/SQL/postgres.initial.sql", 1),
}


def unpacked(collection: Collection, folder: Path) -> list[Path]:
    """Download a package and return its files; skip where it cannot be had."""
    if collection.debian:
        command = ["apt-get", "download", "-qq", collection.package]
    else:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", collection.package]
    program = shutil.which(command[0])
    done = program and subprocess.run(  # noqa: S603  # a fixed command
        command, cwd=folder, capture_output=True, check=False, timeout=300
    )
    if not done or done.returncode:
        pytest.skip(f"{collection.package} cannot be downloaded here")
    (package,) = folder.iterdir()
    content = folder / "content"
    if collection.debian:
        subprocess.run(["dpkg-deb", "-x", package, content], check=True)  # noqa: S603, S607  # likewise
    else:
        zipfile.ZipFile(package).extractall(content)
    return sorted(content.glob(collection.files))


@pytest.fixture
def plain(place: Place) -> Iterator[Place]:
    """Another database on the same server, which psql will fill."""
    with fresh_database(place.login) as login:
        yield Place(login, place.folder, place.endpoint_url)


def program(place: Place, name: str, *arguments: str) -> str:
    """Run a program of PostgreSQL's on the database, acting as the owner."""
    secret = place.folder.parent / "pgpass"
    secret.touch(mode=0o600)
    secret.write_text(f"*:*:*:*:{PASSWORD}\n", encoding="utf-8")
    done = subprocess.run(  # noqa: S603  # PostgreSQL's own
        [str(binaries.find().program(name)), *arguments],
        env={
            "PGHOST": place.login.host,
            "PGPORT": str(place.login.port),
            "PGDATABASE": place.login.database,
            "PGUSER": place.login.user,
            "PGPASSFILE": str(secret),
            "PGSSLMODE": "verify-full",
            "PGSSLROOTCERT": str(place.login.ca_bundle),
            "PGOPTIONS": "-c role=haven_owner",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def dump(place: Place) -> str:
    """Return everything in the database but the ledger, as SQL."""
    text = program(place, "pg_dump", "--exclude-schema=haven_ops")
    return CLOCK.sub("now", RESTRICT.sub("", text))


def accept_all(place: Place) -> dict[str, set[str]]:
    """Run the folder; accept by name whatever its files are refused for, as a person would."""
    accepted: dict[str, set[str]] = defaultdict(set)
    try:
        place.run()
    except Refused as refused:
        for file, hazard in FINDING.findall(str(refused)):
            accepted[file].add(hazard)
        for file, hazards in accepted.items():
            path = place.folder / file
            head = "".join(f"-- haven: accepts {name}: as published\n" for name in sorted(hazards))
            path.write_text(head + path.read_text(encoding="utf-8"), encoding="utf-8")
        place.run()
    return accepted


@pytest.mark.skipif(
    not all(binaries.find().program(name).is_file() for name in NEEDED),
    reason="this build of PostgreSQL has no psql and pg_dump",
)
@pytest.mark.parametrize("name", COLLECTIONS)
def test_published_sql_does_what_it_does_in_psql(
    name: str, place: Place, plain: Place, tmp_path_factory: pytest.TempPathFactory
) -> None:
    collection = COLLECTIONS[name]
    files = unpacked(collection, tmp_path_factory.mktemp("package"))
    assert len(files) >= collection.least
    for number, file in enumerate(files, start=1):
        title = re.sub(r"[^a-z0-9]+", "_", file.stem.lower()).strip("_")
        shutil.copy(file, place.folder / f"{number:02}_{title}.sql")
        program(plain, "psql", "-Xq1", "-v", "ON_ERROR_STOP=1", "-f", str(file))
    accept_all(place)
    assert [row[2] for row in place.ledger()] == ["done"] * len(files)
    assert dump(place) == dump(plain)
