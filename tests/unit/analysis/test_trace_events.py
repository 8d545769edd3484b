"""Events of recorded pages, with the sockets and processes that they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from sockdiag.analysis.trace_events import FIELDS, Happened, Interpreter, finished
from sockdiag.analysis.trace_sockets import TracedSockets
from sockdiag.analysis.trace_totals import TraceTotals
from sockdiag.kernel.tracepoints import KFREE_SKB, SET_STATE, UDP_FAIL
from sockdiag.model.address import Endpoint
from sockdiag.model.socket import Owner, Socket
from sockdiag.render.cells import endpoint
from sockdiag.render.escape import printable
from sockdiag.sources.tracefs.formats import parse_format
from sockdiag.sources.tracefs.ring import TracePage, parse_header_page

RECORDED = Path(__file__).parents[2] / "fixtures" / "tracefs" / "6.18"
ME = Owner(4711, b"recorder", -1)
HOLDER = Owner(4712, b"receiver", 3)
BOUND = Socket(
    "udp", "AF_INET", state="CLOSE", local=Endpoint("127.0.0.1", 4572), cookie=77, inode=99, processes=(HOLDER,)
)


def interpret(sockets: TracedSockets) -> list[Happened]:
    """Return the events of the recording."""
    layouts = {
        point: parse_format((RECORDED / f"{point.replace('/', '.')}.format").read_bytes(), point) for point in FIELDS
    }
    symbols = {(point, name): words for point, one in layouts.items() for name, words in one.symbols.items()}
    readers = {one.id: (point, one.reader(FIELDS[point])) for point, one in layouts.items()}
    interpreter = Interpreter(sockets, symbols, frozenset(FIELDS))
    header = parse_header_page((RECORDED / "header_page").read_bytes())
    found: list[Happened] = []
    for path in sorted(RECORDED.glob("*.page")):
        page = path.read_bytes()
        for at, number, offset, _length in TracePage(page, header).events():
            point, reader = readers[number]
            found += interpreter.take(point, at, 0, reader.read(page, offset))
    return found + interpreter.rest()


def table(*listed: Socket, ours: bool | None = True) -> TracedSockets:
    sockets = TracedSockets(lambda _task: (ME, ours))
    sockets.learn(listed)
    return sockets


def test_changes_of_state_in_order() -> None:
    """Each end of a connection goes its way, from the first change to the last, and its lifetime is reported."""
    events = [one for one in interpret(table()) if one.point == SET_STATE and one.local.address == "::1"]
    server = [f"{one.old}-{one.state}" for one in events if one.local.port == 4571 and one.peer.port]
    client = [f"{one.old}-{one.state}" for one in events if one.peer.port == 4571]
    assert server == [
        "LISTEN-SYN_RECV",
        "SYN_RECV-ESTABLISHED",
        "ESTABLISHED-CLOSE_WAIT",
        "CLOSE_WAIT-LAST_ACK",
        "LAST_ACK-CLOSE",
    ]
    assert client == [
        "CLOSE-SYN_SENT",
        "SYN_SENT-ESTABLISHED",
        "ESTABLISHED-FIN_WAIT1",
        "FIN_WAIT1-FIN_WAIT2",
        "FIN_WAIT2-CLOSE",
    ]
    ends = [one for one in events if one.state == "CLOSE" and one.peer.port]
    assert all(one.lifetime_ns is not None and 0 < one.lifetime_ns < 10**9 for one in ends)


def test_a_connection_has_the_process_that_opened_it() -> None:
    """connect(2), listen(2) and close(2) run in the task that calls them; the other end has its listener's process."""
    for one in interpret(table()):
        if one.point == SET_STATE:
            event = finished(one, "", "here")
            assert (event.pid, event.process, event.netns) == (4711, b"recorder", "here")
            assert event.attribution in ("exact", "address")


def test_a_refused_datagram_is_one_event() -> None:
    """The failed receive has the addresses, the drop after it the reason: together one event, of a socket that is bound, or of none here."""
    drops = [one for one in interpret(table(BOUND)) if one.event == "drop"]
    assert len(drops) == 56
    assert all(one.known is None and one.pointer for one in drops)
    assert {tuple(known.cookie for known in one.among) for one in drops} == {(77,)}
    for one in drops:
        (one.known,) = one.among
    events = [finished(one, "", "here") for one in drops]
    assert {(e.reason, e.meaning, e.tracepoint) for e in events} == {
        ("SOCKET_RCVBUFF", "the receive buffer is full", KFREE_SKB)
    }
    assert {(e.local, e.pid, e.process, e.attribution, e.cookie, e.inode) for e in events} == {
        (Endpoint("127.0.0.1", 4572), 4712, b"receiver", "address", 77, 99)
    }
    assert len({e.peer.port for e in events}) == 1


def test_a_reset_has_the_reason_of_the_kernel() -> None:
    """Data that was not read at close(2) resets the connection."""
    resets = [one for one in interpret(table()) if one.event == "reset_sent" and one.local.port == 4571]
    assert [one.reason for one in resets] == ["TCP_ABORT_ON_CLOSE"]
    assert finished(resets[0], "", None).meaning == "the process closed the socket with unread data"
    errors = [one for one in interpret(table()) if one.event == "error" and one.peer.port == 4571]
    assert [one.reason for one in errors] == ["ECONNRESET"]


def test_what_nobody_knows_is_not_taken_for_ours() -> None:
    """A socket that neither was listed nor is seen to begin may be another namespace's: that is asked later, once for all events."""
    ends = Endpoint("127.0.0.1", 1), Endpoint("127.0.0.1", 2)
    sockets = table()
    found = sockets.find_tcp(0xFFFF, *ends)
    assert found is not None
    assert found.ours is None
    assert sockets.find(0xFFFF, None, Endpoint(), Endpoint()) is found
    foreign = interpret(table(ours=False))
    assert {one.known.hint for one in foreign if one.point == SET_STATE and one.known and one.known.began} <= {
        False,
        None,
    }


def test_a_listener_of_another_namespace_takes_no_connections_here() -> None:
    """Two namespaces may listen on one port: the listener of the other is forgotten when that is known."""
    sockets = table(
        Socket("tcp", "AF_INET", state="LISTEN", local=Endpoint("0.0.0.0", 80), cookie=7, inode=8, processes=(HOLDER,))
    )
    anywhere = Endpoint("0.0.0.0", 80), Endpoint("0.0.0.0", 0)
    theirs = sockets.changed(9, "tcp", *anywhere, "CLOSE", "LISTEN", 10, 1)
    assert len(sockets.bound("tcp", anywhere[0])) == 2
    sockets.is_elsewhere(theirs)
    assert [one.cookie for one in sockets.bound("tcp", anywhere[0])] == [7]


def test_the_end_of_a_socket_has_its_cookie() -> None:
    """A connection that failed has lost its addresses when it is destroyed; the cookie remains."""
    sockets = table()
    ends = Endpoint("127.0.0.1", 1), Endpoint("127.0.0.1", 2)
    known = sockets.changed(5, "tcp", *ends, "CLOSE", "SYN_SENT", 10, 1)
    sockets.changed(5, "tcp", *ends, "SYN_SENT", "CLOSE", 20, None)
    assert not known.destroyed
    sockets.destroyed(5, 4711)
    assert (known.destroyed, known.cookie) == (True, 4711)


def test_a_pointer_is_forgotten_at_the_end() -> None:
    """The kernel gives the memory of a socket out again."""
    sockets = table()
    ends = Endpoint("127.0.0.1", 1), Endpoint("127.0.0.1", 2)
    first = sockets.changed(5, "tcp", *ends, "CLOSE", "SYN_SENT", 10, 1)
    assert sockets.changed(5, "tcp", *ends, "SYN_SENT", "CLOSE", 20, None) is first
    assert sockets.find(5, None, Endpoint(), Endpoint()) is None
    # A reset that follows finds it by its ends, and does not bring the pointer back.
    assert sockets.find_tcp(5, *ends) is first
    assert sockets.find(5, None, Endpoint(), Endpoint()) is None


def test_a_receive_that_no_drop_follows_is_an_event_too() -> None:
    """Without kfree_skb the error number is the reason."""
    interpreter = Interpreter(table(), {}, frozenset((UDP_FAIL, KFREE_SKB)))
    values = (0, 1, 2, 9, 53, b"\n\0\0\1", b"\n\0\0\2", None, None, -105, None)
    assert interpreter.take(UDP_FAIL, 5, 0, values) == []
    (one,) = interpreter.rest()
    assert (one.reason, one.local, one.peer) == ("ENOBUFS", Endpoint("10.0.0.2", 53), Endpoint("10.0.0.1", 9))


def test_an_old_receive_shows_the_port_only() -> None:
    """Before Linux 6.10 the tracepoint has no more."""
    interpreter = Interpreter(table(BOUND), {}, frozenset((UDP_FAIL,)))
    (one,) = interpreter.take(UDP_FAIL, 5, 0, (0, 1, None, None, None, None, None, None, None, -12, 4572))
    assert (one.reason, one.local) == ("ENOMEM", Endpoint(None, 4572))


def test_totals() -> None:
    """Totals by reason, socket, process and peer add up to all events."""
    totals = TraceTotals(endpoint, printable)
    for one in interpret(table(BOUND)):
        totals.add(finished(one, "", None))
    rows = list(totals.rows())
    for by in ("reason", "socket", "process", "peer"):
        assert sum(row.events for row in rows if row.by == by) == totals.events
    assert ("reason", "drop SOCKET_RCVBUFF", 56) in [tuple(row) for row in rows]
    assert ("process", "unknown", 56) in [tuple(row) for row in rows]


@pytest.mark.parametrize("protocol", [132, 262])
def test_other_protocols_are_left_out(protocol: int) -> None:
    """SCTP has other states under these numbers, and the subflows of MPTCP are TCP sockets."""
    interpreter = Interpreter(table(), {}, frozenset((SET_STATE,)))
    values = (0, 1, 2, 1, 2, b"\x7f\0\0\1", b"\x7f\0\0\1", None, None, 5, 7, 2, protocol)
    assert interpreter.take(SET_STATE, 5, 0, values) == []


def test_a_new_connection_has_its_peer_on_old_kernels() -> None:
    """Linux 5.10 reports the change from LISTEN before it has noted the peer."""
    interpreter = Interpreter(table(), {}, frozenset((SET_STATE,)))
    home, nowhere = b"\x7f\0\0\1", bytes(4)
    (begun,) = interpreter.take(SET_STATE, 5, 0, (0, 1, 2, 80, 0, home, nowhere, None, None, 5, 10, 3, 6))
    interpreter.take(SET_STATE, 6, 0, (0, 1, 2, 80, 9, home, home, None, None, 5, 3, 1, 6))
    assert finished(begun, "", None).peer == Endpoint("127.0.0.1", 9)


def test_a_receive_waits_for_its_drop() -> None:
    """One that is the last of what was read, or that an interrupt comes after, is joined with its drop; others are not."""
    symbols = {(KFREE_SKB, "reason"): {6: "SOCKET_RCVBUFF"}}
    interpreter = Interpreter(table(), symbols, frozenset((UDP_FAIL, KFREE_SKB)))
    failed = (0, 4711, 2, 9, 53, b"\n\0\0\1", b"\n\0\0\2", None, None, -12, None)
    assert interpreter.take(UDP_FAIL, 1_000_000, 0, failed) == []
    assert interpreter.rest(2_000_000) == []
    # In an interrupt on the same CPU, and on another CPU.
    (other,) = interpreter.take(KFREE_SKB, 2_100_000, 0, (16, 4711, 0, 6))
    (elsewhere,) = interpreter.take(KFREE_SKB, 2_200_000, 1, (0, 4711, 0, 6))
    assert (other.netid, elsewhere.netid) == (None, None)
    (joined,) = interpreter.take(KFREE_SKB, 3_000_000, 0, (0, 4711, 0, 6))
    assert (joined.netid, joined.reason, joined.at) == ("udp", "SOCKET_RCVBUFF", 1_000_000)
    assert interpreter.rest() == []
    assert interpreter.take(UDP_FAIL, 4_000_000, 0, failed) == []
    (alone,) = interpreter.rest(4_000_000_000)
    assert alone.reason == "ENOMEM"
