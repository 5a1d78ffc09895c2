"""How many instances would take an application's writes: never two, and in the end one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg

from tests.fault.catalogue import secret
from tests.fault.inventory import REGIONS, Account

USERS = ("haven_app_a", "haven_app_b", "haven_migrator")
MAY_WRITE = (
    "SELECT NOT pg_is_in_recovery() AND NOT current_setting('transaction_read_only')::boolean"
)


def several_open(account: Account, ca_bundle: Path) -> list[str]:
    """Say so if more than one instance lets writers in."""
    found = sorted(open_instances(account, ca_bundle))
    return [f"several instances take writes: {', '.join(found)}"] if len(found) > 1 else []


def none_open(account: Account, ca_bundle: Path) -> list[str]:
    """Say so unless exactly one instance lets writers in."""
    found = sorted(open_instances(account, ca_bundle))
    return [] if len(found) == 1 else [f"these instances take writes: {', '.join(found) or 'none'}"]


def open_instances(account: Account, ca_bundle: Path) -> Iterator[str]:
    """Yield every instance that one of the writers gets into, and could write."""
    for region in REGIONS:
        for item in account.client("rds", region).describe_db_instances()["DBInstances"]:
            endpoint = item.get("Endpoint")
            if endpoint and any(_gets_in(account, ca_bundle, endpoint, user) for user in USERS):
                yield f"{item['DBInstanceIdentifier']} in {region}"


def _gets_in(account: Account, ca_bundle: Path, endpoint: dict[str, str], user: str) -> bool:
    content = secret(account, user)
    if content is None:
        return False
    try:
        with psycopg.connect(
            host=endpoint["Address"],
            port=endpoint["Port"],
            dbname=content["dbname"],
            user=user,
            password=content["password"],
            sslmode="verify-full",
            sslrootcert=str(ca_bundle),
            connect_timeout=5,
        ) as connection:
            row = connection.execute(MAY_WRITE).fetchone()
    except psycopg.OperationalError:
        return False
    return bool(row and row[0])
