"""`sockdiag limits`: the sysctls that bound sockets, and what they come to."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.catalog import summary
from sockdiag.cli.spec import Argument, Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Given


def run(env: Env, given: Given) -> int:
    """Show limits."""
    from sockdiag.analysis.limits.rows import limits, limits_everywhere
    from sockdiag.errors import UsageError, unknown
    from sockdiag.model.sysctl import Limit
    from sockdiag.model.sysctl_table import SYSCTLS
    from sockdiag.render.document import Document, Table
    from sockdiag.sources.proc.sys_net import read_page_size, read_sysctls
    from sockdiag.survey.host import kernel_version, sysctls
    from sockdiag.survey.per_namespace import in_each
    from sockdiag.survey.session import Session, choose_columns, ordered

    session = Session(env, given)
    names = None
    if given.name:
        names = tuple(name for name in SYSCTLS if name == given.name or name.rpartition(".")[2] == given.name)
        if not names:
            raise UsageError(
                unknown(
                    "limit",
                    given.name,
                    [*SYSCTLS, *(n.rpartition(".")[2] for n in SYSCTLS)],
                    "'sockdiag limits' lists them",
                )
            )
    page_size, kernel = read_page_size(session.system.files), kernel_version(session)
    everywhere = session.everywhere is not None
    if everywhere:
        wanted = names or tuple(SYSCTLS)
        parts = list(in_each(session, lambda there: [(there.netns.label, read_sysctls(there.system.files, wanted))]))
        rows, gaps = limits_everywhere(parts, page_size, kernel)
        for gap in gaps:
            session.note(gap)
    else:
        rows = limits(sysctls(session, names), page_size, kernel, session.netns.label)
    if names is None and not (given.json or given.ndjson or given.csv):
        # What this kernel does not have concerns people only when they ask for it.
        rows = [row for row in rows if row.value is not None]
    default = (*(("netns",) if everywhere else ()), "name", "value", "effective", "note")
    columns, chosen = choose_columns(session, Limit, default)
    table = Table(columns, ordered(rows, session, Limit), chosen=chosen, header=not given.no_header)
    answered = any(row.value is not None for row in rows)
    return session.show(Document("limits", session.seen, table=table, table_key="limits"), answered=answered)


def document() -> dict[str, Any]:
    """Name the document's own keys."""
    from sockdiag.model.sysctl import Limit

    return {"limits*": [Limit]}


COMMAND = Command(
    run,
    name="limits",
    summary=summary("limits"),
    help=(
        "Every sysctl that bounds a buffer, a queue, a table or a port range, and what it comes to for a new socket: "
        "its default, the range that the kernel tunes it in, the cap on what a program may ask for, the doubling. One "
        "that is not visible in this network namespace is unknown; the note says why. With --netns all a limit of the host "
        "is there once, without a namespace."
    ),
    options=options.EVERYWHERE,
    arguments=(Argument("name", "One of them: net.core.rmem_max, or rmem_max.", completion="limits"),),
    examples=(
        ("limits", "all of them"),
        ("limits tcp_rmem", "how large a TCP receive buffer can become"),
        ("limits somaxconn --netns all", "the same limit in every network namespace"),
    ),
    everywhere=True,
    document=document,
)
