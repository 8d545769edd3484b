"""`sockdiag kill`: close sockets, those that were shown and no others."""

from __future__ import annotations

import os

from sockdiag.cli import exit as status
from sockdiag.cli import options
from sockdiag.cli.spec import Command, argument, flag, required

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from sockdiag.analysis.inspect_target import Target
    from sockdiag.cli.env import Env
    from sockdiag.cli.invocation import Invocation
    from sockdiag.cli.spec import Args, Keys
    from sockdiag.survey.kill import Candidate

WHAT = required("what", "A filter, as for --where, or a target, as for inspect.", metavar="FILTER|TARGET")
PEER = argument("peer", "The remote end of a connection, if the target is its local end.")
YES = flag("yes", "Close the sockets without asking.", short="-y")
DRY_RUN = flag("dry_run", "Show what would be closed, and close nothing.")
FORCE = flag("force", "Also close the connection that this command runs through.")

_COLUMNS = ("outcome", "netid", "state", "local", "peer", "processes")
# Sockets that the line in the system log names.
_LOGGED = 8


def run(env: Env, args: Args) -> int:
    """Show the sockets, ask, close them, and report what became of each."""
    from sockdiag.cli.invocation import Invocation
    from sockdiag.errors import UsageError
    from sockdiag.model.kill import DONE, WOULD_CLOSE
    from sockdiag.survey.kill import check_permission, chosen, close_all

    this = Invocation(env, args)
    renderer = this.renderer
    sure = args[YES] or args[DRY_RUN]
    if not sure and renderer is not options.SCREEN:
        raise UsageError(f"{_flag(this)} needs --yes or --dry-run, because the question is for people")
    target = _target(args[WHAT], args[PEER])
    where = None if target else this.survey.compiled(args[WHAT])
    if where is not None and where.tree is None:
        raise UsageError("an empty filter would close every socket; to choose them all, say so: 'state all'")
    found = chosen(this.survey, where, target, force=args[FORCE])
    willing = [one for one in found if one.outcome == WOULD_CLOSE]
    if args[DRY_RUN]:
        shown = _show(this, found)
        _explain(this, found)
        return shown or (status.OK if willing else status.FAILED)
    if willing:
        check_permission(this.survey, {one.socket.netid for one in willing})
    if not willing or not (args[YES] or _agreed(this, found, willing)):
        shown = _show(this, found) if args[YES] or not willing else status.OK
        _explain(this, found)
        return shown or status.FAILED
    close_all(this.survey, willing)
    _log(this, willing)
    shown = _show(this, found)
    _explain(this, found)
    closed = sum(one.outcome in DONE for one in found)
    return shown or (status.OK if closed == len(found) else status.PARTIAL if closed else status.FAILED)


def _target(text: str, peer: str | None) -> Target | None:
    """Return the target that a text is; None for a filter."""
    from sockdiag.analysis.inspect_target import UNIX, parse_target
    from sockdiag.errors import UsageError

    try:
        target = parse_target(text, peer)
    except UsageError:
        if peer is None and not text.startswith(("inode:", "ino:", "cookie:", "sk:")):
            return None
        raise
    # A slash is also part of filters: 'process ~ */nginx'.
    return None if target.kind == UNIX and not text.startswith(("/", "@", "unix:")) else target


def _flag(this: Invocation) -> str:
    option = this.renderer.option
    return option.flags[0] if option is not None else ""


def _agreed(this: Invocation, found: Sequence[Candidate], willing: Sequence[Candidate]) -> bool:
    """Show the sockets and ask; without an answer, such as at the end of a pipe, it is no."""
    from sockdiag.model.quantity import counted

    _show(this, found)
    _explain(this, found)
    _ask(this.env.err, f"Close {counted(len(willing), 'socket')}? [y/N] ")
    answer = _line(0)
    if not answer.endswith(b"\n"):
        _ask(this.env.err, "\n")
    if answer.strip().lower() in (b"y", b"yes"):
        return True
    this.env.warn("nothing was closed" + ("" if answer else "; --yes closes without asking"))
    return False


def _ask(fd: int, text: str) -> None:
    try:
        os.write(fd, text.encode())
    except OSError:
        return


def _line(fd: int) -> bytes:
    # Byte by byte: what follows the line is for whoever reads the stream next.
    line = b""
    while not line.endswith(b"\n") and len(line) < 64:
        try:
            byte = os.read(fd, 1)
        except OSError:
            break
        if not byte:
            break
        line += byte
    return line


def _show(this: Invocation, found: Sequence[Candidate]) -> int:
    from sockdiag.model.kill import DONE, KilledSocket
    from sockdiag.render.document import Document

    columns, chosen = this.columns(KilledSocket, _COLUMNS)
    rows = [one.row for one in found]
    table = this.table(columns, this.ordered(rows, KilledSocket), chosen=chosen)
    if this.renderer is options.SCREEN and not found:
        return status.OK
    document = Document(
        COMMAND.name,
        this.survey.provenance,
        table=table,
        table_key="sockets",
        keys={"dry_run": this.args[DRY_RUN], "closed": sum(row.outcome in DONE for row in rows)},
    )
    return this.show(document, answered=True, pages=False)


def _explain(this: Invocation, found: Sequence[Candidate]) -> None:
    """Report on standard error what was not closed, and why, once per reason."""
    from sockdiag.model.kill import GONE
    from sockdiag.model.quantity import counted

    if not found:
        this.env.warn("no socket matches, so nothing was closed")
    reasons: dict[str, int] = {}
    for one in found:
        reason = "ended before they could be closed" if one.outcome == GONE else one.reason
        if reason:
            reasons[reason] = reasons.get(reason, 0) + 1
    for reason, number in reasons.items():
        forced = " (--force closes it)" if reason.startswith("this command runs through it") else ""
        this.env.warn(f"{counted(number, 'socket')} not closed: {reason}{forced}")


def _log(this: Invocation, willing: Sequence[Candidate]) -> None:
    from sockdiag.model.kill import DONE
    from sockdiag.model.quantity import counted
    from sockdiag.render.cells import cell, endpoint
    from sockdiag.render.escape import printable
    from sockdiag.sources.system.audit import write_audit_line

    closed = [one for one in willing if one.outcome in DONE]
    named = []
    for one in (closed or willing)[:_LOGGED]:
        row = one.row
        owners = ",".join(f"{cell(owner.comm)}({owner.pid})" for owner in (row.processes or ())[:1])
        named.append(f"{row.netid} {endpoint(row.local)} {endpoint(row.peer)} {row.state or '-'} {owners}".rstrip())
    more = len(closed or willing) - len(named)
    rest = f" and {more} more" if more else ""
    netns = f" in network namespace {this.args[options.NETNS]}" if this.args[options.NETNS] else ""
    text = f"closed {len(closed)} of {counted(len(willing), 'socket')}{netns} by kill {this.args[WHAT]}: {'; '.join(named)}{rest}"
    write_audit_line(this.survey.system.files, printable(text))


def document() -> Keys:
    """Name the document's own keys."""
    from sockdiag.model.kill import KilledSocket

    return {"dry_run": "bool", "closed": "int", "sockets*": [KilledSocket]}


COMMAND = Command(
    run,
    name="kill",
    help=(
        "Shows the sockets with their owners and asks before it closes them. Exactly the sockets that were shown are closed: "
        "the kernel compares the cookie of each, so a new connection that has taken over the addresses of one survives. The "
        "processes keep running; what they do next with such a socket fails with ECONNABORTED.\n\n"
        "Sockets of tcp, udp, udplite and raw can be closed, in every state: a listener stops listening, a connection is reset, "
        "a UDP socket is disconnected and stays bound (outcome 'aborted').\n\n"
        "A target is PID/FD, inode:N, cookie:HEX, :PORT, ADDR:PORT or both ends (two arguments); anything else is a filter. An empty "
        "filter is refused. The connection that this command runs through (SSH_CONNECTION, the standard streams, or the login "
        "server that holds this terminal) is left open unless you give --force.\n\n"
        "It needs CAP_NET_ADMIN. One line about what was closed, and by whom, goes to the system log (authpriv)."
    ),
    arguments=(WHAT, PEER),
    options=(
        YES,
        DRY_RUN,
        FORCE,
        options.NETID,
        *options.FORMATS,
        options.COLUMNS,
        options.NO_HEADER,
        options.SORT,
        options.NETNS,
        options.MODULES,
        options.NUMERIC,
        options.COLOR,
    ),
    examples=(
        ("kill 'state = close-wait and process = java'", "the connections that a process has left open"),
        ("kill --dry-run 'dst = 192.0.2.0/24'", "what would be closed"),
        ("kill --yes 192.0.2.1:40000 198.51.100.7:443", "one connection, without asking"),
    ),
    document=document,
    statuses={
        status.OK: "Every socket that matches was closed; with --dry-run, at least one would be.",
        status.FAILED: "None was closed: none matches, you did not agree, or the kernel refused.",
        status.USAGE: "Wrong usage: an empty filter, an unknown option, a filter that does not parse.",
        status.PARTIAL: "Some were closed, others not.",
        status.INTERRUPTED: "Interrupted.",
        status.PIPE_CLOSED: "The reader closed the pipe.",
    },
)
