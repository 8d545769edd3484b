"""Receive buffers that lose what arrives when they are full: how the datagram tables judge them, and advice on their size.

Source: ``__udp_enqueue_schedule_skb()``, net/ipv4/udp.c; ``__sock_queue_rcv_skb()``, net/core/sock.c; ``packet_rcv()``,
net/packet/af_packet.c; ``netlink_attachskb()``, net/netlink/af_netlink.c. They refuse a packet when the
memory charged plus its truesize exceeds the limit, so a buffer is full before it reaches 100 %.
"""

from __future__ import annotations

from sockdiag.judging.case import Hit, Threshold, Unseen, batch_table, per_second
from sockdiag.judging.magnitude import THRESHOLDS as LOSS_THRESHOLDS
from sockdiag.judging.magnitude import severity_of, stuck_severity
from sockdiag.judging.service import FEW_BYTES, PATIENCE, STANDING, Course, kernels_own
from sockdiag.judging.subjects import memory_evidence, name_of, one, subject_of
from sockdiag.model.batch import identities
from sockdiag.model.finding import (
    AT_RISK,
    CRITICAL,
    DROPPING,
    INFO,
    RECOVERED,
    STALLED,
    WARNING,
    Advice,
    Evidence,
    Finding,
)
from sockdiag.model.quantity import counted, duration, part_of, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from sockdiag.judging.case import Case, Rule
    from sockdiag.model.batch import Batch
    from sockdiag.model.socket import Socket

    # Verdict, severity, condition, seconds until the buffer is full, cause.
    Said = tuple[str, str, str, float | None, str]

# For the declarations of rules: what judge_buffers() reads and compares, and what buffer_advice() reads.
READS = ("skmem.rmem_alloc", "skmem.rcvbuf", "skmem.drops", "recv_q")
COMPARED = ("skmem.rmem_alloc", "skmem.drops", "recv_q")
SIZE_SYSCTLS = ("net.core.rmem_default", "net.core.rmem_max")
VERDICTS = (DROPPING, AT_RISK, STALLED, RECOVERED)

FILL = Threshold(
    "fill_ratio",
    0.85,
    "a default buffer filled with 30 kB datagrams refuses the next one at 87 %, with 65 kB datagrams at 93 % (6.18)",
)
SMALLEST = Threshold("free_bytes", 1280, "truesize of a datagram of 200 to 700 bytes on loopback (6.18)")
THRESHOLDS = (FILL, SMALLEST, PATIENCE, STANDING, *LOSS_THRESHOLDS)

# Tables of /proc that show no buffer sizes; the owner's descriptor does.
_SIZES_HIDDEN = ("raw", "icmp", "packet")

# Even the smallest buffer that a socket can have (SOCK_MIN_RCVBUF) has room for another packet beside so much.
_HARMLESS = 2304 - 1280

_READ = Advice(
    "Make the process read more often, or from more sockets (SO_REUSEPORT).",
    None,
    "A larger buffer only absorbs bursts; a reader slower than the sender will fill any buffer.",
)
_STUCK = Advice(
    "Find out why the process does not read.",
    None,
    "The process read nothing between the two samples; a larger buffer would only fill up too.",
)


class Level:
    """A receive buffer, now and before.

    Attributes:
        rmem, rcvbuf, drops, waiting: now; None where unknown.
        past: rmem, drops and waiting in the earlier sample, zeros for a socket made since; None where there is no earlier
            sample.
        course: what waited at each moment that the socket was seen.
        growth: bytes per second by which the queue grows; 0 where the moments do not agree that it does.
        halted: no process that holds the socket runs.
    """

    __slots__ = ("course", "drops", "growth", "halted", "past", "rcvbuf", "rmem", "waiting")

    def __init__(
        self, rmem: int | None, rcvbuf: int | None, drops: int | None, waiting: int | None, past: Any = None
    ) -> None:
        self.rmem = rmem
        self.rcvbuf = rcvbuf
        self.drops = drops
        self.waiting = waiting
        self.past: tuple[int | None, int | None, int | None] | None = past
        self.course = Course((), ())
        self.growth = 0.0
        self.halted = False

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
    def unread(self) -> bool:
        """Whether it is known that nothing was read between the samples."""
        return self.course.untouched

    def follow(self, seen: Sequence[tuple[float, tuple[int | None, int | None]]], *, untouched: bool) -> None:
        """Take in what was seen of the buffer at each moment: memory charged, and what waits.

        Memory may be charged long after the data was read: a queue grows by what both show. If only the charge moves, as much
        is read as arrives.
        """
        times = [when for when, _levels in seen]
        charged = [rmem or 0 for _when, (rmem, _waiting) in seen]
        waiting = [(rmem if queued is None else queued) or 0 for _when, (rmem, queued) in seen]
        swayed = min(charged, default=0) < max(charged, default=0)
        known = True if untouched or self.halted else False if swayed else None
        self.course = Course(times, waiting, untouched=known)
        net = (charged[-1] - charged[0]) / self.course.span_s if self.course.span_s > 0 else 0.0
        self.growth = max(0.0, min(self.course.rate, net)) if self.rmem is not None else self.course.rate


def levels(case: Case, tables: Sequence[str], *, unread: bool = False) -> Iterator[tuple[Batch, int, Level]]:
    """Yield the sockets of some tables whose buffer holds something or that have dropped something.

    Args:
        case: the samples.
        tables: the tables.
        unread: it is known that nobody read from any of them between the samples.

    Raises:
        Unseen: a table could not be read.
    """
    for batch, rmem, rcvbuf, drops, waiting in case.scan(tables, *READS):
        rows = [row for row in range(batch.size) if rmem[row] or drops[row] or (rmem[row] is None and waiting[row])]
        own = kernels_own(batch) if rows else ()
        rows = [row for row in rows if row not in own]
        if not rows:
            continue
        keys = identities(batch)
        past = case.earlier(tables, [keys[row] for row in rows], *COMPARED)
        found = []
        for row in rows:
            before = past.get(keys[row])
            if before is None and case.before is not None:
                before = (0, 0, 0)  # it was made since
            found.append((row, Level(rmem[row], rcvbuf[row], drops[row], waiting[row], before)))
        _follow(case, tables, batch, found, unread=unread)
        for row, level in found:
            yield batch, row, level


def _follow(
    case: Case, tables: Sequence[str], batch: Batch, found: Sequence[tuple[int, Level]], *, unread: bool
) -> None:
    """Look up how those queues came to be that hold something in both samples."""
    keys = identities(batch)
    standing = [(row, level) for row, level in found if level.past and (level.rmem or level.waiting)]
    seen = case.courses(tables, [keys[row] for row, _level in standing], "skmem.rmem_alloc", "recv_q")
    inodes = batch.values("inode") if standing else ()
    for row, level in standing:
        level.follow(seen.get(keys[row], ()), untouched=unread)
    # A socket that only the last sample shows, such as the one that asks, has not been left waiting. Whom it belongs to is not
    # looked up: that reads every descriptor of the host.
    lasting = [(row, level) for row, level in standing if len(seen.get(keys[row], ())) > 1]
    halted = case.halted(inodes[row] for row, level in lasting if not level.course.fell)
    for row, level in lasting:
        if inodes[row] in halted:
            level.halted = True
            level.follow(seen.get(keys[row], ()), untouched=unread)
        elif not level.course.untouched and not level.course.fell and case.ran(inodes[row]) is False:
            level.follow(seen.get(keys[row], ()), untouched=True)


def judge_buffers(
    case: Case,
    rule: Rule,
    tables: Sequence[str],
    what: str,
    advise: Callable[[Case, Socket, Level], tuple[Advice, ...]],
    mine: Callable[[Case, Level], bool] = lambda _case, _level: True,
    congested: Callable[[Level], bool] = lambda _level: False,
    unread: bool = False,
    read: int | None = None,
    never_read: bool = False,
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
        unread: it is known that nobody read from any of the sockets between the samples.
        never_read: nobody has read from any of them since they were made.
        read: how many packets processes read from all of them in that time; None where no counter shows it.

    Raises:
        Unseen: a table, or the limit of a socket that holds something, could not be read.
    """
    hidden: tuple[Batch, int] | None = None
    for batch, row, level in levels(case, tables, unread=unread):
        held = level.waiting if level.rmem is None else level.rmem
        if level.rcvbuf is None and (held or 0) > _HARMLESS:
            if batch_table(batch) in _SIZES_HIDDEN:
                level.rcvbuf = case.receive_buffer(batch.values("inode")[row])
            if level.rcvbuf is None and not level.lost:
                hidden = hidden or (batch, row)
        said = _judge_one(case, rule, what, level, mine, congested(level), read, never_read)
        if said is None:
            continue
        verdict, severity, condition, eta, cause = said
        socket = one(batch, row)
        fill = level.fill
        yield Hit(
            Finding(
                rule.code,
                severity,
                subject_of(socket),
                f"{name_of(socket)} {condition}",
                _evidence(socket, level),
                None if fill is None else max(0.0, round(1 - fill, 4)),
                eta,
                () if verdict == RECOVERED else advise(case, socket, level),
                verdict,
                cause,
                case.rate(level.lost) if verdict == DROPPING and level.lost else None,
            ),
            [(batch, row)],
        )
    if hidden is not None:
        socket = one(*hidden)
        raise Unseen(
            f"/proc/net/{socket.netid}",
            f"{name_of(socket)} holds unread data, but /proc does not show the size of its buffer",
        )


def _evidence(socket: Socket, level: Level) -> dict[str, Evidence]:
    evidence = {
        "rmem_alloc": memory_evidence(socket, "rmem_alloc", level.rmem, "bytes", level.rcvbuf),
        "drops": memory_evidence(socket, "drops", level.drops, "count since the socket was created"),
    }
    if level.lost is not None:
        evidence["drops_in_interval"] = memory_evidence(socket, "drops", level.lost, "count")
    if level.waiting is not None:
        evidence["recv_q"] = Evidence(level.waiting, "bytes", None, "idiag_rqueue", "socket")
    if level.growth:
        evidence["growth_per_s"] = Evidence(
            round(level.growth, 1), "bytes", None, "both samples and the probes", "socket"
        )
    return evidence


def _judge_one(
    case: Case,
    rule: Rule,
    what: str,
    level: Level,
    mine: Callable[[Case, Level], bool],
    congested: bool,
    read: int | None,
    never_read: bool,
) -> Said | None:
    lost, rmem, rcvbuf = level.lost, level.rmem, level.rcvbuf
    if lost and lost > 0:
        return _losing(case, what, level, lost, read) if mine(case, level) else None
    if rmem and rcvbuf:
        said = _filling(case, rule, what, level, rmem, rcvbuf, congested, never_read)
        if said is not None:
            return said
    if level.drops and mine(case, level):
        now = "none now" if lost == 0 else "use --interval to see whether it is still losing"
        return RECOVERED, INFO, f"lost {counted(level.drops, what)} since it was created; {now}", None, ""
    return None


def _held(level: Level) -> str:
    if level.rcvbuf is None:
        return f"{size(level.rmem)}, limit unknown"
    return f"{size(level.rmem)}" if level.rmem is None else part_of(level.rmem, level.rcvbuf, "bytes")


def _losing(case: Case, what: str, level: Level, lost: int, read: int | None) -> Said:
    severity = severity_of(lost, 0 if level.unread else read, case.seconds)
    pace = per_second(case.rate(lost))
    cause = "nothing is read from the socket" if level.unread else f"{what}s arrive faster than they are read"
    return DROPPING, severity, f"lost {counted(lost, what)}{pace}; receive buffer: {_held(level)}", None, cause


def _filling(
    case: Case, rule: Rule, what: str, level: Level, rmem: int, rcvbuf: int, congested: bool, never_read: bool
) -> Said | None:
    free, course, growth = rcvbuf - rmem, level.course, level.growth
    eta = round(free / growth, 1) if growth else None
    ratio = rmem / rcvbuf
    if congested:
        said = f"is congested: it drops every {what} until its process has read the whole queue of {size(rmem)}"
        return AT_RISK, CRITICAL, said, None, "the queue has overflowed, and the process has not emptied it since"
    unread = f", not read for {duration(course.span_s)}" if level.unread else ""
    cause = "nothing is read from the socket" if level.unread else ""
    full = free < case.threshold(rule, "free_bytes")
    if full or (ratio >= case.threshold(rule, "fill_ratio") and not course.drained):
        still = level.unread and not course.grew
        severity = CRITICAL if full and not still else WARNING
        word = "full" if full else "nearly full"
        return AT_RISK, severity, f"has a {word} receive buffer: {_held(level)}{unread}", eta, cause
    patience = case.threshold(rule, "patience_s")
    lasting = level.halted or never_read or course.waited_s >= patience
    if growth and lasting and eta is not None and (free < rmem or eta <= case.horizon):
        said = f"is filling its receive buffer: {_held(level)}, full in {duration(eta)} at this rate{unread}"
        return AT_RISK, WARNING, said, eta, cause or f"{what}s arrive faster than they are read"
    # What arrives while nobody reads may still be waiting for a reader that works in batches.
    if not level.unread or not (lasting or not course.grew):
        return None
    if free < rmem:
        return (
            AT_RISK,
            WARNING,
            f"is not being read: {_held(level)}{unread}; a burst of the same size overflows it",
            eta,
            cause,
        )
    standing = ratio >= case.threshold(rule, "standing_ratio") or (lasting and rmem >= FEW_BYTES)
    if level.halted or standing:
        severity = WARNING if level.halted and rmem >= FEW_BYTES else stuck_severity(ratio, lasting=lasting)
        return STALLED, severity, f"is not being read: {_held(level)}{unread}", eta, cause
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
                f"The buffer, {size(rcvbuf)}, is twice rmem_max: the process asked for as much as it is allowed, or "
                "more.",
            ),
            _READ,
        )
    room = "" if most is None else f" net.core.rmem_max allows up to {size(2 * most)}."
    if default is not None and rcvbuf == default:
        return (
            Advice(
                f"Let the process ask for a larger buffer: setsockopt(SO_RCVBUF, {larger // 2}).",
                None,
                f"It has the default, net.core.rmem_default.{room} A new default applies only to sockets created later.",
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
