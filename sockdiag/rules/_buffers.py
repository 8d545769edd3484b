"""Receive buffers that lose what arrives when they are full: how the datagram tables judge them, and advice on their size.

Source: ``__udp_enqueue_schedule_skb()``, net/ipv4/udp.c; ``__sock_queue_rcv_skb()``, net/core/sock.c; ``packet_rcv()``,
net/packet/af_packet.c; ``netlink_attachskb()``, net/netlink/af_netlink.c. They refuse a packet when the
memory charged plus its truesize exceeds the limit, so a buffer is full before it reaches 100 %.
"""

from __future__ import annotations

from sockdiag.judging.case import Hit, Threshold, Unseen, counted, per_second
from sockdiag.judging.subjects import at, memory_evidence, one, subject_of
from sockdiag.model.batch import identities
from sockdiag.model.finding import AT_RISK, CRITICAL, DROPPING, INFO, RECOVERED, WARNING, Advice, Evidence, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from sockdiag.judging.case import Case, Rule
    from sockdiag.model.batch import Batch
    from sockdiag.model.socket import Socket

# For the declarations of rules: what judge_buffers() reads and compares, and what buffer_advice() reads.
READS = ("skmem.rmem_alloc", "skmem.rcvbuf", "skmem.drops", "recv_q")
COMPARED = ("skmem.rmem_alloc", "skmem.drops", "recv_q")
SIZE_SYSCTLS = ("net.core.rmem_default", "net.core.rmem_max")

FILL = Threshold(
    "fill_ratio",
    0.85,
    "a default buffer that 30 kB datagrams fill refuses the next at 87 %, one of 65 kB at 93 % (6.18)",
)
SMALLEST = Threshold("free_bytes", 1280, "truesize of a datagram of 200 to 700 bytes on loopback (6.18)")
TREND = Threshold(
    "trend_ratio", 0.25, "below it what grows may be the memory that UDP gives back late: a quarter of the buffer"
)
THRESHOLDS = (FILL, SMALLEST, TREND)

# Even the smallest buffer that a socket can have (SOCK_MIN_RCVBUF) has room for another packet beside so much.
_HARMLESS = 2304 - 1280

_READ = Advice(
    "Make the process read more often, or from more sockets (SO_REUSEPORT).",
    None,
    "A larger buffer only absorbs bursts; a reader slower than the sender will fill any buffer.",
)
_STUCK = Advice(
    "Find out why the process does not read.", None, "Nothing was taken out of the buffer between the two looks."
)


class Level:
    """A receive buffer, now and before.

    Attributes:
        rmem, rcvbuf, drops, waiting: now; None where unknown.
        past: rmem, drops and waiting in the earlier sample, zeros for a socket made since; None where there is no earlier
            sample.
    """

    __slots__ = ("drops", "past", "rcvbuf", "rmem", "waiting")

    def __init__(
        self, rmem: int | None, rcvbuf: int | None, drops: int | None, waiting: int | None, past: Any = None
    ) -> None:
        self.rmem = rmem
        self.rcvbuf = rcvbuf
        self.drops = drops
        self.waiting = waiting
        self.past: tuple[int | None, int | None, int | None] | None = past

    @property
    def lost(self) -> int | None:
        """Drops between the samples; None where unknown. All drops of a socket that was not there before."""
        if self.past is None or self.drops is None:
            return None
        return self.drops - (self.past[1] or 0)

    @property
    def fill(self) -> float | None:
        """Share of the buffer in use."""
        return None if self.rmem is None or not self.rcvbuf else self.rmem / self.rcvbuf

    @property
    def growth(self) -> int:
        """Bytes by which a queue that was not empty grew between the samples."""
        if self.past is None or self.rmem is None or not self.past[0] or not self.past[2]:
            return 0
        return max(0, self.rmem - self.past[0])

    @property
    def unread(self) -> bool:
        """Whether nothing was read between the samples, as far as that shows: where packets are lost, a queue refills at once."""
        return not self.lost and bool(
            self.past and self.past[2] and self.waiting is not None and self.waiting >= self.past[2]
        )


def levels(case: Case, tables: Sequence[str]) -> Iterator[tuple[Batch, int, Level]]:
    """Yield the sockets of some tables whose buffer holds something or that have dropped something.

    Raises:
        Unseen: a table could not be read.
    """
    for batch, rmem, rcvbuf, drops, waiting in case.scan(tables, *READS):
        rows = [row for row in range(batch.size) if rmem[row] or drops[row] or (rmem[row] is None and waiting[row])]
        if not rows:
            continue
        keys = identities(batch)
        past = case.earlier(tables, [keys[row] for row in rows], *COMPARED)
        for row in rows:
            before = past.get(keys[row])
            if before is None and case.before is not None:
                before = (0, 0, 0)  # it was made since
            yield batch, row, Level(rmem[row], rcvbuf[row], drops[row], waiting[row], before)


def judge_buffers(
    case: Case,
    rule: Rule,
    tables: Sequence[str],
    what: str,
    advise: Callable[[Case, Socket, Level], tuple[Advice, ...]],
    mine: Callable[[Case, Level], bool] = lambda _case, _level: True,
    congested: Callable[[Level], bool] = lambda _level: False,
) -> Iterator[Hit]:
    """Judge the receive buffers of some tables.

    Args:
        case: the samples.
        rule: the rule that the findings belong to.
        tables: the tables.
        what: what is lost, in the singular.
        advise: gives advice on one socket.
        mine: whether a full buffer is the cause of drops.
        congested: whether the next packet is lost whatever the level.

    Raises:
        Unseen: a table, or the limit of a socket that holds something, could not be read.
    """
    hidden: tuple[Batch, int] | None = None
    for batch, row, level in levels(case, tables):
        held = level.waiting if level.rmem is None else level.rmem
        if level.rcvbuf is None and (held or 0) > _HARMLESS and not level.lost:
            hidden = hidden or (batch, row)
        found = _judge_one(case, rule, what, level, mine, congested(level))
        if found is None:
            continue
        verdict, severity, said, eta = found
        socket = one(batch, row)
        evidence = {
            "rmem_alloc": memory_evidence(socket, "rmem_alloc", level.rmem, "bytes", level.rcvbuf),
            "drops": memory_evidence(socket, "drops", level.drops, "count since the socket was made"),
        }
        if level.lost is not None:
            evidence["drops_in_interval"] = memory_evidence(socket, "drops", level.lost, "count")
        if level.waiting is not None:
            evidence["recv_q"] = Evidence(level.waiting, "bytes", None, "idiag_rqueue", "socket")
        fill = level.fill
        yield Hit(
            Finding(
                rule.code,
                severity,
                subject_of(socket),
                f"{socket.netid} {at(socket.local)} {said}",
                evidence,
                None if fill is None else max(0.0, round(1 - fill, 4)),
                eta,
                () if verdict == RECOVERED else advise(case, socket, level),
                verdict,
            ),
            [(batch, row)],
        )
    if hidden is not None:
        socket = one(*hidden)
        raise Unseen(
            f"/proc/net/{socket.netid}",
            f"{socket.netid} {at(socket.local)} has something to read, and the size of its buffer is not in /proc",
        )


def _judge_one(
    case: Case, rule: Rule, what: str, level: Level, mine: Callable[[Case, Level], bool], congested: bool
) -> tuple[str, str, str, float | None] | None:
    lost, rmem, rcvbuf = level.lost, level.rmem, level.rcvbuf
    held = f"{rmem} of {rcvbuf} bytes" if rcvbuf is not None else f"{rmem} bytes, of a limit that is not visible,"
    if lost and lost > 0:
        if not mine(case, level):
            return None
        return (
            DROPPING,
            CRITICAL,
            f"lost {counted(lost, what)}{per_second(case.rate(lost))}; its receive buffer holds {held}",
            None,
        )
    if rmem and rcvbuf:
        free, growth = rcvbuf - rmem, level.growth
        eta = round(free / (growth / case.seconds), 1) if growth and case.seconds else None
        if congested:
            return (
                AT_RISK,
                CRITICAL,
                f"has overrun and drops every {what} until its queue of {rmem} bytes is read empty",
                None,
            )
        if free < case.threshold(rule, "free_bytes") or rmem / rcvbuf >= case.threshold(rule, "fill_ratio"):
            unread = ", and nothing was read meanwhile" if level.unread else ""
            return AT_RISK, CRITICAL, f"has a full receive buffer: {held}{unread}; the next {what} may be lost", eta
        if growth and rmem / rcvbuf >= case.threshold(rule, "trend_ratio"):
            assert eta is not None
            if growth >= free or eta <= case.horizon:
                return AT_RISK, WARNING, f"fills its receive buffer: {held}, full in {eta} s at this rate", eta
    if level.drops and mine(case, level):
        now = "none now" if lost == 0 else "use --interval to see whether it is still losing"
        return RECOVERED, INFO, f"lost {counted(level.drops, what)} since it was made; {now}", None
    return None


def buffer_advice(case: Case, rcvbuf: int | None, unread: bool = False) -> tuple[Advice, ...]:
    """Advise on a receive buffer that is full.

    Source: ``__sock_set_rcvbuf()``: sk_rcvbuf is twice the smaller of what SO_RCVBUF asks for and rmem_max.

    Args:
        case: the samples, for rmem_default and rmem_max.
        rcvbuf: sk_rcvbuf, None where unknown.
        unread: nothing was read between the samples.
    """
    if unread:
        return (_STUCK,)
    limits = case.now.limits
    default, most = limits.number("net.core.rmem_default"), limits.number("net.core.rmem_max")
    if rcvbuf is None:
        return (_READ,)
    larger = 4 * rcvbuf
    if most is not None and rcvbuf >= 2 * most:
        return (
            Advice(
                "Raise net.core.rmem_max, then let the process ask for more with SO_RCVBUF.",
                f"sysctl -w net.core.rmem_max={larger}",
                f"The buffer, {rcvbuf} bytes, is twice rmem_max: the process asked for at least as much as it may have.",
            ),
            _READ,
        )
    room = "" if most is None else f" net.core.rmem_max, {most}, allows up to {2 * most}."
    if default is not None and rcvbuf == default:
        return (
            Advice(
                f"Let the process ask for a larger buffer: setsockopt(SO_RCVBUF, {larger // 2}).",
                None,
                f"It has the default, net.core.rmem_default.{room} A new default is for sockets made later only.",
            ),
            _READ,
        )
    return (
        Advice(
            f"Let the process ask for a larger buffer: setsockopt(SO_RCVBUF, {larger // 2}).",
            None,
            f"It set this size itself; raising rmem_max or rmem_default changes nothing for it.{room}",
        ),
        _READ,
    )
