"""A whole stack as resources. The order does not matter: references make the dependencies."""

from __future__ import annotations

from haven.stack import databases, names, policies
from haven.stack.bucket import Bucket
from haven.stack.dns import Record, Zone
from haven.stack.instance import Instance
from haven.stack.model import Stack
from haven.stack.proxy import Proxy
from haven.stack.resource import Resource
from haven.stack.role import Role
from haven.stack.secret import Pointer, Secret, SecretHost
from haven.stack.sides import Side, make_side, secret_arns
from haven.stack.watch import Alarm, EventSubscription, LogGroup

EVENT_CATEGORIES = (
    "availability",
    "configuration change",
    "failover",
    "failure",
    "low storage",
    "maintenance",
    "read replica",
    "recovery",
)
GIB = 1024**3
PERIOD = 300


def topology(stack: Stack) -> tuple[Resource, ...]:
    """Describe every resource of a stack."""
    home, recovery = make_side(stack, recovery=False), make_side(stack, recovery=True)
    roles = iam_roles(stack, home, recovery)
    secrets = login_secrets(stack, home, recovery)
    master = secrets[0]
    writer, instances = databases.everything(
        stack, home, recovery, roles["monitoring"].output("arn"), master
    )
    proxies = [
        databases.proxy(stack, side, roles["proxy"].output("arn"), _proxy_secrets(secrets, side))
        for side in (home, recovery)
    ]
    machines = [item for item in instances if isinstance(item, Instance)]
    return (
        *home.resources(stack.database.port),
        *recovery.resources(stack.database.port),
        *roles.values(),
        *secrets,
        *instances,
        *proxies,
        databases.target(proxies[0], writer),
        *_hosts(secrets, writer, home),
        _pointer(stack, home, recovery, secrets, proxies[0]),
        *buckets(stack, home, recovery, roles["replication"]),
        *watches(stack, home, recovery, machines),
        *_dns(stack, home, recovery, proxies),
    )


def iam_roles(stack: Stack, home: Side, recovery: Side) -> dict[str, Role]:
    """Describe the four roles; IAM is global and answers in the home region's name."""
    pairs = [(_arn(stack, use), _arn(stack, use, recovery=True)) for use in ("backups", "evidence")]
    readable = [
        arn
        for side in (home, recovery)
        for arn in secret_arns(stack, names.PROXY_ROLES, side.region)
    ]
    wanted = {
        "monitoring": ("monitoring.rds.amazonaws.com", "", (policies.ENHANCED_MONITORING,)),
        "proxy": (
            "rds.amazonaws.com",
            policies.read_secrets(
                readable, (home.key_arn, recovery.key_arn), (home.region, recovery.region)
            ),
            (),
        ),
        "export": ("export.rds.amazonaws.com", policies.export(_arn(stack, "backups")), ()),
        "replication": (
            "s3.amazonaws.com",
            policies.replicate(pairs, home.key_arn, recovery.key_arn),
            (),
        ),
    }
    return {
        use: Role(
            name=f"{stack.prefix}-{use}",
            region=stack.region,
            role=f"{use}-role",
            description=f"{use.capitalize()} for {stack.prefix}",
            trust=policies.trust(service, stack.account),
            policy=policy,
            managed=managed,
        )
        for use, (service, policy, managed) in wanted.items()
    }


def login_secrets(stack: Stack, home: Side, recovery: Side) -> list[Secret]:
    """Describe the master's secret, first, and one per login role."""
    logins = {"master": stack.database.master_username} | {
        login: login for login in names.LOGIN_ROLES
    }
    return [
        Secret(
            name=names.secret(stack, name),
            region=home.region,
            role=f"secret-{name.replace('_', '-')}",
            description=f"Login {username} of {stack.prefix}",
            key=home.key_arn,
            content=(
                ("dbname", stack.database.name),
                ("engine", "postgres"),
                ("port", str(stack.database.port)),
                ("username", username),
            ),
            replica_region=recovery.region,
            replica_key=recovery.key_arn,
        )
        for name, username in logins.items()
    ]


def _proxy_secrets(secrets: list[Secret], side: Side) -> tuple[str, ...]:
    output = "replica_arn" if side.recovery else "arn"
    served = tuple(f"/{login}" for login in names.PROXY_ROLES)
    return tuple(secret.output(output) for secret in secrets if secret.name.endswith(served))


def _hosts(secrets: list[Secret], writer: Instance, home: Side) -> list[SecretHost]:
    return [
        SecretHost(
            name=secret.name,
            region=home.region,
            role=secret.role,
            secret=secret.output("arn"),
            host=writer.output("host"),
        )
        for secret in secrets
    ]


def _pointer(
    stack: Stack, home: Side, recovery: Side, secrets: list[Secret], proxy: Proxy
) -> Pointer:
    first = next(secret for secret in secrets if secret.name.endswith(names.FIRST_WRITER))
    return Pointer(
        name=names.pointer(stack),
        region=home.region,
        role="pointer",
        description=f"Which secret and endpoint applications of {stack.prefix} use",
        key=home.key_arn,
        content=(
            ("dbname", stack.database.name),
            ("engine", "postgres"),
            ("host", proxy.output("host")),
            ("port", "5432"),
        ),
        active=(("secret", first.output("arn")), ("username", names.FIRST_WRITER)),
        replica_region=recovery.region,
        replica_key=recovery.key_arn,
    )


def _arn(stack: Stack, use: str, *, recovery: bool = False) -> str:
    return f"arn:aws:s3:::{names.bucket(stack, use, recovery=recovery)}"


def buckets(stack: Stack, home: Side, recovery: Side, replication: Role) -> list[Bucket]:
    """Describe the buckets and their twins.

    State is neither versioned nor copied: it holds locks, which mean nothing elsewhere.
    """
    return [_state(stack, home), _state(stack, recovery)] + [
        bucket
        for use in ("backups", "evidence")
        for bucket in (
            _kept(stack, use, recovery, ()),
            _kept(
                stack,
                use,
                home,
                (
                    replication.output("arn"),
                    _arn(stack, use, recovery=True),
                    recovery.key_arn,
                ),
            ),
        )
    ]


def _state(stack: Stack, side: Side) -> Bucket:
    name = names.bucket(stack, "state", recovery=side.recovery)
    return Bucket(
        name=name,
        region=side.region,
        role="state",
        policy=policies.tls_only(f"arn:aws:s3:::{name}"),
    )


def _kept(stack: Stack, use: str, side: Side, replication: tuple[str, ...]) -> Bucket:
    name = names.bucket(stack, use, recovery=side.recovery)
    locked = use == "evidence"
    twin = f"bucket/{stack.recovery_region}/{names.bucket(stack, use, recovery=True)}"
    days = stack.backups
    return Bucket(
        name=name,
        region=side.region,
        role=use,
        after=(twin,) if replication else (),
        policy=policies.tls_only(f"arn:aws:s3:::{name}"),
        versioned=True,
        key=side.key_arn,
        lock_days=days.evidence_lock_days if locked else 0,
        lock_mode=days.evidence_lock_mode if locked else "",
        lifecycle=""
        if locked
        else policies.lifecycle(
            days.glacier_after_days, days.deep_archive_after_days, days.expire_after_days
        ),
        replication=replication,
    )


def watches(stack: Stack, home: Side, recovery: Side, instances: list[Instance]) -> list[Resource]:
    """Describe alarms and log groups per instance, and the event subscription of the region."""
    sides = {side.region: side for side in (home, recovery)}
    found: list[Resource] = [
        EventSubscription(
            name=f"{stack.prefix}-events",
            region=home.region,
            role="events",
            topic=home.topic.output("arn"),
            categories=EVENT_CATEGORIES,
        )
    ]
    for instance in instances:
        found.append(
            LogGroup(
                name=databases.log_group(instance.name),
                region=instance.region,
                role="log",
                retention_days=stack.database.log_retention_days,
            )
        )
        found += alarms(stack, instance, sides[instance.region].topic.output("arn"))
    return found


def alarms(stack: Stack, instance: Instance, topic: str) -> list[Alarm]:
    """Describe an instance's alarms: missing data means a dead instance for CPU and lag."""
    limits = stack.alarms
    rows = [
        ("cpu", "CPUUtilization", "GreaterThanThreshold", limits.cpu_percent, 2, "breaching"),
        (
            "connections",
            "DatabaseConnections",
            "GreaterThanThreshold",
            float(limits.connections),
            2,
            "notBreaching",
        ),
        (
            "storage",
            "FreeStorageSpace",
            "LessThanThreshold",
            float(limits.free_storage_gib * GIB),
            1,
            "notBreaching",
        ),
    ]
    if instance.is_replica:
        lag = float(limits.replica_lag_seconds)
        rows.append(("lag", "ReplicaLag", "GreaterThanThreshold", lag, 2, "breaching"))
    return [
        Alarm(
            name=f"{instance.name}-{use}",
            region=instance.region,
            role="alarm",
            description=f"{metric} of {instance.name}",
            instance=instance.name,
            metric=metric,
            comparison=comparison,
            threshold=threshold,
            period=PERIOD,
            periods=periods,
            missing_data=missing,
            actions=(topic,),
        )
        for use, metric, comparison, threshold, periods, missing in rows
    ]


def _dns(stack: Stack, home: Side, recovery: Side, proxies: list[Proxy]) -> list[Resource]:
    zone = Zone(
        name=names.zone(stack),
        region=stack.region,
        role="dns",
        comment=f"haven:stack={stack.prefix}",
        networks=tuple(
            f"{side.region} {side.subnet_group.output('vpc')}" for side in (home, recovery)
        ),
    )
    records = [
        Record(
            name=f"{label}.{zone.name}",
            region=stack.region,
            role="dns",
            zone=zone.output("id"),
            target=proxy.output("host"),
        )
        for label, proxy in zip(("writer", "recovery"), proxies, strict=True)
    ]
    return [zone, *records]
