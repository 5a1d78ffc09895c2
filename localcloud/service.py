"""The running service: the runtime and its HTTP server, started and stopped together."""

from __future__ import annotations

import json
import threading
from typing import Any

from werkzeug.serving import BaseWSGIServer, make_server

from localcloud import attachment, warming
from localcloud.errors import LocalCloudError
from localcloud.handler import Handler
from localcloud.monitoring.monitor import Monitor
from localcloud.rds import takeover
from localcloud.rds.supervision import Supervisor
from localcloud.runtime import Runtime
from localcloud.server import Door
from localcloud.settings import Settings

_POLL = 0.05
_REGIONS = ("us-east-1", "us-west-2")


class Service:
    """One local cloud in this process."""

    def __init__(self, chosen: Settings) -> None:
        self._settings = chosen
        self._file = chosen.data / "cloud.json"
        self._runtime = Runtime(chosen)
        attachment.attach(self._runtime)
        self._monitor = Monitor(self._runtime)
        self._door = Door(self._runtime, self._monitor)
        self._taken = takeover.take_over(self._runtime) if chosen.take_over else None
        self._supervisor = Supervisor(self._runtime)
        self._server = _listen(self._door, chosen.port)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(_POLL,), name="http", daemon=True
        )

    def warm(self) -> None:
        """Load what the first calls would otherwise wait for."""
        attachment.warm(_REGIONS)
        warming.warm(self._door)
        self._runtime.calls.clear()

    def start(self) -> None:
        """Answer requests from now on."""
        self._thread.start()
        self._supervisor.start()
        self._monitor.start()

    def ready(self, pid: int) -> dict[str, Any]:
        """Write where to find this local cloud, and return it."""
        facts: dict[str, Any] = {
            "endpoint_url": f"http://127.0.0.1:{self._server.server_port}",
            "ca_bundle": str(self._runtime.authority.bundle),
            "pid": pid,
            "data": str(self._settings.data),
        }
        if self._taken is not None:
            facts["taken_over"] = self._taken
        partial = self._file.with_suffix(".partial")
        partial.write_text(json.dumps(facts) + "\n")
        partial.replace(self._file)
        return facts

    def stop(self) -> None:
        """Stop answering, then stop every server."""
        self._file.unlink(missing_ok=True)
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()
        self._monitor.stop()
        self._supervisor.stop()
        self._runtime.stop()


def _listen(door: Door, port: int) -> BaseWSGIServer:
    try:
        return make_server("127.0.0.1", port, door, threaded=True, request_handler=Handler)
    except (OSError, SystemExit) as error:
        raise LocalCloudError(
            f"Port {port} on 127.0.0.1 is taken; stop what listens there or choose another "
            "with --port."
        ) from error
