"""Conformance: subnet groups, tags, replicated backups, events, subscriptions, what is offered."""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.localcloud.errors import refusal

pytestmark = pytest.mark.local

WEST = "us-west-2"


def _subnets(cloud: Any, region: str = "us-east-1") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cloud.client("ec2", region).describe_subnets()["Subnets"]
    return sorted(found, key=lambda subnet: subnet["AvailabilityZone"])


def test_subnet_groups_survive_a_change(cloud: Any, name: str) -> None:
    # API ModifyDBSubnetGroup: the list is replaced, the group stays.
    rds = cloud.client("rds")
    ids = [subnet["SubnetId"] for subnet in _subnets(cloud)]
    given = {"DBSubnetGroupName": name, "DBSubnetGroupDescription": "x"}
    rds.create_db_subnet_group(**given, SubnetIds=ids[:2])
    assert refusal(rds.create_db_subnet_group, **given, SubnetIds=ids[:2])[0] == (
        "DBSubnetGroupAlreadyExists"
    )
    rds.modify_db_subnet_group(**given, SubnetIds=ids[:3])
    found = rds.describe_db_subnet_groups(DBSubnetGroupName=name)["DBSubnetGroups"][0]
    assert [subnet["SubnetIdentifier"] for subnet in found["Subnets"]] == ids[:3]
    code, _ = refusal(rds.modify_db_subnet_group, **given, SubnetIds=ids[:1])
    assert code == "DBSubnetGroupDoesNotCoverEnoughAZs"
    cloud.create(name, DBSubnetGroupName=name)
    code, _ = refusal(rds.delete_db_subnet_group, DBSubnetGroupName=name)
    assert code == "InvalidDBSubnetGroupStateFault"


def test_tags_are_found_by_the_tagging_api(cloud: Any, primary: Any, name: str) -> None:
    # API AddTagsToResource, ListTagsForResource; tagging API GetResources.
    rds = cloud.client("rds")
    arn = primary["DBInstanceArn"]
    tags = [{"Key": "stack", "Value": name}, {"Key": "other", "Value": "1"}]
    rds.add_tags_to_resource(ResourceName=arn, Tags=tags)
    rds.remove_tags_from_resource(ResourceName=arn, TagKeys=["other"])
    assert rds.list_tags_for_resource(ResourceName=arn)["TagList"] == tags[:1]
    rds.create_db_parameter_group(
        DBParameterGroupName=name,
        DBParameterGroupFamily="postgres15",
        Description="x",
        Tags=tags[:1],
    )
    cloud.client("kms").create_key(Tags=[{"TagKey": "stack", "TagValue": name}])
    tagging = cloud.client("resourcegroupstaggingapi")
    wanted = [{"Key": "stack", "Values": [name]}]
    found = [
        item["ResourceARN"].split(":")[2]
        for item in tagging.get_resources(TagFilters=wanted)["ResourceTagMappingList"]
    ]
    assert sorted(found) == ["kms", "rds", "rds"]
    only = tagging.get_resources(TagFilters=wanted, ResourceTypeFilters=["rds:db"])
    assert [item["ResourceARN"] for item in only["ResourceTagMappingList"]] == [arn]
    tagging.tag_resources(ResourceARNList=[arn], Tags={"late": "1"})
    assert {"Key": "late", "Value": "1"} in cloud.describe("shared")["TagList"]
    tagging.untag_resources(ResourceARNList=[arn], TagKeys=["late"])
    code, _ = refusal(
        rds.add_tags_to_resource, ResourceName=arn, Tags=[{"Key": "aws:x", "Value": "1"}]
    )
    assert code == "InvalidParameterValue"


def test_backups_are_replicated_as_an_api(cloud: Any, primary: Any) -> None:
    # API StartDBInstanceAutomatedBackupsReplication, called in the destination region.
    west = cloud.client("rds", WEST)
    arn = primary["DBInstanceArn"]
    started = west.start_db_instance_automated_backups_replication(
        SourceDBInstanceArn=arn, BackupRetentionPeriod=14
    )["DBInstanceAutomatedBackup"]
    assert started["BackupRetentionPeriod"] == 14
    copy = started["DBInstanceAutomatedBackupsArn"]
    assert copy.split(":")[3] == WEST
    again, _ = refusal(
        west.start_db_instance_automated_backups_replication, SourceDBInstanceArn=arn
    )
    assert again == "InvalidParameterValue"
    found = west.describe_db_instance_automated_backups(DBInstanceAutomatedBackupsArn=copy)
    assert found["DBInstanceAutomatedBackups"][0]["DBInstanceArn"] == arn
    listed = cloud.describe("shared")["DBInstanceAutomatedBackupsReplications"]
    assert listed == [{"DBInstanceAutomatedBackupsArn": copy}]
    own = cloud.client("rds").describe_db_instance_automated_backups(DBInstanceIdentifier="shared")[
        "DBInstanceAutomatedBackups"
    ][0]
    assert own["Status"] == "active"
    assert own["RestoreWindow"]["LatestTime"] >= own["RestoreWindow"]["EarliestTime"]
    west.stop_db_instance_automated_backups_replication(SourceDBInstanceArn=arn)
    assert cloud.describe("shared")["DBInstanceAutomatedBackupsReplications"] == []
    code, _ = refusal(
        west.describe_db_instance_automated_backups, DBInstanceAutomatedBackupsArn=copy
    )
    assert code == "DBInstanceAutomatedBackupNotFound"


def test_events_tell_what_happened(cloud: Any, primary: Any) -> None:
    # UG USER_Events.Messages.
    rds = cloud.client("rds")
    name = primary["DBInstanceIdentifier"]
    events = rds.describe_events(SourceIdentifier=name, SourceType="db-instance")["Events"]
    assert "DB instance created" in [event["Message"] for event in events]
    only = rds.describe_events(
        SourceIdentifier=name, SourceType="db-instance", EventCategories=["failover"]
    )
    assert only["Events"] == []


def test_subscriptions_are_checked_and_enabled(cloud: Any, name: str, primary: Any) -> None:
    # API CreateEventSubscription: the topic exists, Enabled is true unless said otherwise.
    rds = cloud.client("rds")
    topic = cloud.client("sns").create_topic(Name=name)["TopicArn"]
    code, _ = refusal(rds.create_event_subscription, SubscriptionName=name, SnsTopicArn=topic + "x")
    assert code == "SNSTopicArnNotFound"
    made = rds.create_event_subscription(
        SubscriptionName=name,
        SnsTopicArn=topic,
        SourceType="db-instance",
        EventCategories=["failover"],
    )["EventSubscription"]
    assert (made["Enabled"], made["Status"]) == (True, "active")
    rds.modify_event_subscription(SubscriptionName=name, EventCategories=["failure"])
    rds.add_source_identifier_to_subscription(
        SubscriptionName=name, SourceIdentifier=primary["DBInstanceIdentifier"]
    )
    found = rds.describe_event_subscriptions(SubscriptionName=name)["EventSubscriptionsList"][0]
    assert (found["EventCategoriesList"], found["SourceIdsList"]) == (["failure"], ["shared"])
    rds.delete_event_subscription(SubscriptionName=name)


def test_what_is_offered(cloud: Any) -> None:
    # API DescribeDBEngineVersions, DescribeOrderableDBInstanceOptions and their like.
    rds = cloud.client("rds")
    versions = rds.describe_db_engine_versions(Engine="postgres", EngineVersion="15")
    assert [item["DBParameterGroupFamily"] for item in versions["DBEngineVersions"]] == [
        "postgres15"
    ]
    assert rds.describe_db_engine_versions(EngineVersion="99.1")["DBEngineVersions"] == []
    orderable = rds.describe_orderable_db_instance_options(
        Engine="postgres", DBInstanceClass="db.r6g.large"
    )["OrderableDBInstanceOptions"]
    assert len(orderable) == 1
    regions = rds.describe_source_regions(RegionName=WEST)["SourceRegions"]
    assert regions[0]["SupportsDBInstanceAutomatedBackupsReplication"]
    assert rds.describe_certificates()["Certificates"]
    assert rds.describe_pending_maintenance_actions()["PendingMaintenanceActions"] == []
    assert rds.describe_event_categories()["EventCategoriesMapList"]
    defaults = rds.describe_engine_default_parameters(DBParameterGroupFamily="postgres15")
    assert defaults["EngineDefaults"]["Parameters"]
