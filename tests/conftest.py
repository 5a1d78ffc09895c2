"""Which tests share a worker, which begin first, and what they found out, at the end of a run."""

from pathlib import Path

import pytest

FIGURES = "figures"
HERE = Path(__file__).parent
# What shares a costly ground, by how its files begin: one worker makes that ground once. Those that
# take longest begin first, so that no worker is left with one of them at the end.
GROUNDS = {
    "a sample of the sweeps": ("fault/test_sample",),
    "rotations": ("local/provision/test_rotation",),
    "the canary": ("local/secrets/",),
    "a provisioned stack": (
        "local/provision/test_deployments",
        "local/provision/test_provision",
        "local/provision/test_shell",
    ),
    "a server for migrations": ("local/migrate/",),
    "a local cloud": ("local/localcloud/", "local/awscli/"),
    "other stacks": ("local/provision/", "local/adopt/"),
    "input": ("local/input/",),
    "a database with the schema": ("local/names/", "local/test_"),
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]):
    """Put every test into the group of its ground; one without any is grouped with its file.

    First, since xdist reads the groups in the same hook.
    """
    order = {name: number for number, name in enumerate(GROUNDS)}
    items.sort(key=lambda item: order.get(ground_of(item), len(order)))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(ground_of(item) or item.path.as_posix()))


def ground_of(item: pytest.Item) -> str:
    """Return the name of the ground that a test needs, if it is a costly one."""
    name = item.path.relative_to(HERE).as_posix()
    return next((ground for ground, files in GROUNDS.items() if name.startswith(files)), "")


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
