"""`sockdiag schema`: the JSON Schema of a command's document."""

from __future__ import annotations

from sockdiag.cli import exit as status
from sockdiag.cli.catalog import COMMANDS, load
from sockdiag.cli.spec import Command, required
from sockdiag.errors import UsageError, unknown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args


COMMAND_NAME = required("command", "The command.", completion="commands")


def run(env: Env, args: Args) -> int:
    """Print the schema."""
    from json import dumps

    from sockdiag.render.schema import document_schema

    documented = {one: load(one) for one in COMMANDS if one != "schema"}
    documented["overview"] = load("")
    name = args[COMMAND_NAME]
    command = documented.get(name)
    if command is None or not command.document:
        raise UsageError(unknown("document", name, [n for n, c in documented.items() if c.document]))
    env.write(dumps(document_schema(name, command.document()), indent=2) + "\n")
    return status.OK


COMMAND = Command(
    run,
    name="schema",
    help="Every --json document validates against it. 'overview' is the document of sockdiag without a command.",
    arguments=(COMMAND_NAME,),
    examples=(
        ("schema states", "the keys of 'states --json'"),
        ("schema overview", "the keys of 'sockdiag --json'"),
    ),
)
