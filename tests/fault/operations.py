"""The operations that are swept. A new one is one row."""

from collections.abc import Callable
from dataclasses import dataclass

from flows.destroy import DestroyParameters, destroy
from flows.frame import Run
from flows.migrate import MigrateParameters, migrate
from flows.provision import ProvisionParameters, provision
from flows.sample_data import load


@dataclass(frozen=True, slots=True)
class Operation:
    """What is swept: the state it starts from, what it does, and what it can spoil.

    ``start`` names the operations that ran before. What spoils the database alone is put back
    by a new database; else the whole account is. ``bounded`` says that no statement of it may take
    as long as it likes, so that an answer that never comes is given up.
    """

    start: tuple[str, ...]
    act: Callable[[Run], object]
    spoils_database_only: bool = False
    bounded: bool = False


def _destroy(run: Run) -> object:
    return destroy(run, DestroyParameters(confirm=run.loaded.stack.prefix))


OPERATIONS = {
    "provision": Operation((), lambda run: provision(run, ProvisionParameters())),
    "provision-again": Operation(
        ("provision",), lambda run: provision(run, ProvisionParameters()), bounded=True
    ),
    "migrate": Operation(
        ("provision",), lambda run: migrate(run, MigrateParameters()), spoils_database_only=True
    ),
    "sample-data": Operation(
        ("provision", "migrate"),
        lambda run: load(run, patients=20, seed=1),
        spoils_database_only=True,
    ),
    "destroy": Operation(("provision",), _destroy),
}
