"""`sockdiag schema`: the JSON Schema of a command's document."""

from __future__ import annotations

from sockdiag.cli import exit as status
from sockdiag.cli.catalog import COMMANDS, load, summary
from sockdiag.cli.spec import Argument, Command
from sockdiag.errors import UsageError, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Given


def run(env: Env, given: Given) -> int:
    """Print the schema."""
    from json import dumps

    from sockdiag.render.schema import document_schema

    documented = {name: load(name) for name in COMMANDS if name != "schema"}
    documented["overview"] = load("")
    command = documented.get(given.command)
    if command is None or not command.document:
        raise UsageError(unknown("document", given.command, [n for n, c in documented.items() if c.document]))
    env.write(dumps(document_schema(given.command, command.document()), indent=2) + "\n")
    return status.OK


COMMAND = Command(
    run,
    name="schema",
    summary=summary("schema"),
    help="Every --json document validates against it. 'overview' is the document of sockdiag without a command.",
    arguments=(Argument("command", "The command.", required=True, completion="commands"),),
    examples=(
        ("schema states", "what the keys of 'states --json' are"),
        ("schema overview", "those of 'sockdiag --json'"),
    ),
)
