"""RAW_RECEIVE_BUFFER_FULL."""

from __future__ import annotations

from sockdiag.judging.case import Compared, DeclaredRule
from sockdiag.model.finding import CRITICAL, UNKNOWN, Advice
from sockdiag.rules._buffers import COMPARED, READS, SIZE_SYSCTLS, THRESHOLDS, VERDICTS, buffer_advice, judge_buffers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit
    from sockdiag.model.socket import Socket
    from sockdiag.rules._buffers import Level

_TABLES = ("raw", "icmp")

RULE = DeclaredRule(
    "RAW_RECEIVE_BUFFER_FULL",
    CRITICAL,
    (*VERDICTS, UNKNOWN),
    "A raw or ping socket receives more than its process reads. A socket used only for sending receives copies too, "
    "and fills up.",
    "The kernel drops a packet when sk_rmem_alloc plus its truesize exceeds sk_rcvbuf, or when the socket's filter "
    "rejects it. No counter of the namespace shows it.",
    "raw_rcv(), net/ipv4/raw.c; __sock_queue_rcv_skb(), net/core/sock.c",
    READS,
    (),
    THRESHOLDS,
    ("a filter that rejects everything (for senders)", "SO_RCVBUF", "a reader that keeps up"),
    partly=("raw", "icmp"),
    tables=_TABLES,
    sysctls=SIZE_SYSCTLS,
    compared=(Compared(_TABLES, COMPARED),),
    commands=("memory",),
    blames_reader=True,
    drop_reasons=("SOCKET_RCVBUFF",),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge raw and ping sockets; their limit shows only where the kernel has raw_diag."""
    yield from judge_buffers(case, RULE, _TABLES, "packet", _advise)


def _advise(case: Case, _socket: Socket, level: Level) -> tuple[Advice, ...]:
    if level.unread or not level.past:
        return (
            Advice(
                "If the process only sends on this socket, let it attach a filter that rejects everything, or call "
                "shutdown(SHUT_RD).",
                None,
                "A raw socket receives a copy of every packet of its protocol.",
            ),
            *buffer_advice(case, level.rcvbuf),
        )
    return buffer_advice(case, level.rcvbuf)
