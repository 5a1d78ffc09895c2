"""The two sides of a stack, home and recovery, and what each side has of everything."""

from __future__ import annotations

from dataclasses import dataclass

from haven.stack import names, policies
from haven.stack.key import Key
from haven.stack.model import Network, Stack
from haven.stack.network import SecurityGroup, SecurityRules, SubnetGroup, rule
from haven.stack.resource import Resource
from haven.stack.topic import Topic

KEY_ROTATION_DAYS = 365
POSTGRES = 5432
HTTPS = 443
ANYWHERE = "0.0.0.0/0"


@dataclass(frozen=True, slots=True)
class Side:
    """One region of a stack and the resources that everything in it stands on."""

    region: str
    recovery: bool
    key: Key
    subnet_group: SubnetGroup
    app_group: SecurityGroup
    runner_group: SecurityGroup
    proxy_group: SecurityGroup
    database_group: SecurityGroup
    scratch_group: SecurityGroup
    quarantine_group: SecurityGroup
    topic: Topic

    @property
    def key_arn(self) -> str:
        """Reference to the region's key."""
        return self.key.output("arn")

    def resources(self, port: int) -> tuple[Resource, ...]:
        """Everything of this side, the rules between its groups included."""
        groups = (
            self.app_group,
            self.runner_group,
            self.proxy_group,
            self.database_group,
            self.scratch_group,
            self.quarantine_group,
        )
        return (self.key, self.subnet_group, *groups, *_rules(self, port), self.topic)


def make_side(stack: Stack, *, recovery: bool) -> Side:
    """Describe one side of a stack."""
    region = stack.recovery_region if recovery else stack.region
    network = stack.recovery_network if recovery else stack.network
    key = Key(
        name=stack.prefix,
        region=region,
        role="encryption",
        description=f"Data of {stack.prefix}",
        policy=policies.key(stack.account),
        rotation_days=KEY_ROTATION_DAYS,
    )
    subnet_group = _subnet_group(stack, region, network)
    topic_name = f"{stack.prefix}-alerts"
    return Side(
        region=region,
        recovery=recovery,
        key=key,
        subnet_group=subnet_group,
        app_group=_group(stack, subnet_group, "app", "Applications that use the database"),
        runner_group=_group(stack, subnet_group, "runner", "Workers that run Haven"),
        proxy_group=_group(stack, subnet_group, "proxy", "RDS Proxy"),
        database_group=_group(stack, subnet_group, "database", "Database instances"),
        scratch_group=_group(stack, subnet_group, "scratch", "Copies restored from backups"),
        quarantine_group=_group(
            stack, subnet_group, "quarantine", "Instances that applications must not reach"
        ),
        topic=Topic(
            name=topic_name,
            region=region,
            role="alerts",
            key=key.output("arn"),
            policy=policies.topic(
                f"arn:aws:sns:{region}:{stack.account}:{topic_name}", stack.account
            ),
            emails=(stack.alarms.email,),
        ),
    )


def _subnet_group(stack: Stack, region: str, network: Network) -> SubnetGroup:
    return SubnetGroup(
        name=stack.prefix,
        region=region,
        role="network",
        description=f"Subnets of {stack.prefix}",
        vpc=network.vpc,
        subnets=tuple(sorted(network.subnets)),
    )


def _group(stack: Stack, subnet_group: SubnetGroup, role: str, description: str) -> SecurityGroup:
    return SecurityGroup(
        name=f"{stack.prefix}-{role}",
        region=subnet_group.region,
        role=role,
        description=description,
        vpc=subnet_group.output("vpc"),
    )


def _rules(side: Side, port: int) -> tuple[SecurityRules, ...]:
    app, runner = side.app_group.output("id"), side.runner_group.output("id")
    proxy, database = side.proxy_group.output("id"), side.database_group.output("id")
    scratch, quarantine = side.scratch_group.output("id"), side.quarantine_group.output("id")
    wanted = (
        (side.app_group, (rule("egress", POSTGRES, proxy),)),
        (
            side.runner_group,
            (
                rule("egress", HTTPS, ANYWHERE),
                rule("egress", POSTGRES, proxy),
                rule("egress", port, database),
                rule("egress", port, scratch),
                rule("egress", port, quarantine),
            ),
        ),
        (side.scratch_group, (rule("ingress", port, runner),)),
        (side.quarantine_group, (rule("ingress", port, runner),)),
        (
            side.proxy_group,
            (
                rule("ingress", POSTGRES, app),
                rule("ingress", POSTGRES, runner),
                rule("egress", port, database),
                rule("egress", HTTPS, ANYWHERE),
            ),
        ),
        (
            side.database_group,
            (rule("ingress", port, proxy), rule("ingress", port, runner)),
        ),
    )
    return tuple(_rules_of(group, rules) for group, rules in wanted)


def _rules_of(group: SecurityGroup, rules: tuple[str, ...]) -> SecurityRules:
    return SecurityRules(
        name=group.name, region=group.region, role=group.role, group=group.output("id"), rules=rules
    )


def secret_arns(stack: Stack, logins: tuple[str, ...], region: str) -> tuple[str, ...]:
    """ARN patterns of login secrets in a region: Secrets Manager adds six characters."""
    return tuple(
        f"arn:aws:secretsmanager:{region}:{stack.account}:secret:{names.secret(stack, login)}-??????"
        for login in logins
    )
