import pytest

from haven.pg import session
from haven.stack.database import LOGINS, database_changes
from tasks.bootstrap import observe_database

pytestmark = pytest.mark.local


def test_a_second_bootstrap_finds_nothing_to_do(database):
    with session(database.login("haven_admin")) as connection:
        assert database_changes(observe_database(connection)) == ()


@pytest.mark.parametrize("role", LOGINS)
def test_every_login_works_with_its_first_password(database, role):
    with session(database.login(role)) as connection:
        assert connection.execute("SELECT session_user").fetchone() == (role,)
