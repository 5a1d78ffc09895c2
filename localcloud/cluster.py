"""One PostgreSQL cluster: its files, its server process, its private socket."""

from __future__ import annotations

import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, LiteralString

import psycopg

from localcloud import configuration, identifier, processes, sidecar, template
from localcloud.addresses import Address
from localcloud.certificates import Authority
from localcloud.configuration import Files, Place, Upstream
from localcloud.errors import ClusterError
from localcloud.template import SUPERUSER, Template
from localcloud.unprivileged import Owner

Connection = psycopg.Connection[tuple[Any, ...]]

_START_LIMIT = 60.0
_STOP_LIMIT = 15.0
_POLL = 0.01
_LONGEST_SOCKET = 107


@dataclass(frozen=True, slots=True)
class Site:
    """What all clusters of one local cloud share."""

    root: Path
    owner: Owner
    template: Template
    authority: Authority
    durable: bool


@dataclass(slots=True)
class Cluster:
    """A cluster. Its methods are called by one thread at a time, which holds ``lock``."""

    site: Site
    name: str
    address: Address
    files: Files
    parameters: dict[str, str] = field(default_factory=dict)
    place: Place = field(default_factory=Place)
    process: subprocess.Popen[bytes] | None = None
    frozen: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)
    # The one thing done without ``lock``: a primary that waits for a lost standby is told.
    _writing: threading.Lock = field(default_factory=threading.Lock)

    def create(self) -> None:
        """Fill the data directory from the template, under an identifier of its own."""
        template.copy(self.site.template.data, self.files.data, self.site.owner)
        identifier.renew(self.files.data)

    def configure(self, parameters: Mapping[str, str]) -> None:
        """Write the configuration; a running server takes it at ``reload`` or ``restart``."""
        with self._writing:
            self.parameters = dict(parameters)
            self._write_configuration()

    def move(self, **changes: Any) -> None:
        """Change what the cluster is to others, and write it: see ``Place``."""
        with self._writing:
            self.place = replace(self.place, **changes)
            self._write_configuration()

    def _write_configuration(self) -> None:
        text = configuration.server_settings(
            self.files,
            self.address,
            self.parameters,
            durable=self.site.durable,
            place=self.place,
        )
        force = self.parameters.get("rds.force_ssl", "1") == "1"
        owner = self.site.owner
        owner.write(self.files.settings, text)
        owner.write(self.files.access, configuration.access_rules(force_ssl=force))
        owner.write(self.files.mapping, configuration.user_mapping(owner))

    @property
    def upstream(self) -> Upstream | None:
        """Whom the cluster follows."""
        return self.place.upstream

    def certify(self) -> None:
        """Give the server a certificate for its address."""
        issued = self.site.authority.issue(self.address.host)
        self.site.owner.write(self.files.certificate, issued.certificate)
        self.site.owner.write(self.files.key, issued.key)

    def start(
        self, limit: float = _START_LIMIT, expected: Callable[[], bool] = lambda: True
    ) -> None:
        """Start the server and wait until it answers on its private socket.

        Waits at most ``limit`` seconds, and no longer than it is ``expected``.
        """
        if self.running:
            raise ClusterError(f"{self.name} runs already.")
        if not self.files.certificate.exists():
            self.certify()
        (self.files.data / "postmaster.pid").unlink(missing_ok=True)
        postgres = self.site.template.binaries.program("postgres")
        config = f"config_file={self.files.settings}"
        command: list[str | Path] = [postgres, "-D", self.files.data, "-c", config]
        self.process = self.site.owner.spawn(command, self.files.log)
        sidecar.write(self.site.owner, self.files, self.process.pid)
        self._await_answer(limit, expected)

    def _await_answer(self, limit: float, expected: Callable[[], bool]) -> None:
        end = time.monotonic() + limit
        pause = threading.Event()
        while time.monotonic() < end and expected():
            if self.process is None or self.process.poll() is not None:
                raise ClusterError(f"{self.name} did not start: {self.last_log()}")
            try:
                self.connect().close()
            except psycopg.OperationalError:
                pause.wait(_POLL)
            else:
                return
        self.stop()
        raise ClusterError(f"{self.name} did not answer in {limit:g} s: {self.last_log()}")

    def stop(self) -> None:
        """Stop the server: fast, and at once when that does not end in time."""
        if self.frozen:
            self.thaw()
        process, self.process = self.process, None
        if process is None:
            return
        for order, limit in ((signal.SIGINT, _STOP_LIMIT), (signal.SIGQUIT, _STOP_LIMIT)):
            if process.poll() is None:
                process.send_signal(order)
            try:
                process.wait(limit)
            except subprocess.TimeoutExpired:
                continue
            break
        else:
            process.kill()
            process.wait()
        sidecar.forget(self.files)

    def restart(self) -> None:
        """Stop and start the server."""
        self.stop()
        self.start()

    def reload(self) -> None:
        """Let the running server read its configuration again."""
        self.execute("SELECT pg_reload_conf()")

    @property
    def running(self) -> bool:
        """Tell whether the server process lives."""
        return self.process is not None and self.process.poll() is None

    @property
    def crashed(self) -> bool:
        """Tell whether the server process ended without having been stopped."""
        return self.process is not None and self.process.poll() is not None

    def fence(self) -> None:
        """End every process of the server at once, so that nobody writes the data any more."""
        process, self.process = self.process, None
        self.frozen = False
        if process is None:
            return
        process.kill()
        process.wait()
        processes.end_inside(self.files.data)
        sidecar.forget(self.files)

    def kill(self) -> None:
        """Kill the server with all its processes, as a broken machine would."""
        if self.process is not None:
            processes.signal_family(self.process.pid, signal.SIGKILL)
            self.frozen = False

    def freeze(self) -> None:
        """Stop every process of the server where it is, until ``thaw``."""
        if self.process is not None:
            self.frozen = True
            processes.signal_family(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self.frozen = False
        if self.process is not None:
            processes.signal_family(self.process.pid, signal.SIGCONT)

    def connect(self, database: str = "postgres") -> Connection:
        """Open a session of the internal superuser on the private socket."""
        return psycopg.connect(
            host=str(self.files.sockets),
            port=self.address.port,
            user=SUPERUSER,
            dbname=database,
            sslmode="disable",
            connect_timeout=10,
            application_name="localcloud",
            autocommit=True,
        )

    def execute(self, query: LiteralString, *values: object) -> list[tuple[Any, ...]]:
        """Run one statement as the internal superuser and return its rows."""
        with self.connect() as session:
            cursor = session.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def last_log(self) -> str:
        """Return the end of the server's log."""
        if not self.files.log.exists():
            return "it left no log."
        return self.files.log.read_text(errors="replace")[-1500:]


def lay_out(site: Site, name: str, address: Address) -> Cluster:
    """Make the places of a new cluster."""
    root = site.owner.directory(site.root / name)
    sockets = root / "s"
    if len(str(sockets / f".s.PGSQL.{address.port}")) > _LONGEST_SOCKET:
        sockets = Path(tempfile.mkdtemp(prefix=sidecar.SOCKETS))
    site.owner.directory(sockets)
    return Cluster(site, name, address, Files(root, sockets))
