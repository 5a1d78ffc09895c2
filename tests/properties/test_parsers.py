"""Whatever is put in: read, or refused in one paragraph; never another exception."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from flows.destroy import DestroyParameters
from flows.migrate import MigrateParameters
from flows.models import Parameters
from flows.provision import ProvisionParameters
from haven.cli.operations import operation, parameters_of
from haven.errors import HavenError, InvalidRequest
from haven.migrations.files import Migration, read_folder
from haven.migrations.headers import read_headers
from haven.migrations.plan import Pending, plan_migrations
from haven.migrations.script import read_script
from haven.settings import LocalCloud, Settings, is_loopback, load_settings, running_local_cloud
from haven.stack.files import load_stack
from haven.stack.model import Stack

once_a_function = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
HEAD = 'environment = "test"\naccount = "123456789012"\n'


def refused_or_read(read: Callable[[], object]) -> None:
    """Read; a refusal is ours, in one paragraph that can be printed."""
    told = refusal(read)
    assert "\n" not in told
    assert told.encode().decode() == told
    assert len(told) < 4000
    assert not told or "Nothing was touched" in told


def refusal(read: Callable[[], object]) -> str:
    try:
        read()
    except HavenError as error:
        return str(error)
    return ""


toml_scalars = st.one_of(
    st.booleans().map(lambda item: str(item).lower()),
    st.integers().map(str),
    st.integers(0, 2**64).map(hex),
    st.floats().map(str),
    st.text().map(lambda item: '"' + item.replace("\\", "").replace('"', "") + '"'),
    st.sampled_from(
        ["2020-01-01", "07:32:00", "[]", "{}", "[[]]", '"""a\nb"""', "0x" + "f" * 5000]
    ),
)
sections = st.sampled_from(sorted(Stack.model_fields))
entries = st.sampled_from(
    sorted(
        {
            name
            for field in Stack.model_fields.values()
            if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
            for name in field.annotation.model_fields
        }
        | {"other"}
    )
)
toml_lines = st.one_of(
    st.builds("{} = {}".format, sections, toml_scalars),
    st.builds("{}.{} = {}".format, sections, entries, toml_scalars),
    st.builds('"{}" = {}'.format, st.text(), toml_scalars),
)
toml_files = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda item: item.encode("utf-8", "surrogatepass")),
    st.lists(toml_lines, max_size=4).map(lambda lines: (HEAD + "\n".join(lines)).encode("utf-8")),
)


@once_a_function
@given(data=toml_files)
@example(data=(HEAD + "[database]\nport = 0x" + "f" * 5000).encode())
@example(data=(HEAD + '"a\\nb" = 1').encode())
def test_stack_files(tmp_path, data):
    (tmp_path / "x.toml").write_bytes(data)
    refused_or_read(lambda: load_stack("x", tmp_path))


@once_a_function
@given(name=st.text(max_size=300))
@example(name="\0")
@example(name="a\nb")
@example(name="\ud800")
@example(name="x" * 5000)
def test_names_of_stacks(tmp_path, name):
    with pytest.raises(InvalidRequest):
        load_stack(name, tmp_path)
    refused_or_read(lambda: load_stack(name, tmp_path))


words = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]) | st.just("\udcff"),
    max_size=60,
)
variables = st.dictionaries(
    st.sampled_from([f"HAVEN_{name.upper()}" for name in Settings.model_fields]),
    words
    | st.sampled_from(
        ["aws", "local", "1", "1e400", "nan", "-1", "http://127.0.0.1:1", "http://[::1"]
    ),
    max_size=4,
)


@once_a_function
@given(values=variables, env_file=st.binary(max_size=120))
def test_settings(tmp_path, monkeypatch, values, env_file):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(env_file)
    with monkeypatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        refused_or_read(load_settings)


@once_a_function
@given(name=words.filter(lambda item: item and "=" not in item))
def test_names_of_settings(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    variable = f"HAVEN_{name}"
    if variable.upper() in {f"HAVEN_{known.upper()}" for known in Settings.model_fields}:
        return
    with monkeypatch.context() as patch:
        patch.setitem(os.environ, variable, "1")  # noqa: TID251  # set, not read
        with pytest.raises(InvalidRequest, match="there is no such setting"):
            load_settings()
        refused_or_read(load_settings)


@given(st.text(max_size=80) | st.from_regex(r"https?://[^/]{0,30}(:[0-9]{1,6})?/?.{0,9}"))
def test_addresses(url):
    if is_loopback(url):
        assert url.startswith(("http://127.", "http://localhost", "http://[::1]"))
        record = LocalCloud.model_validate({"endpoint_url": url, "ca_bundle": "x"})
        assert record.endpoint_url == url


@once_a_function
@given(data=st.binary(max_size=150) | st.text(max_size=150).map(str.encode))
def test_the_record_of_a_local_cloud(tmp_path, data):
    (tmp_path / "cloud.json").write_bytes(data)
    with pytest.raises(HavenError) as caught:
        running_local_cloud(Settings(local_data=tmp_path))
    assert "\n" not in str(caught.value)


MODELS: list[type[Parameters]] = [ProvisionParameters, MigrateParameters, DestroyParameters]
json_like = st.sampled_from(["null", "[]", "{}", "[[1]]", "1e999", "NaN", "-0", '"a"', "true"])


@given(
    st.sampled_from(MODELS),
    st.lists(
        st.builds(
            "{}={}".format,
            st.sampled_from(["accept", "confirm", "dry_run", "attempts", "other", ""]) | st.text(),
            json_like | st.text(max_size=40),
        )
        | st.text(max_size=40),
        max_size=4,
    ),
)
def test_parameters(model, given_):
    refused_or_read(lambda: parameters_of(model, given_))


@given(st.text(max_size=200))
def test_operations(name):
    refused_or_read(lambda: operation(name))


HEADER_PIECES = (
    *("-- haven:", "--haven:", "-- Haven:", " ", "\t", "lock-timeout", "statement-timeout", "2s"),
    *("non-transactional", "999h", "0ms", "\n", "\r", "\r\n", "\x0c", "\u2028", "--", "/*", "*/"),
    *("SELECT 1;", "VACUUM t;", "x", "é", "CREATE INDEX CONCURRENTLY i ON t (a);", ";", "''", "'"),
    *(
        "$$",
        "$a$",
        "E'\\''",
        "COPY t FROM stdin;",
        "\\.",
        "BEGIN;",
        "COMMIT",
        "SET x = 1;",
        "U&'\\0041'",
    ),
    *("DO $$ BEGIN END $$;", "DROP INDEX CONCURRENTLY i;", ":a", "\\d", "\ufeff", "\U0001f3e5"),
)
scripts = st.lists(st.sampled_from(HEADER_PIECES), max_size=12).map("".join) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60
)


@given(scripts)
def test_headers(text):
    refused_or_read(lambda: read_headers("01_a.sql", text))


@given(scripts)
def test_scripts(text):
    file = Migration(1, "01_a.sql", Path("01_a.sql"), text, "c")
    refused_or_read(lambda: read_script(Pending(file, "l")))


file_names = st.from_regex(
    r"[0-9]{0,5}[_-]?[a-zA-Z_0-9]{0,12}\.(sql|SQL|psql|md)", fullmatch=True
) | st.text(
    st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=20
).filter(lambda item: item not in {".", ".."})


@once_a_function
@given(
    files=st.dictionaries(file_names, st.binary(max_size=60) | scripts.map(str.encode), max_size=4)
)
def test_folders(tmp_path_factory, files):
    folder = tmp_path_factory.mktemp("migrations")
    for name, data in files.items():
        (folder / name).write_bytes(data)
    refused_or_read(
        lambda: [read_script(item) for item in plan_migrations(read_folder(folder), []).pending]
    )


@pytest.mark.parametrize(
    ("terms", "start", "middle", "end"),
    [
        (100_000, "CREATE VIEW v AS SELECT ", "1+", "1 AS set"),
        (100_000, "SELECT ", "1+", "1 AS commit"),
        (40_000, "CREATE VIEW v AS ", "SELECT 1 UNION ALL ", "SELECT 1 AS set"),
        (100_000, "CALL f(", "(", "1"),
        (100_000, "CREATE VIEW v AS SELECT ", "NOT ", "true AS set"),
        (100_000, "CREATE VIEW v AS SELECT ", "- ", "1 AS set"),
        (100_000, "CREATE VIEW v AS SELECT set", "[1]", ""),
    ],
)
def test_a_statement_as_deep_as_it_is_long_does_not_end_the_process(terms, start, middle, end):
    file = Migration(1, "01_a.sql", Path("01_a.sql"), f"{start}{middle * terms}{end};", "c")
    refused_or_read(lambda: read_script(Pending(file, "l")))
