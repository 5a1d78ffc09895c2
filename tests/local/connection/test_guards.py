"""Guards before the first call: whatever would redirect Haven is refused, and named."""

import pytest

from haven.aws import is_aws
from haven.errors import InvalidRequest
from haven.settings import Settings, load_settings

AWS = {"HAVEN_CLOUD": "aws"}
SECRET = "hidden-in-the-address"  # noqa: S105  # of nobody

OVERRIDES = [
    {"HAVEN_ENDPOINT_URL": "http://127.0.0.1:1"},
    {"haven_endpoint_url": "http://127.0.0.1:1"},
    {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"},
    {"aws_endpoint_url": "http://127.0.0.1:1"},
    {"AWS_ENDPOINT_URL_S3": "https://s3.example.org"},
    {"AWS_ENDPOINT_URL_STS": "http://169.254.169.254"},
    {"AWS_ENDPOINT_URL_SECRETS_MANAGER": "https://127.0.0.1"},
    {"AWS_ENDPOINT_URL_KMS": ""},
]

# Not this machine's loopback interface, or not in so many words.
ADDRESSES = [
    "http://169.254.169.254",
    "http://169.254.170.2/v2/credentials",
    "http://[fd00:ec2::254]",
    "http://10.0.0.5:4566",
    "http://192.168.1.7:4566",
    "http://0.0.0.0:4566",
    "http://[::]:4566",
    "http://rds.us-east-1.amazonaws.com",
    "http://2130706433:4566",
    "http://0x7f000001:4566",
    "http://0177.0.0.1:4566",
    "http://127.1:4566",
    "http://127.0.0.256:4566",
    "http://127.0.0.1.example.org",
    "http://127.0.0.1%2eexample.org",
    "http://[::ffff:127.0.0.1]:4566",
    "http://[::ffff:7f00:1]:4566",
    "http://[::ffff:169.254.169.254]",
    "http://[::1%25eth0]:4566",
    "http://[::1",
    "http://127.0.0.1\u2100:4566",
    "http://\uff11\uff12\uff17.0.0.1:4566",
    "http://127\u30020\u30020\u30021:4566",
    "http://localhost.",
    "http://localhost.localdomain",
    "http://loc\u00adalhost:4566",
    f"http://user:{SECRET}@127.0.0.1:4566",
    f"http://:{SECRET}@localhost",
    "http://@127.0.0.1:4566",
    f"http://127.0.0.1:4566@{SECRET}@example.org",
    "http://example.org\\@127.0.0.1",
    "http://127.0.0.1#@example.org",
    "http://127.0.0.1?@example.org",
    "http://127.0.0.1/@example.org",
    "http://127.0.0.1\t.example.org",
    "http://127.0.0.1:4566\n",
    " http://127.0.0.1:4566",
    "http://127.0.0.1:65536",
    "http://127.0.0.1:-1",
    "http://127.0.0.1:port",
    "https://127.0.0.1:4566",
    "ftp://127.0.0.1",
    "file:///etc/passwd",
    "//127.0.0.1:4566",
    "127.0.0.1:4566",
    "http:",
]

NAMES = [
    ("HAVEN_ENDPOINT", "HAVEN_ENDPOINT_URL"),
    ("haven_endpont_url", "HAVEN_ENDPOINT_URL"),
    ("HAVEN_ENDPOINT_URLS", "HAVEN_ENDPOINT_URL"),
    ("HAVEN_ENDPOINT_URL ", "HAVEN_ENDPOINT_URL"),
    ("HAVEN_ENDPOINT-URL", "HAVEN_ENDPOINT_URL"),
    ("HAVEN-ENDPOINT-URL", "HAVEN_ENDPOINT_URL"),
    ("HAVENENDPOINT_URL", "HAVEN_ENDPOINT_URL"),
    ("HEAVEN_CLOUD", "HAVEN_CLOUD"),
    ("HAVE_CLOUD", "HAVEN_CLOUD"),
    ("H\u0410VEN_CLOUD", "HAVEN_CLOUD"),
    ("\ufeffHAVEN_CLOUD", "HAVEN_CLOUD"),
    ("HAVEN_CLOUD\u200b", "HAVEN_CLOUD"),
    ("HAVEN_CLOUDS", "HAVEN_CLOUD"),
    ("HAVEN_CA_BUNDEL", "HAVEN_CA_BUNDLE"),
    ("HAVEN_PASSWORD", "HAVEN_LOAD_PASSWORD"),
    ("HAVEN_REGION", "Known: "),
    ("HAVEN_", "Known: "),
]


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"HAVEN_{name.upper()}", raising=False)


def refusal(monkeypatch, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidRequest) as caught:
        load_settings()
    message = str(caught.value)
    assert "Nothing was touched." in message
    assert "\n" not in message
    assert message.isprintable()
    assert SECRET not in message
    return message


@pytest.mark.parametrize("override", OVERRIDES, ids=str)
def test_aws_is_reached_at_its_own_addresses_only(monkeypatch, override):
    message = refusal(monkeypatch, AWS | override)
    assert "cloud is aws" in message
    assert next(iter(override)).upper().removeprefix("HAVEN_") in message.upper()


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_local_cloud_is_reached_on_this_machine_only(monkeypatch, address):
    message = refusal(monkeypatch, {"HAVEN_ENDPOINT_URL": address})
    assert "is not a loopback address" in message


@pytest.mark.parametrize(("name", "near"), NAMES)
def test_a_name_that_looks_like_a_setting_is_refused(monkeypatch, name, near):
    message = refusal(monkeypatch, {name: "local"})
    assert near in message
    assert name.encode("unicode_escape").decode() in message


@pytest.mark.parametrize(("name", "near"), [row for row in NAMES if row[0] == row[0].strip()])
def test_so_it_is_in_the_env_file(monkeypatch, tmp_path, name, near):
    (tmp_path / ".env").write_text(f"{name}=local\n", encoding="utf-8")
    assert near in refusal(monkeypatch, {})


def test_a_redirection_in_the_env_file_is_refused_too(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("export 'AWS_ENDPOINT_URL_RDS'=http://127.0.0.1\n")
    assert "AWS_ENDPOINT_URL_RDS" in refusal(monkeypatch, AWS)


def test_an_env_file_that_is_not_text_is_refused(monkeypatch, tmp_path):
    (tmp_path / ".env").write_bytes(b"HAVEN_STACK=\xff")
    assert "not UTF-8 at byte 12" in refusal(monkeypatch, {})


def test_an_empty_variable_is_as_good_as_none(monkeypatch):
    expected = load_settings()
    for name in Settings.model_fields:
        monkeypatch.setenv(f"HAVEN_{name.upper()}", "")
    assert load_settings() == expected


@pytest.mark.parametrize(
    ("url", "service", "fine"),
    [
        ("https://rds.us-east-1.amazonaws.com", "rds", True),
        ("https://rds-fips.us-east-1.amazonaws.com/", "rds", True),
        ("https://iam.amazonaws.com", "iam", True),
        ("https://rds.us-east-1.amazonaws.com.cn", "rds", True),
        ("https://vpce-0a1-2b.rds.us-east-1.vpce.amazonaws.com", "rds", False),
        ("http://rds.us-east-1.amazonaws.com", "rds", False),
        ("https://rds.us-west-2.amazonaws.com", "rds", False),
        ("https://sts.us-east-1.amazonaws.com", "rds", False),
        ("https://ec2-198-51-100-7.compute-1.amazonaws.com", "ec2", False),
        ("https://rds.execute-api.us-east-1.amazonaws.com", "rds", False),
        ("https://rds.s3.us-east-1.amazonaws.com", "rds", False),
        ("https://vpce-0a1.vpce-svc-1.us-east-1.vpce.amazonaws.com", "rds", False),
        ("https://rds.us-east-1.amazonaws.com.example.org", "rds", False),
        ("https://rds.us-east-1.amazonaws.com@example.org", "rds", False),
        ("https://rds.us-east-1.amazonaws.com:8443", "rds", False),
        ("https://rds.us-east-1.amazonaws.com\n", "rds", False),
    ],
)
def test_not_every_host_in_the_domain_of_aws_is_aws(url, service, fine):
    assert is_aws(url, service, "us-east-1") is fine
