"""UDP_RECEIVE_BUFFER_FULL."""

from __future__ import annotations

from sockdiag.judging.case import Compared, DeclaredRule
from sockdiag.model.finding import CRITICAL
from sockdiag.rules._buffers import COMPARED, READS, SIZE_SYSCTLS, THRESHOLDS, VERDICTS, buffer_advice, judge_buffers
from sockdiag.rules._memory import ACCOUNT_SYSCTLS, MEMORY_PARTS
from sockdiag.rules._udp import COUNTERS, READ, TABLES, buffer_is_cause, datagrams_read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit

RULE = DeclaredRule(
    "UDP_RECEIVE_BUFFER_FULL",
    CRITICAL,
    VERDICTS,
    "Datagrams arrive faster than the process reads them, and the socket's receive buffer is full.",
    "The kernel drops a datagram when sk_rmem_alloc plus its truesize exceeds sk_rcvbuf (6.15; before, when "
    "sk_rmem_alloc alone does).",
    "__udp_enqueue_schedule_skb(), net/ipv4/udp.c",
    (*READS, "Udp.RcvbufErrors", "Udp6.RcvbufErrors", "Udp.InDatagrams", "Udp6.InDatagrams"),
    ("udp",),
    THRESHOLDS,
    ("SO_RCVBUF", "net.core.rmem_max if the socket is at that cap", "a reader that keeps up"),
    partly=("udplite", "/proc/net/snmp", "/proc/net/snmp6"),
    tables=TABLES,
    sysctls=(*SIZE_SYSCTLS, *ACCOUNT_SYSCTLS),
    counters=(*COUNTERS, *READ),
    parts=MEMORY_PARTS,
    compared=(Compared(TABLES, COMPARED),),
    commands=("memory",),
    blames_reader=True,
    drop_reasons=("SOCKET_RCVBUFF", "ENOMEM"),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge UDP and UDP-Lite sockets by SKMEMINFO, never by recv_q: memory is given back late."""
    read = datagrams_read(case)
    yield from judge_buffers(
        case,
        RULE,
        TABLES,
        "datagram",
        lambda c, _s, level: buffer_advice(c, level.rcvbuf, level.unread),
        buffer_is_cause,
        unread=read == 0,
        read=read,
        never_read=read == 0 and case.sum_total(*READ) == 0,
    )
