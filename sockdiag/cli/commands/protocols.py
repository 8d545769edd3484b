"""`sockdiag protocols`: the kernel's registered struct protos."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.catalog import summary
from sockdiag.cli.spec import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Given
    from sockdiag.model.protocols import Protocol
    from sockdiag.survey.session import Session


def run(env: Env, given: Given) -> int:
    """Show the protocols."""
    from sockdiag.analysis.protocols import add_up
    from sockdiag.model.protocols import Protocol
    from sockdiag.render.document import Document, Table
    from sockdiag.sources.proc.net_protocols import read_protocols
    from sockdiag.survey.host import part
    from sockdiag.survey.per_namespace import in_each
    from sockdiag.survey.session import Session, choose_columns, ordered

    session = Session(env, given)

    def look(there: Session) -> Iterator[tuple[str | None, list[Protocol]]]:
        found = part(there, lambda: read_protocols(there.system.files))
        if found is not None:
            yield there.netns.label, list(found)

    parts = list(in_each(session, look))
    rows = add_up(parts)
    default = ("name", "size_bytes", "sockets", "memory_pages", "pressure", "slab", "module", "operations")
    columns, chosen = choose_columns(session, Protocol, default)
    table = Table(columns, ordered(rows, session, Protocol), chosen=chosen, header=not given.no_header)
    return session.show(Document("protocols", session.seen, table=table, table_key="protocols"), answered=bool(parts))


def document() -> dict[str, Any]:
    """Name the document's own keys."""
    from sockdiag.model.protocols import Protocol

    return {"protocols*": [Protocol]}


COMMAND = Command(
    run,
    name="protocols",
    summary=summary("protocols"),
    help=(
        "Of each also the operations that it has, its slab and its module (-o +operations). Sockets are those of this "
        "network namespace; memory and pressure are the whole host's. A protocol without memory accounting shows none. "
        "--netns all adds up the sockets of every namespace; -o +namespaces shows how many each has."
    ),
    options=options.EVERYWHERE,
    examples=(
        ("protocols", "all of them"),
        ("protocols --sort -sockets -o name,sockets,memory_pages", "which are used"),
        ("protocols --netns all -o name,sockets,namespaces", "and where"),
    ),
    everywhere=True,
    document=document,
)
