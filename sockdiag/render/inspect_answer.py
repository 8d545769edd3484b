"""Say in five sentences what a socket is, whose, what it waits for, what is wrong, and where its other end is."""

from __future__ import annotations

from sockdiag.kernel.task_states import DISK_SLEEP, HALTED, ZOMBIE
from sockdiag.model.address import same_end
from sockdiag.model.finding import INFO, NOT_WRONG
from sockdiag.model.inspection import Explanation
from sockdiag.model.quantity import counted, duration, size
from sockdiag.render.cells import descriptor_cell, endpoint, membership, process_cell
from sockdiag.render.escape import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sockdiag.model.finding import Finding
    from sockdiag.model.inspection import Egress, FarEnd, FdLayer, Layers
    from sockdiag.model.provenance import Gap
    from sockdiag.model.socket import Owner, Socket, Timer

_NAMED = 3
# Words for the functions that servers sleep in.
_WAITS = {
    "do_epoll_wait": "epoll_wait(2)",
    "ep_poll": "epoll_wait(2)",
    "do_sys_poll": "poll(2)",
    "poll_schedule_timeout": "poll(2) or select(2)",
    "do_select": "select(2)",
    "inet_csk_accept": "accept(2)",
    "unix_stream_read_generic": "read(2) of a unix socket",
    "unix_wait_for_peer": "a send(2) to a unix socket that is full",
    "sk_wait_data": "recv(2)",
    "sk_stream_wait_memory": "send(2): the send buffer is full",
    "__skb_wait_for_more_packets": "recv(2)",
    "sock_alloc_send_pskb": "send(2): the send buffer is full",
    "futex_wait_queue": "a lock",
    "futex_wait_queue_me": "a lock",
    "__futex_wait": "a lock",
    "hrtimer_nanosleep": "sleep(3)",
    "do_wait": "wait(2) for a child",
    "do_signal_stop": "",
    "pipe_read": "read(2) of a pipe",
    "sigtimedwait": "a signal",
}
_TITLES = (
    ("What it is", "what"),
    ("Whose it is", "held_by"),
    ("Waiting for", "waits_for"),
    ("What is wrong", "problem"),
    ("Other end", "other_end"),
)


def explain(
    layers: Layers,
    findings: Sequence[Finding],
    far: Sequence[FarEnd],
    far_gaps: Sequence[Gap],
    egress: Egress | None,
    states: Mapping[int, str],
    *,
    judged: bool,
    placed: bool,
) -> Explanation:
    """Explain a socket.

    Args:
        layers: its layers.
        findings: what rules found about it, worst first.
        far: sockets that can be its other end, on this host.
        far_gaps: why there may be more.
        egress: how its packets leave this host; None if they do not.
        states: states of the processes that hold it, by pid.
        judged: there are rules for such a socket.
        placed: say which network namespace it is in.
    """
    socket = layers.sock.socket
    return Explanation(
        _what(socket) + (f", in network namespace {printable(socket.netns)}" if placed and socket.netns else ""),
        _whose(layers.fd, states),
        _waits(layers),
        _problem(findings, layers, states, judged=judged),
        _other_end(socket, far, far_gaps, egress),
    )


def explanation_lines(answer: Explanation) -> list[tuple[str, str]]:
    """Return title and sentence of each part."""
    return [(title, getattr(answer, name)) for title, name in _TITLES]


def _what(socket: Socket) -> str:
    kind = socket.netid
    if socket.netid == "unix":
        kind = f"unix {(socket.type or '').removeprefix('SOCK_').lower()}".strip()
    local, peer = endpoint(socket.local), endpoint(socket.peer)
    name = "" if local == "-" else f" {local}"
    if socket.state == "LISTEN":
        return f"{kind} listener on{name or ' no address'}"
    if socket.state == "TIME_WAIT":
        return f"remains of a {kind} connection from {local} to {peer}, closed by both ends"
    if socket.netid == "unix" and socket.unix is not None and socket.unix.peer_inode is not None:
        return f"{kind} connection{f', bound to{name}' if name else ''}"
    if socket.is_inet and socket.peer.port:
        what = "connection" if socket.netid not in ("udp", "udplite") else "socket, connected"
        return f"{kind} {what} from {local} to {peer}, {socket.state}"
    if socket.is_inet and socket.local.port:
        if socket.netid in ("tcp", "mptcp"):
            return f"{kind} socket, bound to{name}, neither listening nor connected"
        return f"{kind} socket on{name}, open to every sender"
    return f"{kind} socket{name}{'' if peer == '-' else f', peer {peer}'}"


def _whose(fd: FdLayer, states: Mapping[int, str]) -> str:
    if fd.pid is None:
        return printable(fd.note) or "unknown"
    said = [f"{process_cell(fd.comm, fd.pid)}{descriptor_cell(fd.fd, ', descriptor ')}"]
    if fd.process is not None and fd.process.state is not None:
        said.append(fd.process.state)
    said += membership(fd)
    others = list(dict.fromkeys(_with_state(o, states) for o in fd.others or () if o.pid != fd.pid))
    if others:
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        said.append(f"shared with {', '.join(others[:_NAMED])}{more}")
    return ", ".join(said)


def _waits(layers: Layers) -> str:
    found = _socket_waits(layers.sock.socket)
    process = layers.fd.process
    if process is None:
        return found
    if process.state in HALTED:
        return f"{found}; its process is {process.state} and does nothing until it is resumed"
    if process.state == DISK_SLEEP:
        return f"{found}; its process is in uninterruptible sleep{_in(process.waits_in)}"
    if process.state == ZOMBIE:
        return f"{found}; the main thread of its process has ended"
    call = _WAITS.get(process.waits_in or "", "")
    watched = layers.fd.watchers
    if call:
        return f"{found}; its process waits in {call}"
    return f"{found}; its process watches it by epoll" if watched else found


def _in(function: str | None) -> str:
    return f" in {printable(function)}()" if function else ""


def _socket_waits(socket: Socket) -> str:
    state, received, sent = socket.state, socket.recv_q, socket.send_q
    if state == "LISTEN":
        if socket.recv_q_unit != "connections" or received is None:
            return "clients"
        if not received:
            return "clients: none waits for accept(2)"
        room = "" if sent is None else f", room for {sent + 1}"
        return f"its process to accept(2): {counted(received, 'connection')} waiting{room}"
    ending = _ENDINGS.get(state or "")
    if ending is not None and socket.netid in ("tcp", "mptcp"):
        left = socket.timer.expires_ms if socket.timer is not None else None
        return ending.format(left="" if left is None else f" ({duration(left / 1000)} left)") + _again(socket.timer)
    said = []
    if received:
        said.append(f"its process to read {size(received)}")
    if sent and socket.netid in ("tcp", "mptcp"):
        if socket.timer is not None and socket.timer.name == "persist":
            said.append(f"its peer to open the receive window: {size(sent)} to send{_again(socket.timer)}")
        else:
            said.append(f"its peer to acknowledge {size(sent)}{_again(socket.timer)}")
    elif sent:
        said.append(f"{size(sent)} to be taken by the other end")
    if said:
        return " and ".join(said)
    if received is None and sent is None:
        return "unknown: its queues cannot be read"
    return "data: both queues are empty" if sent is not None else "data: its receive queue is empty"


_ENDINGS = {
    "SYN_SENT": "an answer to its SYN",
    "SYN_RECV": "the last packet of the handshake (ACK) from the client",
    "FIN_WAIT1": "its peer to acknowledge the FIN",
    "FIN_WAIT2": "its peer to close{left}",
    "CLOSING": "its peer to acknowledge the FIN",
    "LAST_ACK": "its peer to acknowledge the FIN",
    "CLOSE_WAIT": "its process to close it: the peer has closed",
    "TIME_WAIT": "the end of TIME_WAIT{left}",
}


def _again(timer: Timer | None) -> str:
    if timer is None or not timer.retransmits:
        return ""
    verb = "probed" if timer.name in ("persist", "keepalive") else "sent again"
    left = "" if timer.expires_ms is None else f", next in {duration(timer.expires_ms / 1000)}"
    return f"; {verb} {counted(timer.retransmits, 'time')} without an answer{left}"


def _with_state(owner: Owner, states: Mapping[int, str]) -> str:
    state = states.get(owner.pid)
    return process_cell(owner.comm, owner.pid) + (f" {state}" if state in HALTED else "")


def _halted(fd: FdLayer, states: Mapping[int, str]) -> str:
    """Say which of the processes that hold it are stopped or frozen; "" if none is."""
    known = {owner.pid: owner.comm for owner in fd.others or ()}
    if fd.pid is not None:
        known = {fd.pid: fd.comm, **known}
    halted = [f"{process_cell(comm, pid)} is {states[pid]}" for pid, comm in known.items() if states.get(pid) in HALTED]
    if not halted:
        return ""
    rest = len(known) - len(halted)
    text = ", ".join(halted[:_NAMED]) + (f" and {len(halted) - _NAMED} more" if len(halted) > _NAMED else "")
    return f"{text}: " + ("the others may go on" if rest else "nothing that arrives is read")


def _problem(findings: Sequence[Finding], layers: Layers, states: Mapping[int, str], *, judged: bool) -> str:
    halted = _halted(layers.fd, states)
    if findings:
        worst = findings[0]
        more = f" (and {len(findings) - 1} more below)" if len(findings) > 1 else ""
        lead = "" if worst.severity == INFO else f"{worst.severity}, "
        verdict = "note" if worst.verdict in NOT_WRONG else worst.verdict.replace("_", " ")
        text = f"{lead}{verdict}: {printable(worst.summary)}{more}"
        return f"{text}; {f'{halted}; ' if halted else ''}sockdiag rules {worst.code}"
    if halted:
        return halted
    if not judged:
        return "unknown: there are no rules for such a socket"
    return "nothing in this single sample; sockdiag doctor takes two and also shows losses"


def _other_end(socket: Socket, far: Sequence[FarEnd], gaps: Sequence[Gap], egress: Egress | None) -> str:
    if far and socket.netid == "unix" and socket.unix is not None and socket.unix.peer_inode is None:
        senders = list(dict.fromkeys(_owners(one.processes) or "no visible process" for one in far))
        more = f" and {len(senders) - _NAMED} more" if len(senders) > _NAMED else ""
        return f"none of its own; connected to it: {'; '.join(senders[:_NAMED])}{more}"
    if far:
        text = " or ".join(_far(one, socket) for one in far[:_NAMED])
        return text if len(far) == 1 else f"on this host, in one of {len(far)} namespaces: {text}"
    if socket.state == "LISTEN":
        return "none: it listens"
    if socket.netid == "unix":
        return _no_unix_end(socket)
    if socket.netid == "netlink":
        return f"the kernel, NETLINK_{socket.protocol}" if not socket.peer.port else f"port id {socket.peer.port}"
    if not socket.is_inet or not socket.peer.port:
        return "none: it is not connected"
    if egress is None:
        return f"{endpoint(socket.peer)}, this host: no socket has that end any more"
    device = "" if egress.route is None or egress.route.device is None else f" by {printable(egress.route.device)}"
    lacking = ""
    if gaps:
        hint = f" ({printable(gaps[0].hint)})" if gaps[0].hint else ""
        lacking = f"; or on this host: {printable(gaps[0].reason)}{hint}"
    return f"{endpoint(socket.peer)}, another host{device}{_rtt(socket)}{lacking}"


def _rtt(socket: Socket) -> str:
    micro = None if socket.tcp_info is None else socket.tcp_info.rtt_us
    return f", round trip {duration(micro / 1e6)}" if micro else ""


def _far(one: FarEnd, socket: Socket) -> str:
    who = _owners(one.processes)
    if one.inode == 0 and one.state == "ESTABLISHED":
        who = f"not accepted yet by {who}" if who else "not accepted yet"
    elif not who:
        who = f"no visible process ({one.state})"
    name = endpoint(one.local)
    place = "" if one.netns in (None, socket.netns) else f", in network namespace {printable(str(one.netns))}"
    translated = ""
    if one.netid != "unix" and one.peer.port:
        if not same_end(one.local, socket.peer):
            translated = f", seen here as {endpoint(socket.peer)} (address translation)"
        elif not same_end(one.peer, socket.local):
            translated = f", which sees this end as {endpoint(one.peer)} (address translation)"
    return f"{who}{'' if name == '-' else f', {name}'}{place}{translated}"


def _owners(processes: tuple[Owner, ...] | None) -> str:
    found = [
        f"{process_cell(o.comm, o.pid)}{descriptor_cell(o.fd, ', descriptor ')}" for o in (processes or ())[:_NAMED]
    ]
    more = len(processes or ()) - _NAMED
    return " and ".join(found) + (f" and {more} more" if more > 0 else "")


def _no_unix_end(socket: Socket) -> str:
    attributes = socket.unix
    if attributes is not None and attributes.peer_inode == 0:
        return "not accepted yet: it waits in the listener's queue"
    if socket.source != "netlink":
        return "unknown: only netlink shows the peer of a unix socket"
    return "none: it is not connected"
