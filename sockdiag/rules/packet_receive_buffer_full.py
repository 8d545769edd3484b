"""PACKET_RECEIVE_BUFFER_FULL."""

from __future__ import annotations

from sockdiag.judging.case import Compared, DeclaredRule, Hit, Unseen
from sockdiag.judging.subjects import name_of, one, subject_of
from sockdiag.model.finding import CRITICAL, STALLED, UNKNOWN, WARNING, Evidence, Finding
from sockdiag.model.quantity import counted, size
from sockdiag.rules._buffers import COMPARED, READS, SIZE_SYSCTLS, THRESHOLDS, VERDICTS, buffer_advice, judge_buffers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case
    from sockdiag.model.batch import Batch

RULE = DeclaredRule(
    "PACKET_RECEIVE_BUFFER_FULL",
    CRITICAL,
    (*VERDICTS, UNKNOWN),
    "A packet socket (a sniffer, a DHCP client) receives more frames than its process reads. The traffic itself is "
    "not affected.",
    "Without a ring, the kernel drops a frame when sk_rmem_alloc has reached sk_rcvbuf. With a ring (tcpdump), it "
    "drops a frame when user space still owns the next slot; only the owner can read that count, and reading resets "
    "it.",
    "packet_rcv(), tpacket_rcv(), net/packet/af_packet.c",
    (*READS, "packet.rx_ring"),
    ("packet",),
    THRESHOLDS,
    (
        "SO_RCVBUF",
        "a narrower filter",
        "for rings: the statistics of the program itself (tcpdump prints them at its end)",
    ),
    tables=("packet",),
    sysctls=SIZE_SYSCTLS,
    compared=(Compared(("packet",), COMPARED),),
    commands=("memory",),
    blames_reader=True,
    drop_reasons=("PACKET_SOCK_ERROR",),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge packet sockets without a ring; of those with one only tracing can tell."""
    yield from judge_buffers(
        case, RULE, ("packet",), "frame", lambda c, _s, level: buffer_advice(c, level.rcvbuf, level.unread)
    )
    rings: dict[int, tuple[Batch, int]] = {}
    for batch, attrs, inodes in case.scan(("packet",), "packet", "inode"):
        rings.update(
            (inodes[row], (batch, row)) for row, a in enumerate(attrs) if a is not None and a.rx_ring is not None
        )
    halted = case.halted(rings) if case.before is not None else frozenset()
    for inode in halted:
        yield _stopped(*rings[inode])
    if rings.keys() - halted:
        raise Unseen(
            "PACKET_STATISTICS",
            f"only the owner of {counted(len(rings), 'packet socket')} with a ring can read their losses",
        )


def _stopped(batch: Batch, row: int) -> Hit:
    socket = one(batch, row)
    ring = None if socket.packet is None else socket.packet.rx_ring
    ring_bytes = None if ring is None else ring.block_size * ring.block_nr
    return Hit(
        Finding(
            RULE.code,
            WARNING,
            subject_of(socket),
            f"{name_of(socket)} has a ring of {size(ring_bytes)} that is not being read; once full, it loses every "
            "frame",
            {"rx_ring": Evidence(ring_bytes, "bytes", None, "PACKET_DIAG_RX_RING", "socket")},
            None,
            None,
            (),
            STALLED,
        ),
        [(batch, row)],
    )
