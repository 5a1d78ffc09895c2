"""A run that is asked to end: a clear last line, an exit code that tells, and a free lock."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flows.status import status

pytestmark = pytest.mark.local

PROJECT = Path(__file__).parents[3]
LAST = "Interrupted. What was started goes on; the same command again resumes."


@pytest.fixture(scope="module")
def made(place):
    """A stack that no run has finished yet."""
    return place("signals", zones="[]")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_leaves_a_free_lock_and_a_state_to_resume_from(made, number, code):
    settings = made.settings
    command = [sys.executable, "-m", "haven.cli", "run", "provision", "--without-prefect"]
    child = subprocess.Popen(  # noqa: S603  # ourselves
        [*command, "--stack", str(made.path)],
        cwd=PROJECT,
        env={
            "HAVEN_ENDPOINT_URL": str(settings.endpoint_url),
            "HAVEN_CA_BUNDLE": str(settings.ca_bundle),
            "HAVEN_LOCAL_DATA": str(settings.local_data),
        },
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    for line in child.stderr:
        if "made " in line:
            child.send_signal(number)
            break
    rest = child.stderr.read()
    child.stderr.close()
    assert (child.wait(), rest.strip().splitlines()[-1]) == (code, LAST)
    assert status(made.run()).lock == "the lock is free"


def test_what_was_interrupted_is_finished(made):
    assert made.provision().steps
    assert made.provision().steps == []
