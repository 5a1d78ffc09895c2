"""The house rules that no linter knows: sizes, names, and tables without gaps."""

import ast
import importlib
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("haven", "flows", "tasks", "localcloud", "tests", "benchmarks")
FILES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
BANNED = {"utils", "helpers", "common", "base", "manager"}
FILE_LINES = 400
BODY_LINES = 40
PLACE_WORDS = ("/" + "work/", "../" + "shared")


def body_lines(node):
    first = node.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    start = first.end_lineno if documented else first.lineno - 1
    return (node.end_lineno or 0) - (start or 0)


def functions(tree):
    """Yield every function, also those inside of others, without a look at expressions."""
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        for part in ("body", "orelse", "handlers", "finalbody", "cases"):
            todo.extend(getattr(node, part, ()))


def test_files_have_one_purpose_and_fit_on_a_few_screens():
    texts = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in FILES}
    assert [name for name in texts if Path(name).stem in BANNED] == []
    assert [name for name, text in texts.items() if text.count("\n") > FILE_LINES] == []
    long = [
        f"{name} {node.name}: {body_lines(node)} lines"
        for name, text in texts.items()
        for node in functions(ast.parse(text))
        if body_lines(node) > BODY_LINES
    ]
    assert long == []


def test_every_kind_of_resource_is_in_the_table():
    table = importlib.import_module("tasks.table")
    resource = importlib.import_module("haven.stack.resource")
    modules = [
        importlib.import_module(f"haven.stack.{path.stem}")
        for path in (ROOT / "haven" / "stack").glob("*.py")
    ]
    kinds = {
        item
        for module in modules
        for item in vars(module).values()
        if isinstance(item, type)
        and issubclass(item, resource.Resource)
        and item is not resource.Resource
    }
    assert kinds == set(table.KINDS)


def test_every_operation_has_its_flow_its_deployment_and_its_sweeps():
    operations = importlib.import_module("haven.cli.operations").OPERATIONS
    swept = importlib.import_module("tests.fault.operations").OPERATIONS
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    deployed = {item["entrypoint"].rsplit(".", 1)[-1] for item in deployments["deployments"]}
    for name, operation in operations.items():
        function, parameters = operation.load()
        assert callable(function)
        assert "dry_run" in parameters.model_fields
        assert operation.module == f"flows.{name.replace('-', '_')}"
        assert name in swept
    assert {name.replace("_", "-") for name in deployed} == set(operations) - {"adopt", "destroy"}


def test_every_parameter_has_a_title_and_a_description():
    operations = importlib.import_module("haven.cli.operations").OPERATIONS
    for operation in operations.values():
        _, parameters = operation.load()
        for name, field in parameters.model_fields.items():
            assert field.title, name
            assert field.description, name


def test_nothing_names_a_place_where_it_was_made():
    texts = [
        *ROOT.glob("*.md"),
        *ROOT.glob("*.toml"),
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "schema").rglob("*"),
        *FILES,
    ]
    named = [
        str(path)
        for path in texts
        if path.is_file() and any(word in path.read_text(encoding="utf-8") for word in PLACE_WORDS)
    ]
    assert not named


def test_every_direct_dependency_has_its_reason():
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    reasons = (ROOT / "docs" / "explanation" / "dependencies.md").read_text(encoding="utf-8")
    blocks = re.findall(
        r"^(?:dependencies|localcloud|dev) = \[(.*?)^\]", project, re.DOTALL | re.MULTILINE
    )
    names = {
        re.split(r"[^A-Za-z0-9_-]", item)[0]
        for block in blocks
        for item in re.findall(r'"([^"]+)"', block)
    }
    missing = {name for name in names if f"**{name}**" not in reasons}
    assert not missing
