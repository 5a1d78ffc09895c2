"""The stack file: desired state of one environment, reviewed like code.

Defaults are the facts of the production stack. Every field is validated here, before anything
is touched; what AWS would refuse later is refused now where the rule is known.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, PrivateAttr, StringConstraints, model_validator

from haven.credentials.schedule import LOOK_UPS
from haven.stack.database import ROLES
from haven.stack.export import Export
from haven.stack.housekeeping import Housekeeping
from haven.stack.layout import Layout, zones_beside
from haven.stack.section import Section
from haven.stack.windows import check_windows

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z](-?[a-z0-9])*$", max_length=40)]
Region = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]
Zone = Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$")]
InstanceClass = Annotated[str, StringConstraints(pattern=r"^db\.[a-z0-9]+\.[a-z0-9]+$")]
DatabaseName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
Username = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,15}$")]
Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Parameters = dict[Annotated[str, StringConstraints(pattern=r"^[a-z_.]+$")], str]

PREFIX_LIMIT = 36
IOPS_FROM_GIB = 400
DAY = 86400
# Names that CreateDBInstance refuses, or that are there already (Amazon RDS, PostgreSQL limits).
KEPT_DATABASES = frozenset({"template0", "template1", "rdsadmin"})
KEPT_USERS = frozenset(
    {"admin", "all", "current_user", "none", "postgres_admin", "public", "session_user", "user"}
)


class Network(Section):
    """Where a region's instances stand. Without subnets, those of the VPC are used."""

    vpc: Annotated[str, StringConstraints(pattern=r"^(default|vpc-[0-9a-f]+)$")] = Field(
        "default", description="VPC id, or 'default' for the region's default VPC."
    )
    subnets: tuple[Annotated[str, StringConstraints(pattern=r"^subnet-[0-9a-f]+$")], ...] = Field(
        (), description="Private subnets in at least two zones."
    )


class Storage(Section):
    """Storage of every instance, in GiB."""

    type: Literal["gp3", "io1", "io2"] = "gp3"
    allocated_gib: int = Field(500, ge=20, le=65536)
    max_allocated_gib: int = Field(1000, ge=22, le=65536, description="Autoscaling's ceiling.")
    iops: int = Field(12000, ge=0, le=256000, description="0: the baseline of the volume.")

    @model_validator(mode="after")
    def _limits(self) -> Self:
        if self.max_allocated_gib < self.allocated_gib * 1.1:
            raise ValueError(
                f"max_allocated_gib {self.max_allocated_gib} must be at least 10 % above "
                f"allocated_gib {self.allocated_gib}"
            )
        if self.type == "gp3" and self.allocated_gib < IOPS_FROM_GIB and self.iops:
            raise ValueError(
                f"iops {self.iops} cannot be set on a gp3 volume below {IOPS_FROM_GIB} GiB: use 0"
            )
        return self


class Database(Section):
    """The primary instance and the database in it."""

    name: DatabaseName = "haven_health_db"
    master_username: Username = "haven_admin"
    port: int = Field(5432, ge=1150, le=65535)
    engine_version: Annotated[str, StringConstraints(pattern=r"^1[5-9](\.[0-9]+)?$")] = "15"
    instance_class: InstanceClass = "db.r6g.xlarge"
    multi_az: bool = True
    deletion_protection: bool = True
    auto_minor_upgrade: bool = True
    monitoring_interval: Literal[0, 1, 5, 10, 15, 30, 60] = 60
    performance_insights_days: Literal[7] = 7
    ca_certificate: str = "rds-ca-rsa2048-g1"
    log_retention_days: Literal[30, 60, 90, 180, 365, 731, 2557] = 365
    parameters: Parameters = Field(
        default_factory=dict, description="Parameters of every instance, besides Haven's own."
    )
    max_connections: int = Field(1000, ge=50, le=8388607)

    @model_validator(mode="after")
    def _names_of_our_own(self) -> Self:
        if self.name in KEPT_DATABASES:
            raise ValueError(f"name {self.name!a} is kept by RDS or PostgreSQL: choose another")
        master = self.master_username
        if master in KEPT_USERS or master.startswith(("pg_", "rds")):
            raise ValueError(f"master_username {master!a} is kept by RDS: choose another")
        if master in {role.name for role in ROLES}:
            raise ValueError(f"master_username {master!a} is a role of Haven's: choose another")
        return self


class Replicas(Section):
    """Read replicas, one per zone given, and the replica in the recovery region."""

    instance_class: InstanceClass = "db.r6g.large"
    zones: tuple[Zone, ...] | None = Field(
        None, description="One replica in each; zones b and c of the region if left out."
    )
    recovery_zone: Zone | None = None

    @model_validator(mode="after")
    def _different_zones(self) -> Self:
        zones = self.zones or ()
        if len(set(zones)) != len(zones):
            raise ValueError(f"zones {', '.join(zones)} must differ from each other")
        return self


class Proxy(Section):
    """RDS Proxy in each region."""

    max_connections_percent: int = Field(100, ge=1, le=100)
    max_idle_percent: int = Field(50, ge=0, le=100)
    borrow_timeout_seconds: int = Field(120, ge=1, le=300)
    idle_client_seconds: int = Field(1800, ge=1, le=28800)

    @model_validator(mode="after")
    def _idle_within_all(self) -> Self:
        if self.max_idle_percent > self.max_connections_percent:
            raise ValueError(
                f"max_idle_percent {self.max_idle_percent} is above "
                f"max_connections_percent {self.max_connections_percent}"
            )
        return self


class Backups(Section):
    """Automated backups, exports and their archive. Windows are UTC."""

    retention_days: int = Field(35, ge=1, le=35)
    window: str = "03:00-04:00"
    maintenance_window: str = "sun:04:00-sun:05:00"
    glacier_after_days: int = Field(30, ge=1)
    deep_archive_after_days: int = Field(90, ge=2)
    expire_after_days: int = Field(2557, ge=3)
    evidence_lock_days: int = Field(2557, ge=1)
    evidence_lock_mode: Literal["GOVERNANCE", "COMPLIANCE"] = "GOVERNANCE"

    @model_validator(mode="after")
    def _order_and_windows(self) -> Self:
        if not self.glacier_after_days < self.deep_archive_after_days < self.expire_after_days:
            raise ValueError(
                "glacier_after_days, deep_archive_after_days and expire_after_days must rise: "
                f"got {self.glacier_after_days}, {self.deep_archive_after_days}, "
                f"{self.expire_after_days}"
            )
        check_windows(self.window, self.maintenance_window)
        return self


class Alarms(Section):
    """Thresholds on 300 s averages; who is told."""

    email: Email = "devops@havenhealthpassport.org"
    cpu_percent: float = Field(80, gt=0, le=100)
    connections: int = Field(800, ge=1)
    free_storage_gib: int = Field(50, ge=1)
    replica_lag_seconds: int = Field(60, ge=1)


class Secrets(Section):
    """Credentials of the stack."""

    rotation_days: int = Field(30, ge=1, le=365)
    cache_seconds: int = Field(
        3600, ge=0, le=86400, description="How long applications may keep what they have read."
    )
    grace_seconds: int = Field(
        14400, ge=0, le=604800, description="When sessions of a role that was left are ended."
    )
    password_length: int = Field(40, ge=16, le=128)
    punctuation: bool = Field(True, description="Whether passwords hold other signs than letters.")

    @model_validator(mode="after")
    def _nobody_holds_it_when_it_is_due(self) -> Self:
        days = self.rotation_days
        if days * DAY <= LOOK_UPS * self.cache_seconds:
            raise ValueError(
                f"rotation_days {days} must be longer than two cache times, {LOOK_UPS} x "
                f"cache_seconds {self.cache_seconds}: applications may hold a password so long"
            )
        if days * DAY <= self.grace_seconds:
            raise ValueError(
                f"rotation_days {days} must be longer than grace_seconds {self.grace_seconds}"
            )
        return self


class Verification(Section):
    """How backups are proven."""

    instance_class: InstanceClass = Field(
        "db.t4g.medium", description="Class of the instances that backups are restored to."
    )
    budget_gib: float = Field(
        50, ge=0, description="How much a run hashes at most; 0: everything each time."
    )
    completed_sync_days: int = Field(
        30, ge=1, le=3650, description="After how many days completed sync items may be deleted."
    )
    rpo_seconds: int = Field(
        300, ge=1, description="How old the newest recoverable row may be at most."
    )


class Heartbeat(Section):
    """How often the stack's heartbeat is written, and how old it may get."""

    interval_seconds: int = Field(5, ge=1, le=60)
    limit_seconds: int = Field(60, ge=2, le=3600, description="A check fails on an older one.")

    @model_validator(mode="after")
    def _room_for_a_missed_beat(self) -> Self:
        if self.limit_seconds < 2 * self.interval_seconds:
            raise ValueError(
                f"limit_seconds {self.limit_seconds} must be at least twice "
                f"interval_seconds {self.interval_seconds}, or one late beat is an alarm"
            )
        return self


class Stack(Section):
    """One environment of one project."""

    project: Slug = "haven-health-passport"
    environment: Slug
    account: Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")] = Field(
        description="AWS account that the stack lives in; checked before the first change."
    )
    region: Region = "us-east-1"
    recovery_region: Region = "us-west-2"
    disposable: bool = Field(False, description="Only a disposable stack can be destroyed.")
    network: Network = Network()
    recovery_network: Network = Network()
    database: Database = Database()
    storage: Storage = Storage()
    replicas: Replicas = Replicas()
    proxy: Proxy = Proxy()
    backups: Backups = Backups()
    alarms: Alarms = Alarms()
    secrets: Secrets = Secrets()
    verification: Verification = Verification()
    heartbeat: Heartbeat = Heartbeat()
    export: Export = Export()
    housekeeping: Housekeeping = Housekeeping()
    _layout: Layout = PrivateAttr(default=Layout())

    @property
    def layout(self) -> Layout:
        """Where the stack stands by now; no file says it."""
        return self._layout

    def standing(self, layout: Layout) -> Stack:
        """Return the stack of the file as it stands by now.

        After a promotion across regions home and recovery have changed places: ``region`` is where
        the primary is, always.
        """
        changed: dict[str, object] = {}
        if layout.swapped != self._layout.swapped:
            count = len(self.replica_zones)
            there = tuple(f"{self.recovery_region}{letter}" for letter in "bcdefa"[:count])
            changed = {
                "region": self.recovery_region,
                "recovery_region": self.region,
                "network": self.recovery_network,
                "recovery_network": self.network,
                "replicas": self.replicas.model_copy(
                    update={"zones": there, "recovery_zone": None}
                ),
            }
        copy = self.model_copy(update=changed)
        copy._layout = layout  # noqa: SLF001  # its own kind
        return copy

    @property
    def prefix(self) -> str:
        """What every name of this stack starts with."""
        return f"{self.project}-{self.environment}"

    @property
    def replica_zones(self) -> tuple[str, ...]:
        """The zones of the read replicas in the home region."""
        zones = self.replicas.zones
        if zones is None:
            zones = (f"{self.region}b", f"{self.region}c")
        return zones_beside(zones, self.region, self._layout.zone)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.region == self.recovery_region:
            raise ValueError(f"recovery_region must differ from region {self.region}")
        if len(self.prefix) > PREFIX_LIMIT:
            raise ValueError(
                f"project and environment give the prefix '{self.prefix}' of "
                f"{len(self.prefix)} characters; at most {PREFIX_LIMIT} leave room for names"
            )
        wrong = [zone for zone in self.replica_zones if not zone.startswith(self.region)]
        if wrong:
            raise ValueError(f"replicas.zones {', '.join(wrong)} are not in {self.region}")
        if self.disposable and self.database.deletion_protection:
            raise ValueError("database.deletion_protection must be false in a disposable stack")
        if self.alarms.connections >= self.database.max_connections:
            raise ValueError(
                f"alarms.connections {self.alarms.connections} can never be reached with "
                f"database.max_connections {self.database.max_connections}"
            )
        if self.housekeeping.snapshots.maximum_age_days <= self.backups.retention_days:
            raise ValueError(
                f"housekeeping.snapshots.maximum_age_days "
                f"{self.housekeeping.snapshots.maximum_age_days} must be above "
                f"backups.retention_days {self.backups.retention_days}"
            )
        if self.alarms.free_storage_gib >= self.storage.allocated_gib:
            raise ValueError(
                f"alarms.free_storage_gib {self.alarms.free_storage_gib} would always alarm on "
                f"storage.allocated_gib {self.storage.allocated_gib}"
            )
        return self
