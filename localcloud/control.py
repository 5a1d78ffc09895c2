"""The control endpoint under /localcloud/.

Health, latency, faults, disturbances of clusters and of backups, the record of calls, the service clock, reset,
and the part a recipient of e-mail plays for SNS.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from localcloud.clock import ClockError
from localcloud.faults import FaultError
from localcloud.latency import UnknownKindError
from localcloud.runtime import Runtime

if TYPE_CHECKING:
    from localcloud.monitoring.monitor import Monitor

Answer = tuple[str, object]


class Control:
    """A small WSGI application of its own."""

    def __init__(self, runtime: Runtime, monitor: Monitor) -> None:
        self._runtime = runtime
        self._monitor = monitor
        self._routes: dict[tuple[str, str], Callable[[Any], Answer]] = {
            ("GET", "health"): self._health,
            ("GET", "latency"): self._latency,
            ("POST", "latency"): self._set_latency,
            ("GET", "calls"): self._calls,
            ("DELETE", "calls"): self._clear_calls,
            ("GET", "faults"): self._faults,
            ("POST", "faults"): self._arm,
            ("DELETE", "faults"): self._disarm,
            ("GET", "clock"): self._clock,
            ("POST", "clock"): self._advance,
            ("POST", "reset"): self._reset,
            ("POST", "confirmations"): self._confirm,
            ("POST", "disturbances"): self._disturb,
            ("GET", "backups"): self._backups,
            ("POST", "backups"): self._damage,
        }

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer one request with JSON."""
        name = str(environ["PATH_INFO"]).removeprefix("/localcloud/").strip("/")
        handler = self._routes.get((environ["REQUEST_METHOD"], name))
        status: str
        answer: object
        if handler is None:
            status, answer = "404 Not Found", {"error": f"There is no {name}."}
        else:
            status, answer = self._handled(handler, environ)
        body = json.dumps(answer).encode()
        start_response(
            status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        )
        return [body]

    @staticmethod
    def _handled(handler: Callable[[Any], Answer], environ: dict[str, Any]) -> Answer:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        raw = environ["wsgi.input"].read(length) if length else b""
        try:
            given = json.loads(raw) if raw else {}
        except ValueError:
            return "400 Bad Request", {"error": "The body is not JSON."}
        return handler(given)

    def _health(self, _: object) -> Answer:
        from localcloud.rds import disturbance  # noqa: PLC0415  # loads moto

        runtime = self._runtime
        return "200 OK", {
            "status": "ready",
            "engine_version": runtime.template.binaries.version,
            "addresses": "many" if runtime.addresses.many else "one",
            "busy": runtime.lifecycle.busy,
            "clusters": runtime.cluster_names(),
            "standbys": disturbance.mirrored(runtime),
        }

    def _latency(self, _: object) -> Answer:
        return "200 OK", self._runtime.latency.table()

    def _set_latency(self, given: object) -> Answer:
        if not isinstance(given, dict):
            return "400 Bad Request", {"error": "Send an object of seconds by kind."}
        try:
            self._runtime.latency.update({str(key): float(given[key]) for key in given})
        except (UnknownKindError, TypeError, ValueError) as error:
            return "400 Bad Request", {"error": str(error)}
        return self._latency(None)

    def _calls(self, _: object) -> Answer:
        return "200 OK", {"calls": self._runtime.calls.table()}

    def _clear_calls(self, _: object) -> Answer:
        self._runtime.calls.clear()
        return "200 OK", {}

    def _faults(self, _: object) -> Answer:
        return "200 OK", {"faults": self._runtime.faults.table()}

    def _arm(self, given: object) -> Answer:
        if not isinstance(given, dict):
            return "400 Bad Request", {"error": "Send an object that describes a fault."}
        try:
            self._runtime.faults.arm(given)
        except FaultError as error:
            return "400 Bad Request", {"error": str(error)}
        return self._faults(None)

    def _disarm(self, _: object) -> Answer:
        self._runtime.faults.clear()
        return "200 OK", {}

    def _clock(self, _: object) -> Answer:
        clock = self._runtime.clock
        return "200 OK", {"now": clock.now().isoformat(), "ahead": clock.ahead}

    def _advance(self, given: object) -> Answer:
        if not isinstance(given, dict) or set(given) != {"advance"}:
            return "400 Bad Request", {"error": "Send advance, in seconds."}
        try:
            self._monitor.advance(float(given["advance"]))
        except (ClockError, TypeError, ValueError) as error:
            return "400 Bad Request", {"error": str(error)}
        return self._clock(None)

    def _reset(self, _: object) -> Answer:
        from localcloud.attachment import clear  # noqa: PLC0415  # loads moto

        clear(self._runtime)
        return "200 OK", {}

    def _disturb(self, given: object) -> Answer:
        from localcloud.rds import disturbance  # noqa: PLC0415  # loads moto

        if not isinstance(given, dict):
            return "400 Bad Request", {"error": "Send an object."}
        try:
            disturbance.bring(given)
        except disturbance.UnknownDisturbanceError as error:
            return "400 Bad Request", {"error": str(error)}
        return "200 OK", {}

    def _backups(self, _: object) -> Answer:
        from localcloud.rds import backup_damage  # noqa: PLC0415  # loads moto

        return "200 OK", {"backups": backup_damage.table(self._runtime)}

    def _damage(self, given: object) -> Answer:
        from localcloud.rds import backup_damage  # noqa: PLC0415  # loads moto

        if not isinstance(given, dict):
            return "400 Bad Request", {"error": "Send an object."}
        try:
            backup_damage.bring(self._runtime, given)
        except backup_damage.UnknownDamageError as error:
            return "400 Bad Request", {"error": str(error)}
        return "200 OK", {}

    def _confirm(self, given: object) -> Answer:
        from moto.sns.models import sns_backends  # noqa: PLC0415  # loads moto

        if not isinstance(given, dict) or not {"topic", "endpoint"} <= set(given):
            return "400 Bad Request", {"error": "Send topic (an ARN) and endpoint."}
        parts = str(given["topic"]).split(":")
        if len(parts) != 6:  # noqa: PLR2004  # arn, partition, service, region, account, name
            return "400 Bad Request", {"error": "topic is not an ARN."}
        topics = sns_backends[parts[4]][parts[3]]
        if topics.confirm(str(given["topic"]), endpoint=str(given["endpoint"])) is None:
            return "404 Not Found", {"error": "Nothing waits for this confirmation."}
        return "200 OK", {}
