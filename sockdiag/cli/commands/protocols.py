"""`sockdiag protocols`: the kernel's registered struct protos."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.spec import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Keys
    from sockdiag.model.protocols import Protocol
    from sockdiag.survey.reader import SystemReader


def run(env: Env, args: Args) -> int:
    """Show the protocols."""
    from sockdiag.analysis.protocols import add_up
    from sockdiag.cli.invocation import Invocation
    from sockdiag.model.protocols import Protocol
    from sockdiag.render.document import Document
    from sockdiag.sources.proc.net_protocols import read_protocols
    from sockdiag.survey.per_namespace import in_each

    this = Invocation(env, args)
    survey = this.survey

    def read(there: SystemReader) -> Iterator[tuple[str | None, list[Protocol]]]:
        found = there.attempt(lambda: read_protocols(there.system.files))
        if found is not None:
            yield there.netns.label, list(found)

    parts = list(in_each(survey, read))
    rows = add_up(parts)
    default = ("name", "size_bytes", "sockets", "memory_pages", "pressure", "slab", "module", "operations")
    columns, chosen = this.columns(Protocol, default)
    table = this.table(columns, this.ordered(rows, Protocol), chosen=chosen)
    return this.show(
        Document(COMMAND.name, survey.provenance, table=table, table_key="protocols"), answered=bool(parts)
    )


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.model.protocols import Protocol

    return {"protocols*": [Protocol]}


COMMAND = Command(
    run,
    name="protocols",
    help=(
        "Also available: each protocol's operations, slab and module (-o +operations). Sockets are those of this "
        "network namespace; memory and pressure are the whole host's. A protocol without memory accounting shows none. "
        "--netns all adds up the sockets of every namespace; -o +namespaces shows how many each has."
    ),
    options=options.FILES,
    examples=(
        ("protocols", "all of them"),
        ("protocols --sort -sockets -o name,sockets,memory_pages", "which protocols are in use"),
        ("protocols --netns all -o name,sockets,namespaces", "and in which namespaces"),
    ),
    all_namespaces=True,
    many_hosts=True,
    document=document,
)
