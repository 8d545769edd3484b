"""The text of --help, from the declarations. Typer shows it too, but a plain request for help does not import Typer."""

from __future__ import annotations

from sockdiag.cli.catalog import COMMANDS, SS_SUMMARY, load, summary
from sockdiag.cli.options import GROUPS
from sockdiag.cli.spec import flag
from sockdiag.render.wrap import wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from sockdiag.cli.spec import Command, Option

# Width where the terminal does not report one, and the widest that is easy to read.
WIDTH, _WIDEST = 80, 100
_NARROWEST = 40
# Column at which explanations begin; a longer option gets a line of its own.
_INDENT = 26

HELP = flag("help", "Show this text and exit.", short="-h")
VERSION = flag("version", "Show the version and exit.", short="-V")


def help_text(name: str, width: int | None) -> str:
    """Return the help of a command; "" is the program's.

    Args:
        name: the command.
        width: columns of the terminal; None if there is none.
    """
    columns = min(max(width or WIDTH, _NARROWEST), _WIDEST)
    lines = _program(columns) if name == "" else _command(load(name), columns)
    return "\n".join(lines) + "\n"


def grouped(command: Command) -> list[tuple[str, list[Option[Any]]]]:
    """Return a command's options by heading; its own come first, under an empty heading."""
    shared = {id(option): title for title, group in GROUPS for option in group}
    found: dict[str, list[Option[Any]]] = {"": []}
    found.update((title, []) for title, _group in GROUPS)
    for option in command.options:
        found[shared.get(id(option), "")].append(option)
    return [(title, group) for title, group in found.items() if group]


def spelled(option: Option[Any]) -> str:
    """Spell an option as help shows it: the short form first, the placeholder last."""
    return ", ".join(sorted(option.flags, key=len)) + (f" {option.metavar}" if option.metavar else "")


def explained(option: Option[Any]) -> str:
    """Explain an option as help does, its default last."""
    return option.help + (f" Default: {option.shown_default}." if option.shown_default else "")


def synopsis(command: Command) -> str:
    """Return the command with the placeholders of its options and arguments."""
    arguments = [name if required else f"[{name}]" for name, _help, required in shown_arguments(command)]
    return " ".join([command.words, "[OPTION]...", *arguments])


def shown_arguments(command: Command) -> list[tuple[str, str, bool]]:
    """Return placeholder and explanation of each argument, and whether it is required; of one that may be repeated, once."""
    found: dict[str, tuple[str, str, bool]] = {}
    for argument in command.arguments:
        name = argument.metavar
        if name in found:
            _name, text, required = found[name]
            found[name] = f"{name}...", text, required
        else:
            found[name] = name, argument.help, argument.required
    return list(found.values())


def _command(command: Command, width: int) -> Iterator[str]:
    yield f"Usage: {synopsis(command)}"
    for paragraph in (summary(command.name), *command.help.split("\n\n")):
        if paragraph:
            yield ""
            yield from wrapped(paragraph, width)
    if command.arguments:
        yield from ("", "Arguments:")
        yield from _definitions([(name, text) for name, text, _required in shown_arguments(command)], width)
    if command.examples:
        yield from ("", "Examples:")
        for line, what in command.examples:
            yield f"  sockdiag {line}".rstrip()
            yield from wrapped(what, width, "      ", "      ")
    for title, options in grouped(command):
        shown = options if title else [*options, HELP]
        yield from ("", f"{title or 'Options'}:")
        yield from _definitions([(spelled(o), explained(o)) for o in shown], width)


def _program(width: int) -> Iterator[str]:
    # To fit on a screen: shared options by name only, the others with their first sentence.
    overview, question = load(""), summary("")
    yield from ("Usage: sockdiag [COMMAND] [OPTION]...", "")
    yield from wrapped(f"Without a command: {question[0].lower()}{question[1:]}", width)
    yield ""
    yield from wrapped("Commands ('sockdiag help COMMAND' explains one):", width)
    names = [("ss", SS_SUMMARY), *((name, summary(name)) for name in COMMANDS)]
    yield from _definitions(names, width, 2 + max(len(name) for name, _ in names) + 2)
    yield ""
    yield from wrapped("Options ('sockdiag help list' explains those that commands share):", width)
    groups = grouped(overview)
    own = [option for title, group in groups if not title for option in group]
    yield from _definitions([(spelled(o), f"{_first(o.help)}") for o in own], width, 20)
    shared = [(title, group) for title, group in groups if title]
    rows = [(title, _unbroken(group)) for title, group in [*shared, ("", [HELP, VERSION])]]
    yield from (line.replace("\0", " ").rstrip() for line in _definitions(rows, width, 20))
    yield from ("", "Examples:")
    examples = [(f"sockdiag {line}".rstrip(), what) for line, what in overview.examples]
    yield from _definitions(examples, width, 4 + max(len(line) for line, _ in examples))


def _unbroken(options: Iterable[Option[Any]]) -> str:
    # An option is never separated from its placeholder; two spaces separate it from the next.
    return " ".join(spelled(option).replace(" ", "\0") + "\0" for option in options)


def _first(text: str) -> str:
    return text.partition(". ")[0].removesuffix(".") + "."


def _definitions(rows: Iterable[tuple[str, str]], width: int, indent: int = _INDENT) -> Iterator[str]:
    # On a narrow terminal the explanation goes below the option.
    indent = min(indent, width // 3)
    for name, text in rows:
        lines = wrapped(text, width, " " * indent, " " * indent)
        if len(name) + 4 > indent:
            yield f"  {name}"
        else:
            lines[0] = f"  {name}".ljust(indent) + lines[0][indent:]
        yield from lines
