"""`sockdiag replay`: run a command on a moment of a recording."""

from __future__ import annotations

from sockdiag.cli.spec import Command, argument, required, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args

FOLDER = required("folder", "The recording's folder.", metavar="DIR", completion="path")
COMMAND_LINE = argument(
    "command_line",
    "The command with its options; by default the overview.",
    metavar="COMMAND...",
    completion="commands",
)
AT = text(
    "at",
    "The moment: -10m before the end, a time as 2026-05-04T13:07, 13:07:30 or @SECONDS, or last. Default: last.",
    metavar="TIME",
)


def run(env: Env, args: Args) -> int:
    """Run a command with the moment as its system."""
    from shlex import split

    from sockdiag.cli import options
    from sockdiag.cli.catalog import COMMANDS, load
    from sockdiag.cli.main import run as run_program
    from sockdiag.errors import UsageError, unknown
    from sockdiag.sources.recordings.folder import is_recording, not_a_recording

    folder = args[FOLDER]
    try:
        words = split(args[COMMAND_LINE] or "")
    except ValueError as error:
        raise UsageError(f"{args[COMMAND_LINE]}: {error}") from None
    name = words[0] if words and not words[0].startswith(("-", ":")) else ""
    if name and name not in COMMANDS:
        raise UsageError(unknown("command", name, COMMANDS, "'sockdiag --help' lists them"))
    if not any(option is options.ROOT for option in load(name).options):
        raise UsageError(f"'{name}' reads no recorded moment")
    if not is_recording(folder):
        raise not_a_recording(folder)
    return run_program(["sockdiag", *words, options.ROOT.flags[0], f"{folder}@{args[AT] or 'last'}"], env)


COMMAND = Command(
    run,
    name="replay",
    help=(
        "Every command that takes --root answers as it would have answered then. Commands that judge compare with the moment before, or with "
        "the one that lies --interval S before it. --root DIR@TIME names the same moment to a command.\n\n"
        "A time is that of the last moment that is not later. Where the clock was set back and showed it twice, it is the later one; times before "
        "the end are counted by the clock that is never set. Moments of different boots are not compared."
    ),
    options=(AT,),
    arguments=(FOLDER, COMMAND_LINE),
    examples=(
        ("replay /srv/record --at -10m doctor", "what was wrong ten minutes before the end"),
        (
            "replay /srv/record --at 13:07:30 list --where 'recv_q > 64KiB'",
            "which sockets had much to read",
        ),
        (
            "replay /srv/record --at 13:07 traffic --interval 60",
            "who used the network in that minute",
        ),
    ),
)
