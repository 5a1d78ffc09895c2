"""Settings: what is refused, with which words."""

import pytest

from haven.errors import InvalidRequest, Unavailable
from haven.settings import Settings, is_loopback, load_settings, running_local_cloud


@pytest.fixture(autouse=True)
def _clean(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in (*Settings.model_fields, "regoin"):
        monkeypatch.delenv(f"HAVEN_{name.upper()}", raising=False)


BAD = [
    ({"HAVEN_CLOUD": "azure"}, "cloud: Input should be 'aws' or 'local'"),
    ({"HAVEN_STCK": "local"}, "Did you mean HAVEN_STACK?"),
    ({"HAVEN_POLL_INTERVAL": "0"}, "poll_interval"),
    ({"HAVEN_POLL_INTERVAL": "soon"}, "poll_interval"),
    ({"HAVEN_PARALLEL": "1000"}, "parallel"),
    ({"HAVEN_LOCK_LEASE": "-1"}, "lock_lease"),
    ({"HAVEN_ENDPOINT_URL": "http://example.org:4566"}, "not a loopback address"),
    ({"HAVEN_ENDPOINT_URL": "http://169.254.169.254"}, "not a loopback address"),
    ({"HAVEN_ENDPOINT_URL": "http://localhost.example.org"}, "not a loopback address"),
    ({"HAVEN_ENDPOINT_URL": "https://127.0.0.1:1"}, "not a loopback address"),
    ({"HAVEN_ENDPOINT_URL": "http://user:pass@127.0.0.1:1"}, "not a loopback address"),
    ({"HAVEN_CLOUD": "aws", "HAVEN_ENDPOINT_URL": "http://127.0.0.1:1"}, "cloud is aws"),
    ({"HAVEN_CLOUD": "aws", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, "AWS_ENDPOINT_URL"),
    ({"HAVEN_CLOUD": "aws", "AWS_ENDPOINT_URL_RDS": "http://127.0.0.1:1"}, "URL_RDS"),
]


@pytest.mark.parametrize(("environment", "words"), BAD)
def test_a_bad_setting_is_refused_in_one_paragraph(monkeypatch, environment, words):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InvalidRequest) as caught:
        load_settings()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_misspelt_line_in_the_env_file_is_refused_too(tmp_path):
    (tmp_path / ".env").write_text("# mine\nHAVEN_REGOIN=us-east-1\n", encoding="utf-8")
    with pytest.raises(InvalidRequest, match="HAVEN_REGOIN"):
        load_settings()


def test_what_is_given_wins_over_the_environment_over_the_file(monkeypatch, tmp_path):
    (tmp_path / ".env").write_text("HAVEN_STACK=file\nHAVEN_PARALLEL=3\n", encoding="utf-8")
    monkeypatch.setenv("HAVEN_STACK", "environment")
    assert load_settings().stack == "environment"
    assert load_settings(stack="given").stack == "given"
    assert load_settings(stack=None).parallel == 3


def test_waits_are_short_on_a_laptop_and_long_on_aws():
    assert Settings(cloud="local").interval < 1
    assert Settings(cloud="aws").interval == 15


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:4566", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:1", True),
        ("http://localhost:1", True),
        ("http://0.0.0.0:1", False),
        ("http://127.0.0.1.nip.io", False),
        ("ftp://127.0.0.1", False),
        ("http://127.0.0.1:99999", False),
        ("http://127.0.0.1:port", False),
        ("", False),
    ],
)
def test_only_this_machine_is_local(url, local):
    assert is_loopback(url) is local


def test_without_a_running_local_cloud_the_way_to_start_one_is_told(tmp_path):
    with pytest.raises(Unavailable, match="haven up"):
        running_local_cloud(Settings(local_data=tmp_path))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"endpoint_url": 5, "ca_bundle": 7}',
        '{"endpoint_url": "http://example.org:4566", "ca_bundle": "/ca.pem"}',
        '{"endpoint_url": "http://127.0.0.1:1", "ca_bundle": "/ca.pem"}',
    ],
)
def test_what_is_no_record_of_a_local_cloud_is_refused(tmp_path, text):
    (tmp_path / "cloud.json").write_text(text, encoding="utf-8")
    with pytest.raises(Unavailable, match="haven up"):
        running_local_cloud(Settings(local_data=tmp_path))
