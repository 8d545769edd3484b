"""Generate the module of tables that follow from the rules' declarations, so that it can be imported without the rules."""

from __future__ import annotations

from sockdiag.judging import declared
from sockdiag.judging.registry import RULES, load
from sockdiag.model.query import TABLES
from sockdiag.model.sysctl_table import SYSCTLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from sockdiag.judging.case import DeclaredRule

_HEAD = '''"""Declarations of all rules, for code that needs them without importing the rules.

Written by ``make gen``. Entries keep their place and new ones come last: this is the order in which sysctls are read and
gaps are listed.
"""

from __future__ import annotations

'''


def page() -> str:
    """Write ``judging/declared.py``."""
    rules = [load(code).RULE for code in RULES]
    commands = sorted({command for rule in rules for command in rule.commands})
    tables = _ordered((table for rule in rules for table in rule.tables), TABLES)
    compared = {table: list(dict.fromkeys(_fields(rules, table))) for table in tables}
    kept = {table: list(dict.fromkeys(_kept(rules, table))) for table in tables}
    return _HEAD + "\n".join(
        (
            _assigned("Tables whose sockets are judged.", "TABLES: tuple[str, ...]", tables),
            _assigned(
                "Sysctls that are read for the rules.",
                "SYSCTLS_READ: tuple[str, ...]",
                _in_place((n for n in SYSCTLS if any(n in rule.sysctls for rule in rules)), declared.SYSCTLS_READ),
            ),
            _by_key(
                "Rules of each command that does not judge by all of them.",
                "RULES_OF: dict[str, tuple[str, ...]]",
                {
                    command: _in_place(
                        (rule.code for rule in rules if command in rule.commands), declared.RULES_OF.get(command, ())
                    )
                    for command in commands
                },
            ),
            _by_key(
                "The tables that those rules scan.",
                "TABLES_OF: dict[str, tuple[str, ...]]",
                {
                    command: _ordered((t for rule in rules if command in rule.commands for t in rule.tables), TABLES)
                    for command in commands
                },
            ),
            _assigned(
                "Rules about the effects of a process that does not serve its sockets.",
                "BLAME_READER: tuple[str, ...]",
                [rule.code for rule in rules if rule.blames_reader],
            ),
            _assigned(
                "Rules that detect losses or trends only by comparing two samples.",
                "TWO_SAMPLES: tuple[str, ...]",
                [rule.code for rule in rules if rule.counters or rule.compared or rule.earlier_parts],
            ),
            _by_key(
                "Fields that rules compare with the earlier sample, by table.",
                "COMPARED: dict[str, tuple[str, ...]]",
                {table: fields for table, fields in compared.items() if fields},
            ),
            _by_key(
                "Sockets that rules compare with, by table: a field that is not zero, a state, or an armed timer.",
                "KEPT: dict[str, tuple[tuple[str, str, str], ...]]",
                {table: rows for table, rows in kept.items() if rows},
            ),
        )
    )


def _ordered(names: Iterable[str], known: Iterable[str]) -> list[str]:
    wanted = set(names)
    return [name for name in known if name in wanted]


def _in_place(names: Iterable[str], present: Collection[str]) -> list[str]:
    wanted = list(names)
    return [*(name for name in present if name in wanted), *(name for name in wanted if name not in present)]


def _fields(rules: Iterable[DeclaredRule], table: str) -> Iterator[str]:
    for rule in rules:
        for one in rule.compared:
            if table in one.tables:
                yield from (*one.fields, *one.beside)


def _kept(rules: Iterable[DeclaredRule], table: str) -> Iterator[tuple[str, str, str]]:
    for rule in rules:
        for one in rule.compared:
            if table in one.tables:
                yield from ((field, one.state, one.timer) for field in one.fields or ("",))


def _assigned(comment: str, name: str, items: Iterable[object]) -> str:
    return f"# {comment}\n{name} = (\n" + "".join(f"    {_literal(item)},\n" for item in items) + ")\n"


def _by_key(comment: str, name: str, rows: dict[str, Collection[object]]) -> str:
    text = f"# {comment}\n{name} = {{\n"
    for key, items in rows.items():
        text += f"    {_literal(key)}: (\n" + "".join(f"        {_literal(item)},\n" for item in items) + "    ),\n"
    return text + "}\n"


def _literal(item: object) -> str:
    if isinstance(item, tuple):
        return f"({', '.join(map(_literal, item))})"
    return f'"{item}"'
