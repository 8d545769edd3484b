"""Command lines that hold another one: ``replay DIR --at TIME COMMAND...``."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.cli.spec import Command

# The argument that holds one.
COMMAND_LINE = "command_line"


def joined(command: Command, words: list[str]) -> list[str]:
    """Return the words of a command whose last argument is another command line, with all of that in one word.

    Args:
        command: takes one argument or more, and the command line behind them.
        words: those after its name.
    """
    from shlex import join

    valued = {flag for option in command.options if not option.bare for flag in option.flags}
    before = len(command.arguments) - 1
    position = 0
    while position < len(words):
        word = words[position]
        if word in valued:
            position += 1
        elif word == "-" or not word.startswith("-"):
            if before == 0:
                break
            before -= 1
        position += 1
    inner = words[position:]
    # One word may be a whole line already.
    return [*words[:position], inner[0] if len(inner) == 1 else join(inner)] if inner else words
