"""The files a server is configured by.

They live outside the data directory, so a copied cluster never carries the settings of its source.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localcloud import wal_commands
from localcloud.addresses import Address
from localcloud.unprivileged import Owner

# What a primary keeps for its hidden standby, which has no slot that users would see, and that
# one for replicas after a failover: MB.
_KEPT_WAL = 64
# Less than these would let a commit be acknowledged that only the primary has.
_TOO_WEAK = {"local", "remote_write"}
# Only ever on the private socket, and only for the users that own the local cloud.
REPLICATION_USER = "rdsrepladmin"


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a standby streams from: the source's private socket, and by which name.

    Without a slot the source keeps no WAL for it beyond ``wal_keep_size``.
    """

    socket_directory: Path
    port: int
    name: str
    slot: str | None


@dataclass(frozen=True, slots=True)
class Recovery:
    """Where a restored copy finds WAL, and the moment it stops at if not at the end of it."""

    wal: Path
    moment: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """What a cluster is to others: whom it follows, who has to have what it commits.

    A hidden cluster listens on its private socket only; one that is not linked knows its
    upstream and does not connect to it. One that is mirrored is, or has been, one of a pair.
    What it follows is applied ``delay`` seconds after it was committed. Its WAL is archived
    when it has an ``archive``; while it has a ``recovery`` it answers nobody before that ended.
    """

    upstream: Upstream | None = None
    synchronous: str | None = None
    hidden: bool = False
    linked: bool = True
    mirrored: bool = False
    delay: float = 0.0
    archive: Path | None = None
    recovery: Recovery | None = None


@dataclass(frozen=True, slots=True)
class Files:
    """The places of one cluster."""

    root: Path
    sockets: Path

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.root / "data"

    @property
    def settings(self) -> Path:
        """The server's settings."""
        return self.root / "postgresql.conf"

    @property
    def access(self) -> Path:
        """Who may connect from where."""
        return self.root / "pg_hba.conf"

    @property
    def mapping(self) -> Path:
        """Which system user is which internal role, on the private socket."""
        return self.root / "pg_ident.conf"

    @property
    def log(self) -> Path:
        """The server's log."""
        return self.root / "postgresql.log"

    @property
    def certificate(self) -> Path:
        """The server certificate."""
        return self.root / "server.crt"

    @property
    def key(self) -> Path:
        """The key of the server certificate."""
        return self.root / "server.key"


def quoted(value: str) -> str:
    """Return a value as postgresql.conf wants it."""
    escaped = value.replace("\\", "\\\\").replace("'", "''").replace("\n", "\\n")
    return f"'{escaped}'"


def server_settings(
    files: Files,
    address: Address,
    parameters: Mapping[str, str],
    *,
    durable: bool,
    place: Place,
) -> str:
    """Return postgresql.conf: the parameters first, then what they may not change."""
    fixed = {
        "listen_addresses": "" if place.hidden else address.host,
        "port": str(address.port),
        "unix_socket_directories": str(files.sockets),
        "unix_socket_permissions": "0700",
        "hba_file": str(files.access),
        "ident_file": str(files.mapping),
        "ssl": "on",
        "ssl_cert_file": str(files.certificate),
        "ssl_key_file": str(files.key),
        "ssl_min_protocol_version": "TLSv1.2",
        "password_encryption": "scram-sha-256",
        # In the data directory, so that a killed server leaves nothing elsewhere.
        "dynamic_shared_memory_type": "mmap",
        "huge_pages": "off",
        "logging_collector": "off",
        "log_destination": "stderr",
        "fsync": "on" if durable else "off",
        "hot_standby": "on",
        **_mirrored(place, parameters),
        **_streaming(place),
        **_archiving(place),
        **_recovering(place),
    }
    lines = [f"{name} = {quoted(value)}" for name, value in {**parameters, **fixed}.items()]
    return "\n".join(lines) + "\n"


def _mirrored(place: Place, parameters: Mapping[str, str]) -> dict[str, str]:
    level = parameters.get("synchronous_commit", "on")
    if not place.mirrored:
        return {"synchronous_standby_names": "", "synchronous_commit": level}
    kept = max(int(parameters.get("wal_keep_size", "0")), _KEPT_WAL)
    fixed = {
        "synchronous_standby_names": place.synchronous or "",
        "synchronous_commit": "on" if place.synchronous and level in _TOO_WEAK else level,
        "wal_keep_size": str(kept),
    }
    # A primary that restarts makes its commits wait until the standby is back.
    return {**fixed, "wal_retrieve_retry_interval": "100ms"} if place.hidden else fixed


def _streaming(place: Place) -> dict[str, str]:
    upstream = place.upstream
    if upstream is None:
        return {"primary_conninfo": "", "primary_slot_name": ""}
    target = (
        f"host='{upstream.socket_directory}' port={upstream.port} user={REPLICATION_USER} "
        f"application_name={upstream.name} sslmode=disable"
    )
    return {
        "primary_conninfo": target if place.linked else "",
        "primary_slot_name": upstream.slot or "",
        "recovery_min_apply_delay": f"{round(place.delay * 1000)}ms",
        "recovery_target_timeline": "latest",
    }


def _archiving(place: Place) -> dict[str, str]:
    """Both of a pair archive, so that a failover leaves no gap; without an archive nothing waits."""
    return {
        "archive_mode": "always" if place.hidden else "on",
        "archive_command": "true" if place.archive is None else wal_commands.store(place.archive),
        "archive_timeout": "300",
    }


def _recovering(place: Place) -> dict[str, str]:
    recovery = place.recovery
    if recovery is None:
        return {}
    moment = {} if recovery.moment is None else {"recovery_target_time": recovery.moment}
    return {
        "restore_command": wal_commands.fetch(recovery.wal),
        "recovery_target_timeline": "latest",
        "recovery_target_action": "promote",
        # Otherwise it could not have less than its source: connections, locks, workers.
        "hot_standby": "off",
        **moment,
    }


def access_rules(*, force_ssl: bool) -> str:
    """Return pg_hba.conf: internal roles on the private socket only, everyone else by SCRAM."""
    network = "hostssl" if force_ssl else "host"
    return f"""# TYPE  DATABASE     USER          ADDRESS  METHOD
local   all          rdsadmin               peer map=internal
local   replication  {REPLICATION_USER}           peer map=internal
local   all          all                    scram-sha-256
host    all          rdsadmin,{REPLICATION_USER}  all  reject
host    all          +rds_iam      all      reject
{network} all         all           all      scram-sha-256
{network} replication +rds_replication all   scram-sha-256
"""


def user_mapping(owner: Owner) -> str:
    """Return pg_ident.conf: this process and the servers themselves are the internal roles."""
    rows = [
        f"internal {system} {role}"
        for system in sorted({owner.name, getpass.getuser()})
        for role in ("rdsadmin", REPLICATION_USER)
    ]
    return "\n".join(rows) + "\n"
