"""How each value is completed, the same for every shell."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sockdiag.cli.catalog import SS_SUMMARY, summary
from sockdiag.cli.help_text import HELP, VERSION
from sockdiag.cli.spec import Option
from sockdiag.devtools.completion_values import commands, values
from sockdiag.filter import comparisons
from sockdiag.filter.states import STATE_WORDS
from sockdiag.filter.tree import HOSTS, PORTS, PREDICATES
from sockdiag.model.fields import ALIASES, catalogue
from sockdiag.ss import usage
from sockdiag.ss.options import LONG
from sockdiag.ss.tables import FAMILY_NAMES

if TYPE_CHECKING:
    from typing import Any

    from sockdiag.cli.spec import Argument, Command

# How a value is completed: one of several words; a comma-separated list; the same after "+" or after "-"; tables after
# "!"; a filter; or looked up: files, namespaces, sockets of processes. FREE is left to the user.
ONE, LIST, ADDED, SIGNED, NEGATED, FILTER, PATH, NETNS, SOCKETS, FREE = (
    "one",
    "list",
    "added",
    "signed",
    "negated",
    "filter",
    "path",
    "netns",
    "sockets",
    "free",
)

# Words that a looked-up value may begin with.
SOCKET_PREFIXES = ("inode:", "cookie:", ":")


class Value(NamedTuple):
    """How a value is completed, and the words for it."""

    how: str
    words: tuple[str, ...] = ()


class Switch(NamedTuple):
    """An option for the shells; *value* is None for a flag."""

    flags: tuple[str, ...]
    help: str
    metavar: str
    value: Value | None


class Line(NamedTuple):
    """What can follow a command: its options, and its arguments in order."""

    name: str
    summary: str
    switches: tuple[Switch, ...]
    arguments: tuple[Value, ...]


def lines() -> list[Line]:
    """Return every command except ``ss``, starting with the overview (named "")."""
    return [_line(name, command) for name, command in commands().items()]


def described() -> list[tuple[str, str]]:
    """Return the commands and the questions that they answer, in the order of the help."""
    return [("ss", SS_SUMMARY), *((line.name, summary(line.name)) for line in lines() if line.name)]


def _line(name: str, command: Command) -> Line:
    own = [Switch(o.flags, _short(o.help), o.metavar, _value(o, command)) for o in command.options]
    others = [Switch(o.flags, _short(o.help), "", None) for o in ((HELP,) if name else (HELP, VERSION))]
    return Line(
        name, summary(name), (*own, *others), tuple(_given(argument, command) for argument in command.arguments)
    )


def _value(option: Option[Any], command: Command) -> Value | None:
    return None if option.bare else _given(option, command)


def _given(declared: Option[Any] | Argument[Any], command: Command) -> Value:
    words = tuple(values(declared, command))
    if declared.name == "where":
        return Value(FILTER)
    if declared.completion == "netns":
        return Value(NETNS, ("all",) if command.all_namespaces else ())
    if isinstance(declared.completion, str) and declared.completion in (PATH, SOCKETS):
        return Value(declared.completion)
    if not words:
        return Value(FREE)
    if not isinstance(declared, Option):
        return Value(ONE, words)
    if declared.many:
        return Value(ADDED if declared.completion == "columns" else LIST, words)
    return Value(SIGNED if declared.metavar.startswith("[-]") else ONE, words)


def _short(text: str) -> str:
    return text.partition(". ")[0].removesuffix(".")


def ss_switches() -> list[Switch]:
    """Return the options of ``sockdiag ss``."""
    looked_up = {
        "family": Value(ONE, tuple(FAMILY_NAMES)),
        "query": Value(NEGATED, tuple(usage.table_words())),
        "socket": Value(NEGATED, tuple(usage.table_words())),
        "net": Value(NETNS),
        "diag": Value(PATH),
        "filter": Value(PATH),
        "bpf-map-id": Value(FREE),
    }
    texts = {name: (metavar, text) for _title, group in usage.GROUPS for name, metavar, text in group}
    texts["socket"] = texts["query"]
    found = []
    for name, takes, letter in LONG:
        metavar, text = texts[name]
        flags = (f"--{name}", f"-{letter}") if len(letter) == 1 and name != "socket" else (f"--{name}",)
        found.append(Switch(flags, text, metavar, looked_up[name] if takes else None))
    return found


def ss_states() -> list[str]:
    """Return the words that follow ``state`` and ``exclude``."""
    return usage.state_words(old=False)


def ss_words() -> list[str]:
    """Return the words that a filter of ``sockdiag ss`` can begin with."""
    return [*STATE_WORDS[:2], *PREDICATES, "not"]


def filter_words() -> list[str]:
    """Return the words of --where: fields, short names, words of ss, connectives."""
    return list(dict.fromkeys([*ss_words(), *ALIASES, *(entry.name for entry in catalogue()), "and", "or"]))


def filter_values() -> dict[str, list[str]]:
    """Return what can follow ``FIELD =`` in a filter, for fields with few words."""
    found = {name: list(words) for name, words in comparisons.WORDS.items()}
    found["state"] = ss_states()
    return found


# Words of a filter that are followed by a value which cannot be completed.
BEFORE_OPERANDS = (*HOSTS, *PORTS)
