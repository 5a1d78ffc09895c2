"""The template every new cluster is copied from: made once per build, kept in a cache."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from localcloud import installation
from localcloud.binaries import Binaries
from localcloud.errors import LocalCloudError
from localcloud.unprivileged import Owner

SUPERUSER = "rdsadmin"
_INITDB = (
    "--wal-segsize=1",
    "--data-checksums",
    "--encoding=UTF8",
    "--locale=C.UTF-8",
    "--auth=reject",
    f"--username={SUPERUSER}",
    "--no-sync",
)
_LAYOUT = "1"
_PIECE = 1 << 20
_CATALOGUE = """
SELECT jsonb_agg(jsonb_build_object(
    'name', name, 'type', vartype, 'context', context, 'unit', unit, 'min', min_val,
    'max', max_val, 'choices', enumvals, 'boot', boot_val, 'text', short_desc,
    'category', category) ORDER BY name)
FROM pg_settings
"""


@dataclass(frozen=True, slots=True)
class Template:
    """A private build, a cluster initialised with it, and its table of settings."""

    binaries: Binaries
    data: Path
    catalogue: tuple[dict[str, Any], ...]


def prepare(found: Binaries, cache: Path, owner: Owner) -> Template:
    """Return the template of a build, making it when the cache has none."""
    cache.mkdir(parents=True, exist_ok=True)
    cache.chmod(0o755)
    home = cache / _key(found, owner)
    if not (home / "catalogue.json").is_file():
        _publish(found, home, owner)
    return Template(
        installation.reopen(found, home / "build"),
        home / "data",
        tuple(json.loads((home / "catalogue.json").read_text())),
    )


def _key(found: Binaries, owner: Owner) -> str:
    """Name what a template depends on; the build's place counts, as the copy links to it."""
    digest = hashlib.sha256(found.program("postgres").resolve().read_bytes())
    place = str(found.bin.resolve())
    parts = [_LAYOUT, _bootstrap(), place, *_INITDB, str(owner.uid)]
    parts += installation.ALLOWED_EXTENSIONS
    digest.update("\0".join([*parts, *installation.GRANTS.values()]).encode())
    return f"{found.version}-{digest.hexdigest()[:16]}"


def _bootstrap() -> str:
    return resources.files("localcloud").joinpath("bootstrap.sql").read_text()


def _publish(found: Binaries, home: Path, owner: Owner) -> None:
    work = Path(tempfile.mkdtemp(prefix=".making-", dir=home.parent))
    work.chmod(0o755)
    try:
        _make(found, work, owner)
        try:
            work.rename(home)
        except OSError:
            if not (home / "catalogue.json").is_file():
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _make(found: Binaries, work: Path, owner: Owner) -> None:
    build = installation.make(found, work / "build")
    data = owner.directory(work / "data")
    try:
        owner.run([found.program("initdb"), *_INITDB, "-D", data])
    except LocalCloudError as error:
        raise LocalCloudError(f"PostgreSQL could not initialise a cluster: {error}") from error
    single: list[str | Path] = [
        build.program("postgres"),
        "--single",
        "-D",
        data,
        "-c",
        "fsync=off",
    ]
    owner.run([*single, "postgres"], stdin=_one_line_each(_bootstrap()))
    preload = ["-c", "shared_preload_libraries=pg_stat_statements,auto_explain"]
    answer = owner.run(
        [*single, *preload, "postgres"],
        stdin=f"COPY ({' '.join(_CATALOGUE.split())}) TO STDOUT\n",
    )
    (work / "catalogue.json").write_text(_catalogue_of(answer))
    for name in ("postgresql.conf", "postgresql.auto.conf", "pg_hba.conf", "pg_ident.conf"):
        (data / name).unlink()


def _one_line_each(script: str) -> str:
    kept = [line for line in script.splitlines() if line and not line.startswith("--")]
    return "\n".join(kept) + "\n"


def _catalogue_of(answer: str) -> str:
    line = next((line for line in answer.splitlines() if "[{" in line), "")
    text = line[line.index("[{") :] if line else ""
    if not text:
        raise LocalCloudError("The table of PostgreSQL settings could not be read.")
    # COPY doubles every backslash.
    return text.replace("\\\\", "\\")


def copy(source: Path, target: Path, owner: Owner, *, skip: frozenset[str] = frozenset()) -> None:
    """Copy a data directory, for ``owner``; files that vanish meanwhile are let go.

    The content of the directories named in ``skip`` (top level) is left out, and so are the
    files named in it.
    """
    owner.directory(target)
    for directory, names, files in os.walk(source):
        here = Path(directory)
        relative = here.relative_to(source)
        if relative.parts and relative.parts[0] in skip:
            names.clear()
            continue
        for name in names:
            owner.directory(target / relative / name)
        for name in files:
            if name not in skip:
                copy_file(here / name, target / relative / name, owner)


def copy_file(source: Path, target: Path, owner: Owner) -> None:
    """Copy one file for ``owner``; one that has vanished is let go.

    A cluster has a thousand files, most of them small: each costs the calls that it needs.
    """
    with contextlib.suppress(FileNotFoundError), source.open("rb", buffering=0) as reading:
        writing = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            owner.take(writing)
            while os.sendfile(writing, reading.fileno(), None, _PIECE):
                pass
        finally:
            os.close(writing)
