"""The layers, from what was read."""

from __future__ import annotations

import pytest

from sockdiag.analysis.inspect import SocketReadings, layers, paths
from sockdiag.analysis.tcp_topics import tcp_topics
from sockdiag.model.address import Endpoint
from sockdiag.model.counters import Counters
from sockdiag.model.fdinfo import FdInfo
from sockdiag.model.finding import INFO, NAMESPACE, OK, Finding, Subject
from sockdiag.model.inspection import FarEnd
from sockdiag.model.provenance import Gap
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Owner, Socket, Timer
from sockdiag.model.sysctl import Sysctls
from sockdiag.model.tcp_info import TcpInfo
from sockdiag.render.document import Style
from sockdiag.render.inspect_answer import explain
from sockdiag.render.inspect_facts import facts, known
from sockdiag.render.inspect_text import inspect_lines

NO_SYSCTLS = Sysctls({})
MEMORY = SkMem(0, 16384, 0, 4608, 0, 0, 0, 0, 0)


def tcp(state: str, inode: int | None = 7, **named: object) -> Socket:
    return Socket(
        "tcp",
        "AF_INET",
        "SOCK_STREAM",
        "TCP",
        state,
        Endpoint("127.0.0.1", 1),
        Endpoint("127.0.0.1", 2),
        inode=inode,
        **named,
    )


def test_backlog_limit_of_each_kernel() -> None:
    """Measured on 6.18: rcvbuf 16384 and sndbuf 4608 give 100608; before 6.10 it is the sum and 64 KiB."""
    seen = SocketReadings(tcp("ESTABLISHED", skmem=MEMORY), NO_SYSCTLS)
    assert layers(seen).sock.backlog_limit is None
    seen.kernel = (6, 18)
    assert layers(seen).sock.backlog_limit == 100608
    seen.kernel = (5, 10)
    assert layers(seen).sock.backlog_limit == 16384 + 4608 + 65536


@pytest.mark.parametrize(
    ("socket", "words"),
    [
        (tcp("TIME_WAIT", 0), "TIME_WAIT"),
        (tcp("SYN_RECV", 0), "SYN queue"),
        (tcp("ESTABLISHED", 0), "accept queue"),
        (tcp("FIN_WAIT2", 0, timer=Timer("timewait", 60000)), "tcp_fin_timeout"),
        (tcp("FIN_WAIT1", 0), "orphan"),
        (tcp("LAST_ACK", 0), "orphan"),
        (Socket("unix", "AF_UNIX", "SOCK_STREAM", inode=0), "not accepted"),
        (Socket("netlink", "AF_NETLINK", inode=0), "the kernel created it"),
    ],
)
def test_sockets_without_a_file(socket: Socket, words: str) -> None:
    """Why nobody holds it, and no struct socket."""
    stack = layers(SocketReadings(socket, NO_SYSCTLS))
    assert words in stack.fd.note
    assert words in stack.file.note
    assert (stack.fd.pid, stack.socket.state, stack.socket.ops) == (None, None, None)


def test_held_socket() -> None:
    """Flags of file and descriptor are told apart; the other holders are the others."""
    seen = SocketReadings(tcp("CLOSE_WAIT"), NO_SYSCTLS)
    me, other = Owner(5, b"a", 3), Owner(6, b"b", 3)
    seen.owner, seen.owners = me, (me, other)
    seen.fdinfo = FdInfo(0o2004002, 10, 7)
    seen.lack("sock", Gap("x", "y"))
    seen.lack("sock", Gap("x", "y"))
    stack = layers(seen)
    assert (stack.fd.close_on_exec, stack.fd.others) == (True, (other,))
    assert (stack.file.flags, stack.file.nonblocking) == (("O_RDWR", "O_NONBLOCK"), True)
    assert stack.socket.state == "SS_CONNECTED"
    assert next(way.state for way in stack.sock.next_states) == "LAST_ACK"
    assert "close(2)" in stack.sock.note
    assert stack.sock.lacks == (Gap("x", "y"),)


def test_nobody_visible_and_nobody() -> None:
    """Nobody is visible, or nobody has it: two things."""
    seen = SocketReadings(tcp("ESTABLISHED"), NO_SYSCTLS)
    assert "is visible" in layers(seen).fd.note
    seen.owners = ()
    assert "No process has" in layers(seen).fd.note
    seen.unseen = "processes of other users are hidden"
    assert layers(seen).fd.note == "Its process cannot be seen: processes of other users are hidden."


def test_counters_at_their_stations() -> None:
    """Rows of a table are added up; what the kernel lacks is unknown; two samples give a change."""
    before = Counters({"dev.lo.rx_drop": 1, "dev.eth0.rx_drop": 2, "TcpExt.TCPBacklogDrop": 5})
    after = Counters({"dev.lo.rx_drop": 1, "dev.eth0.rx_drop": 4, "TcpExt.TCPBacklogDrop": 5})
    found = {c.name: c for s in paths(tcp("ESTABLISHED"), after, before).receive for c in s.counters}
    assert (found["dev.*.rx_drop"].total, found["dev.*.rx_drop"].change) == (5, 2)
    assert (found["TcpExt.TCPBacklogDrop"].total, found["TcpExt.TCPBacklogDrop"].change) == (5, 0)
    assert found["TcpExt.RcvPruned"].total is None
    assert found["softnet_stat.*.dropped"].scope == "host"
    assert [c.total for s in paths(tcp("ESTABLISHED"), None).receive for c in s.counters if c.total is not None] == []


def test_topics_have_every_member_once() -> None:
    """Every member of tcp_info is in exactly one topic."""
    topics = tcp_topics(TcpInfo(), "ESTABLISHED")
    members = [name for topic in topics for name in topic.members]
    assert sorted(members) == sorted(field.name for field in TcpInfo.FIELDS)
    assert tcp_topics(TcpInfo(), "LISTEN") == ()
    assert tcp_topics(None, "ESTABLISHED") == ()


def test_topics_in_words() -> None:
    """A closed window, a limit by the peer, and a state of congestion that is new."""
    info = TcpInfo(snd_wnd_bytes=0, rwnd_limited_us=50, busy_time_us=100, ca_state=9, total_retrans=3, data_segs_out=9)
    words = {topic.name: topic.summary for topic in tcp_topics(info, "ESTABLISHED")}
    assert "window is closed" in words["flow_control"]
    assert "50% of the time" in words["flow_control"]
    assert "state 9" in words["loss"]
    assert "3 of 9 data segments" in words["loss"]
    assert words["path"] == "No round trip has been measured yet."


def test_a_note_is_called_a_note() -> None:
    """What is wrong is not "ok": the verdict of a note is left out."""
    stack = layers(SocketReadings(tcp("ESTABLISHED", recv_q=1, send_q=0, skmem=MEMORY), NO_SYSCTLS))
    note = Finding("CLOSE_WAIT_LEAK", INFO, Subject(NAMESPACE), "app(1) holds 35 connections", {}, verdict=OK)
    answer = explain(stack, (note,), (), (), None, {}, judged=True, placed=False)
    assert any("note: app(1) holds 35 connections; sockdiag rules CLOSE_WAIT_LEAK" in str(line) for line in answer)


def test_facts_and_what_moved() -> None:
    """A row a known thing with its place; the second look marks what is another value."""
    socket = tcp("ESTABLISHED", recv_q=1, send_q=0, skmem=MEMORY)
    stack = layers(SocketReadings(socket, NO_SYSCTLS))
    first = facts(stack, {"SO_RCVBUF": 16384}, {"SO_RCVBUF": "SOL_SOCKET"}, paths(socket, None))
    by_name = {(row.layer, row.name): row for row in first}
    assert by_name["sock", "recv_q"].source == "inet_diag_msg.idiag_rqueue"
    assert by_name["sock", "skmem.rcvbuf"].source == "INET_DIAG_SKMEMINFO[SK_MEMINFO_RCVBUF]"
    assert by_name["getsockopt", "SO_RCVBUF"].source == "getsockopt(SOL_SOCKET, SO_RCVBUF)"
    assert by_name["socket", "ops"].source == "derived"
    assert all(row.was is None for row in first)
    moved = layers(SocketReadings(socket._replace(recv_q=9), NO_SYSCTLS))
    second = facts(moved, None, {}, paths(socket, None), known(first))
    assert [(row.name, row.was, row.value) for row in second if row.was is not None] == [("recv_q", 1, 9)]
    answer = explain(moved, (), (), (), None, {}, judged=True, placed=False)
    text = "".join(inspect_lines(moved, second, paths(socket, None), Style(None, False), answer=answer))
    assert "(was 1)" in text
    assert "\x1b" not in text


@pytest.mark.parametrize(
    ("netid", "family", "source", "place"),
    [
        ("tcp", "AF_INET", "proc", "/proc/net/tcp: rx_queue"),
        ("unix", "AF_UNIX", "netlink", "UNIX_DIAG_RQLEN"),
        ("netlink", "AF_NETLINK", "netlink", "netlink:netlink_diag"),
        ("tcp", "AF_INET", "getsockopt", "getsockopt"),
    ],
)
def test_place_of_a_fact(netid: str, family: str, source: str, place: str) -> None:
    """Of the places of a field, the one that the row came from."""
    socket = Socket(netid, family, recv_q=1, inode=7, source=source)
    rows = facts(layers(SocketReadings(socket, NO_SYSCTLS)), None, {}, paths(socket, None))
    assert next(row.source for row in rows if row.name == "recv_q") == place


def test_names_cannot_write_to_the_terminal() -> None:
    """A process name with an escape sequence is shown escaped."""
    seen = SocketReadings(tcp("ESTABLISHED"), NO_SYSCTLS)
    seen.owner = Owner(5, b"\x1b[31mred", 3)
    seen.owners = (seen.owner, Owner(6, b"\x1b]0;x\x07", 4))
    stack = layers(seen)
    rows = facts(stack, {"TCP_CONGESTION": "\x1b[2J"}, {}, paths(seen.socket, None))
    far = FarEnd("unix", Endpoint(b"\x1b[2J"), Endpoint(), 9, "ESTABLISHED", seen.owners, "\x1b[m")
    answer = explain(stack, (), (far,), (Gap("\x1b", "\x1b"),), None, {6: "stopped"}, judged=True, placed=True)
    text = "".join(
        inspect_lines(stack, rows, paths(seen.socket, None), Style(None, False), answer=answer, beside=[seen.socket])
    )
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "is stopped" in text


def test_what_made_a_connection() -> None:
    """A socket on whose port another one listens was accepted; else it connected, or its listener is gone."""
    made = paths(tcp("ESTABLISHED"), None, listener=True).create
    assert made is not None
    assert "inet_csk_accept()" in made
    made = paths(tcp("ESTABLISHED"), None, listener=False).create
    assert made is not None
    assert "connect(2)" in made
    made = paths(tcp("LISTEN")._replace(peer=Endpoint("0.0.0.0", 0)), None).create
    assert made is not None
    assert made.endswith("tcp_v4_init_sock()")
