"""Splitting and joining keeps the text; names and windows come back as they went in."""

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from haven.migrations.files import Migration
from haven.migrations.headers import Headers, read_headers
from haven.migrations.plan import Pending
from haven.migrations.script import digest_of, read_script
from haven.sql import parse_queries
from haven.stack import names
from haven.stack.bucket import Bucket
from haven.stack.model import Stack
from haven.stack.topology import topology
from haven.stack.windows import DAYS, check_windows

HOURS = 24
NAME_LIMITS = {"bucket": 63, "instance": 63, "proxy": 63, "role": 64, "parameter_group": 255}

letters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
quoted = st.text(letters, max_size=12).map(
    lambda text: "'" + text.replace("'", "''").replace("\\", "") + "'"
)
dollars = st.text(letters, max_size=12).filter(lambda text: "$" not in text).map("$q${}$q$".format)
named = st.text(letters, min_size=1, max_size=12).map(
    lambda text: '"' + text.replace('"', '""') + '"'
)
literals = st.one_of(st.integers(0, 9**9).map(str), quoted, dollars)
comments = st.one_of(
    st.text(letters, max_size=12).map(
        lambda text: "/*" + text.replace("*", "").replace("/", "") + "*/"
    ),
    st.text(letters, max_size=12).map(
        lambda text: "-- " + "".join(text.splitlines()).replace("haven", "") + "\n"
    ),
    st.sampled_from([" ", "\n", "\t", "\n\n"]),
)
statements = st.one_of(
    st.builds("SELECT {}".format, literals),
    st.builds("SELECT {} AS {}".format, literals, named),
    st.builds("CREATE TABLE {} (a int)".format, named),
    st.builds("INSERT INTO t VALUES ({}, {})".format, literals, literals),
    st.builds("SET x.y = {}".format, quoted),
    st.builds("DO {}".format, dollars),
    st.just("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END"),
)


def script_of(text):
    return read_script(Pending(Migration(1, "01_a.sql", Path("01_a.sql"), text, "c"), "l"))


@given(st.lists(st.tuples(st.lists(comments, max_size=3), statements), min_size=1, max_size=6))
def test_statements_are_the_text_between_the_comments(parts):
    texts = [statement for _, statement in parts]
    whole = ";".join("".join(before) + statement for before, statement in parts)
    read = script_of(whole)
    assert [item.text for item in read.statements] == texts
    for item in read.statements:
        assert whole[item.offset :].startswith(item.text)
        assert whole.count("\n", 0, item.offset) + 1 == item.line


@given(st.lists(statements, min_size=1, max_size=6), comments)
def test_joined_again_they_are_the_same_statements(texts, comment):
    read = script_of(f";{comment}".join(texts)).statements
    again = script_of(";\n".join(item.text for item in read)).statements
    assert [item.text for item in again] == [item.text for item in read]
    assert [item.traits for item in again] == [item.traits for item in read]
    assert digest_of(again) == digest_of(read)


@given(st.lists(statements, min_size=2, max_size=6), st.data())
def test_the_digest_tells_every_edit(texts, data):
    place = data.draw(st.integers(0, len(texts) - 1))
    other = data.draw(statements)
    assume(other != texts[place])
    edited = [*texts[:place], other, *texts[place + 1 :]]
    one, two = (script_of(";\n".join(item)).statements for item in (texts, edited))
    assert digest_of(one) != digest_of(two)
    assert digest_of(one[:place]) == digest_of(two[:place])


UNITS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000}


@given(
    st.booleans(),
    st.none() | st.tuples(st.integers(1, 500), st.sampled_from(sorted(UNITS))),
    st.none() | st.tuples(st.integers(1, 500), st.sampled_from(sorted(UNITS))),
    st.randoms(use_true_random=False),
)
def test_headers_come_back_in_any_order(transactional, lock, statement, random):
    lines = [] if transactional else ["-- haven: non-transactional"]
    lines += [f"-- haven: lock-timeout {lock[0]}{lock[1]}"] if lock else []
    lines += [f"-- haven: statement-timeout {statement[0]}{statement[1]}"] if statement else []
    random.shuffle(lines)
    limits = [item and item[0] * UNITS[item[1]] for item in (lock, statement)]
    assert read_headers("01_a.sql", "\n".join([*lines, "SELECT 1;"])) == Headers(
        transactional, *limits
    )


minutes_of_day = st.integers(0, 24 * 60 - 1)


def clock(minutes):
    return f"{minutes // 60 % HOURS:02}:{minutes % 60:02}"


@given(
    minutes_of_day, st.integers(0, 3 * 60), st.integers(0, 7 * 24 * 60 - 1), st.integers(0, 24 * 60)
)
def test_windows_are_compared_as_minutes_are(start, length, week_start, week_length):
    week_end = week_start + week_length
    backup = f"{clock(start)}-{clock(start + length)}"
    day = [DAYS[item // (24 * 60) % 7] for item in (week_start, week_end)]
    maintenance = f"{day[0]}:{clock(week_start)}-{day[1]}:{clock(week_end)}"
    daily = {(day * 24 * 60 + start + item) % 10080 for day in range(7) for item in range(length)}
    weekly = {(week_start + item) % 10080 for item in range(week_length)}
    fine = length >= 30 and week_length >= 30 and not daily & weekly
    if fine:
        check_windows(backup, maintenance)
        return
    with pytest.raises(ValueError, match="window"):
        check_windows(backup, maintenance)


@given(st.text(max_size=30), st.text(max_size=30))
def test_what_is_no_window_is_refused(backup, maintenance):
    with pytest.raises(ValueError, match="must look like"):
        check_windows(backup, "sun:04:00-sun:05:00")
    with pytest.raises(ValueError, match="must look like"):
        check_windows("03:00-04:00", maintenance)


slugs = st.from_regex(r"[a-z](-?[a-z0-9]){0,17}", fullmatch=True)


@given(slugs, slugs, st.from_regex(r"[0-9]{12}", fullmatch=True))
def test_names_fit_differ_and_come_back(project, environment, account):
    try:
        stack = Stack(project=project, environment=environment, account=account)
    except ValidationError:
        assume(False)
    resources = topology(stack)
    assert len({item.address for item in resources}) == len(resources)
    for item in resources:
        assert len(item.name) <= NAME_LIMITS.get(item.kind, 255), item.address
        if isinstance(item, Bucket):
            assert item.name.startswith(f"{stack.prefix}-")
            assert item.name.endswith(f"-{account}")
    arn = names.rds_arn(stack, stack.region, "db", names.primary(stack)).split(":")
    assert arn == ["arn", "aws", "rds", stack.region, account, "db", f"{stack.prefix}-primary"]


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,9}", fullmatch=True),
        st.from_regex(r"[a-z ;{}%']{1,20}", fullmatch=True),
    )
)
def test_queries_come_back_by_name(queries):
    text = "\n".join(f"-- name: {name}\n{body}\n" for name, body in queries.items())
    assert parse_queries(text) == {name: body.strip() for name, body in queries.items()}
