"""Queues over time: what fills and empties is healthy, what nobody serves is found, and how bad it is follows its size."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from sockdiag.judging.service import Course, standing_queues
from sockdiag.model.address import Endpoint
from sockdiag.model.counters import Counters
from sockdiag.model.link_attrs import PacketAttrs, PacketRing
from sockdiag.model.local_attrs import UnixAttrs
from sockdiag.model.socket import Owner, Socket, Timer
from sockdiag.model.tcp_info import TcpInfo
from tests.unit.rules.samples import RCVBUF, READ, course, found, listener, sample, sock

if TYPE_CHECKING:
    from collections.abc import Iterable

# When the program looks between its two samples, in parts of the interval.
LOOKS = (0, 0.11, 0.29, 0.52, 0.71, 1)
PERIODS = (0.02, 0.12, 0.2, 0.7, 1, 2, 5)
INTERVALS = (0.5, 1, 5)


def saw(period: float, peak: float, interval: float, phase: float) -> list[int]:
    """Return the levels of a queue that fills steadily and is emptied once every period."""
    return [int(peak * (((phase + part * interval) % period) / period)) for part in LOOKS]


@pytest.mark.parametrize("interval", INTERVALS)
@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("code", ["UDP_RECEIVE_BUFFER_FULL", "NETLINK_RECEIVE_BUFFER_FULL", "ACCEPT_QUEUE_FULL"])
def test_saw_teeth_are_healthy(code: str, period: float, interval: float) -> None:
    """A reader that works in batches and leaves a third of the room is healthy at any phase, whatever the interval."""
    chance = random.Random(f"{code} {period} {interval}")
    for _ in range(100):
        levels = saw(period, 0.66 * RCVBUF, interval, chance.uniform(0, period))
        # Nobody reads between two batches, which InDatagrams proves.
        read = {"Udp.InDatagrams": READ + int(any(b < a for a, b in pairwise(levels)))}
        if code == "ACCEPT_QUEUE_FULL":
            moments: Iterable[Any] = [[listener(129 * n // RCVBUF, 128)] for n in levels]
        else:
            netid = "udp" if code.startswith("UDP") else "netlink"
            moments = [[sock(netid, rmem_alloc=n, recv_q=n)] for n in levels]
        assert found(code, *course(*moments, seconds=interval, counters=read)) == [], levels


@pytest.mark.parametrize("sway", [1, 7], ids=["stands", "sways"])
def test_memory_given_back_late_is_no_growth(sway: int) -> None:
    """The charge of a UDP socket saws by a quarter of the buffer while its queue stands, and datagrams are read."""
    charged = [60_000, 75_000, 85_000, 95_000, 100_000, 110_000]
    moments = [[sock(rmem_alloc=n, recv_q=58_000 + n % sway)] for n in charged]
    assert found("UDP_RECEIVE_BUFFER_FULL", *course(*moments, counters={"Udp.InDatagrams": READ + 800})) == []


@pytest.mark.parametrize(
    ("share", "verdict", "severity"),
    [(0.001, None, ""), (0.3, "stalled", "info"), (0.5, "stalled", "warning"), (0.6, "at_risk", "warning")],
)
@pytest.mark.parametrize("netid", ["udp", "raw", "netlink", "packet"])
def test_unread(netid: str, share: float, verdict: str | None, severity: str) -> None:
    """A buffer that nobody reads is stalled, and at risk from the half on; little may wait for a reason of its own."""
    level = int(share * RCVBUF)
    code = f"{netid.upper()}_RECEIVE_BUFFER_FULL"
    findings = found(code, *course(*[[sock(netid, rmem_alloc=level, recv_q=level)]] * 6))
    assert [(f.verdict, f.severity) for f in findings] == ([(verdict, severity)] if verdict else [])


def test_two_samples_of_different_runs() -> None:
    """Without probes nothing but the counter of reads proves that a queue is not served."""
    levels = [sock(rmem_alloc=60_000, recv_q=60_000)], [sock(rmem_alloc=110_000, recv_q=110_000)]
    before = sample(levels[0])
    read = sample(levels[1], at=60.0, counters={"Udp.InDatagrams": READ + 9})
    assert found("UDP_RECEIVE_BUFFER_FULL", read, before) == []
    unread = sample(levels[1], at=60.0)
    (finding,) = found("UDP_RECEIVE_BUFFER_FULL", unread, before)
    assert finding.verdict == "at_risk"


def test_a_reader_that_is_too_slow() -> None:
    """It reads all the time, and the queue grows all the same: that shows before the buffer is full."""
    levels = [110_000, 111_500, 115_000, 118_900, 122_000, 127_000]
    moments = [[sock(rmem_alloc=n, recv_q=n)] for n in levels]
    (finding,) = found("UDP_RECEIVE_BUFFER_FULL", *course(*moments, counters={"Udp.InDatagrams": READ + 500}))
    assert (finding.verdict, finding.severity, finding.eta_s) == ("at_risk", "warning", 5.1)
    assert "nothing" not in finding.summary


def stopped(_pids: Iterable[int]) -> dict[int, str]:
    """Let process 7 be stopped."""
    return {7: "stopped"}


def test_a_stopped_reader() -> None:
    """However little waits, a process that does not run will not read it; one that runs may be about to."""
    moments = [[sock("netlink", rmem_alloc=n, recv_q=n)] for n in (0, 0, 800, 800, 1600, 1600)]
    assert found("NETLINK_RECEIVE_BUFFER_FULL", *course(*moments)) == []
    (finding,) = found("NETLINK_RECEIVE_BUFFER_FULL", *course(*moments), states=stopped)
    assert (finding.verdict, finding.severity) == ("stalled", "info")
    two = {1: (Owner(7, b"server", 3), Owner(8, b"server", 3))}
    both = lambda inodes: dict.fromkeys(inodes, two[1])  # noqa: E731
    states = lambda _pids: {7: "stopped", 8: "sleeping"}  # noqa: E731
    assert found("NETLINK_RECEIVE_BUFFER_FULL", *course(*moments), owners=both, states=states) == []


@pytest.mark.parametrize(
    ("lost", "read", "severity"),
    [
        (5, 1000, "warning"),
        (5, 100_000, "info"),
        (90, 10, "critical"),
        (20, 1000, "warning"),
        (500, 9_000_000, "warning"),
        (5000, 90_000, "critical"),
    ],
)
def test_severity_of_a_loss(lost: int, read: int, severity: str) -> None:
    """It follows the share that was lost, and the rate."""
    counters = {"Udp.RcvbufErrors": lost, "Udp.InDatagrams": READ + read}
    (finding,) = found(
        "UDP_RECEIVE_BUFFER_FULL", sample([sock(drops=lost)], at=1.0, counters=counters), sample([sock()])
    )
    assert (finding.verdict, finding.severity, finding.loss_per_s) == ("dropping", severity, lost)


def waiting(n: int, first: int = 0) -> list[Any]:
    """Make connections that nobody has accepted."""
    return [
        sock("tcp", 50 + i, "ESTABLISHED", local=Endpoint("127.0.0.1", 53), peer=Endpoint("10.0.0.9", 1 + i), inode=0)
        for i in range(first, first + n)
    ]


def test_nobody_accepts() -> None:
    """While all connections of the earlier sample still wait, nobody accepts; while others wait in their place, somebody does."""
    still = course([listener(10, 19), *waiting(10)], [listener(10, 19)], [listener(10, 19), *waiting(10)])
    (finding,) = found("ACCEPT_QUEUE_FULL", *still)
    assert (finding.verdict, finding.severity) == ("stalled", "warning")
    assert "10 of 20 places taken" in finding.summary
    served = course([listener(10, 19), *waiting(10)], [listener(10, 19)], [listener(10, 19), *waiting(10, 5)])
    assert found("ACCEPT_QUEUE_FULL", *served) == []
    standing = [[listener(10, 19), *waiting(10)], *[[listener(10, 19)]] * 4, [listener(10, 19), *waiting(10, 5)]]
    assert found("ACCEPT_QUEUE_FULL", *course(*standing)) == []


def test_drops_by_which_nothing_is_refused() -> None:
    """Clients that reset their handshake, and last ACKs that wait for data."""
    before = sample([listener(0, 19)])
    moved = {"TcpExt.EmbryonicRsts": 30, "TcpExt.TCPDeferAcceptDrop": 60}
    assert found("LISTEN_DROP", sample([listener(0, 19, 90)], at=1.0, counters=moved), before) == []
    (finding,) = found("LISTEN_DROP", sample([listener(0, 19, 290)], at=1.0, counters=moved), before)
    assert "refused 200 segments" in finding.summary


def test_a_single_sample_looks_for_no_holders() -> None:
    """Whether a process ran takes two moments: without them, no process is looked for."""
    asked: list[Any] = []
    queues = [listener(3, 128), listener(4, 128, cookie=2)]
    assert found("ACCEPT_QUEUE_FULL", sample(queues), owners=asked.append, turns=asked.append) == []
    assert asked == []


def test_how_long_connections_wait() -> None:
    """A single sample shows a process that does not accept by the age of what waits."""
    now = sample([listener(10, 19), *waiting(10)])
    assert found("ACCEPT_QUEUE_FULL", now, info=lambda _socket: TcpInfo(last_data_sent_ms=200)) == []
    (finding,) = found("ACCEPT_QUEUE_FULL", now, info=lambda _socket: TcpInfo(last_data_sent_ms=8000))
    assert finding.verdict == "stalled"
    assert "8 s" in finding.summary
    assert finding.severity == "warning"


def test_clients_wait_in_vain_however_long_the_queue_may_become() -> None:
    """Four that have waited longer than a process takes that accepts in batches are an outage; three may be chance."""
    for n, severity in ((4, "warning"), (3, "info")):
        still = course(*[[listener(n, 2048), *waiting(n)]] * 6)
        (finding,) = found("ACCEPT_QUEUE_FULL", *still, info=lambda _socket: TcpInfo(last_data_sent_ms=8000))
        assert (finding.verdict, finding.severity) == ("stalled", severity)
        assert found("ACCEPT_QUEUE_FULL", *still, info=lambda _socket: TcpInfo(last_data_sent_ms=5000)) == []


@pytest.mark.parametrize("code", ["TCP_RECEIVER_STALLED", "ZERO_WINDOW_FROM_PEER"])
def test_readers_that_pause_for_seconds(code: str) -> None:
    """A player fetches the next part of a film every few seconds; a few connections that are asked speak for the others."""
    full = {"recv_q": 90_000, "rmem_alloc": RCVBUF, "send_q": 90_000, "timer": Timer("persist", 100, 2)}
    films = [[sock("tcp", 1 + i, "ESTABLISHED", **full) for i in range(60)]] * 2
    playing = TcpInfo(last_data_recv_ms=5_000, last_data_sent_ms=5_000)
    assert found(code, *course(*films), info=lambda _socket: playing) == []
    stopped = TcpInfo(last_data_recv_ms=7_000, last_data_sent_ms=7_000)
    assert len(found(code, *course(*films), info=lambda _socket: stopped)) == 60


def test_drops_that_no_full_queue_explains_are_no_refusals() -> None:
    """A listener with TCP_DEFER_ACCEPT counts a drop for each connection that it accepts."""
    before = sample([listener(0, 127, 1490)])
    assert found("ACCEPT_QUEUE_OVERFLOW", sample([listener(0, 127, 1490)], at=1.0), before) == []
    some = {"counters": {"TcpExt.ListenOverflows": 9}}
    before, now = sample([listener(0, 127, 1490)], **some), sample([listener(0, 127, 1490)], at=1.0, **some)
    (finding,) = found("ACCEPT_QUEUE_OVERFLOW", now, before)
    assert "refused 9 connection attempts since" in finding.summary


def test_a_full_queue_is_never_fuller_than_full() -> None:
    """It holds one connection more than its limit."""
    (finding,) = found("ACCEPT_QUEUE_FULL", sample([listener(6, 5)]))
    assert "6 of 6 places taken" in finding.summary
    assert finding.severity == "critical"


def test_course() -> None:
    """Growth takes consistent moments, or proof that nothing was taken out."""
    times = [0, 0.1, 0.3, 0.5, 0.7, 1]
    rising = Course(times, [50, 51, 53, 55, 57, 60])
    assert (rising.rate, rising.waited_s, rising.untouched) == (10, 6, False)
    assert Course(times, [50, 90, 20, 80, 30, 60]).rate == 0
    assert Course([0, 1], [50, 60]).rate == 0
    assert Course([0, 1], [50, 60], untouched=True).rate == 10
    assert not Course([0, 1], [60, 50], untouched=True).untouched
    assert Course(times, [5] * 6).untouched
    assert not Course(times, [0] * 6).untouched
    assert Course(times, [9, 4, 9, 9, 9, 9]).drained
    assert Course((), ()).waited_s == 0


def test_a_size_that_the_table_hides() -> None:
    """/proc/net/raw does not show how large a buffer is; the descriptor of the owner does."""
    asked = []

    def size(pid: int, fd: int, inode: int) -> int:
        asked.append((pid, fd, inode))
        return 10_000

    now = sample([sock("raw", rmem_alloc=9_500, rcvbuf=None, source="proc")])
    (finding,) = found("RAW_RECEIVE_BUFFER_FULL", now, receive_buffer=size)
    assert (asked, finding.verdict) == ([(7, 3, 101)], "at_risk")


def test_a_unix_socket_that_is_read_all_the_time() -> None:
    """A queue may hold the same at each moment because its writers fill it at once: a reader that ran can have read."""
    name = Endpoint(b"\0x")
    pair = [
        sock("unix", 1, local=name, recv_q=100, type="SOCK_STREAM"),
        sock("unix", 2, send_q=200_000, unix=UnixAttrs(peer_inode=101), type="SOCK_STREAM"),
    ]
    for ran, expected in ((0, ["stalled"]), (3, [])):
        now, before, *probes = course(*[pair] * 6)
        probes[1].turns = {7: 50}
        turns = lambda _pids, n=ran: {7: 50 + n}  # noqa: E731
        findings = found("UNIX_DGRAM_QUEUE", now, before, *probes, turns=turns, states=lambda _pids: {7: "sleeping"})
        assert [f.verdict for f in findings] == expected
    assert standing_queues([before, *probes]) == [101]
    assert standing_queues([before, sample([])]) == []


def test_sockets_that_the_question_makes() -> None:
    """The kernel's end of netlink holds the request, and the asking socket the answer: no owner is looked for."""

    def asked(_inodes: object) -> dict[int, tuple[Owner, ...]]:
        raise AssertionError("every descriptor of the host would be read")

    def here(portid: int) -> Socket:
        return sock("netlink", portid, local=Endpoint("SOCK_DIAG", portid), recv_q=832, rmem_alloc=832)

    now, before, *probes = course(*([here(0), here(number)] for number in range(1, 7)))
    assert found("NETLINK_RECEIVE_BUFFER_FULL", now, before, *probes, owners=asked) == []
    assert standing_queues([before, *probes]) == []


@pytest.mark.parametrize(
    ("refuses", "ran", "expected"),
    [
        (True, 0, [("at_risk", "critical", 1.0)]),
        (False, 0, [("stalled", "info", None)]),
        (None, 0, [("stalled", "info", None)]),
        (True, 3, []),
    ],
)
def test_a_log_that_nobody_is_connected_to(
    *, refuses: bool | None, ran: int, expected: list[tuple[str, str, float | None]]
) -> None:
    """Senders that have ended are charged for nothing that is listed: whether the queue is full is asked for."""
    asked = []

    def full(inode: int) -> bool | None:
        asked.append(inode)
        return refuses

    log = [sock("unix", 1, local=Endpoint(b"/dev/log"), recv_q=40, type="SOCK_DGRAM")]
    now, before, *probes = course(*[log] * 6)
    probes[1].turns = {7: 50}
    seen = {"turns": lambda _pids: {7: 50 + ran}, "states": lambda _pids: {7: "sleeping"}, "full": full}
    findings = found("UNIX_DGRAM_QUEUE", now, before, *probes, **seen)
    ratios = [f.evidence["fill_ratio"].value if "fill_ratio" in f.evidence else None for f in findings]
    assert list(zip([f.verdict for f in findings], [f.severity for f in findings], ratios, strict=True)) == expected
    assert asked == ([] if ran else [101])


def test_nobody_has_ever_read() -> None:
    """A queue that fills since its socket was made waits for no batch, however fast it fills."""
    moments = [[sock(rmem_alloc=n, recv_q=n)] for n in (50_000, 56_000, 62_000, 68_000, 74_000, 80_000)]
    read = course(*moments)
    assert found("UDP_RECEIVE_BUFFER_FULL", *read) == []
    for one in read:
        one.counters = Counters({**one.counters.values, "Udp.InDatagrams": 0})
    (finding,) = found("UDP_RECEIVE_BUFFER_FULL", *read)
    assert (finding.verdict, finding.eta_s) == ("at_risk", 4.4)


def test_nobody_ran() -> None:
    """Where probes were late, a process that was not given a CPU cannot have accepted anything."""
    now, before, *probes = course(*[[listener(10, 19)]] * 3)
    assert found("ACCEPT_QUEUE_FULL", now, before, *probes) == []
    probes[0].turns = {7: 5}
    asleep = {"turns": lambda _pids: {7: 5}, "states": lambda _pids: {7: "sleeping"}}
    (finding,) = found("ACCEPT_QUEUE_FULL", now, before, *probes, **asleep)
    assert finding.verdict == "stalled"
    assert found("ACCEPT_QUEUE_FULL", now, before, *probes, **{**asleep, "turns": lambda _pids: {7: 6}}) == []


def test_a_sniffer_that_is_stopped() -> None:
    """The losses of a ring are hidden; that nobody reads it is not."""
    ring = [sock("packet", packet=PacketAttrs(rx_ring=PacketRing(4096, 8, 2048, 16, 0, 0, 0)))]
    (finding,) = found("PACKET_RECEIVE_BUFFER_FULL", sample(ring, at=1.0), sample(ring), states=stopped)
    assert (finding.verdict, finding.severity) == ("stalled", "warning")
