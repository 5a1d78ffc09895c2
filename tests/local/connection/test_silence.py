"""A server that stands still is given up; one that is only slow is waited for when asked to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from haven.errors import Unavailable
from haven.pg import session

SLOW = "SELECT pg_sleep(%s)"


def test_an_answer_that_does_not_come_is_given_up_and_named(database):
    login = replace(database.login("haven_reader"), answer_limit=0.3)
    with pytest.raises(Unavailable, match=r"no answer within 0\.3 s"), session(login) as connection:
        connection.execute(SLOW, (20,))
    assert connection.closed


def test_without_a_limit_it_is_waited_for(database):
    login = replace(database.login("haven_reader"), answer_limit=None)
    with session(login) as connection:
        assert connection.execute(SLOW, (0.4,)).rowcount == 1


def test_an_error_of_the_server_within_the_limit_stays_itself(database):
    login = replace(database.login("haven_reader"), answer_limit=5.0)
    with pytest.raises(Unavailable, match="terminating connection"), session(login) as connection:
        connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
