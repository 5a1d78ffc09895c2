"""A folder of numbered SQL files as migrations.

Everything that can be told without parsing SQL is checked here, for every file, applied or not.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from haven.errors import InvalidRequest

UNTOUCHED = "Nothing was touched."
EXAMPLE = "for example 07_add_visits.sql or 0007_add_visits.sql"
MAX_NAME = 100

_NAME = re.compile(r"(?P<number>[0-9]{2,4})_(?P<title>[a-z0-9]+(?:_[a-z0-9]+)*)\.sql")
_DOWN = ".down.sql"
_LOOKS_SQL = re.compile(r"\.(sql|psql|ddl|pgsql)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number, its file name, and its text with line ends as LF.

    ``checksum`` is the SHA-256 of that text, so a checkout with CRLF has the same one.
    """

    number: int
    name: str
    path: Path
    text: str = field(repr=False)
    checksum: str


def read_folder(folder: Path) -> tuple[Migration, ...]:
    """Read every migration of a folder, sorted by number and then by name.

    Raises ``InvalidRequest`` naming the file that is wrong.
    """
    entries = _entries(folder)
    found = [_read(entry) for entry in entries]
    if not found:
        raise InvalidRequest(
            f"The folder {folder} holds no migration.",
            left=UNTOUCHED,
            cure=f"Put files named by number and title there, {EXAMPLE}.",
        )
    return tuple(sorted(found, key=lambda item: (item.number, item.name)))


def read_down(migration: Migration) -> Migration | None:
    """Read the file that undoes a migration; none where there is none.

    Raises ``InvalidRequest`` naming the file that is wrong.
    """
    path = migration.path.with_name(f"{migration.path.stem}{_DOWN}")
    if not os.path.lexists(path):
        return None
    _check_plain(path)
    return _read(path)


def wrong(place: str, what: str, cure: str) -> InvalidRequest:
    """Say that a file is wrong: ``place`` is its name, with a line where there is one."""
    return InvalidRequest(f"{place}: {what}.", left=UNTOUCHED, cure=cure)


def line_of(text: str, offset: int) -> int:
    """Return the line, counted from 1, of a character offset."""
    return text.count("\n", 0, offset) + 1


def _entries(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as listing:
            names = sorted(item.name for item in listing)
    except OSError as error:
        raise InvalidRequest(
            f"The migration folder {folder} cannot be read: {error.strerror}.",
            left=UNTOUCHED,
            cure="Set HAVEN_SCHEMA_DIR to the folder with the migration files.",
        ) from None
    return list(_migrations(folder, names))


def _migrations(folder: Path, names: list[str]) -> Iterator[Path]:
    """Yield what has the name of a migration; hidden files and documents are passed over."""
    for name in names:
        path = folder / name
        if name.startswith("."):
            continue
        if path.is_dir() and not path.is_symlink():
            raise wrong(
                name,
                "it is a directory, and migrations are the files of one folder",
                "Move it out of the migration folder; hidden directories are passed over.",
            )
        if name.endswith(_DOWN):
            _check_beside(name, names)
        elif _LOOKS_SQL.search(name):
            _check_name(name)
            _check_plain(path)
            yield path


def _check_beside(name: str, names: Sequence[str]) -> None:
    if f"{name.removesuffix(_DOWN)}.sql" not in names:
        raise wrong(
            ascii(name)[1:-1],
            "it would undo a file that is not there",
            "Name it like the file that it undoes, with .down.sql at the end.",
        )


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise wrong(
            ascii(name)[1:-1],
            "the name is not two to four digits, an underscore, then a title of lower-case "
            "letters, digits and single underscores, then .sql",
            f"Rename it, {EXAMPLE}, or move it out of the migration folder.",
        )
    if len(name) > MAX_NAME:
        raise wrong(name, f"the name is longer than {MAX_NAME} characters", "Shorten it.")


def _check_plain(path: Path) -> None:
    if path.is_symlink():
        raise wrong(
            path.name,
            "it is a symbolic link, so what it holds can change without it",
            "Replace it by the file itself.",
        )
    if not path.is_file():
        raise wrong(path.name, "it is not a plain file", "Replace it by one.")


def _read(path: Path) -> Migration:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise wrong(
            path.name, f"it cannot be read: {error.strerror}", "Mend its permissions."
        ) from None
    text = _decoded(path.name, data).replace("\r\n", "\n")
    match = _NAME.fullmatch(path.name.replace(_DOWN, ".sql"))
    number = int(match["number"]) if match else 0
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Migration(number, path.name, path, text, digest)


def _decoded(name: str, data: bytes) -> str:
    save = "Save it as UTF-8 without a byte order mark."
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise wrong(f"{name}:1", "it is UTF-16, not UTF-8", save)
    if data.startswith(codecs.BOM_UTF8):
        raise wrong(f"{name}:1", "it begins with a byte order mark (BOM)", save)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"it is not UTF-8: byte 0x{data[error.start]:02x} cannot stand there"
        raise wrong(f"{name}:{line}", what, save) from None
    if "\0" in text:
        line = line_of(text, text.index("\0"))
        raise wrong(f"{name}:{line}", "it holds a NUL byte", "Remove the byte.")
    return text
