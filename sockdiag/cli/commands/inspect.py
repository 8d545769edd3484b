"""`sockdiag inspect`: one socket through all its layers."""

from __future__ import annotations

import time

from sockdiag.cli import options
from sockdiag.cli.spec import Command, argument, flag, required, seconds, whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.analysis.inspect_target import Target
    from sockdiag.cli.env import Env
    from sockdiag.cli.invocation import Invocation
    from sockdiag.cli.spec import Args, Keys
    from sockdiag.model.counters import Counters
    from sockdiag.model.socket import Socket
    from sockdiag.render.inspect_facts import Known
    from sockdiag.survey.reader import SystemReader

TARGET = required("target", "The socket.", completion="sockets")
PEER = argument("peer", "Its remote end, if TARGET is the local one.")
NO_STEAL_FD = flag("no_steal_fd", "Do not copy the descriptor to ask getsockopt(2).")
FOLLOW = seconds("follow", "Read it again every S seconds and mark what changed.")
COUNT = whole("count", "With --follow, stop after N samples.", metavar="N")

_COLUMNS = ("netid", "state", "local", "peer", "inode", "cookie", "processes")


def run(env: Env, args: Args) -> int:
    """Inspect a socket, or list those that match the target."""
    from sockdiag.analysis.inspect_target import parse_target
    from sockdiag.errors import UsageError

    follow, count = args[FOLLOW], args[COUNT]
    if follow is not None and not 0 < follow <= 3600:
        raise UsageError("--follow takes more than 0 and at most 3600 seconds")
    if count is not None and (follow is None or count < 1):
        raise UsageError("--count takes a number of samples, and needs --follow")
    return _inspect(env, args, parse_target(args[TARGET], args[PEER]))


def _inspect(env: Env, args: Args, target: Target, beside: list[Socket] | None = None) -> int:
    """Inspect a socket; *beside* are others that the user's target matched too."""
    from sockdiag.analysis.inspect_target import principal
    from sockdiag.cli.invocation import Invocation
    from sockdiag.errors import SourceUnavailable
    from sockdiag.survey.socket_readings import from_descriptor

    this = Invocation(env, args)
    survey = this.survey
    inode = None
    if target.kind == "descriptor":
        from sockdiag.sources.process.fdinfo import socket_of

        assert target.pid is not None
        assert target.fd is not None
        inode = socket_of(survey.system.files, target.pid, target.fd)
    found = _find(survey, target, inode)
    if not found and inode is not None:
        elsewhere = _in_its_namespace(this, target, inode)
        if elsewhere is not None:
            return elsewhere
        described = from_descriptor(survey, target.pid or 0, target.fd or 0, inode)
        found = [described] if described is not None else []
    if not found:
        missing = f"; {len(survey.gaps)} sources could not be read" if survey.gaps else ""
        own = not survey.system.shows_others or survey.everywhere
        hint = "" if own else "; --netns selects another network namespace"
        raise SourceUnavailable(target.text, f"no such socket{missing}{hint}")
    chosen = found[0] if len(found) == 1 else principal(found)
    if chosen is None:
        return _choices(this, target, found)
    beside = [s for s in found if s is not chosen] if beside is None else beside
    if survey.namespaces is not None and chosen.netns is not None:
        return _from(this, _exactly(target, chosen), survey.namespaces.path_of(chosen.netns), beside)
    return _follow(this, target, chosen, beside)


def _exactly(target: Target, socket: Socket) -> Target:
    """Return a target that only one of several sockets matches, with the text that the user typed."""
    from sockdiag.analysis.inspect_target import COOKIE, INODE

    if target.kind == "descriptor" or not (socket.cookie or socket.inode):
        return target
    kind, number = (COOKIE, socket.cookie) if socket.cookie else (INODE, socket.inode)
    return target._replace(kind=kind, number=number)


def _find(survey: SystemReader, target: Target, inode: int | None) -> list[Socket]:
    from sockdiag.analysis.inspect_target import matching

    query = survey.query()._replace(tables=target.tables)
    found = matching(target, survey.batches(query), inode)
    # A subflow of MPTCP shares the file, and with it the inode, of its connection.
    connections = [s for s in found if s.netid == "mptcp"]
    return connections if inode is not None and connections else found


def _in_its_namespace(this: Invocation, target: Target, inode: int) -> int | None:
    """Inspect it from its network namespace, by default that of its process; return None if that is this one."""
    survey = this.survey
    if this.args[options.NETNS] is not None or not survey.system.files.live:
        return None
    from sockdiag.errors import SourceError
    from sockdiag.sources.namespaces.kept_by_sockets import namespace_of
    from sockdiag.sources.namespaces.netns import resolve

    assert target.pid is not None
    assert target.fd is not None
    try:
        path = resolve(str(target.pid))
        try:
            place = namespace_of(target.pid, target.fd, inode)
        except SourceError:
            place = None
        if place is not None and survey.system.files.inode(path) != place.namespace.inode:
            path = place.path
        if survey.system.files.inode(path) == survey.netns.inode:
            return None
    except SourceError:
        return None
    return _from(this, target, path)


def _from(this: Invocation, target: Target, path: str | None, beside: list[Socket] | None = None) -> int:
    """Inspect it from the namespace at *path*; None is this process's own."""
    from sockdiag.cli.running import guarded
    from sockdiag.sources.namespaces.netns import run_in

    env, args = this.env, this.args.replaced(options.NETNS, path)
    if path is None or this.args.get(options.ROOT):
        return _inspect(env, args, target, beside)
    return run_in(path, lambda: guarded(lambda: _inspect(env, args, target, beside), env))


def _choices(this: Invocation, target: Target, found: list[Socket]) -> int:
    from sockdiag.model.query import OWNERS, PARTS, SKMEM
    from sockdiag.model.socket import Socket
    from sockdiag.render.document import Document

    survey = this.survey
    scan = survey.owners().owners
    rows = [s._replace(processes=scan.get(s.inode) if s.inode else ()) for s in found]
    columns, chosen = this.columns(Socket, ("netns", *_COLUMNS) if survey.everywhere else _COLUMNS)
    table = this.table(columns, this.ordered(rows, Socket), chosen=chosen)
    this.env.warn(f"{target.text}: {len(found)} sockets match; name one as inode:N, cookie:HEX or PID/FD")
    document = Document(
        COMMAND.name,
        survey.provenance,
        table=table,
        table_key="matches",
        keys={"target": target.text},
        unasked=PARTS - {SKMEM, OWNERS},
    )
    return this.show(document)


def _follow(this: Invocation, target: Target, socket: Socket, beside: list[Socket]) -> int:
    from sockdiag.cli.invocation import Invocation

    every, most = this.args[FOLLOW], this.args[COUNT]
    before: Known | None = None
    counters: Counters | None = None
    shown = 0
    while True:
        shown += 1
        status, before, counters = _show(this, target, socket, beside, before, counters, first=shown == 1)
        if every is None or (most is not None and shown >= most):
            return status
        time.sleep(every)
        this = Invocation(this.env, this.args)


def _show(
    this: Invocation,
    target: Target,
    socket: Socket,
    beside: list[Socket],
    before: Known | None,
    earlier: Counters | None,
    *,
    first: bool,
) -> tuple[int, Known, Counters]:
    """Show a socket once; return the exit status, and the facts and counters to compare the next sample with."""
    from sockdiag.errors import SourceUnavailable
    from sockdiag.model.inspection import Fact
    from sockdiag.model.query import PARTS
    from sockdiag.render.cells import cell, endpoint
    from sockdiag.render.document import Document
    from sockdiag.render.inspect_answer import explain
    from sockdiag.render.inspect_facts import facts, known
    from sockdiag.render.inspect_text import inspect_lines
    from sockdiag.render.plain import plain
    from sockdiag.survey.inspect import inspect_socket
    from sockdiag.survey.socket_readings import SocketGone

    survey = this.survey
    held = (target.pid, target.fd) if target.pid is not None and target.fd is not None else None
    try:
        seen = inspect_socket(
            survey,
            socket,
            held,
            steal=not this.args[NO_STEAL_FD],
            codes=this.rules(),
            earlier=earlier,
        )
    except SocketGone as error:
        gone = error.socket
        name = f"{gone.netid} {endpoint(gone.local)} {endpoint(gone.peer)}"
        raise SourceUnavailable(name, f"the socket is gone (inode {cell(gone.inode)})") from None
    rows = facts(seen.layers, seen.seen.options, seen.levels, seen.paths, before, seen.egress)
    answer = explain(
        seen.layers,
        seen.findings,
        seen.far,
        seen.far_gaps,
        seen.egress,
        seen.states,
        judged=seen.judged,
        placed=this.args[options.NETNS] is not None,
    )
    columns, chosen = this.columns(Fact, ("layer", "name", "value", "unit", "was", "source"))
    table = this.table(columns, this.ordered(rows, Fact), chosen=chosen)
    keys: dict[str, object] = {
        "target": target.text,
        # Of the others, only what the search read is known.
        "matches": [seen.seen.socket, *(plain(one, None, PARTS) for one in beside)],
        "answer": answer,
        "far_ends": seen.far,
        "layers": seen.layers,
        "paths": seen.paths,
        "findings": seen.findings,
    }
    if not this.args[NO_STEAL_FD]:
        keys["getsockopt"] = seen.seen.options
    if seen.egress is not None:
        keys["egress"] = seen.egress
    at = "" if this.args[FOLLOW] is None else time.strftime("%H:%M:%S", time.localtime(survey.started))
    lines = (
        None
        if chosen
        else lambda style: inspect_lines(
            seen.layers,
            rows,
            seen.paths,
            style,
            answer=answer,
            beside=beside,
            findings=seen.findings,
            at=at,
            egress=seen.egress,
        )
    )
    document = Document(COMMAND.name, survey.provenance, table=table, table_key="facts", keys=keys, lines=lines)
    status = this.finish(document, seen.findings, warn=first, pages=this.args[FOLLOW] is None)
    return status, known(rows), seen.counters


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.model.finding import Finding
    from sockdiag.model.inspection import Egress, Explanation, Fact, FarEnd, Layers, Paths
    from sockdiag.model.socket import Socket

    return {
        "target": "str",
        "matches*": [Socket],
        "answer?": Explanation,
        "far_ends?": [FarEnd],
        "layers?": Layers,
        "getsockopt?": "dict[str, int | str | tuple[int, ...] | None] | None",
        "paths?": Paths,
        "findings?": [Finding],
        "egress?": Egress,
        "facts?*": [Fact],
    }


COMMAND = Command(
    run,
    name="inspect",
    help=(
        "First shows what the socket is, who holds it, what it waits for, what is wrong, and its other end, also if that is in "
        "another network namespace of this host; then its layers: the file descriptor, struct file, struct socket, struct sock "
        "and struct proto. For a connection to another host, EGRESS shows how its packets leave: route, MTU, device, queueing discipline and neighbour.\n\n"
        "TARGET is PID/FD, inode:N, cookie:HEX (sk: of ss -e), :PORT, ADDR:PORT, both ends (two arguments, or "
        "A:P-B:Q), @ABSTRACT or the path of a unix socket. Of several sockets on a port, the fullest listener is shown and the "
        "others are counted; several without a listener are listed.\n\n"
        "If its process may be traced, getsockopt(2) is called on a copy of the descriptor (pidfd_getfd). The process "
        "does not notice, and no option is read that would reset a counter; --no-steal-fd skips this."
    ),
    arguments=(TARGET, PEER),
    options=(NO_STEAL_FD, FOLLOW, COUNT, *options.JUDGING_LEVELS, *options.COMMON),
    examples=(
        ("inspect :22", "the socket on port 22, or a list of them"),
        ("inspect 1234/7 --follow 1", "descriptor 7 of process 1234, every second"),
        ("inspect 192.0.2.1:40000 198.51.100.7:443 --json", "a connection, as JSON"),
    ),
    all_namespaces=True,
    document=document,
)
