"""The inspect screen: the layers of one socket, and the TCP state machine with the present state marked."""

from __future__ import annotations

from sockdiag.kernel.families import OTHER_TABLES
from sockdiag.kernel.tcp_states import STATE_NAMES
from sockdiag.render.cells import cell, endpoint, process_cell, state_word
from sockdiag.render.egress_text import egress_lines
from sockdiag.render.escape import printable, width
from sockdiag.render.findings_text import finding_line
from sockdiag.render.inspect_answer import explanation_lines
from sockdiag.render.suspects import Whereabouts
from sockdiag.render.wrap import wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sockdiag.model.finding import Finding
    from sockdiag.model.inspection import Egress, Explanation, Fact, Layers, Paths, SockLayer
    from sockdiag.model.process import Ancestor, Process
    from sockdiag.model.provenance import Gap
    from sockdiag.model.socket import Socket
    from sockdiag.render.document import Style


# Every state is between two spaces, which become brackets around the present one.
_DRAWING = (
    "      +------------------- CLOSE -------------------+",
    "      | listen(2)                                   | connect(2)",
    "      v                                             v",
    "   LISTEN  -- SYN -->  SYN_RECV  <----- SYN -----  SYN_SENT ",
    "                           | ACK                    | SYN+ACK",
    "                           +-----> ESTABLISHED  <---+",
    "                         close(2) |             | FIN",
    "                                  v             v",
    "      +-- FIN --  FIN_WAIT1  <----+          CLOSE_WAIT ",
    "      |             | ACK  | FIN+ACK            | close(2)",
    "      v             v      |                    v",
    "   CLOSING     FIN_WAIT2   |                 LAST_ACK ",
    "      | ACK         | FIN  v                    | ACK",
    "      +------->  TIME_WAIT                      v",
    "                    +--------- 60 s ---->  CLOSE ",
)


def state_machine(state: str, style: Style) -> Iterator[str]:
    """Yield the lines of the diagram, with the present state in brackets."""
    marked = f"[{state}]"
    for line in _DRAWING:
        text = line.replace(f" {state} ", marked).rstrip()
        yield text.replace(marked, style.paint(marked, "1;32")) + "\n"


_BOLD, _DIM, _MOVED = "1", "2", "1;33"
_VALUE_SPACE = 34
_LISTENERS = 10
_NO_LIMIT = 1 << 30
_COMMAND_SPACE = 200

# Groups of the sock section: heading, and the prefixes of their members' names.
_SOCK_GROUPS = (
    (
        "identity",
        ("netid", "family", "protocol", "local", "peer", "uid", "cookie", "mark", "cgroup", "netns", "source", "proc"),
    ),
    ("queues", ("recv_q", "send_q", "backlog_limit", "drops_mean", "shutdown")),
    ("buffers", ("rcvbuf", "sndbuf")),
    ("memory", ("skmem",)),
    ("timer", ("timer",)),
    ("options", ("inet", *OTHER_TABLES)),
    ("connection", ("mptcp_info", "sctp_info", "subflows")),
)
_NOT_IN_GROUPS = ("next_states", "tcp.", "tcp_info", "note", "state", "type", "inode")


def inspect_lines(
    layers: Layers,
    facts: list[Fact],
    paths: Paths,
    style: Style,
    *,
    answer: Explanation,
    beside: Sequence[Socket] = (),
    findings: Iterable[Finding] = (),
    at: str = "",
    egress: Egress | None = None,
) -> Iterator[str]:
    """Yield the lines of the screen.

    Args:
        layers: the layers.
        facts: the known facts, with changes marked.
        paths: how the socket is created and fed.
        style: width and colours.
        answer: the socket explained in five sentences.
        beside: other sockets that the target matched.
        findings: findings about the socket.
        at: time of the sample, with --follow.
        egress: how its packets leave this host; None if they do not.
    """
    socket = layers.sock.socket
    head = f"{socket.netid} {state_word(socket.state)} {endpoint(socket.local)} {endpoint(socket.peer)}"
    yield style.paint(head, _BOLD) + (f"  {at}" if at else "") + "\n"
    yield from _answer(answer, style)
    yield from _beside(beside, style)
    for finding in findings:
        yield finding_line(finding, style, Whereabouts())
    yield from _section("FD", layers.fd.note, "fd", facts, layers.fd.lacks, style)
    if layers.fd.process is not None:
        yield from process_lines(layers.fd.process)
    yield from _section("STRUCT FILE", layers.file.note, "file", facts, layers.file.lacks, style)
    yield from _section("STRUCT SOCKET", layers.socket.note, "socket", facts, layers.socket.lacks, style)
    yield from _sock(layers.sock, facts, style)
    yield from _section("STRUCT PROTO", layers.proto.note, "proto", facts, layers.proto.lacks, style)
    yield from _section("GETSOCKOPT", "", "getsockopt", facts, (), style)
    yield from _paths(paths, style)
    if egress is not None:
        yield _title("EGRESS", style)
        yield from _notes(egress.note, egress.lacks, style)
        yield from egress_lines(
            egress, {fact.name for fact in facts if fact.layer == "egress" and fact.was is not None}, style
        )


def _answer(answer: Explanation, style: Style) -> Iterator[str]:
    parts = explanation_lines(answer)
    space = max(len(title) for title, _text in parts)
    for title, text in parts:
        lead = f"{title:<{space}}  "
        for number, line in enumerate(wrapped(lead + text, style.width or _NO_LIMIT, "", " " * len(lead))):
            yield (style.paint(line[:space], _DIM) + line[space:] if number == 0 else line) + "\n"


def _beside(beside: Sequence[Socket], style: Style) -> Iterator[str]:
    """Yield the other listeners that the target matched, and count the rest by state."""
    if not beside:
        return
    yield _title("ALSO MATCHED", style)
    counts: dict[str, int] = {}
    shown = 0
    for socket in beside:
        if socket.state == "LISTEN" or (socket.is_inet and not socket.peer.port):
            shown += 1
            if shown <= _LISTENERS:
                place = "" if socket.netns is None else f"  netns {printable(socket.netns)}"
                queue = ""
                if socket.recv_q_unit == "connections" and socket.recv_q is not None and socket.send_q is not None:
                    queue = f"  {socket.recv_q} waiting, room for {socket.send_q + 1}"
                yield f"  {socket.netid} {cell(socket.state)} {endpoint(socket.local)}{queue}  inode:{cell(socket.inode)}{place}\n"
        else:
            name = f"{socket.netid} {cell(socket.state)}"
            counts[name] = counts.get(name, 0) + 1
    if shown > _LISTENERS:
        yield f"  and {shown - _LISTENERS} more listeners\n"
    if counts:
        text = ", ".join(f"{name} {number}" for name, number in sorted(counts.items(), key=lambda item: -item[1]))
        yield f"  connections: {text}\n"


def _title(title: str, style: Style) -> str:
    return "\n" + style.paint(title, _BOLD) + "\n"


def _section(
    title: str, note: str, layer: str, facts: Iterable[Fact], lacks: Iterable[Gap], style: Style
) -> Iterator[str]:
    rows = [
        fact for fact in facts if fact.layer == layer and fact.name != "note" and not fact.name.startswith("process.")
    ]
    lacks = tuple(lacks)
    if not (rows or note or lacks):
        return
    yield _title(title, style)
    yield from _notes(note, lacks, style)
    yield from _rows(rows, style)


def _notes(note: str, lacks: Iterable[Gap], style: Style) -> Iterator[str]:
    if note:
        yield f"  {printable(note)}\n"
    for gap in lacks:
        hint = f" ({gap.hint})" if gap.hint else ""
        yield (
            style.paint(f"  could not read {printable(gap.source)}: {printable(gap.reason)}{printable(hint)}", _DIM)
            + "\n"
        )


def _rows(rows: list[Fact], style: Style, prefix: str = "") -> Iterator[str]:
    space = max((len(row.name.removeprefix(prefix)) for row in rows), default=0)
    for row in rows:
        value = _value(row)
        text = f"  {row.name.removeprefix(prefix):<{space}}  {value}"
        if row.was is not None:
            text = style.paint(f"* {text[2:]} (was {_shown(row.was, '')})", _MOVED)
        source = "" if row.source in ("", "derived") else printable(row.source)
        if not source:
            source = "derived" if row.source else ""
        blanks = " " * max(2, space + 4 + _VALUE_SPACE - width(f"  {row.name.removeprefix(prefix):<{space}}  {value}"))
        # A sentence derived from other lines needs no source.
        with_source = source and (source != "derived" or len(value) <= _VALUE_SPACE)
        yield text + (blanks + style.paint(source, _DIM) if with_source else "") + "\n"


def _value(row: Fact) -> str:
    return _shown(row.value, row.unit)


def _shown(value: object, unit: str) -> str:
    text = cell(value)
    return f"{text} {unit}" if unit and unit not in ("count", "ratio") and isinstance(value, (int, float)) else text


def _sock(layer: SockLayer, facts: list[Fact], style: Style) -> Iterator[str]:
    rows = [fact for fact in facts if fact.layer == "sock"]
    yield _title("STRUCT SOCK", style)
    yield from _notes(layer.note, layer.lacks, style)
    state = layer.socket.state or ""
    if layer.socket.netid in ("tcp", "mptcp") and state in STATE_NAMES:
        yield from state_machine(state, style)
    yield f"  state {style.paint(cell(state or None), _BOLD)}\n"
    for way in layer.next_states:
        yield f"    -> {way.state}: {way.by}\n"
    for heading, leads in _SOCK_GROUPS:
        mine = [r for r in rows if r.name.startswith(leads) and not r.name.startswith(_NOT_IN_GROUPS)]
        if mine:
            yield f"  {style.paint(heading, _BOLD)}\n"
            yield from ("  " + line for line in _rows(mine, style))
    names = {row.name.removeprefix("tcp_info."): row for row in rows if row.name.startswith("tcp_info.")}
    names.pop("state", None)  # the same as the row's
    for topic in layer.tcp:
        yield f"  {style.paint('tcp_info: ' + topic.name.replace('_', ' '), _BOLD)}  {topic.summary}\n"
        mine = [names.pop(name) for name in topic.members if name in names]
        yield from ("  " + line for line in _rows(mine, style, "tcp_info."))
    if names:
        yield f"  {style.paint('tcp_info', _BOLD)}\n"
        yield from ("  " + line for line in _rows(list(names.values()), style, "tcp_info."))


def _paths(paths: Paths, style: Style) -> Iterator[str]:
    if paths.create is None and not paths.receive:
        return
    yield _title("PATH", style)
    if paths.create is not None:
        yield f"  made by  {paths.create}\n"
    for i, station in enumerate(paths.receive):
        yield f"  {'fed by' if i == 0 else '':<7}  {station.where}\n"
        lost = []
        for counter in station.counters:
            moved = style.paint(f" (+{counter.change})", _MOVED) if counter.change else ""
            whose = " (host)" if counter.scope == "host" else ""
            if counter.total is not None:
                lost.append(f"{counter.name} {counter.total}{whose}{moved}")
        if lost:
            yield f"             {', '.join(lost)}\n"


def ancestor(one: Ancestor) -> str:
    """Name a parent; by its number alone if its name is unknown."""
    return str(one.pid) if one.comm is None else process_cell(one.comm, one.pid)


def command_text(command: bytes) -> str:
    """Write the beginning of a command line."""
    text = printable(command)
    return text if len(text) <= _COMMAND_SPACE else text[: _COMMAND_SPACE - 1] + "…"


def process_lines(process: Process) -> Iterator[str]:
    """Yield the command line of a process, and its other details."""
    if process.command:
        yield f"  command   {command_text(process.command)}\n"
    said = [] if process.state is None else [process.state]
    if process.started is not None:
        said.append(f"started {process.started}")
    if process.user is not None:
        said.append(f"real user {printable(process.user)}")
    if process.ancestors:
        said.append("parents " + " < ".join(ancestor(one) for one in process.ancestors))
    if said:
        yield f"  process   {', '.join(said)}\n"
