"""Parse plain command lines without importing Typer, which takes longer than most answers.

:func:`parse` understands what the declarations use: long and short options, ``--opt=value``, clustered short flags and
positional arguments. On anything else, such as an unknown option or a request for help, it gives up and lets Typer decide. A
test requires equal results from both.
"""

from __future__ import annotations

from sockdiag.cli.spec import COUNT, LIST, Args, Command, Option, defaults
from sockdiag.cli.values import convert, with_values
from sockdiag.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def parse(command: Command, words: list[str], order: list[tuple[str, object]] | None = None) -> Args | None:
    """Parse the words after the command's name; return None to leave them to Typer.

    Args:
        command: the command.
        words: the words.
        order: receives the name and value of each option, in the order of the command line.

    Raises:
        UsageError: a value does not fit its option, or an option that takes one value is repeated.
    """
    values: dict[str, Any] = defaults(command)
    by_flag = {flag: option for option in command.options for flag in option.flags}
    if "-h" in words or "--help" in words:
        return None
    arguments: list[str] = []
    given: set[str] = set()
    rest = list(reversed(with_values(command, words)))
    while rest:
        word = rest.pop()
        if word == "-" or not word.startswith("-"):
            arguments.append(word)
            continue
        option, value = _option(word, rest, by_flag)
        if option is None or (value is None and not option.bare):
            return None
        if option.name in given and not option.repeats:
            raise _wrong(command, f"{option.flags[0]} is given twice")
        given.add(option.name)
        try:
            converted = values[option.name] + 1 if option.kind == COUNT else value is None or convert(option, value)
        except UsageError as error:
            raise _wrong(command, str(error)) from None
        if order is not None:
            order.append((option.name, converted))
        values[option.name] = (*values[option.name], converted) if option.kind == LIST else converted
    if len(arguments) > len(command.arguments):
        return None
    for argument, text in zip(command.arguments, arguments, strict=False):
        values[argument.name] = text
    if any(argument.required and values[argument.name] is None for argument in command.arguments):
        return None
    return Args(values)


def _wrong(command: Command, problem: str) -> UsageError:
    return UsageError(f"{problem}\n  See '{command.words} --help'.")


def _option(word: str, rest: list[str], by_flag: dict[str, Option[Any]]) -> tuple[Option[Any] | None, str | None]:
    """Find the option that a word names, and its value, which may be the next of *rest*; None if that is not clear."""
    name, equals, text = word.partition("=")
    value = text if equals else None
    if not word.startswith("--"):
        # -nH: flags; -w5, -nw5: the rest is the value
        name, value = word[:2], word[2:] or None
    option = by_flag.get(name)
    if option is None:
        return None, None
    if not option.bare:
        return option, rest.pop() if value is None and rest else value
    if value is not None:
        if word.startswith("--"):
            return None, None
        rest.append("-" + value)
    return option, None
