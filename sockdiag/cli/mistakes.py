"""Explain a command line that Typer refuses, in this program's own wording."""

from __future__ import annotations

from sockdiag.cli.options import FORMATS, SHAPE
from sockdiag.cli.passed_on import COMMAND_LINE
from sockdiag.errors import unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.cli.spec import Command


def explain(command: Command, error: Any) -> str:
    """Explain a parser's error, with the right spelling or a pointer to the help.

    Args:
        command: whose options were parsed.
        error: Typer's exception; its ``option_name`` or ``param``, if it has one, names the option at fault.
    """
    return f"{_problem(command, error)}\n  See '{command.words} --help'."


def _problem(command: Command, error: Any) -> str:
    about = getattr(error, "param", None)
    flag = str(getattr(error, "option_name", ""))
    if hasattr(error, "possibilities"):
        if not command.name and any(flag in option.flags for option in (*FORMATS, *SHAPE)):
            return f"{flag} is for one table, and the overview has several: use --json, or {flag} with a command"
        if any(argument.name == COMMAND_LINE for argument in command.arguments) and flag not in ("-h", "--help"):
            return f"there is no option '{flag}' in front of the command that {command.name} runs: options of that command stand behind its name"
        flags = [f for option in command.options for f in option.flags if len(f) > 2]
        # All short options are equally close to one letter.
        return unknown("option", flag, flags, None) if len(flag) > 2 else f"there is no option '{flag}'"
    option = next((o for o in command.options if o.name == getattr(about, "name", "") or flag in o.flags), None)
    if option is None:
        argument = next((a for a in command.arguments if a.name == getattr(about, "name", "")), None)
        if argument is not None:
            return f"{argument.metavar} is missing: {_plain(argument.help)}"
        extra = "extra argument" in error.message
        words = error.message.rpartition("(")[2].rstrip(")")
        return f"unexpected argument: {words} (quote values that contain spaces)" if extra else _plain(error.message)
    name = option.flags[0]
    if option.bare:
        return f"{name} takes no value"
    if flag:
        return f"{name} needs a value: {option.metavar}"
    return f"{name}: {error.message}"


def _plain(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")
