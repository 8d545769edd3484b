"""UNIX_DGRAM_QUEUE."""

from __future__ import annotations

from sockdiag.judging.case import Compared, DeclaredRule, Hit, Threshold, batch_table
from sockdiag.judging.magnitude import stuck_severity
from sockdiag.judging.service import FEW_BYTES, PATIENCE, STANDING, Course
from sockdiag.judging.subjects import at, one, subject_of
from sockdiag.model.finding import AT_RISK, CRITICAL, INFO, STALLED, WARNING, Advice, Evidence, Finding
from sockdiag.model.quantity import counted, duration, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from sockdiag.judging.case import Case
    from sockdiag.model.batch import Batch
    from sockdiag.model.socket import Socket

_TABLES = ("unix",)
_FIELDS = ("inode", "recv_q_unit", "recv_q", "send_q", "unix.peer_inode")
_QLEN = "net.unix.max_dgram_qlen"

RULE = DeclaredRule(
    "UNIX_DGRAM_QUEUE",
    CRITICAL,
    (AT_RISK, STALLED),
    "Messages wait at a unix socket whose process does not read. When the queue of a datagram socket is full, "
    "senders sleep or get EAGAIN (sd_notify, sd_journal_send, syslog). When the queue of a stream is full, its "
    "writer waits.",
    "A datagram socket holds net.unix.max_dgram_qlen + 1 messages. A writer also waits when its own send buffer is "
    "full.",
    "unix_dgram_sendmsg(), unix_recvq_full(), unix_stream_sendmsg(), net/unix/af_unix.c",
    ("recv_q", "unix.peer_inode", "send_q of the senders", "poll(2) on a socket connected to it", _QLEN),
    ("unix",),
    (
        PATIENCE,
        STANDING,
        Threshold("risk_ratio", 0.5, "another burst of the same size does not fit"),
    ),
    ("the process that does not read", _QLEN),
    tables=_TABLES,
    sysctls=(_QLEN,),
    compared=(Compared(_TABLES, ("recv_q", "send_q"), ("inode", "recv_q_unit", "unix.peer_inode")),),
    blames_reader=True,
)

_STUCK = Advice(
    "Find out why the process does not read.",
    None,
    f"A longer queue ({_QLEN}) would only fill up too.",
)

# struct sk_buff, and struct skb_shared_info behind the data, which is allocated in powers of two (6.18, x86-64).
_SKB, _SHARED = 256, 320
_SMALLEST = 512


class _Moment:
    """Sockets that have something to read, and what senders are charged for by the inode of their peer.

    Senders that did not connect are under None.
    """

    __slots__ = ("at", "sent", "waiting")

    def __init__(self, when: float, rows: Iterable[tuple[Any, ...]]) -> None:
        self.at = when
        self.waiting: dict[int, int] = {}
        self.sent: dict[int | None, int] = {}
        for inode, unit, unread, unsent, peer in rows:
            if unit != "bytes":
                continue
            if unread and inode:
                self.waiting[inode] = unread
            if unsent:
                self.sent[peer] = self.sent.get(peer, 0) + unsent


def judge(case: Case) -> Iterator[Hit]:
    """Judge sockets at which the same message, or as much of a stream, has waited at every moment while no reader ran.

    The number of messages in a datagram socket's queue cannot be read. What its senders are charged for tells, and whether
    a socket that connects to it may write.
    """
    if case.before is None:
        return
    places: dict[int, tuple[Batch, int]] = {}
    rows: list[tuple[Any, ...]] = []
    for batch, *columns in case.scan(_TABLES, *_FIELDS):
        for row, values in enumerate(zip(*columns, strict=True)):
            rows.append(values)
            places[values[0]] = batch, row
    now = _Moment(case.now.at, rows)
    if not now.waiting:
        return
    earlier = [
        values
        for _batch, *columns in case.scan(_TABLES, *_FIELDS, earlier=True)
        for values in zip(*columns, strict=True)
    ]
    before = _Moment(case.before.at, earlier)
    standing = [inode for inode in now.waiting if inode in before.waiting]
    if not standing:
        return
    moments = [before, *(_probe(sample.at, sample.batches) for sample in case.between), now]
    halted = case.halted(standing)
    unconnected = [inode for inode in standing if inode not in now.sent and _is_dgram(places[inode])]
    senders_of = _senders(case)
    for inode in standing:
        socket = one(*places[inode])
        # Messages of senders that are not connected wait somewhere: here, if only this socket is not read.
        peer = None if [inode] == unconnected and None in now.sent else inode
        senders = senders_of.get(peer, [])
        said = _judge_one(case, socket, moments, peer, senders, halted=inode in halted)
        if said is not None:
            yield _hit(said, socket, places[inode], now.sent.get(peer, 0), senders)


def _probe(when: float, batches: Iterable[Batch]) -> _Moment:
    rows = (
        values
        for batch in batches
        if batch_table(batch) in _TABLES
        for values in zip(*(batch.values(name) for name in _FIELDS), strict=True)
    )
    return _Moment(when, rows)


def _is_dgram(place: tuple[Batch, int]) -> bool:
    batch, row = place
    return bool(batch.values("type")[row] == "SOCK_DGRAM")


def _senders(case: Case) -> dict[int | None, list[tuple[int, int]]]:
    """Return what each sender is charged for, and its limit, by the socket that it is connected to; None is none."""
    found: dict[int | None, list[tuple[int, int]]] = {}
    for _batch, ends, units, unsent, limits in case.scan(
        _TABLES, "unix.peer_inode", "recv_q_unit", "send_q", "skmem.sndbuf"
    ):
        for end, unit, charged, limit in zip(ends, units, unsent, limits, strict=True):
            if charged and unit == "bytes":
                found.setdefault(end, []).append((charged, limit or 0))
    return found


class _Said:
    __slots__ = ("condition", "eta", "ratio", "severity", "verdict", "waited")

    def __init__(
        self, verdict: str, severity: str, condition: str, ratio: float | None, eta: float | None, waited: float
    ) -> None:
        self.verdict = verdict
        self.severity = severity
        self.condition = condition
        self.ratio = ratio
        self.eta = eta
        self.waited = waited


def _judge_one(
    case: Case,
    socket: Socket,
    moments: list[_Moment],
    peer: int | None,
    senders: list[tuple[int, int]],
    *,
    halted: bool,
) -> _Said | None:
    inode = socket.inode or 0
    dgram = socket.type == "SOCK_DGRAM"
    times = [moment.at for moment in moments]
    heads = [moment.waiting.get(inode, 0) for moment in moments]
    charged = [moment.sent.get(peer, 0) for moment in moments] if senders else heads
    # Of a datagram socket recv_q is the length of the first message: while it stands, so does that message.
    ran = case.ran(inode)
    course = Course(times, charged if dgram else heads, untouched=True if halted or ran is False else None)
    if not course.untouched and dgram and not course.fell and min(heads) == max(heads):
        course = Course(times, charged, untouched=len(moments) > _FEWEST and bool(senders))
    if not course.untouched or (dgram and min(heads) != max(heads)) or (not halted and ran):
        return None
    lasting = halted or course.waited_s >= case.threshold(RULE, "patience_s")
    if course.grew and not lasting:
        return None
    ratio = _fill(case, socket, senders, dgram=dgram) if senders else None
    if dgram and (ratio is None or ratio < 1) and case.queue_is_full(inode):
        # Those who wrote the rest have ended, or are not connected.
        ratio = 1.0
    eta = None
    if ratio and course.rate:
        eta = round(max(0.0, 1 - ratio) / (ratio * course.rate / course.levels[-1]), 1)
    waited = course.waited_s
    if dgram and ratio is not None:
        if ratio >= 1:
            return _Said(AT_RISK, CRITICAL, "is full, refuses messages and has not been read", ratio, 0.0, waited)
        if ratio > case.threshold(RULE, "risk_ratio") or (eta is not None and eta <= case.horizon):
            return _Said(AT_RISK, WARNING, "is filling up and has not been read", ratio, eta, waited)
    amount = max(charged[-1], heads[-1])
    if ratio is None:
        # Without the senders or the limit, only time shows that it is more than a message for a slow reader.
        asleep = dgram and ran is False and waited >= _A_SECOND
        known = halted or asleep or (dgram and bool(senders)) or (lasting and (dgram or amount >= FEW_BYTES))
    else:
        known = halted or ratio >= case.threshold(RULE, "standing_ratio") or (lasting and amount >= FEW_BYTES)
    if halted:
        severity = WARNING
    elif ratio is None:
        severity = WARNING if dgram and (senders or lasting) else INFO
    else:
        severity = stuck_severity(ratio, lasting=lasting)
    return _Said(STALLED, severity, "has not been read", ratio, eta, waited) if known else None


# A reader that slept for so long while messages waited may still be one that reads from time to time: a note.
_A_SECOND = 0.9
# Equal heads at so few moments may be messages of one length.
_FEWEST = 3


def _fill(case: Case, socket: Socket, senders: list[tuple[int, int]], *, dgram: bool) -> float | None:
    """Return how full the queue is, or the send buffer of the sender that waits for it, whichever is fuller."""
    ratio = max((charged / limit for charged, limit in senders if limit), default=0.0)
    most = case.now.limits.number(_QLEN) if dgram else None
    if dgram and most is None:
        return None
    if most is not None:
        # The charge of one message, if all are as long as the first.
        data = _SMALLEST
        while data < (socket.recv_q or 0) + _SHARED:
            data *= 2
        messages = sum(charged for charged, _limit in senders) // (data + _SKB)
        ratio = max(ratio, messages / (most + 1))
    return min(ratio, 1.0)


def _hit(said: _Said, socket: Socket, place: tuple[Batch, int], charged: int, senders: list[tuple[int, int]]) -> Hit:
    where = f"unix socket {name}" if (name := at(socket.local)) != "-" else f"unix socket (inode {socket.inode})"
    since = f" for {duration(said.waited)}" if said.waited else ""
    # Of a datagram socket the kernel shows the length of the first message only.
    dgram = socket.type == "SOCK_DGRAM"
    waiting = f"the first message has {size(socket.recv_q)}" if dgram else f"{size(socket.recv_q)} wait"
    held = f"{size(charged)} from {counted(len(senders), 'sender')} wait" if senders else waiting
    evidence = {
        "first_message" if dgram else "recv_q": Evidence(socket.recv_q, "bytes", None, "UNIX_DIAG_RQLEN", "socket")
    }
    if senders:
        evidence["wmem_alloc"] = Evidence(charged, "bytes", None, "UNIX_DIAG_RQLEN of the senders", "socket")
    if said.ratio is not None:
        evidence["fill_ratio"] = Evidence(
            round(said.ratio, 4), "ratio", 1, "senders' charges, or poll(2) of a connected socket", "socket"
        )
    return Hit(
        Finding(
            RULE.code,
            said.severity,
            subject_of(socket),
            f"{where} {said.condition}{since}: {held}",
            evidence,
            None if said.ratio is None else round(1 - said.ratio, 4),
            said.eta,
            (_STUCK,),
            said.verdict,
            "the process does not read its socket",
        ),
        [place],
    )
