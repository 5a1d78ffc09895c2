"""Every command of ``haven``, and what happens when one fails."""

from __future__ import annotations

import signal
import sys
import traceback
from pathlib import Path
from types import FrameType, TracebackType
from typing import Annotated, Any, Literal

import cyclopts
from cyclopts import Parameter
from cyclopts.exceptions import CycloptsError
from cyclopts.validators import Number

from haven.cli import show
from haven.cli.operations import operation, parameters_of
from haven.errors import HavenError
from haven.settings import Settings, load_settings

INTERRUPTED = 130
SIGNALLED = 128
BUG_LENGTH = 500
FAILED = 1
CHANGES = 2

Stack = Annotated[
    str | None, Parameter(help="Name of a stack file, or the path of one. [HAVEN_STACK]")
]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Print the report as JSON only.")]
DryRun = Annotated[bool, Parameter(negative="", help="Change nothing; list what would be done.")]
Patients = Annotated[
    int, Parameter(help="How many generated patients to load.", validator=Number(gte=1, lte=10**6))
]
Params = Annotated[
    list[str] | None,
    Parameter(name="--param", negative="", help="key=value of the operation; repeat for lists."),
]

app = cyclopts.App(
    name="haven",
    help="The life of a PostgreSQL database on Amazon RDS: provision, migrate, prove.\n\n"
    "An error is one paragraph; --debug, anywhere on the line, adds the traceback.",
    help_format="plaintext",
    version_flags=["--version"],
    suppress_keyboard_interrupt=False,
)
stack_app = cyclopts.App(name="stack", help="The stack file: what should exist.")
app.command(stack_app)
archive_app = cyclopts.App(name="archive", help="What lies in Glacier.")
app.command(archive_app)
export_app = cyclopts.App(name="export", help="Exports: what 'haven run weekly-export' made.")
app.command(export_app)


def settings_for(stack: str | None) -> Settings:
    """Read the settings; ``--stack`` wins over the environment."""
    return load_settings(stack=stack)


@app.command
def run(
    name: str,
    /,
    *,
    stack: Stack = None,
    param: Params = None,
    dry_run: DryRun = False,
    json: Json = False,
    yes_i_am: Annotated[
        str, Parameter(help="Who approves what asks for it; kept in the evidence.")
    ] = "",
    without_prefect: Annotated[
        bool, Parameter(negative="", help="Call the operation directly: no Prefect API at all.")
    ] = False,
) -> int:
    """Run an operation: provision, migrate, verify-backup, weekly-export and others."""
    function, model = operation(name).load()
    given = [*(param or []), *([f"approved_by={yes_i_am}"] if yes_i_am else [])]
    parameters = parameters_of(model, given, dry_run=dry_run)
    settings = settings_for(stack)
    if without_prefect or not _deployable(name):
        from flows.frame import open_run  # noqa: PLC0415  # imported late, as every operation

        with show.progress(quiet=json) as progress:
            report = function(open_run(settings, progress), parameters)
    else:
        from haven.cli.prefect import run_under_prefect  # noqa: PLC0415  # costs a second

        report = run_under_prefect(name, settings, parameters)
    show.report(report, as_json=json)
    return 0


def _deployable(name: str) -> bool:
    """Taking over and destroying are for people at a terminal: they are not deployed."""
    return name not in {"adopt", "destroy"}


@app.command
def plan(
    *,
    stack: Stack = None,
    operation: Annotated[str, Parameter(help="Which operation's plan.")] = "provision",
    json: Json = False,
) -> int:
    """Show what an operation would change: exit 0 nothing, 2 changes, 1 error."""
    from flows.frame import open_run  # noqa: PLC0415  # imported late, as every operation

    function, model = _operation(operation).load()
    parameters = parameters_of(model, [], dry_run=True)
    with show.progress(quiet=json) as progress:
        report = function(open_run(settings_for(stack), progress), parameters)
    show.report(report, as_json=json)
    return CHANGES if report.changed else 0


_operation = operation


@app.command
def destroy(
    *,
    stack: Stack = None,
    confirm: Annotated[str, Parameter(help="The stack's full name, typed.")] = "",
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Remove everything of a stack that its file marks as disposable."""
    return run("destroy", stack=stack, param=[f"confirm={confirm}"], dry_run=dry_run, json=json)


@app.command
def adopt(
    *,
    stack: Stack = None,
    confirm: Annotated[str, Parameter(help="The stack's full name, typed: asks no question.")] = "",
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Take over a stack that something else built: show it, ask, set Haven's tags only."""
    from haven.cli.adopt import run_adopt  # noqa: PLC0415  # imported late, as every operation

    return run_adopt(_open(stack, show.no_progress), confirm=confirm, dry_run=dry_run, json=json)


@app.command
def status(*, stack: Stack = None, json: Json = False) -> int:
    """Show what exists of a stack and how it is."""
    from flows.status import status as look  # noqa: PLC0415  # imported late

    with show.progress(quiet=json) as progress:
        report = look(_open(stack, progress))
    show.status(report, as_json=json)
    return 0


@app.command(name="secret-check")
def secret_check(*, stack: Stack = None, json: Json = False) -> int:
    """Hold the stack's credentials against its database: exit 0 sound, 2 findings, 1 error."""
    from flows.secret_check import secret_check as look  # noqa: PLC0415  # imported late

    with show.progress(quiet=json) as progress:
        report = look(_open(stack, progress))
    show.credentials(report, as_json=json)
    return 0 if report.sound else CHANGES


@app.command
def heartbeat(
    *,
    stack: Stack = None,
    interval: Annotated[
        float | None,
        Parameter(
            help="Seconds between beats; otherwise the stack's.", validator=Number(gt=0, lte=60)
        ),
    ] = None,
) -> int:
    """Write the stack's heartbeat until Ctrl-C or a signal; what is away is waited for."""
    from haven.cli.heartbeat import run_heartbeat  # noqa: PLC0415  # imported late

    return run_heartbeat(settings_for(stack), interval)


@app.command
def outputs(*, stack: Stack = None, json: Json = False) -> int:
    """Print endpoints and ARNs of a stack."""
    from flows.status import status as look  # noqa: PLC0415  # imported late

    with show.progress(quiet=json) as progress:
        report = look(_open(stack, progress))
    show.outputs(report, as_json=json)
    return 0


@app.command
def env(*, stack: Stack = None) -> int:
    """Print exports that point awscli and psql at the stack: eval "$(haven env)"."""
    from flows.status import environment  # noqa: PLC0415  # imported late

    show.exports(environment(_open(stack, show.no_progress)))
    return 0


def _open(stack: str | None, progress: Any) -> Any:
    from flows.frame import open_run  # noqa: PLC0415  # imported late, as every operation

    return open_run(settings_for(stack), progress)


@archive_app.command(name="restore")
def archive_restore(
    *,
    prefix: Annotated[str, Parameter(help="Which objects of the bucket of backups.")],
    days: Annotated[
        int, Parameter(help="For how long the copies stay.", validator=Number(gte=1, lte=365))
    ] = 7,
    tier: Annotated[
        Literal["Expedited", "Standard", "Bulk"], Parameter(help="How fast, and how dear.")
    ] = "Bulk",
    recovery: Annotated[
        bool, Parameter(negative="", help="From the twin in the recovery region.")
    ] = False,
    stack: Stack = None,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Ask for copies out of the archive, and say how far they are: exit 0 ready, 2 not yet."""
    from flows.archive_restore import restore_archive  # noqa: PLC0415  # imported late
    from haven.retention.archive import Tier  # noqa: PLC0415  # likewise

    with show.progress(quiet=json) as progress:
        report = restore_archive(
            _open(stack, progress),
            prefix,
            days=days,
            tier=Tier(tier),
            recovery=recovery,
            dry_run=dry_run,
        )
    show.report(report, as_json=json)
    return 0 if report.ready else CHANGES


@stack_app.command(name="check")
def stack_check(*, stack: Stack = None) -> int:
    """Check a stack file."""
    from haven.stack.files import load_stack  # noqa: PLC0415  # imported late

    settings = settings_for(stack)
    loaded = load_stack(settings.stack, settings.stacks_dir)
    show.line(f"{loaded.path}: the stack '{loaded.stack.prefix}' is well-formed.")
    return 0


@stack_app.command(name="show")
def stack_show(*, stack: Stack = None, json: Json = False) -> int:
    """Print a stack with every default filled in."""
    from haven.stack.files import load_stack  # noqa: PLC0415  # imported late

    settings = settings_for(stack)
    show.stack(load_stack(settings.stack, settings.stacks_dir).stack, as_json=json)
    return 0


@export_app.command(name="load")
def export_load(
    *,
    manifest: Annotated[str, Parameter(help="s3://BUCKET/exports/NAME/VARIANT/manifest.json")],
    into: Annotated[
        str, Parameter(help="postgresql://USER@HOST:PORT/DATABASE; see HAVEN_LOAD_PASSWORD.")
    ],
    table: Annotated[
        list[str] | None,
        Parameter(negative="", help="schema.table; repeat for several. Otherwise all."),
    ] = None,
    stack: Stack = None,
    json: Json = False,
) -> int:
    """Load tables of an export into a database, and prove that they hold what was exported."""
    from flows.load_export import load_export  # noqa: PLC0415  # imported late

    with show.progress(quiet=json) as progress:
        report = load_export(_open(stack, progress), manifest, into, tuple(table or ()))
    show.loaded(report, as_json=json)
    return 0


@app.command(name="sample-data")
def sample_data(
    *, stack: Stack = None, patients: Patients = 1000, seed: int = 1, json: Json = False
) -> int:
    """Load generated patients and their records; the same seed is loaded once."""
    from flows.sample_data import load  # noqa: PLC0415  # imported late

    with show.progress(quiet=json) as progress:
        report = load(_open(stack, progress), patients=patients, seed=seed)
    show.report(report, as_json=json)
    return 0


@app.command
def up(
    *,
    port: Annotated[
        int,
        Parameter(
            help="Port of the local cloud's AWS API; 0: any.", validator=Number(gte=0, lte=65535)
        ),
    ] = 4566,
    prefect: Annotated[bool, Parameter(help="Also run Prefect's server with its UI.")] = True,
    data: Annotated[Path | None, Parameter(help="Folder for the local cloud's data.")] = None,
) -> int:
    """Run the local cloud, Prefect's server with UI, and the heartbeat, until Ctrl-C."""
    from haven.cli.local import serve  # noqa: PLC0415  # only here does Haven start it

    return serve(load_settings(), port=port, prefect=prefect, data=data)


@app.command
def demo(
    *,
    patients: Patients = 1000,
    keep: Annotated[bool, Parameter(negative="", help="Stay up until Ctrl-C.")] = False,
) -> int:
    """Start a local cloud, provision, migrate, load data, prove it all, and show it."""
    from haven.cli.demo import run_demo  # noqa: PLC0415  # only here does Haven start it

    return run_demo(patients=patients, keep=keep)


class Stopped(KeyboardInterrupt):
    """Asked to end by another signal than Ctrl-C."""

    def __init__(self, number: int) -> None:
        """Keep the signal, which the exit code tells."""
        super().__init__(number)
        self.number = number


def _stop(number: int, _frame: FrameType | None) -> None:
    raise Stopped(number)


def main() -> None:
    """Run one command; errors are one paragraph, and a traceback only with --debug."""
    arguments = [item for item in sys.argv[1:] if item != "--debug"]
    debug = len(arguments) != len(sys.argv) - 1
    if not debug:
        sys.excepthook = _bug
    # A terminal that closes and a service manager that stops us leave the lock free, as Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _stop)
    sys.exit(_run(arguments, debug=debug))


def _bug(kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    """Say in one paragraph that nobody foresaw this, instead of a traceback."""
    words = " ".join(str(error).split()) or "without a word"
    show.error(
        f"{kind.__name__}: {words[:BUG_LENGTH]}. Nobody foresaw this. What was done before stays; "
        "the same command again resumes, and with --debug it shows where it happens."
    )


def _run(arguments: list[str], *, debug: bool) -> int:
    try:
        result = app(
            arguments, exit_on_error=False, print_error=False, result_action="return_value"
        )
    except HavenError as error:
        return _failed(error, debug=debug)
    except CycloptsError as error:
        show.error(f"{str(error).rstrip('.')}. See haven --help.")
        return FAILED
    except KeyboardInterrupt as error:
        show.error("Interrupted. What was started goes on; the same command again resumes.")
        return SIGNALLED + error.number if isinstance(error, Stopped) else INTERRUPTED
    return result if isinstance(result, int) else 0


def _failed(error: HavenError, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error)
    show.error(f"{error.kind}: {error}")
    return FAILED
