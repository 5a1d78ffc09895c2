"""What people see of a report."""

from flows.models import PlannedStep, Report
from haven.cli import show

STEP = PlannedStep(verb="apply", subject="07_x.sql", because="it is new", changes=[], hazards=[])


def test_the_way_back_stands_below_what_was_done(capsys):
    report = Report(
        operation="migrate",
        stack="haven-local",
        dry_run=False,
        steps=[STEP],
        restore="To be as before 07_x.sql: restore it.",
        warnings=["mind that"],
    )
    show.report(report, as_json=False)
    told, noted = capsys.readouterr()
    assert told.splitlines()[-1] == report.restore
    assert "1 changed" in told.splitlines()[-2]
    assert noted == "note: mind that\n"
