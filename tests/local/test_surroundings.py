"""What surrounds the process does not come between Haven and a local cloud."""

import pytest

from haven.aws import Cloud
from haven.settings import Settings

pytestmark = pytest.mark.local


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_PROFILE", "of-nobody"),
        ("AWS_DEFAULT_PROFILE", "of-nobody"),
        ("HTTP_PROXY", "http://127.0.0.1:9"),
        ("http_proxy", "http://127.0.0.1:9"),
    ],
)
def test_a_local_cloud_is_reached_whatever_is_set_for_others(cloud, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    client = Cloud(Settings(endpoint_url=cloud.endpoint_url)).client("sts", "us-east-1")
    assert client.get_caller_identity()["Account"] == "123456789012"
