"""What sockets transferred between two samples, from their counters."""

from __future__ import annotations

from typing import Any

import pytest

from sockdiag.analysis.grouping import Grouping, Naming
from sockdiag.analysis.traffic import Comparison, FirstSample, GroupSums, add_totals
from sockdiag.analysis.traffic_ends import Ends
from sockdiag.model.address import Endpoint
from sockdiag.model.batch import Batch
from sockdiag.model.skmem import SkMem
from sockdiag.model.socket import Socket
from sockdiag.model.tcp_info import TcpInfo


def tcp(cookie: int, state: str = "ESTABLISHED", *, send_q: int = 0, port: int = 40000, **info: int | None) -> Socket:
    """Return a connection; without counters it is a stub."""
    values: dict[str, Any] = {"segs_in": 0, "segs_out": 0, "bytes_received": 0, "bytes_acked": 0, "bytes_sent": 0}
    values |= {"bytes_retrans": 0, "data_segs_out": 0, "total_retrans": 0, "snd_wnd_bytes": 1000, "rtt_us": 500}
    return Socket(
        "tcp",
        "AF_INET",
        state=state,
        local=Endpoint("192.0.2.1", port),
        peer=Endpoint("192.0.2.2", 443),
        recv_q=0,
        send_q=send_q,
        inode=cookie,
        cookie=cookie,
        tcp_info=TcpInfo(**(values | info)) if info or state != "FIN_WAIT2" else None,
    )


def udp(cookie: int, drops: int | None) -> Socket:
    skmem = None if drops is None else SkMem(0, 1, 0, 1, 0, 0, 0, 0, drops)
    return Socket("udp", "AF_INET", state="CLOSE", cookie=cookie, inode=cookie, skmem=skmem)


def compared(
    before: list[Socket] | None,
    now: list[Socket],
    by: str = "",
    *,
    seconds: float = 2.0,
    idle: bool = True,
    events: list[Socket] | None = None,
    listening: tuple[int, ...] = (),
) -> Comparison:
    """Compare two samples; TCP first."""

    def batches(sockets: list[Socket]) -> list[Batch]:
        kinds = [[s for s in sockets if (s.netid == "tcp") is wanted] for wanted in (True, False)]
        return [Batch.of(kind) for kind in kinds if kind]

    first = None if before is None else FirstSample(0.0, batches(before))
    grouping = Grouping([by], Naming()) if by else None
    found = Comparison(first, None if first is None else seconds, lambda batch: batch, grouping, idle=idle)
    for batch in batches(now):
        found.add(batch)
    ended = None if events is None else {socket.cookie: socket for socket in events if socket.cookie is not None}
    found.end(Ends(ended, listening))
    return found


def only(found: Comparison) -> Any:
    (row,) = found.shown(None, descending=False, most=None)
    return row


def test_rates() -> None:
    """Differences, per second; retransmissions are not payload, and are a share of the data segments."""
    before = tcp(1, segs_in=10, segs_out=20, bytes_received=100, bytes_sent=5000, bytes_retrans=1000, data_segs_out=5)
    after = tcp(
        1,
        segs_in=16,
        segs_out=30,
        bytes_received=700,
        bytes_sent=9000,
        bytes_retrans=2000,
        data_segs_out=13,
        total_retrans=2,
    )
    row = only(compared([before], [after]))
    assert (row.in_bytes, row.out_bytes, row.in_packets, row.out_packets) == (600, 3000, 6, 10)
    assert (row.in_bytes_per_s, row.out_bytes_per_s, row.in_packets_per_s, row.out_packets_per_s) == (300, 1500, 3, 5)
    assert (row.retransmits, row.retransmits_per_s, row.retransmit_ratio) == (2, 1.0, 0.25)
    assert (row.rtt_us, row.drops, row.began, row.zero_window, row.stuck) == (500, None, False, False, False)


def test_counters_wrap() -> None:
    """32-bit counters of segments wrap."""
    row = only(compared([tcp(1, segs_in=0xFFFFFFFE, segs_out=1)], [tcp(1, segs_in=3, segs_out=2)]))
    assert (row.in_packets, row.out_packets) == (5, 1)


@pytest.mark.parametrize("state", ["CLOSE_WAIT", "LAST_ACK", "CLOSING"])
def test_the_fin_is_no_payload(state: str) -> None:
    """The kernel counts a FIN as a byte received."""
    open_ = tcp(1, bytes_received=100)
    closed = tcp(1, state, segs_in=1, bytes_received=101)
    assert only(compared([open_], [closed])).in_bytes == 0
    assert only(compared([closed], [tcp(1, state, segs_in=2, bytes_received=101)])).in_bytes == 0
    assert only(compared([], [closed])).in_bytes == 100


def test_older_kernels() -> None:
    """Before Linux 4.19 there is only what was acknowledged; before 4.2 nothing is known."""
    old: dict[str, int | None] = {"bytes_sent": None, "bytes_retrans": None}
    row = only(compared([tcp(1, **old, bytes_acked=5)], [tcp(1, **old, bytes_acked=25, segs_out=1)]))
    assert row.out_bytes == 20
    older = {name: None for name in TcpInfo._INDEX if name not in ("state", "rtt_us", "total_retrans")}  # type: ignore[attr-defined]
    row = only(compared([tcp(1, **older)], [tcp(1, **older)]))
    assert (row.in_bytes, row.out_bytes, row.in_packets, row.began, row.zero_window) == (None, None, None, None, None)


def test_a_single_sample_knows_no_rates() -> None:
    """Levels only."""
    found = compared(None, [tcp(1, segs_in=5, snd_wnd_bytes=0)])
    row = only(found)
    assert (row.in_bytes, row.in_bytes_per_s, row.began, row.stuck) == (None, None, None, None)
    assert (row.rtt_us, row.zero_window) == (500, True)
    assert found.totals().in_bytes_per_s is None


def test_locked_sockets_are_unknown() -> None:
    """A socket without tcp_info that is no stub is shown, and has neither ended nor begun."""
    locked = tcp(1)._replace(tcp_info=None)
    for before, now in ((locked, locked), (tcp(1), locked), (locked, tcp(1))):
        found = compared([before], [now])
        row = only(found)
        assert (row.in_bytes, row.out_bytes, found.ended) == (None, None, [])
    (sums,) = compared([locked], [locked], "peer").sums.values()
    assert (sums.sockets, sums.unknown, sums.known) == (1, 1, [False] * 7)


def test_stuck_queues() -> None:
    """Data waits in both samples, and no more of it was acknowledged; a slow path gets its time."""
    waiting = tcp(1, send_q=10, bytes_acked=100)
    assert only(compared([waiting], [waiting], idle=False)).stuck is True
    assert only(compared([tcp(1, bytes_acked=100)], [waiting])).stuck is False
    assert only(compared([waiting], [tcp(1, send_q=10, bytes_acked=101)])).stuck is False
    assert only(compared([waiting], [waiting], seconds=0.0009)).stuck is False
    syn = tcp(1, "SYN_SENT", send_q=1, snd_wnd_bytes=0)
    assert (only(compared([syn], [syn])).stuck, only(compared([syn], [syn])).zero_window) == (False, False)


def test_ends() -> None:
    """A connection that has gone, or left only a stub, has ended; what the kernel reports of its end is told."""
    before = [
        tcp(1, bytes_sent=10, bytes_acked=11, bytes_received=5),
        tcp(2, "CLOSE_WAIT", bytes_received=8, port=80),
        tcp(3),
        tcp(4, "FIN_WAIT2")._replace(inode=0),
        tcp(5, segs_in=1),
        tcp(6),
    ]
    now = [tcp(3), tcp(6, "FIN_WAIT2")._replace(inode=0, tcp_info=None)]
    events = [
        tcp(1, "CLOSE", bytes_sent=110, bytes_acked=112, bytes_received=6),  # SYN and FIN were acknowledged
        tcp(2, "CLOSE", bytes_sent=50, bytes_acked=50, bytes_received=8, port=80),
        tcp(5, "CLOSE")._replace(peer=Endpoint("0.0.0.0", 0)),
        tcp(7, "CLOSE", bytes_sent=7, bytes_acked=8, bytes_received=9, port=80),
        tcp(8, "CLOSE")._replace(peer=Endpoint("0.0.0.0", 0)),
    ]
    found = compared(before, now, "netid", events=events, listening=(80,))
    ended = {one.socket.cookie: (one.began, one.in_bytes, one.out_bytes, one.reset) for one in found.ended}
    assert ended == {
        1: (False, 1, 100, False),
        2: (False, 0, 50, True),
        5: (False, None, None, True),
        6: (False, None, None, None),
        7: (True, 9, 7, False),
    }
    (sums,) = found.sums.values()
    assert (sums.sockets, sums.ended, sums.ends) == (1, 5, [2, 10, 157])
    totals = found.totals()
    assert (totals.ended, totals.resets, totals.ended_in_bytes, totals.ended_out_bytes) == (5, 2, 10, 157)
    assert compared(before, now).totals().resets is None


@pytest.mark.parametrize("state", ["ESTABLISHED", "FIN_WAIT2"])
@pytest.mark.parametrize(("syn", "listening"), [(1, ()), (0, (40000,))], ids=["opened here", "opened by the peer"])
def test_resets(state: str, syn: int, listening: tuple[int, ...]) -> None:
    """A FIN that was acknowledged tells a clean end from a reset, also if the listener has gone meanwhile."""
    fin = int(state == "FIN_WAIT2")
    before = tcp(1, state, bytes_sent=10, bytes_acked=10 + syn + fin)
    clean = tcp(1, "CLOSE", bytes_sent=30, bytes_acked=30 + syn + 1)
    reset = tcp(1, "CLOSE", bytes_sent=30, bytes_acked=30 + syn)
    for ports in (listening, ()) if not fin else (listening,):
        assert [one.reset for one in compared([before], [], events=[clean], listening=ports).ended] == [False]
        assert [one.reset for one in compared([before], [], events=[reset], listening=ports).ended] == [True]


def test_datagram_sockets() -> None:
    """Their drops are counted; what they transfer is not known, and neither are drops that are not reported."""
    found = compared([udp(1, 5), udp(2, 5), udp(4, None)], [udp(1, 5), udp(2, 9), udp(3, 1), udp(4, None)], idle=False)
    rows = found.shown(None, descending=False, most=None)
    assert [(row.socket.cookie, row.drops, row.drops_per_s, row.in_bytes, row.began) for row in rows] == [
        (2, 4, 2.0, None, False),
        (3, 1, 0.5, None, True),
    ]
    assert found.ended == []


def test_groups_of_rows_and_of_namespaces() -> None:
    """A group's sums are those of its rows, idle ones included; sums of two namespaces add up."""
    before = [tcp(1), tcp(2), tcp(3)]
    now = [
        tcp(1, segs_in=1, bytes_received=100, rtt_us=100),
        tcp(2, rtt_us=900),
        tcp(3, segs_out=1, bytes_sent=7, rtt_us=None),
    ]
    (sums,) = compared(before, now, "peer").sums.values()
    sums.over(2.0)
    group = sums.record(("x", None, {"peer": "x"}))
    assert (group.sockets, group.in_bytes, group.out_bytes, group.in_packets, group.out_packets) == (3, 100, 7, 1, 1)
    assert (group.rtt_us, group.rtt_max_us, group.retransmit_ratio, group.drops) == (900, 900, None, None)
    both = GroupSums()
    both.add(sums)
    assert both.record(("x", None, {"peer": "x"})).in_bytes_per_s == 50
    # In another namespace the same took five times as long.
    sums.over(10.0)
    both.add(sums)
    slow = both.record(("x", None, {"peer": "x"}))
    assert (slow.in_bytes, slow.in_bytes_per_s, slow.in_packets_per_s, slow.drops_per_s) == (200, 60, 0.6, None)
    (idle,) = compared(before, before, "peer").sums.values()
    assert idle.record(("x", None, {})).in_bytes_per_s is None
    idle.over(2.0)
    assert idle.record(("x", None, {})).in_bytes_per_s == 0
    totals = compared(before, now).totals()
    assert (totals.sockets, totals.active) == (3, 2)
    assert add_totals([totals, totals]).in_bytes_per_s == 100


def test_order_and_number_of_rows() -> None:
    """The busiest first, or by a field, of which unknown values come last; records are made of no more than asked for."""
    now = [tcp(n, segs_in=1, bytes_received=n, rtt_us=None if n == 2 else n) for n in (1, 2, 3)]
    found = compared([tcp(n) for n in (1, 2, 3)], now)
    assert [row.in_bytes for row in found.shown(None, descending=False, most=2)] == [3, 2]
    place = type(only(compared([], now[:1])))._INDEX["rtt_us"]
    assert [row.rtt_us for row in found.shown(place, descending=True, most=None)] == [3, 1, None]
    assert [row.rtt_us for row in found.shown(place, descending=False, most=None)] == [1, 3, None]
