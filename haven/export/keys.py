"""Where an export lies in the backups bucket."""

from __future__ import annotations

from datetime import date

PREFIX = "exports/"
MANIFEST = "manifest.json"


def week(day: date) -> str:
    """Return what the export of a day's week is called, as ISO 8601 counts weeks."""
    year, number, _ = day.isocalendar()
    return f"{year}-W{number:02}"


def folder(name: str, variant: str) -> str:
    """Return the folder of an export: all of it, and nothing else."""
    return f"{PREFIX}{name}/{variant}/"


def manifest(place: str) -> str:
    """Return the key of an export's manifest, which is written last."""
    return f"{place}{MANIFEST}"


def records(place: str) -> str:
    """Return where the records of finished tables lie."""
    return f"{place}tables/"


def record(place: str, table: str) -> str:
    """Return the key of the record of a finished table."""
    return f"{records(place)}{plain(table)}.json"


def data(place: str) -> str:
    """Return where the rows of all tables lie."""
    return f"{place}data/"


def objects(place: str, table: str) -> str:
    """Return where the rows of one table lie; tools read all below it as one."""
    return f"{data(place)}{plain(table)}/"


def piece(place: str, table: str, number: int) -> str:
    """Return the key of one piece of a table."""
    return f"{objects(place, table)}{number:05}.parquet"


def plain(name: str) -> str:
    """Write a name so that a key may hold it, whatever is in it; no two names become one.

    Signs that S3 asks to avoid, and those that tools take for patterns, become their UTF-8 bytes.
    """
    return "".join(sign if _is_plain(sign) else _bytes_of(sign) for sign in name)


def _is_plain(sign: str) -> bool:
    return sign.isascii() and (sign.isalnum() or sign in "._-")


def _bytes_of(sign: str) -> str:
    return "".join(f"!{byte:02x}" for byte in sign.encode())
