"""What is wrong with a command line that Typer refuses, in the words of this program."""

from __future__ import annotations

from sockdiag.cli.spec import FLOAT, INT
from sockdiag.errors import unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.cli.spec import Command

_NUMBERS = {INT: "a whole number", FLOAT: "a number"}


def explain(command: Command, error: Any) -> str:
    """Say what a parser's error is about, and what to type instead or where to look.

    Args:
        command: whose options were parsed.
        error: Typer's exception: what it is about is in its ``option_name`` or ``param``, where it has such.
    """
    return f"{_problem(command, error)}\n  See '{command.words} --help'."


def _problem(command: Command, error: Any) -> str:
    about = getattr(error, "param", None)
    flag = str(getattr(error, "option_name", ""))
    if hasattr(error, "possibilities"):
        flags = [f for option in command.options for f in option.flags if len(f) > 2]
        # Of one letter, all others are as near.
        return unknown("option", flag, flags, "none is like it") if len(flag) > 2 else f"there is no option '{flag}'"
    option = next((o for o in command.options if o.name == getattr(about, "name", "") or flag in o.flags), None)
    if option is None:
        argument = next((a for a in command.arguments if a.name == getattr(about, "name", "")), None)
        if argument is not None:
            return f"{argument.metavar} is missing: {_plain(argument.help)}"
        extra = "extra argument" in error.message
        words = error.message.rpartition("(")[2].rstrip(")")
        return f"too many words: {words}; what has blanks needs quotes" if extra else _plain(error.message)
    name = option.flags[0]
    if option.bare:
        return f"{name} takes no value"
    if flag:
        return f"{name} needs a value: {option.metavar}"
    if option.kind in _NUMBERS:
        return f"{name}: {error.message.partition(' is not ')[0]} is not {_NUMBERS[option.kind]}"
    return f"{name}: {error.message}"


def _plain(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")
