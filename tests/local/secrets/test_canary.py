"""No secret in any sink, after runs that ended well, failed, or were killed."""

from collections import Counter

import pytest

from tests.local.secrets.decoys import PLANTS, decoys_for
from tests.local.secrets.place import Place, new_place
from tests.local.secrets.planted import hits
from tests.local.secrets.runs import QUICK, SLOW, Row
from tests.local.secrets.sinks import SINKS, read_sinks

pytestmark = pytest.mark.local

LEAST_SECRETS, LEAST_SINKS = 12, 8


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with new_place(tmp_path_factory.mktemp("secrets")) as made:
        make(made, QUICK)
        yield made


def make(place: Place, rows: tuple[Row, ...]) -> None:
    """Make runs, learning after each what is a secret by then."""
    for sort, run in rows:
        run(place)
        place.gather()
        place.runs.append(sort)


def check(place, record_property):
    secrets, sinks = place.known.secrets, read_sinks(place)
    found = hits(secrets, sinks)
    sorts = ", ".join(f"{count} {sort}" for sort, count in Counter(place.runs).items())
    record_property(
        "figures",
        f"secrets {len(secrets)}, sinks {len(sinks)}, runs {len(place.runs)} ({sorts}), "
        f"hits {len(found)}",
    )
    assert found == []
    assert len(secrets) >= LEAST_SECRETS
    assert len(sinks) >= LEAST_SINKS
    assert [name for name, content in sinks.items() if not content] == []


def test_no_secret_is_in_any_sink(place, record_property):
    check(place, record_property)


def test_the_search_sees_every_sink(place):
    planted, wanted = [], set()
    for sink in SINKS:
        text, decoys = decoys_for(sink)
        PLANTS[sink](place, text)
        planted += decoys
        wanted |= {(decoy.name, sink) for decoy in decoys}
    assert wanted - set(hits(planted, read_sinks(place))) == set()


@pytest.mark.slow
def test_no_secret_is_in_any_sink_after_many_more_runs(place, record_property):
    make(place, SLOW)
    check(place, record_property)
