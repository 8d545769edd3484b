"""`sockdiag limits`: the sysctls that bound sockets, and what they mean for one."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.spec import Command, argument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Keys


NAME = argument("name", "One sysctl: net.core.rmem_max, or rmem_max.", completion="limits")


def run(env: Env, args: Args) -> int:
    """Show limits."""
    from sockdiag.analysis.limits.rows import limits, limits_everywhere
    from sockdiag.cli.invocation import Invocation
    from sockdiag.errors import UsageError, unknown
    from sockdiag.model.sysctl import Limit
    from sockdiag.model.sysctl_table import SYSCTLS
    from sockdiag.render.document import Document
    from sockdiag.sources.proc.sys_net import read_page_size, read_sysctls
    from sockdiag.survey.host import kernel_version, sysctls
    from sockdiag.survey.per_namespace import in_each

    this = Invocation(env, args)
    survey = this.survey
    names = None
    wanted = args[NAME]
    if wanted:
        names = tuple(name for name in SYSCTLS if wanted in (name, name.rpartition(".")[2]))
        if not names:
            raise UsageError(
                unknown(
                    "limit",
                    wanted,
                    [*SYSCTLS, *(n.rpartition(".")[2] for n in SYSCTLS)],
                    "'sockdiag limits' lists them",
                )
            )
    page_size, kernel = read_page_size(survey.system.files), kernel_version(survey)
    everywhere = survey.everywhere
    if everywhere:
        read = names or tuple(SYSCTLS)
        parts = list(in_each(survey, lambda there: [(there.netns.label, read_sysctls(there.system.files, read))]))
        rows, gaps = limits_everywhere(parts, page_size, kernel)
        for gap in gaps:
            survey.note(gap)
    else:
        rows = limits(sysctls(survey, names), page_size, kernel, survey.netns.label)
    if names is None and this.renderer.people:
        # A sysctl that this kernel lacks matters to people only if they ask for it.
        rows = [row for row in rows if row.value is not None]
    default = (*(("netns",) if everywhere else ()), "name", "value", "effective", "note")
    columns, chosen = this.columns(Limit, default)
    table = this.table(columns, this.ordered(rows, Limit), chosen=chosen)
    answered = any(row.value is not None for row in rows)
    return this.show(Document(COMMAND.name, survey.provenance, table=table, table_key="limits"), answered=answered)


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.model.sysctl import Limit

    return {"limits*": [Limit]}


COMMAND = Command(
    run,
    name="limits",
    help=(
        "Every sysctl that bounds a buffer, a queue, a table or a port range, and its effect on a new socket: the default, "
        "the range of the kernel's auto-tuning, the cap on what a program may request, and the doubling of that. A sysctl that this "
        "network namespace does not show is unknown; the note gives the reason. With --netns all, a limit of the host is "
        "listed once, without a namespace."
    ),
    options=options.FILES,
    arguments=(NAME,),
    examples=(
        ("limits", "all of them"),
        ("limits tcp_rmem", "how large a TCP receive buffer can become"),
        ("limits somaxconn --netns all", "the same limit in every network namespace"),
    ),
    all_namespaces=True,
    many_hosts=True,
    document=document,
)
