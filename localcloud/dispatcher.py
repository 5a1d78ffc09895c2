"""Which of moto's applications answers a request: found once for each service and region."""

from __future__ import annotations

from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app


class Dispatcher(DomainDispatcherApplication):  # type: ignore[misc]  # moto has no types
    """Remembers what moto finds by reading its own folder for each request."""

    def __init__(self) -> None:
        super().__init__(_backend_app)
        self._found: dict[str, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        """Return the name of moto's backend for a host, if it has one."""
        if host is None:
            return None
        if host not in self._found:
            found = super().get_backend_for_host(host)
            if not found:
                return found
            self._found[host] = found
        return self._found[host]


def _backend_app(service: Any) -> Any:
    """Make moto's application of one service, which lets errors through to the door."""
    app = create_backend_app(service)
    app.debug = False
    app.config["PROPAGATE_EXCEPTIONS"] = True
    return app
