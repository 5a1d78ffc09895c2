"""Which tests begin first, and what they found out, in figures, at the end of a run."""

from pathlib import Path

import pytest

FIGURES = "figures"
HERE = Path(__file__).parent
# What takes longest begins first, so that no worker is left with one of these files at the end; those
# beside each other need the same costly ground.
FIRST = (
    "fault/test_sample",
    "local/provision/test_rotation",
    "local/secrets/",
    "local/verify/",
    "local/provision/test_provision",
    "local/provision/",
    "local/adopt/",
    "local/migrate/",
    "local/localcloud/",
    "local/",
)


def pytest_collection_modifyitems(items: list[pytest.Item]):
    """Let what takes longest begin first."""
    items.sort(key=place_in_line)


def place_in_line(item: pytest.Item) -> int:
    """Return how early a test begins."""
    name = item.path.relative_to(HERE).as_posix()
    return next((n for n, begin in enumerate(FIRST) if name.startswith(begin)), len(FIRST))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter):
    """Print what tests recorded as ``figures``; works across processes, where printing does not."""
    lines = [
        text
        for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
        for name, text in report.user_properties
        if name == FIGURES
    ]
    if lines:
        terminalreporter.section("figures")
        for line in lines:
            terminalreporter.write_line(str(line))
