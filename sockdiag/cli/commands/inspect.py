"""`sockdiag inspect`: one socket through all its layers."""

from __future__ import annotations

import time

from sockdiag.cli import options
from sockdiag.cli.catalog import summary
from sockdiag.cli.spec import FLOAT, INT, Argument, Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.analysis.inspect_target import Target
    from sockdiag.cli.env import Env
    from sockdiag.cli.spec import Given
    from sockdiag.model.counters import Counters
    from sockdiag.model.socket import Socket
    from sockdiag.survey.session import Session

_COLUMNS = ("netid", "state", "local", "peer", "inode", "cookie", "processes")


def run(env: Env, given: Given) -> int:
    """Inspect a socket, or list those that the target may mean."""
    from sockdiag.analysis.inspect_target import parse_target
    from sockdiag.errors import UsageError

    if given.follow is not None and not 0 < given.follow <= 3600:
        raise UsageError("--follow takes more than 0 and at most 3600 seconds")
    if given.count is not None and (given.follow is None or given.count < 1):
        raise UsageError("--count takes a number of looks, with --follow")
    return _inspect(env, given, parse_target(given.target, given.peer))


def _inspect(env: Env, given: Given, target: Target) -> int:
    from sockdiag.errors import SourceUnavailable
    from sockdiag.survey.session import Session
    from sockdiag.survey.socket_readings import from_descriptor

    session = Session(env, given)
    inode = None
    if target.kind == "descriptor":
        from sockdiag.sources.process.fdinfo import socket_of

        assert target.pid is not None
        assert target.fd is not None
        inode = socket_of(session.system.files, target.pid, target.fd)
    found = _find(session, target, inode)
    if not found and inode is not None:
        elsewhere = _in_its_namespace(env, given, target, session)
        if elsewhere is not None:
            return elsewhere
        described = from_descriptor(session, target.pid or 0, target.fd or 0, inode)
        found = [described] if described is not None else []
    if not found:
        missing = f"; {len(session.gaps)} sources could not be read" if session.gaps else ""
        hint = "" if given.root or given.netns == "all" else "; --netns looks into another network namespace"
        raise SourceUnavailable(target.text, f"no such socket{missing}{hint}")
    if len(found) > 1:
        return _choices(session, target, found)
    if session.everywhere is not None and found[0].netns is not None:
        return _there(env, given, target, session.everywhere.path_of(found[0].netns))
    return _follow(env, given, target, found[0], session)


def _find(session: Session, target: Target, inode: int | None) -> list[Socket]:
    from sockdiag.analysis.inspect_target import matching

    query = session.query()._replace(tables=target.tables)
    found = matching(target, session.sockets(query), inode)
    # A subflow of MPTCP shares the file, and with it the inode, of its connection.
    connections = [s for s in found if s.netid == "mptcp"]
    return connections if inode is not None and connections else found


def _in_its_namespace(env: Env, given: Given, target: Target, session: Session) -> int | None:
    """Look again from the network namespace of the process; None where that is this one."""
    if given.netns is not None or not session.system.files.live:
        return None
    from sockdiag.errors import SourceError
    from sockdiag.sources.namespaces.netns import resolve

    try:
        path = resolve(str(target.pid))
        if session.system.files.inode(path) == session.netns.inode:
            return None
    except SourceError:
        return None
    return _there(env, given, target, path)


def _there(env: Env, given: Given, target: Target, path: str | None) -> int:
    """Look from the namespace at *path*, from this process's own where it is None."""
    from sockdiag.cli.main import guarded
    from sockdiag.cli.spec import Given as Values
    from sockdiag.sources.namespaces.netns import run_in

    there = Values({**vars(given), "netns": path})
    if path is None:
        return _inspect(env, there, target)
    return run_in(path, lambda: guarded(lambda: _inspect(env, there, target), env))


def _choices(session: Session, target: Target, found: list[Socket]) -> int:
    from sockdiag.model.socket import Socket
    from sockdiag.render.document import Document, Table
    from sockdiag.survey.session import choose_columns, ordered

    scan = session.owners().owners
    rows = [s._replace(processes=scan.get(s.inode) if s.inode else ()) for s in found]
    names = _COLUMNS if session.everywhere is None else ("netns", *_COLUMNS)
    columns, chosen = choose_columns(session, Socket, names)
    table = Table(columns, ordered(rows, session, Socket), chosen=chosen, header=not session.given.no_header)
    keys = {"target": target.text}
    session.env.warn(f"{target.text}: {len(found)} sockets match; name one as inode:N, cookie:HEX or PID/FD")
    return session.show(Document("inspect", session.seen, table=table, table_key="matches", keys=keys))


def _follow(env: Env, given: Given, target: Target, socket: Socket, session: Session) -> int:
    from sockdiag.survey.session import Session

    before: Any = None
    counters: Counters | None = None
    look = 0
    status = 0
    while True:
        look += 1
        status, before, counters = _look(session, target, socket, before, counters, first=look == 1)
        if given.follow is None or (given.count is not None and look >= given.count):
            return status
        time.sleep(given.follow)
        session = Session(env, given)


def _look(
    session: Session, target: Target, socket: Socket, before: Any, earlier: Counters | None, *, first: bool
) -> tuple[int, Any, Counters]:
    from sockdiag.analysis.inspect import layers, paths
    from sockdiag.kernel.sockopts import LEVEL_NAMES, SOCKOPTS
    from sockdiag.model.inspection import Fact
    from sockdiag.render.document import Document, Table
    from sockdiag.render.inspect_facts import facts, known
    from sockdiag.render.inspect_text import inspect_lines
    from sockdiag.sources.proc.mib import read_counters
    from sockdiag.survey.diagnose import about
    from sockdiag.survey.session import choose_columns, ordered
    from sockdiag.survey.socket_readings import gather

    given = session.given
    held = (target.pid, target.fd) if target.pid is not None and target.fd is not None else None
    seen = gather(session, socket, held, steal=not given.no_steal_fd)
    counters, gaps = read_counters(session.system.files)
    for gap in gaps:
        session.note(gap)
    stack, ways = layers(seen), paths(seen.socket, counters, earlier, listener=seen.listener)
    levels = {name: LEVEL_NAMES[level] for name, level, _number, _form, _whom in SOCKOPTS}
    rows = facts(stack, seen.options, levels, ways, before)
    columns, chosen = choose_columns(session, Fact, ("layer", "name", "value", "unit", "was", "source"))
    table = Table(columns, ordered(rows, session, Fact), chosen=chosen, header=not given.no_header)
    found = about(session, seen.socket)
    keys = {
        "target": target.text,
        "matches": [seen.socket],
        "layers": stack,
        "getsockopt": seen.options,
        "paths": ways,
        "findings": found,
    }
    at = "" if given.follow is None else time.strftime("%H:%M:%S", time.localtime(session.started))
    lines = None if chosen else lambda style: inspect_lines(stack, rows, ways, style, findings=found, at=at)
    document = Document("inspect", session.seen, table=table, table_key="facts", keys=keys, lines=lines)
    return session.show(document, warn=first), known(rows), counters


def document() -> dict[str, Any]:
    """Name the document's own keys."""
    from sockdiag.model.finding import Finding
    from sockdiag.model.inspection import Fact, Layers, Paths
    from sockdiag.model.socket import Socket

    return {
        "target": "str",
        "matches*": [Socket],
        "layers?": Layers,
        "getsockopt?": "dict[str, int | str | tuple[int, ...] | None] | None",
        "paths?": Paths,
        "findings?": [Finding],
        "facts?*": [Fact],
    }


COMMAND = Command(
    run,
    name="inspect",
    summary=summary("inspect"),
    help=(
        "The layers are the file descriptor, struct file, struct socket, struct sock and struct proto.\n\n"
        "TARGET is PID/FD, inode:N, cookie:HEX (sk: of ss -e), :PORT, ADDR:PORT, both ends (two arguments, or "
        "A:P-B:Q), @ABSTRACT or the path of a unix socket. Where several sockets match, they are listed.\n\n"
        "Of a process that may be traced, getsockopt(2) is asked through a copy of its descriptor (pidfd_getfd). The "
        "process notices nothing, and nothing is read that would reset a counter; --no-steal-fd leaves it out."
    ),
    arguments=(
        Argument("target", "The socket.", required=True, completion="sockets"),
        Argument("peer", "Its other end, where TARGET is its own."),
    ),
    options=(
        Option("no_steal_fd", "Do not copy the descriptor to ask getsockopt(2)."),
        Option("follow", "Look again every S seconds and mark what moved.", kind=FLOAT, metavar="S"),
        Option("count", "With --follow, end after N looks.", kind=INT, metavar="N"),
        *options.EVERYWHERE,
    ),
    examples=(
        ("inspect :22", "the socket on port 22, or a list of those"),
        ("inspect 1234/7 --follow 1", "descriptor 7 of process 1234, again and again"),
        ("inspect 192.0.2.1:40000 198.51.100.7:443 --json", "a connection, for a program"),
    ),
    everywhere=True,
    document=document,
)
