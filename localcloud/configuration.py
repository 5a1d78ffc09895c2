"""The files a server is configured by.

They live outside the data directory, so a copied cluster never carries the settings of its source.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localcloud.addresses import Address
from localcloud.unprivileged import Owner

# Only ever on the private socket, and only for the users that own the local cloud.
REPLICATION_USER = "rdsrepladmin"


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a standby streams from: the source's private socket and its slot there."""

    socket_directory: Path
    port: int
    slot: str


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
    upstream: Upstream | None,
) -> str:
    """Return postgresql.conf: the parameters first, then what they may not change."""
    fixed = {
        "listen_addresses": address.host,
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
        "synchronous_commit": parameters.get("synchronous_commit", "on"),
        "hot_standby": "on",
        **_streaming(upstream),
    }
    lines = [f"{name} = {quoted(value)}" for name, value in {**parameters, **fixed}.items()]
    return "\n".join(lines) + "\n"


def _streaming(upstream: Upstream | None) -> dict[str, str]:
    if upstream is None:
        return {"primary_conninfo": "", "primary_slot_name": ""}
    return {
        "primary_conninfo": (
            f"host='{upstream.socket_directory}' port={upstream.port} user={REPLICATION_USER} "
            f"application_name={upstream.slot} sslmode=disable"
        ),
        "primary_slot_name": upstream.slot,
        "recovery_target_timeline": "latest",
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
