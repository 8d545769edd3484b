"""`sockdiag port`: what a port is used for."""

from __future__ import annotations

from sockdiag.cli import options
from sockdiag.cli.spec import Command, required

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Args, Keys

PORT = required("port", "Port number or service name: 8080, :8080, http, tcp/8080, 8080/udp or 127.0.0.1:8080.")


def run(env: Env, args: Args) -> int:
    """Show a port."""
    from sockdiag.analysis.port_published import proxied
    from sockdiag.analysis.port_target import parse_port
    from sockdiag.analysis.port_use import bind_answers, holders, port_range, uses
    from sockdiag.cli.invocation import Invocation
    from sockdiag.filter.context import service
    from sockdiag.model.port import LISTENING, PortUse
    from sockdiag.render.document import Document
    from sockdiag.render.port_text import PortAnswer, port_lines, socket_name
    from sockdiag.survey.port import SocketOptions, asker, describe, find_served, look_elsewhere, see_port

    target = parse_port(args[PORT], service, lambda port: None if args[options.NUMERIC] else _service_name(port))
    this = Invocation(env, args)
    survey = this.survey
    seen = see_port(survey, target)
    rows = [row for one in seen for row in uses(one, target.port)]
    if not any(row.role == LISTENING for row in rows):
        rows += look_elsewhere(survey, target)
    held = describe(survey, holders(seen, target.port))
    published = find_served(
        survey, [*proxied(held, survey.netns.label), *(rule for one in seen for rule in one.forwards)]
    )
    who = asker(survey)
    binds = [
        answer
        for one in seen
        for answer in bind_answers(one, target, who, SocketOptions(survey, one, target.port), socket_name)
    ]
    ranges = [port_range(one, target.port) for one in seen]
    default = ("role", "netid", "state", "local", "peer", "sockets", "processes")
    columns, chosen = this.columns(PortUse, ("netns", *default) if survey.everywhere else default)
    table = this.table(columns, list(this.ordered(rows, PortUse)), chosen=chosen)
    answer = PortAnswer(target, rows, held, binds, ranges, published, several=survey.everywhere)
    document = Document(
        COMMAND.name,
        survey.provenance,
        table=table,
        table_key="uses",
        keys={
            "port": target.port,
            "service": target.service,
            "processes": held,
            "bind": binds,
            "ranges": ranges,
            "published": published,
        },
        lines=None if chosen else lambda style: port_lines(answer, style, survey.started),
    )
    return this.show(document)


def _service_name(port: int) -> str | None:
    from _socket import getservbyport  # start-up: docs/rejected.md

    try:
        return getservbyport(port)
    except OSError:
        return None


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.model.port import BindAnswer, PortHolder, PortRange, PortUse, Published

    return {
        "port": "int",
        "service": "str | None",
        "uses*": [PortUse],
        "processes": [PortHolder],
        "bind": [BindAnswer],
        "ranges": [PortRange],
        "published": [Published],
    }


COMMAND = Command(
    run,
    name="port",
    help=(
        "Shows each process with its command line, start time, unit, container and parents, or why no process can be shown. "
        "If nothing listens, it shows what still holds the port, which other network namespace listens on it, and where "
        "docker-proxy or an nftables rule sends it.\n\n"
        "BIND shows what bind(2) would return to this user by the kernel's rules: OK, or the error and the socket that causes "
        "it; 'depends' where the kernel does not show what decides. Nothing is bound.\n\n"
        "'sockdiag :8080' is short for 'sockdiag port 8080'."
    ),
    arguments=(PORT,),
    options=options.COMMON,
    examples=(
        ("port 8080", "who uses port 8080, TCP or UDP"),
        ("port udp/53", "who uses the UDP port of DNS"),
        ("port 127.0.0.1:8080 --netns all", "in every network namespace, and whether this address can be bound"),
    ),
    all_namespaces=True,
    document=document,
)
