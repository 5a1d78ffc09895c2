"""From a parameter group to what the server is started with."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from localcloud.catalogue import Catalogue, Parameter
from localcloud.errors import LocalCloudError

# A laptop has neither the memory nor the disk of the instance class: these are accepted and
# shown as set, and the server gets at most this much (in the parameter's own unit).
CLAMPS = {
    "shared_buffers": 2048,  # 8 kB pages: 16 MB
    "wal_buffers": 512,  # 8 kB pages: 4 MB
    "temp_buffers": 2048,  # 8 kB pages
    "work_mem": 65536,  # kB
    "maintenance_work_mem": 65536,  # kB
    "autovacuum_work_mem": 65536,  # kB
    "logical_decoding_work_mem": 65536,  # kB
    "min_dynamic_shared_memory": 16,  # MB
    "max_wal_size": 1024,  # MB
    "min_wal_size": 80,  # MB
    "wal_keep_size": 1024,  # MB
}
_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "GREATEST": max,
    "LEAST": min,
    "SUM": lambda *values: sum(values),
    "log": lambda value: math.log2(value) if value > 0 else 0.0,
}


@dataclass(frozen=True, slots=True)
class Size:
    """What formulas may ask of an instance class."""

    memory: int
    vcpu: int


def evaluate(value: str, size: Size) -> str:
    """Return a value with its formula worked out; a value without formula stays as it is.

    Raises ``ValueError`` when the formula is malformed.
    """
    if "{" not in value and not value.startswith(("GREATEST", "LEAST", "SUM")):
        return value
    names = {
        "DBInstanceClassMemory": float(size.memory),
        "DBInstanceVCPU": float(size.vcpu),
        "AllocatedStorage": 0.0,
        "EndPointPort": 5432.0,
    }
    try:
        tree = ast.parse(value.replace("{", "(").replace("}", ")"), mode="eval")
        return str(int(_value(tree.body, names)))
    except (SyntaxError, KeyError, TypeError, ZeroDivisionError) as error:
        raise ValueError(f"{value} is not a formula.") from error


def _value(node: ast.expr, names: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return names[name]
        case ast.BinOp(left=left, op=op, right=right):
            return float(_OPERATORS[type(op)](_value(left, names), _value(right, names)))
        case ast.Call(func=ast.Name(id=name), args=args):
            return float(_FUNCTIONS[name](*[_value(arg, names) for arg in args]))
        case _:
            raise KeyError(ast.dump(node))


def problem(parameter: Parameter, value: str, size: Size) -> str | None:
    """Return why a value cannot be, or nothing."""
    try:
        plain = evaluate(value, size)
    except ValueError as error:
        return str(error)
    if parameter.kind == "boolean":
        return None if plain.lower() in {"0", "1", "on", "off", "true", "false"} else plain
    if parameter.low is not None and parameter.high is not None:
        return _outside(parameter, plain)
    if parameter.choices:
        given = plain.split(",") if parameter.kind == "list" else [plain]
        return next((item for item in given if item.strip() not in {*parameter.choices, ""}), None)
    return None


def _outside(parameter: Parameter, plain: str) -> str | None:
    try:
        number = float(plain)
    except ValueError:
        return f"{plain} is not a number."
    low, high = parameter.low or 0.0, parameter.high or 0.0
    return None if low <= number <= high else f"{plain} is not within {parameter.allowed}."


def for_server(
    catalogue: Catalogue, values: Mapping[str, str], size: Size, libraries: Path
) -> dict[str, str]:
    """Return the server's settings: RDS's defaults, then the group's values, worked out."""
    defaults = {item.name: item.default for item in catalogue.all() if item.default is not None}
    settings = {name: evaluate(value, size) for name, value in {**defaults, **values}.items()}
    for name, most in CLAMPS.items():
        if name in settings:
            settings[name] = _clamped(settings[name], most)
    settings["shared_preload_libraries"] = ",".join(
        loadable(settings.get("shared_preload_libraries", ""), libraries)
    )
    logical = settings.get("rds.logical_replication") == "1"
    settings["wal_level"] = "logical" if logical else "replica"
    # On RDS superuser_reserved_connections and autovacuum are on top of max_connections too.
    return settings


def _clamped(value: str, most: int) -> str:
    try:
        return str(min(int(value), most))
    except ValueError:
        raise LocalCloudError(f"{value} is not a whole number.") from None


def loadable(value: str, libraries: Path) -> list[str]:
    """Return the preload libraries this build has; pg_stat_statements always loads."""
    named = [item.strip() for item in value.split(",") if item.strip()]
    wanted = named if "pg_stat_statements" in named else ["pg_stat_statements", *named]
    return [name for name in wanted if (libraries / f"{name}.so").exists()]


def raise_to(
    settings: Mapping[str, str], source: Mapping[str, str], names: tuple[str, ...]
) -> dict[str, str]:
    """Return a standby's settings, each of ``names`` at least as high as on its source."""
    raised = dict(settings)
    for name in names:
        if name in source and int(source[name]) > int(raised.get(name, "0")):
            raised[name] = source[name]
    return raised
