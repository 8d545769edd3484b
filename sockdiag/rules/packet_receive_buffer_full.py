"""PACKET_RECEIVE_BUFFER_FULL."""

from __future__ import annotations

from sockdiag.judging.case import Compared, DeclaredRule, Unseen, counted
from sockdiag.model.finding import CRITICAL, UNKNOWN
from sockdiag.rules._buffers import COMPARED, READS, SIZE_SYSCTLS, THRESHOLDS, VERDICTS, buffer_advice, judge_buffers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit

RULE = DeclaredRule(
    "PACKET_RECEIVE_BUFFER_FULL",
    CRITICAL,
    (*VERDICTS, UNKNOWN),
    "A packet socket (a sniffer, a DHCP client) gets more frames than its process reads. The traffic itself is not affected.",
    "Without a ring a frame is refused when sk_rmem_alloc has reached sk_rcvbuf. With a ring (tcpdump) it is lost when user "
    "space still owns the next frame; only the owner may read that number, and reading sets it to zero.",
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
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge packet sockets without a ring; of those with one only tracing can tell."""
    yield from judge_buffers(
        case, RULE, ("packet",), "frame", lambda c, _s, level: buffer_advice(c, level.rcvbuf, level.unread)
    )
    rings = 0
    for _batch, attrs in case.scan(("packet",), "packet"):
        rings += sum(1 for a in attrs if a is not None and a.rx_ring is not None)
    if rings:
        raise Unseen(
            "PACKET_STATISTICS",
            f"losses of {counted(rings, 'packet socket')} with a ring show to the owner only, or at the tracepoint skb:kfree_skb",
        )
