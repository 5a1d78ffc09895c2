"""Which cloud is asked, with whose credentials, in which region, and of which account."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import botocore
import pytest
from typing_extensions import override

from flows.frame import open_run
from haven.aws import Cloud
from haven.errors import InvalidRequest, Refused
from haven.settings import Settings

ACCOUNT = "210987654321"
IDENTITY = f"""<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<GetCallerIdentityResult><Arn>arn:aws:iam::{ACCOUNT}:user/somebody</Arn><UserId>AIDA</UserId>
<Account>{ACCOUNT}</Account></GetCallerIdentityResult></GetCallerIdentityResponse>"""
# As the documentation of AWS spells them: real in form, of nobody.
KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105  # as above
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLETOKEN"  # noqa: S105  # as above
STACK = """
project = "haven-tests"
environment = "elsewhere"
account = "123456789012"
disposable = true
database.deletion_protection = false
"""


@dataclass(slots=True)
class Sts:
    """A place that answers every request as STS, and remembers each."""

    url: str
    heard: list[str] = field(default_factory=list)


@pytest.fixture
def sts() -> Iterator[Sts]:
    with answering() as made:
        yield made


@contextlib.contextmanager
def answering() -> Iterator[Sts]:
    """Listen on a port of this machine for a block."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            made.heard.append(f"{self.requestline}\n{self.headers}\n{body}")
            self.send_response(200)
            self.send_header("Content-Length", str(len(IDENTITY)))
            self.end_headers()
            self.wfile.write(IDENTITY.encode())

        @override
        def log_message(self, *_: object) -> None:
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Sts(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


SERVICES = (
    *("cloudwatch", "ec2", "iam", "kms", "logs", "rds", "resourcegroupstaggingapi", "route53"),
    *("s3", "secretsmanager", "sns", "sts"),
)


def test_in_another_account_nothing_but_who_we_are_is_asked(tmp_path, sts):
    (tmp_path / "elsewhere.toml").write_text(STACK, encoding="utf-8")
    stack, bundle = str(tmp_path / "elsewhere.toml"), tmp_path / "ca.pem"
    bundle.touch()
    # Every operation begins so.
    with pytest.raises(Refused, match=f"of account {ACCOUNT}") as caught:
        open_run(Settings(stack=stack, endpoint_url=sts.url, ca_bundle=bundle))
    assert "lives in account 123456789012. Nothing was touched." in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(sts.heard) == 1
    assert "Action=GetCallerIdentity" in sts.heard[0]


SURROUNDINGS = [
    {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET},
    {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN},
    {"AWS_ACCESS_KEY_ID": KEY},
    {"AWS_SHARED_CREDENTIALS_FILE": "credentials"},
    {"AWS_SHARED_CREDENTIALS_FILE": "credentials", "AWS_PROFILE": "real"},
    {"AWS_CONFIG_FILE": "config"},
    {"AWS_CONFIG_FILE": "config", "AWS_PROFILE": "real"},
    {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/"},
    {"AWS_WEB_IDENTITY_TOKEN_FILE": "token", "AWS_ROLE_ARN": "arn:aws:iam::1:role/a"},
    {"AWS_REGION": "eu-west-1"},
    {"AWS_DEFAULT_REGION": "eu-west-1"},
    {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"},
    {"AWS_ENDPOINT_URL_STS": "http://169.254.169.254"},
    {"AWS_USE_FIPS_ENDPOINT": "true"},
    {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
    {"AWS_STS_REGIONAL_ENDPOINTS": "legacy"},
    {"AWS_CA_BUNDLE": "none.pem"},
    {"REQUESTS_CA_BUNDLE": "none.pem"},
    {"HTTPS_PROXY": "http://127.0.0.1:9", "ALL_PROXY": "http://127.0.0.1:9"},
    {"AWS_MAX_ATTEMPTS": "0"},
    {"AWS_RETRY_MODE": "none"},
    {"AWS_DEFAULTS_MODE": "none"},
]


@pytest.mark.parametrize("variables", SURROUNDINGS, ids=str)
def test_a_local_cloud_never_hears_real_credentials(tmp_path, monkeypatch, sts, variables):
    monkeypatch.chdir(tmp_path)
    keys = f"aws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\nregion = eu-west-1\n"
    override = "endpoint_url = http://169.254.169.254\n"
    (tmp_path / "credentials").write_text(f"[default]\n{keys}\n[real]\n{keys}", encoding="utf-8")
    (tmp_path / "config").write_text(
        f"[default]\n{keys}{override}\n[profile real]\n{keys}{override}", encoding="utf-8"
    )
    (tmp_path / "token").write_text(TOKEN, encoding="utf-8")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    Cloud(Settings(endpoint_url=sts.url)).client("sts", "us-east-1").get_caller_identity()
    (heard,) = sts.heard
    assert "Credential=local/" in heard
    assert "/us-east-1/sts/" in heard
    assert not [word for word in (KEY, SECRET, TOKEN) if word in heard]


REDIRECTIONS = [
    "endpoint_url = http://127.0.0.1:9",
    "endpoint_url = https://example.org",
    "endpoint_url = https://me:hidden@rds.us-east-1.amazonaws.com",
    "endpoint_url = http://rds.us-east-1.amazonaws.com",
    "endpoint_url = https://rds.us-west-2.amazonaws.com",
    "endpoint_url = https://abc.execute-api.us-east-1.amazonaws.com",
    "endpoint_url = https://ec2-198-51-100-7.compute-1.amazonaws.com",
    "services = mine\n[services mine]\nrds =\n  endpoint_url = https://example.org",
]


@pytest.mark.parametrize("lines", REDIRECTIONS)
def test_a_profile_cannot_send_aws_elsewhere(tmp_path, monkeypatch, lines):
    config = tmp_path / "config"
    config.write_text(f"[default]\n{lines}\n", encoding="utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    with pytest.raises(InvalidRequest, match="sends rds to") as caught:
        Cloud(Settings(cloud="aws")).client("rds", "us-east-1")
    assert "Nothing was touched." in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("variables", [{}, {"AWS_ENDPOINT_URL": "https://example.org"}], ids=str)
def test_without_an_address_the_local_cloud_is_not_sought_at_aws(monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidRequest, match="cloud is local, but rds would be asked at"):
        Cloud(Settings()).client("rds", "us-east-1")


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("region", ["us-east-1", "us-west-2", "eu-central-1"])
@pytest.mark.parametrize("fips", ["false", "true"])
def test_every_service_of_aws_itself_passes(monkeypatch, service, region, fips):
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", fips)
    cloud = Cloud(Settings(cloud="aws"))
    assert cloud.client(service, region).meta.endpoint_url.startswith("https://")


def test_models_come_from_where_botocore_was_installed():
    session = Cloud(Settings(cloud="aws"))._session
    places = session._loader.search_paths
    installed = [str(Path(module.__file__).parent) for module in (botocore, boto3)]
    assert places
    assert all(place.startswith(tuple(installed)) for place in places)
