"""The values that options and arguments can take, for completions and man pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sockdiag.analysis.grouping import KEYS, SYNONYMS
from sockdiag.cli.catalog import COMMANDS, load
from sockdiag.cli.spec import Option
from sockdiag.judging.registry import RULES
from sockdiag.model.fields import catalogue, entries
from sockdiag.model.query import TABLES
from sockdiag.model.socket import Socket
from sockdiag.model.sysctl_table import SYSCTLS
from sockdiag.render.table import STYLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from sockdiag.cli.spec import Argument, Command
    from sockdiag.model.fields import FieldEntry

# Completions that the shell looks up when TAB is pressed.
DYNAMIC = ("netns", "sockets", "path", "")


def commands() -> dict[str, Command]:
    """Return every command by its name; "" is the overview."""
    return {name: load(name) for name in ("", *COMMANDS)}


def rows(command: Command) -> tuple[Any, ...]:
    """Return the records whose fields --output of a command names."""
    if command.rows is not None:
        return command.rows()
    if command.document is None:
        return ()
    keys = command.document()
    lists = {key: value[0] for key, value in keys.items() if isinstance(value, list)}
    marked = tuple(record for key, record in lists.items() if key.endswith("*"))
    return marked or tuple(lists.values())[:1]


def columns(command: Command) -> list[FieldEntry]:
    """Return the columns of a command, without repeated names."""
    found: dict[str, FieldEntry] = {}
    for record in rows(command):
        for entry in catalogue() if record is Socket else entries(record):
            found.setdefault(entry.name, entry)
    return list(found.values())


def values(declared: Option[Any] | Argument[Any], command: Command) -> list[str]:
    """Return the words for a value; none if the shell looks it up or it is free text.

    Raises:
        ValueError: the declared completion does not exist.
    """
    if isinstance(declared, Option) and declared.choices:
        return list(declared.choices)
    completion = declared.completion
    if not isinstance(completion, str):
        return list(completion())
    if completion in DYNAMIC:
        return []
    if completion == "columns":
        return [entry.name for entry in columns(command)]
    if completion == "styles":
        return list(STYLES)
    known: dict[str, Callable[[], Iterable[str]]] = {
        "fields": lambda: [entry.name for entry in catalogue()],
        "netids": lambda: TABLES,
        "limits": lambda: SYSCTLS,
        "rules": lambda: RULES,
        "group_keys": lambda: (*KEYS, *SYNONYMS),
        "commands": lambda: ["overview", *(name for name, c in commands().items() if name and c.document)],
    }
    if completion not in known:
        raise ValueError(f"{command.name}: {declared.name}: there is no completion '{completion}'")
    return list(known[completion]())
