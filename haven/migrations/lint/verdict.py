"""Whether files may run: every hazard is accepted by its file, with a reason, or the run is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from haven.errors import Refused
from haven.migrations.files import UNTOUCHED, wrong
from haven.migrations.lint.findings import Finding
from haven.migrations.script import Script


def decide(scripts: Sequence[Script], findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that their files accept.

    Raises ``Refused`` with all that no file accepts, and ``InvalidRequest`` for an acceptance that
    nothing needs or that cannot be given.
    """
    accepts = {script.migration.name: dict(script.headers.accepts) for script in scripts}
    found = list(findings)
    for script in scripts:
        _check_acceptances(script, [item for item in found if item.file == script.migration.name])
    open_ = [item for item in found if item.hazard.name not in accepts[item.file]]
    if open_:
        raise Refused(_all_of(open_), left=UNTOUCHED, cure=_cure(open_))
    return found


def _check_acceptances(script: Script, found: Sequence[Finding]) -> None:
    hazards = {item.hazard.name: item.hazard for item in found}
    for name, _ in script.headers.accepts:
        place = script.migration.name
        if name not in hazards:
            raise wrong(
                place,
                f"the header 'accepts {name}' stands there, and no statement is that",
                "Remove it, or mend its name.",
            )
        if not hazards[name].acceptable:
            raise wrong(place, f"{name} cannot be accepted", hazards[name].cure)


def _all_of(findings: Sequence[Finding]) -> str:
    files = Counter(item.file for item in findings)
    counted = ", ".join(f"{count} in {name}" for name, count in files.items())
    texts = "\n".join(item.text for item in findings)
    return f"Migrations would block, lose or lay open something ({counted}):\n{texts}\n"


def _cure(findings: Sequence[Finding]) -> str:
    names = sorted({item.hazard.name for item in findings if item.hazard.acceptable})
    if not names:
        return "Write it in another way."
    return (
        "Write it as shown, or put into the head of the file, with your reason: "
        f"-- haven: accepts {names[0]}: WHY"
    )
