"""Reading files in order, and telling what each pending statement would block, lose or lay open."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from haven.migrations.files import Migration
from haven.migrations.impact.locks import Lock, locks_of
from haven.migrations.impact.toll import Toll, toll_of
from haven.migrations.lint import limits, objects, rights, rows, tables
from haven.migrations.lint.findings import Finding, Found, Rule
from haven.migrations.lint.hazards import HAZARDS
from haven.migrations.lint.known import OF_PATIENTS, Known, Table
from haven.migrations.lint.ledger import touched
from haven.migrations.lint.trees import Key, dotted, key_of, kind, quoted, run_by, walk
from haven.migrations.script import Script, Statement, statements_of, tree_of

ONLY_ROWS = re.compile(
    r"(?:insert|values)\b(?!.*\b(?:with|haven_ops)\b)", re.IGNORECASE | re.DOTALL
)
SECURED = {"AT_EnableRowSecurity", "AT_ForceRowSecurity"}

RULES: dict[str, tuple[Rule, ...]] = {
    "AlterTableStmt": (
        tables.alter_table,
        objects.add_named_column,
        objects.add_key,
        objects.table_owner,
    ),
    "AlterTableMoveAllStmt": (rows.move_all,),
    "IndexStmt": (objects.create_index,),
    "CreateStmt": (objects.create_table,),
    "CreateTableAsStmt": (objects.create_as,),
    "SelectStmt": (objects.select_into, limits.select, rights.select),
    "DropStmt": (objects.drop,),
    "RenameStmt": (objects.rename,),
    "AlterEnumStmt": (objects.rename_value,),
    "ReindexStmt": (objects.reindex,),
    "RefreshMatViewStmt": (objects.refresh,),
    "AlterOwnerStmt": (objects.owner,),
    "CreateSchemaStmt": (objects.schema_owner,),
    "AlterDomainStmt": (objects.create_domain,),
    "TruncateStmt": (rows.truncate,),
    "DeleteStmt": (rows.delete,),
    "UpdateStmt": (rows.update,),
    "MergeStmt": (rows.merge,),
    "LockStmt": (rows.lock,),
    "VacuumStmt": (rows.vacuum,),
    "ClusterStmt": (rows.cluster,),
    "CreateFunctionStmt": (rights.function,),
    "AlterFunctionStmt": (rights.altered_function,),
    "CreatePolicyStmt": (rights.policy,),
    "AlterPolicyStmt": (rights.altered_policy,),
    "GrantStmt": (rights.grant,),
    "AlterDefaultPrivilegesStmt": (rights.default_grant,),
    "CreateRoleStmt": (rights.role,),
    "AlterRoleStmt": (rights.role,),
    "CreateUserMappingStmt": (rights.mapping,),
    "AlterUserMappingStmt": (rights.mapping,),
    "CreateSubscriptionStmt": (rights.subscription,),
    "AlterSubscriptionStmt": (rights.subscription,),
    "VariableSetStmt": (rights.setting, limits.setting),
    "CreateExtensionStmt": (rights.extension,),
    "DropOwnedStmt": (rights.drop_owned,),
    "ReassignOwnedStmt": (rights.drop_owned,),
    **dict.fromkeys(rights.REFUSED_KINDS, (rights.refused,)),
}


@dataclass(frozen=True, slots=True)
class Judged:
    """A statement that was looked at: its place, what was found, and what it locks and works on.

    ``harmless`` is one that only meets what is empty; ``toll`` is what the rows cost that it meets,
    as far as the hazards found do not tell.
    """

    file: str
    first: int
    last: int
    start: str = field(repr=False)
    found: tuple[Finding, ...] = ()
    harmless: bool = False
    concurrent: bool = False
    locks: Mapping[Key, Lock] = field(default_factory=dict)
    toll: Toll = Toll.NONE


def judge(applied: Iterable[Migration], pending: Iterable[Script]) -> list[Judged]:
    """Read all files in their order; judge every statement of the pending ones.

    The applied ones only tell what stands already: types, and which checks are validated.
    """
    known = Known()
    for migration in applied:
        known.begin(pending=False, transactional=True)
        for statement in statements_of(migration):
            known.learn(_tree(statement))
    judged: list[Judged] = []
    for script in pending:
        judged += _judge_file(known, script)
    return judged


def _judge_file(known: Known, script: Script) -> list[Judged]:
    known.begin(pending=True, transactional=script.headers.transactional)
    file = script.migration.name
    made: dict[Key, int] = {}
    judged: list[Judged] = []
    for statement in script.statements:
        tree = _tree(statement)
        item = _judged(file, statement, tree, known)
        judged.append(item if script.headers.batch is None else _in_batches(item))
        known.learn(tree)
        made |= dict.fromkeys(_filled(tree), len(judged) - 1)
    for key, number in made.items():
        table = known.table(key)
        if table and _is_unguarded(table):
            judged[number] = _with(judged[number], _unguarded(table))
    return judged


def _judged(file: str, statement: Statement, tree: Any, known: Known) -> Judged:
    locks = locks_of(tree, known)
    findings = tuple(
        Finding(file, statement.line, HAZARDS[item.hazard], item.subject, item.paste)
        for item in (*_apply_rules(tree, known), *touched(tree, locks))
    )
    relations = [key_of(node) for node in walk(tree) if kind(node) == "RangeVar"]
    # What names nothing that was there before has nothing to lock or to work on.
    met = not relations or not all(known.empty(key) for key in relations)
    return Judged(
        file,
        statement.line,
        statement.line + statement.text.count("\n"),
        statement.start,
        findings,
        harmless=(bool(relations) and not met) or _meets_no_rows(tree, known),
        concurrent=statement.traits.concurrent,
        locks=locks if met else {},
        toll=toll_of(tree, known),
    )


def _meets_no_rows(tree: Any, known: Known) -> bool:
    if kind(tree) in ("AlterTableStmt", "IndexStmt"):
        return known.rowless(tree.relation)
    return kind(tree) == "CreateStmt"


def _in_batches(judged: Judged) -> Judged:
    """Leave out what batches make harmless: every row is written, but few at a time."""
    found = tuple(item for item in judged.found if item.hazard.name != "every-row-written")
    return replace(judged, found=found)


def _with(judged: Judged, found: Found) -> Judged:
    finding = Finding(judged.file, judged.first, HAZARDS[found.hazard], found.subject, found.paste)
    return replace(judged, found=(*judged.found, finding))


def _apply_rules(tree: Any, known: Known) -> Iterator[Found]:
    for node in run_by(tree):
        for rule in RULES.get(kind(node), ()):
            yield from rule(node, known)


def _filled(tree: Any) -> Iterator[Key]:
    """Yield the tables that a statement may fill with rows of patients for the first time."""
    sort = kind(tree)
    if sort == "CreateStmt":
        yield key_of(tree.relation)
    elif sort == "CreateTableAsStmt":
        yield key_of(tree.into.rel)
    elif sort == "SelectStmt" and tree.intoClause is not None:
        yield key_of(tree.intoClause.rel)
    elif sort == "AlterTableStmt":
        for command in tree.cmds:
            if command.subtype.name == "AT_AddColumn" and command.def_.colname == OF_PATIENTS:
                yield key_of(tree.relation)


def _is_unguarded(table: Table) -> bool:
    return table.personal and not table.part and not table.secured >= SECURED


def _unguarded(table: Table) -> Found:
    guard = f"ALTER TABLE {quoted(table.key)} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;"
    return Found("row-security-missing", dotted(table.key), "" if table.view else guard)


def _tree(statement: Statement) -> Any:
    """Return the tree of a statement; none for what only adds rows, which may be long."""
    return None if ONLY_ROWS.match(statement.text) else tree_of(statement.text)
