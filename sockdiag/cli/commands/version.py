"""`sockdiag version`: the version of the program."""

from __future__ import annotations

from sockdiag.cli import exit as status
from sockdiag.cli.spec import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args


def run(env: Env, args: Args) -> int:  # noqa: ARG001 - every command takes both
    """Print the version."""
    from sockdiag.version import __version__

    env.write(f"sockdiag {__version__}\n")
    return status.OK


COMMAND = Command(
    run,
    name="version",
    help="The same line as with --version and -V.",
    examples=(("version", "the version"), ("-V", "the same")),
)
