"""CloudWatch Logs: only certain numbers of days can be kept."""

from __future__ import annotations

from typing import Any

from moto.logs.exceptions import InvalidParameterException
from moto.logs.models import LogsBackend, logs_backends

from localcloud.corrections import urls

_MONTHS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180)
_YEARS = (365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)


class Groups(LogsBackend):  # type: ignore[misc]  # moto has no types
    """moto's log groups, with the rule of AWS about retention."""

    @property
    def _url_module(self) -> Any:
        return urls.of("logs")

    def put_retention_policy(self, log_group_name: str, retention_in_days: Any) -> None:
        """Refuse a number of days AWS does not offer."""
        if int(retention_in_days) not in _MONTHS + _YEARS:
            allowed = ", ".join(str(days) for days in _MONTHS + _YEARS)
            raise InvalidParameterException(
                constraint=f"Member must satisfy enum value set: [{allowed}]",
                parameter="retentionInDays",
                value=retention_in_days,
            )
        super().put_retention_policy(log_group_name, retention_in_days)


def attach() -> None:
    """Make moto use the corrected backend."""
    logs_backends.backend = Groups
