"""The parameters of a ``postgresN`` family: PostgreSQL's own settings, and RDS's additions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from localcloud.installation import ALLOWED_EXTENSIONS


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter as DescribeDBParameters shows it."""

    name: str
    kind: str
    static: bool
    modifiable: bool
    allowed: str
    text: str
    default: str | None
    unit: str | None = None
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None


# RDS decides these itself (DescribeDBParameters: IsModifiable false).
_NOT_MODIFIABLE = frozenset(
    {
        "allow_system_table_mods",
        "archive_cleanup_command",
        "archive_command",
        "archive_library",
        "archive_mode",
        "bonjour",
        "bonjour_name",
        "cluster_name",
        "config_file",
        "data_directory",
        "data_sync_retry",
        "dynamic_library_path",
        "dynamic_shared_memory_type",
        "event_source",
        "external_pid_file",
        "fsync",
        "full_page_writes",
        "hba_file",
        "hot_standby",
        "huge_pages",
        "ident_file",
        "krb_server_keyfile",
        "listen_addresses",
        "local_preload_libraries",
        "log_destination",
        "log_directory",
        "log_file_mode",
        "log_timezone",
        "logging_collector",
        "port",
        "primary_conninfo",
        "primary_slot_name",
        "promote_trigger_file",
        "recovery_end_command",
        "restore_command",
        "restart_after_crash",
        "shared_memory_type",
        "ssl",
        "ssl_ca_file",
        "ssl_cert_file",
        "ssl_crl_dir",
        "ssl_crl_file",
        "ssl_dh_params_file",
        "ssl_key_file",
        "ssl_passphrase_command",
        "ssl_passphrase_command_supports_reload",
        "stats_temp_directory",
        "superuser_reserved_connections",
        "synchronous_standby_names",
        "unix_socket_directories",
        "unix_socket_group",
        "unix_socket_permissions",
        "wal_level",
        "wal_sync_method",
        "zero_damaged_pages",
        "ignore_checksum_failure",
        "ignore_system_indexes",
        "ignore_invalid_pages",
        "post_auth_delay",
        "pre_auth_delay",
        "trace_recovery_messages",
        "jit_debugging_support",
        "jit_profiling_support",
        "jit_dump_bitcode",
        "jit_provider",
    }
)
# Where RDS's engine default differs from PostgreSQL's (RDS User Guide, "Working with
# parameters on your RDS for PostgreSQL DB instance"). Memory formulas are RDS's own.
RDS_DEFAULTS = {
    "autovacuum_max_workers": "GREATEST({DBInstanceClassMemory/64371566592},3)",
    "autovacuum_naptime": "15",
    "autovacuum_vacuum_cost_limit": "GREATEST({log(DBInstanceClassMemory/21474836480)*600},200)",
    "autovacuum_vacuum_scale_factor": "0.1",
    "autovacuum_analyze_scale_factor": "0.05",
    "checkpoint_completion_target": "0.9",
    "effective_cache_size": "{DBInstanceClassMemory/16384}",
    "log_rotation_age": "60",
    "log_min_messages": "warning",
    "maintenance_work_mem": "GREATEST({DBInstanceClassMemory*1024/63963136},65536)",
    "max_connections": "LEAST({DBInstanceClassMemory/9531392},5000)",
    "max_wal_senders": "20",
    "max_replication_slots": "20",
    "max_worker_processes": "GREATEST({DBInstanceVCPU/2},8)",
    "shared_buffers": "{DBInstanceClassMemory/32768}",
    "shared_preload_libraries": "pg_stat_statements",
    "wal_level": "replica",
    "wal_receiver_timeout": "30000",
    "wal_sender_timeout": "30000",
    "idle_in_transaction_session_timeout": "86400000",
    "max_standby_streaming_delay": "30000",
    "client_encoding": "UTF8",
    "log_line_prefix": "%t:%r:%u@%d:[%p]:",
    "password_encryption": "scram-sha-256",
}
# Where RDS allows less than PostgreSQL does.
_LEAST = {"max_connections": "6"}
_CHOICES = {
    "shared_preload_libraries": (
        "auto_explain",
        "pg_prewarm",
        "pg_stat_statements",
        "pgaudit",
        "pg_cron",
        "pg_hint_plan",
        "pglogical",
        "rdsutils",
    ),
}


def _flag(name: str, default: str, text: str, *, static: bool = False) -> Parameter:
    return Parameter(
        name, "boolean", static, modifiable=True, allowed="0,1", text=text, default=default
    )


RDS_OWN = (
    _flag("rds.force_ssl", "1", "Force SSL connections."),
    _flag("rds.logical_replication", "0", "Enables logical decoding.", static=True),
    _flag(
        "rds.restrict_password_commands",
        "0",
        "Restricts password-related commands to members of rds_password.",
        static=True,
    ),
    Parameter(
        "rds.accepted_password_auth_method",
        "string",
        static=False,
        modifiable=True,
        allowed="md5+scram,scram",
        text="Force authentication for connections with passwords stored locally.",
        default="scram",
        choices=("md5+scram", "scram"),
    ),
    Parameter(
        "rds.log_retention_period",
        "integer",
        static=False,
        modifiable=True,
        allowed="1440-10080",
        text="Amazon RDS will delete PostgreSQL log that are older than N minutes.",
        default="4320",
        low=1440,
        high=10080,
    ),
    Parameter(
        "rds.extensions",
        "list",
        static=True,
        modifiable=False,
        allowed=",".join(ALLOWED_EXTENSIONS),
        text="List of extensions provided by RDS.",
        default=",".join(ALLOWED_EXTENSIONS),
    ),
)


def _number(text: str | None) -> float | None:
    return float(text) if text not in {None, ""} else None


def _parameter(row: dict[str, Any]) -> Parameter:
    name = str(row["name"])
    choices = _CHOICES.get(name) or tuple(row["choices"] or ())
    kind = "string"
    allowed = ",".join(choices)
    low, high = None, None
    if row["type"] == "bool":
        kind, allowed = "boolean", "0,1"
    elif row["type"] in {"integer", "real"}:
        kind = "integer" if row["type"] == "integer" else "float"
        least = _LEAST.get(name, row["min"])
        low, high = _number(least), _number(row["max"])
        allowed = f"{least}-{row['max']}"
    elif name in _CHOICES:
        kind = "list"
    return Parameter(
        name=name,
        kind=kind,
        static=row["context"] in {"postmaster", "internal"},
        modifiable=row["context"] != "internal" and name not in _NOT_MODIFIABLE,
        allowed=allowed,
        text=str(row["text"]),
        default=RDS_DEFAULTS.get(name),
        unit=row["unit"],
        choices=choices,
        low=low,
        high=high,
    )


class Catalogue:
    """All parameters of one family, by name."""

    def __init__(self, rows: Iterable[dict[str, Any]]) -> None:
        found = [_parameter(row) for row in rows if row["context"] != "internal"]
        self._by_name = {parameter.name: parameter for parameter in [*found, *RDS_OWN]}

    def get(self, name: str) -> Parameter | None:
        """Return one parameter, or nothing when the family has none of that name."""
        return self._by_name.get(name)

    def all(self) -> list[Parameter]:
        """Return every parameter by name order."""
        return [self._by_name[name] for name in sorted(self._by_name)]
