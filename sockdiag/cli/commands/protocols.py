"""`sockdiag protocols`: the kernel's registered struct protos."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.catalog import summary
from sockdiag.cli.spec import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Given


def run(env: Env, given: Given) -> int:
    """Show the protocols."""
    from sockdiag.cli.host import part
    from sockdiag.cli.session import Session, choose_columns, ordered
    from sockdiag.model.protocols import Protocol
    from sockdiag.render.document import Document, Table
    from sockdiag.sources.proc_net_protocols import read_protocols

    session = Session(env, given)
    rows = part(session, lambda: read_protocols(session.system.files))
    default = ("name", "size_bytes", "sockets", "memory_pages", "pressure", "slab", "module", "operations")
    columns, chosen = choose_columns(session, Protocol, default)
    table = Table(columns, ordered(rows or (), session, Protocol), chosen=chosen, header=not given.no_header)
    return session.show(
        Document("protocols", session.seen, table=table, table_key="protocols"), answered=rows is not None
    )


def document() -> dict[str, Any]:
    """Name the document's own keys."""
    from sockdiag.model.protocols import Protocol

    return {"protocols*": [Protocol]}


COMMAND = Command(
    run,
    name="protocols",
    summary=summary("protocols"),
    help=(
        "Of each also the operations that it has, its slab and its module (-o +operations). Sockets are those of this network namespace; memory and pressure are the whole host's. A protocol without "
        "memory accounting shows none."
    ),
    options=options.EVERYWHERE,
    examples=(
        ("protocols", "all of them"),
        ("protocols --sort -sockets -o name,sockets,memory_pages", "which are used"),
    ),
    document=document,
)
