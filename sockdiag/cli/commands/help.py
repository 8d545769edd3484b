"""`sockdiag help`: the help of the program or of a command."""

from __future__ import annotations

from sockdiag.cli import exit as status
from sockdiag.cli.spec import Command, argument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args


# What people look for that is no command, and the manual page about it.
_PAGES = {"filter": "filter", "filters": "filter", "where": "filter", "findings": "rules", "columns": "fields"}

COMMAND_NAME = argument("command", "The command; without one, the program.", completion="commands")


def run(env: Env, args: Args) -> int:
    """Print the help."""
    from sockdiag.cli.catalog import COMMANDS
    from sockdiag.cli.help_text import help_text
    from sockdiag.errors import UsageError, unknown

    name = args[COMMAND_NAME] or ""
    if name == "ss":
        from sockdiag.ss.main import run as run_ss

        return run_ss(["ss", "--help"])
    if name in _PAGES:
        raise UsageError(f"'{name}' is no command; its manual page is sockdiag-{_PAGES[name]}(7)")
    if name and name not in COMMANDS:
        raise UsageError(unknown("command", name, [*COMMANDS, "ss"], "'sockdiag help' lists them"))
    env.write(help_text(name, env.width))
    return status.OK


COMMAND = Command(
    run,
    name="help",
    help="The same text as with --help. The manual pages say more: man sockdiag, man sockdiag-COMMAND. "
    "Three more are about all commands: sockdiag-filter(7), sockdiag-rules(7) and sockdiag-fields(7).",
    arguments=(COMMAND_NAME,),
    examples=(("help", "all commands"), ("help list", "the options and examples of a command")),
)
