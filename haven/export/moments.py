"""Dates and moments as Parquet keeps them: days and microseconds since 1970, and infinity.

PostgreSQL counts from 2000, and its ends of the number range are infinity. The driver adds the years
between, past the end of the range, so that infinity comes out as a number that is no moment. In
Parquet, infinity is the largest number, and minus infinity its negative, as DuckDB has it.
"""

from __future__ import annotations

from dataclasses import dataclass

DAYS = 10957  # from 1970-01-01 to 2000-01-01
DAY_US = 86_400_000_000
INFINITY = "infinity"
ERA = 146097  # days in 400 years
_MARCH = 719468  # days from 0000-03-01 to 1970-01-01


@dataclass(frozen=True, slots=True)
class Ends:
    """The ends of a number range, as they come from the driver and as they are kept.

    What comes below ``earliest`` is no moment: it is infinity, or went past the end.
    """

    future: int
    past: int
    earliest: int
    kept_future: int

    @property
    def kept_past(self) -> int:
        """Minus infinity as it is kept."""
        return -self.kept_future


def ends(bits: int, shift: int, earliest: int) -> Ends:
    """Return the ends of numbers of so many bits, which the driver shifts."""
    least = -(2 ** (bits - 1))
    return Ends(least + shift - 1, least + shift, earliest, 2 ** (bits - 1) - 1)


# PostgreSQL's earliest date is in 4714 BC.
DATE = ends(32, DAYS, -2440600)
TIMESTAMP = ends(64, DAYS * DAY_US, -2440600 * DAY_US)


def date_text(days: int) -> str:
    """Write days since 1970 as PostgreSQL reads a date."""
    if abs(days) == DATE.kept_future:
        return INFINITY if days > 0 else f"-{INFINITY}"
    year, month, day = civil(days)
    return _with_era(year, f"-{month:02}-{day:02}")


def timestamp_text(microseconds: int) -> str:
    """Write microseconds since 1970, UTC, as PostgreSQL reads a timestamp without a zone."""
    if abs(microseconds) == TIMESTAMP.kept_future:
        return INFINITY if microseconds > 0 else f"-{INFINITY}"
    days, rest = divmod(microseconds, DAY_US)
    seconds, fraction = divmod(rest, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    year, month, day = civil(days)
    clock = f" {hour:02}:{minute:02}:{second:02}.{fraction:06}"
    return _with_era(year, f"-{month:02}-{day:02}{clock}")


def civil(days: int) -> tuple[int, int, int]:
    """Return year, month and day of the Gregorian calendar; the year before 1 is 0.

    Years are counted from March, so that a leap day ends one (Howard Hinnant, "chrono-Compatible
    Low-Level Date Algorithms").
    """
    era, day_of_era = divmod(days + _MARCH, ERA)
    leaps = day_of_era // 1460 - day_of_era // 36524 + day_of_era // (ERA - 1)
    year_of_era = (day_of_era - leaps) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    from_march = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * from_march + 2) // 5 + 1
    month = from_march + 3 if from_march < 10 else from_march - 9  # noqa: PLR2004  # March first
    return year_of_era + era * 400 + (month <= 2), month, day  # noqa: PLR2004  # January, February


def _with_era(year: int, rest: str) -> str:
    return f"{year:04}{rest}" if year > 0 else f"{1 - year:04}{rest} BC"
