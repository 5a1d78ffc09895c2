"""The table of kinds: who observes, makes and removes each. A new kind is one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from haven.plan import Change
from haven.stack.backup_replication import BackupReplication
from haven.stack.bucket import Bucket
from haven.stack.dns import Record, Zone
from haven.stack.instance import Instance
from haven.stack.key import Key
from haven.stack.network import SecurityGroup, SecurityRules, SubnetGroup
from haven.stack.parameter_group import ParameterGroup
from haven.stack.proxy import Proxy, ProxyTarget
from haven.stack.resource import Found, Resource
from haven.stack.role import Role
from haven.stack.secret import Pointer, Secret, SecretHost
from haven.stack.topic import Topic
from haven.stack.watch import Alarm, EventSubscription, LogGroup
from tasks import (
    backup_replication,
    buckets,
    dns,
    instances,
    keys,
    networks,
    parameter_groups,
    proxies,
    roles,
    secrets,
    subnet_groups,
    topics,
    watches,
)
from tasks.site import Observation, Site

Observe = Callable[[Site, str, Sequence[Resource]], Observation]
Apply = Callable[[Site, Any, Any, Sequence[Change]], Found[Resource]]
Delete = Callable[[Site, Any], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """What can be done with one kind of resource.

    What has no ``delete`` goes with its owner. ``alone``: each one is observed by itself, at
    the same time as the others, because it takes many requests.
    """

    observe: Observe
    apply: Apply
    delete: Delete | None = None
    alone: bool = False


KINDS: Mapping[type[Resource], Kind] = {
    Key: Kind(keys.observe_keys, keys.apply_key, keys.delete_key),
    SubnetGroup: Kind(
        instances.observe_instances,
        subnet_groups.apply_subnet_group,
        subnet_groups.delete_subnet_group,
    ),
    SecurityGroup: Kind(
        networks.observe_security_groups,
        networks.apply_security_group,
        networks.delete_security_group,
    ),
    SecurityRules: Kind(
        networks.observe_security_groups,
        networks.apply_security_rules,
        networks.delete_security_rules,
    ),
    ParameterGroup: Kind(
        parameter_groups.observe_parameter_groups,
        parameter_groups.apply_parameter_group,
        parameter_groups.delete_parameter_group,
    ),
    Role: Kind(roles.observe_roles, roles.apply_role, roles.delete_role),
    Topic: Kind(topics.observe_topics, topics.apply_topic, topics.delete_topic),
    Secret: Kind(secrets.observe_secrets, secrets.apply_secret, secrets.delete_secret),
    SecretHost: Kind(secrets.observe_secrets, secrets.apply_secret_host),
    Pointer: Kind(secrets.observe_secrets, secrets.apply_pointer, secrets.delete_secret),
    Instance: Kind(
        instances.observe_instances, instances.apply_instance, instances.delete_instance
    ),
    Proxy: Kind(proxies.observe_proxies, proxies.apply_proxy, proxies.delete_proxy),
    ProxyTarget: Kind(proxies.observe_proxies, proxies.apply_proxy_target),
    Bucket: Kind(buckets.observe_bucket, buckets.apply_bucket, buckets.delete_bucket, alone=True),
    BackupReplication: Kind(
        backup_replication.observe_backup_replication,
        backup_replication.apply_backup_replication,
        backup_replication.delete_backup_replication,
    ),
    Alarm: Kind(watches.observe_alarms, watches.apply_alarm, watches.delete_alarm),
    EventSubscription: Kind(
        watches.observe_event_subscriptions,
        watches.apply_event_subscription,
        watches.delete_event_subscription,
    ),
    LogGroup: Kind(watches.observe_log_groups, watches.apply_log_group, watches.delete_log_group),
    Zone: Kind(dns.observe_dns, dns.apply_zone, dns.delete_zone),
    Record: Kind(dns.observe_dns, dns.apply_record, dns.delete_record),
}
