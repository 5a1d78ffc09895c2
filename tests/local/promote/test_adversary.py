"""What else goes on while a primary is closed: odd roles, late commits, other runs, hands that tag."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from flows.heartbeat import beat_once
from flows.promote_replica import promote_replica
from flows.promotion_models import PromoteParameters
from flows.promotion_scene import look
from flows.provision import ProvisionParameters, provision
from haven.errors import Conflict, InvalidRequest, Refused, Unavailable
from haven.lease import Holder, Lease, held_lease
from haven.pg import Login, open_connection, session
from haven.promotion.choice import Mode
from haven.promotion.mark import Mark
from haven.promotion.observed import position
from haven.stack import names
from tasks.fence import look_at_fence, lower_fence, raise_fence
from tasks.members import tag_member, untag_member
from tests.local.promote.conftest import by_proxy, login, promote, refusal, until, writing
from tests.local.provision.conftest import Place

ENVIRONMENT = "adversary"
PREFIX = f"haven-tests-{ENVIRONMENT}"
REPLICA = f"{PREFIX}-replica-1"
LATE = "INSERT INTO haven_health.written VALUES (gen_random_uuid())"
ODD = """
CREATE ROLE "rdsreports" LOGIN;
CREATE ROLE "o'Brien ""x"" {role} %%s" LOGIN;
COMMENT ON ROLE "o'Brien ""x"" {role} %%s" IS 'it''s {text} of %%(mark)s';
CREATE ROLE "never" NOLOGIN;
COMMENT ON ROLE "never" IS 'it never had a login';
"""
ROLES = """
SELECT rolname, rolcanlogin, shobj_description(oid, 'pg_authid') FROM pg_roles
WHERE rolname !~ '^pg_' ORDER BY rolname
"""


@dataclass(slots=True)
class Hasty:
    """Writes without waiting for the disk, and remembers how far WAL was after each answer."""

    login: Login
    reached: list[int] = field(default_factory=list)

    def write(self) -> None:
        """Write until the session is ended."""
        with open_connection(self.login) as connection:
            connection.execute("SET synchronous_commit = off")
            while True:
                connection.execute(LATE)
                row = connection.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
                assert row is not None
                self.reached.append(position(row[0]))


@contextmanager
def hasty(writer: Login) -> Iterator[Hasty]:
    """Let somebody write in haste for a block."""
    found = Hasty(writer)

    def run() -> None:
        try:
            found.write()
        except psycopg.Error:
            return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield found
    thread.join()


def test_what_was_acknowledged_before_it_was_on_disk_is_behind_the_fences_end(stack: Place) -> None:
    scene = look(stack.run())
    master = login(scene, "master")
    with hasty(login(scene, "haven_app_a")) as writer:
        until(lambda: len(writer.reached) > 100)
        standing = raise_fence(master, 0.01)
    try:
        assert standing.stands
        assert position(standing.written) >= writer.reached[-1]
    finally:
        lower_fence(master)


def test_roles_of_any_name_are_closed_and_get_back_what_they_had(stack: Place) -> None:
    master = login(look(stack.run()), "master")
    with session(master) as connection:
        connection.execute(ODD.replace("%%", "%"))
        before = connection.execute(ROLES).fetchall()
    raise_fence(master, 0.01)
    standing = raise_fence(master, 0.01)
    assert {"rdsreports", 'o\'Brien "x" {role} %s'} <= set(standing.closed_roles)
    assert "never" not in standing.closed_roles
    assert standing.stands
    assert lower_fence(master).is_down
    with session(master) as connection:
        assert connection.execute(ROLES).fetchall() == before


@contextmanager
def locked(stack: Place) -> Iterator[Lease]:
    """Let somebody else hold the stack's lock for a block."""
    other = Holder("somebody", "provision", "today", 60, 0)
    bucket = names.bucket(stack.stack, "state")
    with held_lease(stack.client("s3"), bucket, other) as lease:
        yield lease


def test_an_emergency_that_is_none_leaves_the_lock_to_its_holder(stack: Place) -> None:
    beat_once(stack.settings)
    with locked(stack) as lease:
        error = refusal(stack, mode="emergency", watch_seconds=0, confirm=REPLICA)
        lease.confirm()
    assert isinstance(error, Refused)


def test_who_looked_before_another_run_ended_looks_again(stack: Place) -> None:
    late = stack.run()
    (member,) = [item for item in look(late).replicas if item.name == REPLICA]
    mark = Mark(Mode.PLANNED, 2, datetime.now(UTC))
    tag_member(late.site, member, {names.TAG_PROMOTION: mark.text})
    try:
        for act in (
            lambda: provision(late, ProvisionParameters()),
            lambda: promote_replica(
                late, PromoteParameters(candidate=f"{PREFIX}-dr", confirm=f"{PREFIX}-dr")
            ),
        ):
            with pytest.raises(Conflict, match="Another run"):
                act()
    finally:
        untag_member(late.site, member, names.TAG_PROMOTION)


def test_who_lost_the_lock_does_not_open_the_primary_again(
    stack: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat_once(stack.settings)
    scene = look(stack.run())
    with ExitStack() as later:

        def overtaken(*_: object) -> None:
            """Another run takes the lock while this one drains, and is not noticed yet."""
            other = Holder("somebody", "promote-replica", "today", 60, 0)
            bucket = names.bucket(stack.stack, "state")
            s3 = stack.client("s3")
            later.enter_context(held_lease(s3, bucket, other, by_force=lambda: None))

        monkeypatch.setattr("flows.promote_replica.drain_candidate", overtaken)
        error = refusal(stack, candidate=REPLICA, confirm=REPLICA)
    assert isinstance(error, Unavailable)
    assert "The lock of the stack was lost" in str(error)
    assert look_at_fence(login(scene, "master")).stands
    assert "may still be closed" in error.__notes__[0]
    promote(stack, mode="abort")
    assert look_at_fence(login(scene, "master")).is_down


@contextmanager
def tagged(stack: Place, name: str, key: str, text: str) -> Iterator[None]:
    """Let somebody have written a tag on an instance for a block."""
    run = stack.run()
    (member,) = [item for item in run.sight.members if item.name == name]
    tag_member(run.site, member, {key: text})
    try:
        yield
    finally:
        untag_member(run.site, member, key)


@pytest.mark.parametrize(
    ("key", "text"), [(names.TAG_PROMOTION, "by hand"), (names.TAG_EPOCH, "two")]
)
def test_a_tag_that_nobody_of_ours_writes_is_told(stack: Place, key: str, text: str) -> None:
    with tagged(stack, REPLICA, key, text):
        for mode in ("planned", "emergency", "abort"):
            error = refusal(stack, mode=mode, confirm=REPLICA, watch_seconds=0)
            assert isinstance(error, InvalidRequest)
            assert f"says '{text}'" in str(error)


def _mark(epoch: int, **more: datetime) -> str:
    return Mark(Mode.PLANNED, epoch, datetime.now(UTC), **more).text


def test_two_promotions_at_once_are_finished_by_nobody(stack: Place) -> None:
    with (
        tagged(stack, REPLICA, names.TAG_PROMOTION, _mark(2)),
        tagged(stack, f"{PREFIX}-dr", names.TAG_PROMOTION, _mark(2)),
    ):
        error = refusal(stack, confirm=REPLICA)
    assert isinstance(error, Conflict)
    assert f"{PREFIX}-dr in us-west-2, {REPLICA} in us-east-1" in str(error)


def test_a_promotion_that_another_one_has_overtaken_is_not_finished(stack: Place) -> None:
    with tagged(stack, REPLICA, names.TAG_PROMOTION, _mark(1)):
        assert "in epoch 1 already" in str(refusal(stack, confirm=REPLICA))
        promote(stack, mode="abort")
        assert look(stack.run()).mark is None


def test_what_rds_was_asked_for_a_moment_ago_is_not_undone(
    stack: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat_once(stack.settings)
    with monkeypatch.context() as patched:
        patched.setattr("flows.promotion_switch.promote", _answers_nothing)
        assert isinstance(refusal(stack, candidate=REPLICA, confirm=REPLICA), Unavailable)
    error = refusal(stack, mode="abort")
    assert isinstance(error, Refused)
    assert "RDS was asked to promote it" in str(error)
    long_ago = datetime.now(UTC) - timedelta(minutes=6)
    with tagged(stack, REPLICA, names.TAG_PROMOTION, _mark(2, asked=long_ago)):
        promote(stack, mode="abort")
    with writing(by_proxy(stack)) as (writer,):
        until(lambda: len(writer.acknowledged) > 3)


def _answers_nothing(*_: object) -> None:
    raise Unavailable("RDS did not answer.")
