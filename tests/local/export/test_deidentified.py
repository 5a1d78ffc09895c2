"""The export for research: nobody in it can be told, and no policy that does not fit is taken."""

import io
import json
import secrets
import tomllib

import pyarrow.parquet as pq
import pytest
from psycopg import sql

from flows.endpoints import writer_login
from flows.export_models import ExportParameters
from flows.weekly_export import weekly_export
from haven.errors import InvalidRequest, Refused
from haven.export.manifest import Variant
from haven.export.proof import ReadBack
from haven.pg import session
from tests.local.export.conftest import ACCOUNT, PATIENTS, POLICY, otherwise, read_export

pytestmark = pytest.mark.local

SECRET = tomllib.loads(POLICY)["export"]["deidentified"]["hash_key"]
DIRECT = (
    "id", "given_name", "family_name", "search_name", "preferred_name", "unhcr_number", "phone_number",
    "alternate_phone", "email", "current_address", "emergency_contact_name",
    "emergency_contact_phone", "names_in_scripts", "biometric_hash", "photo_url", "current_camp",
)  # fmt: skip


@pytest.fixture(scope="module")
def report(stack):
    with pytest.raises(Refused, match=r"The secret .* is not there"):
        weekly_export(stack.run(), ExportParameters(variant=Variant.DEIDENTIFIED))
    stack.client("secretsmanager").create_secret(
        Name=SECRET, SecretString=json.dumps({"key": secrets.token_hex(32)})
    )
    wanted = ExportParameters(variant=Variant.DEIDENTIFIED, read_back=ReadBack.EVERYTHING)
    return weekly_export(stack.run(), wanted)


@pytest.fixture(scope="module")
def exported(stack, report):
    """Return the manifest, and every table's columns as lists of values."""
    s3, found = stack.client("s3"), read_export(stack, report)
    bucket = report.manifest.removeprefix("s3://").partition("/")[0]
    tables = {}
    for one in found.tables:
        (stored,) = one.objects
        body = s3.get_object(Bucket=bucket, Key=stored.key, ExpectedBucketOwner=ACCOUNT)["Body"]
        tables[one.identity] = pq.read_table(io.BytesIO(body.read())).to_pydict()
    return found, tables


def identifiers(stack):
    """Return every direct identifier of every patient, one by one."""
    login = writer_login(stack.run(), None, "haven_reader")
    found = set()
    with session(login) as connection:
        columns = sql.SQL(", ").join(
            sql.SQL("{}::text").format(sql.Identifier(one)) for one in DIRECT
        )
        for row in connection.execute(
            sql.SQL("SELECT {} FROM haven_health.patients").format(columns)
        ):
            found |= {value for value in row if value and value != "{}"}
    return found


def test_nobody_can_be_told_in_the_output(stack, exported):
    _, tables = exported
    values = {
        str(value) for columns in tables.values() for column in columns.values() for value in column
    }
    known = identifiers(stack)
    assert len(known) > 300
    assert known & values == set()
    everything = "\n".join(values)
    assert [one for one in known if len(one) > 4 and one in everything] == []


def test_a_person_has_one_hash_wherever_it_stands(exported):
    found, tables = exported
    patients = set(tables["haven_health.patients"]["id"])
    assert len(patients) == PATIENTS
    assert set(tables["haven_health.health_records"]["patient_id"]) <= patients
    assert set(tables["haven_health.patients"]) == {
        name for name, what in _policy("haven_health.patients").items() if what != "drop"
    }
    assert all(1900 <= year <= 2100 for year in tables["haven_health.patients"]["created_at"])
    assert found.policy


def _policy(table):
    return tomllib.loads(POLICY)["export"]["deidentified"]["columns"][table]


def test_what_is_as_it_was_is_loaded_back_and_equal(report):
    assert set(report.loaded_back) == {
        "haven_health.health_records",
        "haven_health.patients",
        "haven_health.verifications",
    }
    assert report.left["haven_health.sync_queue"] == "no policy names a column of it that may leave"
    assert report.warnings == []


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        ('[export.deidentified.columns."haven_health.nobody"]\nid = "keep"', "there is no table"),
        (
            '[export.deidentified.columns."haven_health.patients"]\nage = "keep"',
            "has no column age",
        ),
        (
            '[export.deidentified.columns."haven_health.patients"]\nemail = "year"',
            "email is text, which has no year",
        ),
    ],
)
def test_a_policy_that_does_not_fit_is_refused_with_the_reason(stack, section, reason):
    with pytest.raises(InvalidRequest, match=reason):
        weekly_export(
            otherwise(stack, section).run(),
            ExportParameters(variant=Variant.DEIDENTIFIED, name="unfit"),
        )


@pytest.mark.usefixtures("report")
def test_a_policy_that_was_changed_since_is_told(stack):
    changed = POLICY.replace('religion = "drop"', 'religion = "keep"')
    again = weekly_export(
        otherwise(stack, changed).run(), ExportParameters(variant=Variant.DEIDENTIFIED)
    )
    assert again.warnings == ["The column policy has changed since it was made."]
    assert again.steps == []


def test_a_hash_without_a_key_is_no_policy(stack):
    section = '[export.deidentified.columns."haven_health.patients"]\nid = "hash"'
    with pytest.raises(InvalidRequest, match="hash_key must name a secret"):
        otherwise(stack, section).run()
