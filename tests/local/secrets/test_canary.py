"""No secret in any sink, after runs that ended well, failed, or were killed."""

import base64
import json
import sys
import time
from urllib.parse import quote

import pytest

from tests.local.secrets.decoys import PLANTS
from tests.local.secrets.place import Place, new_place
from tests.local.secrets.planted import hits
from tests.local.secrets.runs import FIRST, MORE, Row
from tests.local.secrets.sinks import SINKS, read_sinks

pytestmark = pytest.mark.local

LEAST_SECRETS, LEAST_SINKS = 12, 8


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with new_place(tmp_path_factory.mktemp("secrets")) as made:
        yield made


def watched(place: Place, rows: tuple[Row, ...]) -> None:
    """Make all runs, learning before and after each what is a secret."""
    for _, run in rows:
        begin = time.monotonic()
        run(place)
        place.gather()
        print(run, round(time.monotonic() - begin, 2), file=sys.stderr)
        place.runs.append(str(run))


def test_no_secret_is_in_any_sink(place, capsys):
    with capsys.disabled():
        watched(place, FIRST)
        t = time.monotonic()
        sinks = read_sinks(place)
        print({k: len(v) for k, v in sinks.items()}, time.monotonic() - t, file=sys.stderr)
        found = hits(place.known.secrets, sinks)
        print(time.monotonic() - t, file=sys.stderr)
        print(len(place.known.secrets), len(sinks), len(place.runs), found, file=sys.stderr)
    assert found == []
