"""A locked socket costs its own tcp_info, some time, and nothing else."""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import SourceInterrupted, SourceTruncated, SourceUnavailable
from sockdiag.kernel import inet_diag as k
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6, IPPROTO_MPTCP, IPPROTO_SCTP, IPPROTO_TCP, IPPROTO_UDP
from sockdiag.kernel.tcp_states import ALL_STATES, CLOSE, LISTEN, SYN_RECV, TIME_WAIT
from sockdiag.sources.netlink import inet_request
from sockdiag.sources.netlink.attributes import attributes
from sockdiag.sources.netlink.inet_rewrite import exactly, none_of
from sockdiag.sources.netlink.tcp_info_guard import GuardedTransport, describe
from sockdiag.sources.system.transport import Request, messages
from tests.unit.sources.inet_kernel import INFO_PAYLOAD, LOCKED_S, Kernel, cookie_of, passes, row, with_info
from tests.unit.sources.netlink_messages import nlattr

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sockdiag.sources.system.transport import Transport

LIMIT, PATIENCE = 0.5, 0.1
HINT = "its owner sleeps in a system call: see /proc/PID/wchan, /proc/PID/stack"


def request(protocol: int = IPPROTO_TCP, ext: int = k.EXT_INFO, states: int = ALL_STATES, code: bytes = b"") -> Request:
    return inet_request.request(AF_INET, protocol, states, ext, code)


def guarded(transport: Transport, **options: float) -> GuardedTransport:
    return GuardedTransport(transport, **{"limit": LIMIT, "patience": PATIENCE, **options})  # type: ignore[arg-type]


def rows_of(transport: Transport, asked: Request) -> list[bytes]:
    return [message for datagram in transport.dump(asked) for message in messages(asked, datagram)]


def infos(rows: Sequence[bytes]) -> dict[int, bool]:
    """Tell of each row whether it has tcp_info."""
    return {cookie_of(r): attributes(r, 88, "test").get(k.INFO) == INFO_PAYLOAD for r in rows}


def test_without_a_locked_socket() -> None:
    """The answer is the kernel's, byte for byte."""
    kernel = Kernel([row(c) for c in range(7)])
    guard = guarded(kernel)
    assert list(guard.dump(request())) == list(kernel.dump(request()))
    assert guard.take_errors() == []


class Slow(Kernel):
    """Computes for longer than the guard is patient before each datagram."""

    def dump(self, request: Request) -> Iterator[bytes]:
        for datagram in super().dump(request):
            until = time.monotonic() + 3 * PATIENCE
            while time.monotonic() < until:
                pass
            yield datagram


def test_a_process_that_is_only_slow_is_waited_for() -> None:
    """The answer comes as the kernel cuts it, not joined again from sockets that were asked for one at a time."""
    kernel = Slow([row(c) for c in range(4)], together=1)
    guard = guarded(kernel)
    assert list(guard.dump(request())) == list(kernel.dump(request()))
    assert guard.take_errors() == []


def test_a_slow_process_is_not_waited_for_without_end() -> None:
    kernel = Slow([row(c) for c in range(2)], together=1)
    guard = guarded(kernel, total=PATIENCE)
    begin = time.monotonic()
    rows_of(guard, request())
    assert time.monotonic() - begin < 20


@pytest.mark.parametrize("position", [0, 3, 6])
def test_one_locked_socket(position: int) -> None:
    """It comes without tcp_info, in its place, and is named; all others have theirs."""
    kernel = Kernel([row(c) for c in range(7)], [position])
    guard = guarded(kernel)
    begin = time.monotonic()
    rows = rows_of(guard, request())
    assert time.monotonic() - begin < LOCKED_S
    assert infos(rows) == {c: c != position for c in range(7)}
    assert [cookie_of(r) for r in rows] == list(range(7))
    (error,) = guard.take_errors()
    assert str(error) == (
        f"netlink:inet_diag_tcp: no tcp_info of 10.0.0.1:{1000 + position} -> 10.0.0.2:2000 "
        f"(inode 77, cookie {position:x}): the socket is locked"
    )
    assert (error.errno, error.hint) == (errno.ETIMEDOUT, HINT)
    assert guard.take_errors() == []


def test_several_locked_sockets() -> None:
    """They are waited for together."""
    locked = [1, 2, 5, 8]
    guard = guarded(Kernel([row(c) for c in range(12)], locked))
    begin = time.monotonic()
    rows = rows_of(guard, request())
    assert time.monotonic() - begin < LOCKED_S
    assert infos(rows) == {c: c not in locked for c in range(12)}
    assert len(guard.take_errors()) == len(locked)


def test_the_old_request() -> None:
    """The request that answers for both families is guarded the same; each socket is asked for by its own."""
    rows = [row(1), row(2, family=AF_INET6), row(3), row(4, family=AF_INET6)]
    guard = guarded(Kernel(rows, [2]))
    assert infos(rows_of(guard, inet_request.compat_request(ext=k.EXT_INFO))) == {1: True, 2: False, 3: True, 4: True}
    (error,) = guard.take_errors()
    assert "[fd00::1]:1002 -> [fd00::2]:2000" in str(error)


def test_listeners_and_mini_sockets() -> None:
    """Listeners are asked for again together; what has no tcp_info is not asked for at all."""
    kinds = {1: LISTEN, 2: TIME_WAIT, 3: LISTEN, 4: 1, 5: SYN_RECV, 6: CLOSE}
    rows = [row(cookie, state) for cookie, state in kinds.items()]
    # Most in SYN_RECV are mini-sockets: they have no SHUTDOWN attribute.
    rows[4] = rows[4][:88].replace(rows[4][:4], (88).to_bytes(4, "little"), 1)
    kernel = Kernel(rows, [4, 5, 6], together=100)
    rest = rows_of(guarded(kernel), request(states=ALL_STATES & ~(1 << SYN_RECV | 1 << CLOSE)))
    assert infos(rest) == {1: True, 2: False, 3: True, 4: False}
    guard = guarded(kernel)
    assert infos(rows_of(guard, request())) == {1: True, 2: False, 3: True, 4: False, 5: False, 6: False}
    assert [str(e).split("cookie ")[1][0] for e in guard.take_errors()] == ["4"]


def test_a_filter_of_the_caller_is_kept() -> None:
    """Sockets that it leaves out stay out, also when some are locked."""
    rows = [row(c) for c in range(6)]
    guard = guarded(Kernel(rows, [1]))
    asked = request(code=none_of([rows[0], rows[4]]))
    assert infos(rows_of(guard, asked)) == {1: False, 2: True, 3: True, 5: True}
    assert infos(rows_of(guard, asked)) == {1: False, 2: True, 3: True, 5: True}
    assert len(guard.take_errors()) == 2


def test_mptcp_is_asked_for_by_filter() -> None:
    guard = guarded(Kernel([row(c) for c in range(5)], [2]))
    assert infos(rows_of(guard, request(IPPROTO_MPTCP))) == {c: c != 2 for c in range(5)}
    assert len(guard.take_errors()) == 1


def test_a_locked_socket_is_not_asked_for_again() -> None:
    """While the process that waits for it is there, the next dump does not wait, and names it again."""
    guard = guarded(Kernel([row(c) for c in range(5)], [2]))
    rows_of(guard, request())
    guard.take_errors()
    waiting = guard._stuck[2]
    assert infos(rows_of(guard, request())) == {c: c != 2 for c in range(5)}
    assert guard._stuck == {2: waiting}
    assert len(guard.take_errors()) == 1


def test_a_socket_that_is_unlocked_is_asked_for_again() -> None:
    kernel = Kernel([row(c) for c in range(5)], [2])
    guard = guarded(kernel)
    rows_of(guard, request())
    guard.take_errors()
    guard.close()
    kernel.locked.clear()
    assert infos(rows_of(guard, request())) == dict.fromkeys(range(5), True)
    assert guard.take_errors() == []


def test_a_slow_socket_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that answers within the limit has its tcp_info, though others were asked for meanwhile."""
    monkeypatch.setattr("tests.unit.sources.inet_kernel.LOCKED_S", 0.3)
    guard = guarded(Kernel([row(c) for c in range(9)], [3]), limit=5.0)
    assert infos(rows_of(guard, request())) == dict.fromkeys(range(9), True)
    assert guard.take_errors() == []


def test_bounded_processes() -> None:
    """No more than so many processes are left waiting; how many sockets were not asked for is told."""
    guard = guarded(Kernel([row(c) for c in range(10)], range(3, 10)), most=2)
    assert infos(rows_of(guard, request())) == {c: c < 3 for c in range(10)}
    errors = [str(e) for e in guard.take_errors()]
    assert [e.endswith("the socket is locked") for e in errors] == [True, True, False]
    assert errors[2].endswith("no tcp_info of 5 sockets: too many are locked, or the queries took too long")


def test_bounded_time() -> None:
    guard = guarded(Kernel([row(c) for c in range(40)], range(40)), total=0.3)
    begin = time.monotonic()
    assert not any(infos(rows_of(guard, request())).values())
    assert time.monotonic() - begin < LOCKED_S
    assert any("the queries took too long" in str(e) for e in guard.take_errors())


def test_more_sockets_than_are_asked_for_singly(monkeypatch: pytest.MonkeyPatch) -> None:
    """After some have been asked for the table is dumped once more, without those that are locked."""
    monkeypatch.setattr("sockdiag.sources.netlink.tcp_info_guard._SINGLES", 3)
    locked = [0, 17, 18, 39]
    guard = guarded(Kernel([row(c) for c in range(40)], locked))
    assert infos(rows_of(guard, request())) == {c: c not in locked for c in range(40)}
    assert len(guard.take_errors()) == len(locked)


def test_blocked_kernel() -> None:
    """Where one question that sleeps blocks all others there is no table, and the next question does not wait."""
    guard = guarded(Kernel([row(c) for c in range(5)], blocked=True))
    with pytest.raises(SourceUnavailable, match="sock_diag is blocked") as caught:
        rows_of(guard, request())
    assert caught.value.errno == errno.ETIMEDOUT
    guard.close()


def test_sctp_stops_where_a_socket_is_locked() -> None:
    """Its rows cannot be had without the lock."""
    guard = guarded(Kernel([row(c) for c in range(6)], [3]))
    assert infos(rows_of(guard, request(IPPROTO_SCTP))) == {0: True, 1: True}
    assert [str(e) for e in guard.take_errors()] == [
        "netlink:inet_diag_sctp: a socket is locked; it and the sockets after it are missing"
    ]


class Elsewhere:
    """Tells the process that a question was asked in."""

    def dump(self, asked: Request) -> Iterator[bytes]:
        yield row(os.getpid())
        if asked.name.endswith("6"):
            raise SourceInterrupted(asked.source, "the table changed", None, "hint \0 with a zero")

    def query(self, asked: Request) -> bytes:
        if asked.name.endswith("6"):
            raise SourceUnavailable(asked.source, "No such file or directory", 2)
        return row(os.getpid())


@pytest.mark.parametrize(
    ("protocol", "ext", "elsewhere"),
    [
        (IPPROTO_TCP, k.EXT_INFO, True),
        (IPPROTO_MPTCP, k.EXT_INFO | k.EXT_CONG, True),
        (IPPROTO_SCTP, 0, True),
        (IPPROTO_TCP, k.EXT_SKMEMINFO, False),
        (IPPROTO_UDP, 0xFF, False),
    ],
)
def test_only_what_takes_a_lock_is_asked_elsewhere(protocol: int, ext: int, elsewhere: bool) -> None:
    guard = guarded(Elsewhere())
    asked = request(protocol, ext)
    assert (cookie_of(rows_of(guard, asked)[0]) != os.getpid()) == elsewhere
    assert (cookie_of(guard.query(asked)) != os.getpid()) == elsewhere


def test_other_families_go_through() -> None:
    """A request of another family, and one that destroys, is none of ours."""
    guard = guarded(Elsewhere())
    assert cookie_of(rows_of(guard, Request("unix_diag", bytes([1]) + b"\xff" * 23))[0]) == os.getpid()
    assert cookie_of(guard.query(Request("destroy", b"\xff" * 56, 21))) == os.getpid()


def test_errors_come_back() -> None:
    """What the question raises in its process is raised here, whole."""
    asked = inet_request.request(AF_INET6, IPPROTO_TCP, ALL_STATES, k.EXT_INFO)
    guard = guarded(Elsewhere())
    got: list[bytes] = []
    with pytest.raises(SourceInterrupted) as caught:
        got.extend(guard.dump(asked))
    assert len(got) == 1
    assert (caught.value.source, caught.value.reason, caught.value.errno, caught.value.hint) == (
        "netlink:inet_diag_tcp6",
        "the table changed",
        None,
        "hint ? with a zero",
    )
    with pytest.raises(SourceUnavailable, match="No such file"):
        guard.query(asked)


def test_query_of_a_locked_socket() -> None:
    plain = [row(1), row(2)]
    guard = guarded(Kernel(plain, [2]))
    first, second = (request()._replace(payload=request().payload[:8] + message[20:68]) for message in plain)
    assert guard.query(first) == with_info(plain[0])
    with pytest.raises(SourceTruncated, match="no answer: the socket is locked") as caught:
        guard.query(second)
    assert caught.value.errno == errno.ETIMEDOUT


class Broken:
    """Dies, or raises something unforeseen."""

    def dump(self, asked: Request) -> Iterator[bytes]:
        yield row(1)
        if asked.name.endswith("6"):
            os._exit(3)
        raise ZeroDivisionError

    def query(self, asked: Request) -> bytes:
        raise NotImplementedError(asked)


def test_a_process_that_dies_is_an_error() -> None:
    guard = guarded(Broken())
    with pytest.raises(SourceTruncated, match="worker process died"):
        rows_of(guard, inet_request.request(AF_INET6, IPPROTO_TCP, ALL_STATES, k.EXT_INFO))
    with pytest.raises(SourceTruncated, match="ZeroDivisionError"):
        rows_of(guard, request())


def test_no_process_of_ours_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes are init's: there is no zombie, and no descriptor stays open."""
    children = []
    fork = os.fork

    def forking() -> int:
        children.append(fork())
        return children[-1]

    monkeypatch.setattr(os, "fork", forking)
    before = sorted(os.listdir("/proc/self/fd"))
    guard = guarded(Kernel([row(c) for c in range(5)], [2]))
    rows_of(guard, request())
    guard.close()
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert len(children) > 3
    for child in children:
        with pytest.raises(ChildProcessError):
            os.waitpid(child, os.WNOHANG)


class Descriptors:
    """Tells which descriptors the process that asks has open, and what its standard streams are."""

    def dump(self, asked: Request) -> Iterator[bytes]:
        names = sorted(int(name) for name in os.listdir("/proc/self/fd"))
        links = [os.readlink(f"/proc/self/fd/{n}") for n in names if os.path.exists(f"/proc/self/fd/{n}")]
        yield repr((links, os.getpid() == os.getsid(0), os.getppid())).encode()
        assert asked

    def query(self, asked: Request) -> bytes:
        return next(self.dump(asked))


def test_the_process_holds_nothing_of_ours() -> None:
    """Whoever reads our output does not wait for it."""
    links, leader, _parent = eval(guarded(Descriptors()).query(request()))
    assert links[:3] == ["/dev/null"] * 3
    assert [link.partition(":")[0] for link in links[3:]] == ["pipe"]
    assert not leader


def test_describe() -> None:
    assert describe(row(0x1F)) == "10.0.0.1:1031 -> 10.0.0.2:2000 (inode 77, cookie 1f)"


@pytest.mark.parametrize("family", [AF_INET, AF_INET6])
def test_filters(family: int) -> None:
    """One takes its socket alone, the other takes all but its sockets, of either family."""
    rows = [row(c, family=f) for c, f in ((1, AF_INET), (2, AF_INET6), (3, family), (4, family), (5, AF_INET))]
    twins = [row(3, family=family, dport=2001), row(3, family=family, sport=99)]
    for message in rows:
        assert [m for m in rows + twins if passes(exactly(message), m)] == [message]
    for out in ([], rows[:1], rows[2:4], rows):
        assert [m for m in rows + twins if passes(none_of(out), m)] == [m for m in rows + twins if m not in out]


def test_filter_attribute_is_whole() -> None:
    """512 IPv6 sockets are left out by a filter that fits an attribute."""
    assert len(nlattr(1, none_of([row(c, family=AF_INET6) for c in range(512)]))) < 0xFFFF


def test_single_sockets_are_asked_for_and_locked_ones_once() -> None:
    """Their rows come with tcp_info; a locked one is named, and not asked for again."""
    kernel = Kernel([row(c) for c in range(6)], [2])
    guard = guarded(kernel)
    asked = [row(c) for c in (1, 2, 4)]
    found = guard.ask(request(), asked)
    assert infos(list(found.values())) == {1: True, 4: True}
    assert guard.locked == {2}
    guard.check()
    begin = time.monotonic()
    assert set(guard.ask(request(), asked[1:2])) == set()
    assert time.monotonic() - begin < LIMIT
    assert guard.take_errors() == []


def test_check_tells_that_the_kernel_answers_nothing() -> None:
    """Before Linux 6.9 whoever asks anything else would sleep with the question about a locked socket."""
    guard = guarded(Kernel([row(c) for c in range(3)], [1], blocked=True))
    guard.check()
    guard.ask(request(), [row(1)])
    for _ in range(2):
        with pytest.raises(SourceUnavailable, match="sock_diag is blocked"):
            guard.check()
