"""``eval "$(haven env)"``: awscli and psql then speak to the stack."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local.provision.conftest import Place

pytestmark = pytest.mark.local

PROGRAMS = Path(sys.executable).parent
MASTERS = "aws secretsmanager get-secret-value --secret-id haven-tests/shared/master"


def in_shell(place: Place, script: str) -> str:
    """Run a script where ``haven env`` was evaluated, and return what it printed."""
    settings = place.settings
    done = subprocess.run(  # noqa: S603  # a script of the test
        ["/bin/bash", "-euc", f'eval "$(haven env)"\n{script}'],
        env={
            "PATH": f"{PROGRAMS}:{os.defpath}",
            "HOME": str(place.path.parent),
            "HAVEN_STACK": settings.stack,
            "HAVEN_ENDPOINT_URL": str(settings.endpoint_url),
            "HAVEN_CA_BUNDLE": str(settings.ca_bundle),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return str(done.stdout)


def test_awscli_finds_the_instances(provisioned: Place) -> None:
    instances = "DBInstances[].DBInstanceIdentifier"
    found = in_shell(provisioned, f"aws rds describe-db-instances --query '{instances}'")
    assert provisioned.primary in found


@pytest.mark.skipif(shutil.which("psql") is None, reason="psql is not on the PATH of this machine")
def test_psql_logs_in_with_the_masters_secret(provisioned: Place) -> None:
    read = f"{MASTERS} --query SecretString --output text"
    take = 'import json, sys; print(json.load(sys.stdin)["password"])'
    script = f"export PGPASSWORD=$({read} | python -c '{take}')\n"
    query = "SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    assert in_shell(provisioned, f'{script} psql -Atc "{query}"') == "haven_admin|t\n"
