"""SQL is written, never put together from strings: a walk over the syntax trees."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted(
    path for folder in ("haven", "tasks", "flows") for path in (ROOT / folder).rglob("*.py")
)
TAKES_SQL = {"execute", "executemany", "stream", "copy", "SQL"}
IDENTIFIERS = ROOT / "haven" / "identifiers.py"


def findings(tree, *, may_quote=False):
    """Return the lines that hand over SQL that was made, or quote a name past its check."""
    for function in [node for node in ast.walk(tree) if isinstance(node, SCOPES)]:
        bound = bindings(function)
        for call in own_calls(function):
            name = called(call)
            if name in TAKES_SQL and call.args and is_made(call.args[0], bound):
                yield f"line {call.lineno}: {name}() is given SQL made from strings"
            if name == "SQL" and call.args and not is_written(call.args[0], bound):
                yield f"line {call.lineno}: SQL() is given something that is not written out"
            if name == "Identifier" and not may_quote:
                yield f"line {call.lineno}: Identifier() past the check of haven.identifiers"


SCOPES = (ast.Module, ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def own_calls(scope):
    """Return the calls of a scope, those of the scopes inside it left out."""
    todo = list(ast.iter_child_nodes(scope))
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Call):
            yield node
        if not isinstance(node, SCOPES):
            todo.extend(ast.iter_child_nodes(node))


def called(call):
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def bindings(scope):
    """Return what each name of a scope is bound to, loops over written tuples included."""
    bound: dict[str, list[ast.expr]] = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                bound.setdefault(getattr(target, "id", ""), []).append(node.value)
        elif isinstance(node, ast.AugAssign):
            made = ast.BinOp(node.target, node.op, node.value)
            bound.setdefault(getattr(node.target, "id", ""), []).append(made)
        elif isinstance(node, ast.comprehension | ast.For):
            values = node.iter.elts if isinstance(node.iter, ast.Tuple) else [node.iter]
            bound.setdefault(getattr(node.target, "id", ""), []).extend(values)
    return bound


def is_made(node, bound, depth=3):
    """Tell whether an expression puts strings together."""
    if isinstance(node, ast.JoinedStr | ast.BinOp):
        return True
    if isinstance(node, ast.Call):
        return is_made_by_call(node, bound, depth)
    if isinstance(node, ast.IfExp):
        return is_made(node.body, bound, depth) or is_made(node.orelse, bound, depth)
    if isinstance(node, ast.Name) and depth:
        return any(is_made(value, bound, depth - 1) for value in bound.get(node.id, ()))
    return False


def is_made_by_call(node, bound, depth):
    name, on = called(node), getattr(node.func, "value", None)
    if name == "format":
        return not (isinstance(on, ast.Call) and called(on) == "SQL") and not is_composed(on, bound)
    if name in {"encode", "strip", "lower", "upper"} and on is not None:
        return is_made(on, bound, depth)
    return name in {"replace", "join", "format_map", "cast", "str"} and not is_composed(on, bound)


def is_composed(node, bound):
    """Tell whether something is an SQL object of psycopg, whose methods quote."""
    if isinstance(node, ast.Name):
        return bool(bound.get(node.id)) and all(is_composed(item, {}) for item in bound[node.id])
    return isinstance(node, ast.Call) and called(node) == "SQL"


def is_written(node, bound, depth=3):
    """Tell whether an expression is SQL as it stands in a file."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Name) and node.value.id == "QUERIES"
    if isinstance(node, ast.IfExp):
        return is_written(node.body, bound, depth) and is_written(node.orelse, bound, depth)
    if isinstance(node, ast.Name) and depth:
        values = bound.get(node.id, ())
        return bool(values) and all(is_written(value, bound, depth - 1) for value in values)
    return False


def test_sql_is_never_made_from_strings():
    found = [
        f"{path.relative_to(ROOT)}: {finding}"
        for path in FILES
        for finding in findings(
            ast.parse(path.read_text(encoding="utf-8")), may_quote=path == IDENTIFIERS
        )
    ]
    assert not found


@pytest.mark.parametrize(
    "line",
    [
        'connection.execute(f"SELECT {name}")',
        'connection.execute("SELECT %s" % name)',
        'connection.execute("SELECT " + name)',
        'connection.execute("SELECT {}".format(name))',
        'connection.execute("SELECT x".replace("x", name))',
        'connection.execute(" ".join(("SELECT", name)))',
        'connection.execute((f"SELECT {name}").encode())',
        'connection.execute("SELECT 1" if name else f"SELECT {name}")',
        'text = f"SELECT {name}"; connection.execute(text)',
        'text = "SELECT "; text += name; connection.execute(text)',
        'cursor.executemany(f"INSERT INTO {name}", rows)',
        'cursor.copy("COPY " + name)',
        'cursor.stream(f"SELECT {name}")',
        'connection.execute(QUERIES["a"] + name)',
        'connection.execute(QUERIES["a"].format(name))',
        'connection.execute(cast("LiteralString", name))',
        'sql.SQL(f"SET {name}")',
        'sql.SQL("SET " + name)',
        "sql.SQL(name)",
        "sql.SQL(names[0])",
        "sql.SQL(name.strip())",
        "SQL(str(name))",
        "sql.Identifier(name)",
        "def inner():\n    return lambda name: connection.execute(f'SELECT {name}')",
    ],
)
def test_the_walk_finds_it(line):
    assert list(findings(ast.parse(line)))


@pytest.mark.parametrize(
    "line",
    [
        'connection.execute("SELECT 1")',
        'connection.execute(QUERIES["a"], {"key": name})',
        'connection.execute(sql.SQL("SET ROLE {}").format(identifier(name)))',
        'verb = "A {}" if x else "B {}"\nsql.SQL(verb).format(a)',
        'text = sql.SQL("{}")\nconnection.execute(text.format(a))',
        '{name: sql.SQL(name) for name in ("CONNECT", "CREATE")}',
        'sql.SQL(", ").join(parts)',
    ],
)
def test_the_walk_lets_it_pass(line):
    assert not list(findings(ast.parse(line)))
