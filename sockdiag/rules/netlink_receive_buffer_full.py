"""NETLINK_RECEIVE_BUFFER_FULL."""

from __future__ import annotations

from sockdiag.judging.case import Compared, DeclaredRule
from sockdiag.model.finding import CRITICAL, Advice
from sockdiag.rules._buffers import COMPARED, READS, SIZE_SYSCTLS, THRESHOLDS, VERDICTS, buffer_advice, judge_buffers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case, Hit
    from sockdiag.model.socket import Socket
    from sockdiag.rules._buffers import Level

RULE = DeclaredRule(
    "NETLINK_RECEIVE_BUFFER_FULL",
    CRITICAL,
    VERDICTS,
    "A process that receives kernel notifications (routes, links, audit, udev) reads them too slowly and has lost "
    "some. Its next recv(2) fails with ENOBUFS; it should then request the whole state again.",
    "The kernel drops a message when sk_rmem_alloc exceeds sk_rcvbuf. The socket is then congested: it loses every "
    "message until its queue is empty.",
    "netlink_attachskb(), netlink_overrun(), netlink_rcv_wake(), net/netlink/af_netlink.c",
    READS,
    ("netlink",),
    THRESHOLDS,
    ("SO_RCVBUF or SO_RCVBUFFORCE", "a reader that empties the queue"),
    tables=("netlink",),
    sysctls=SIZE_SYSCTLS,
    compared=(Compared(("netlink",), COMPARED),),
    commands=("memory",),
    blames_reader=True,
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge netlink sockets; one that overran stays congested until it was read empty."""
    yield from judge_buffers(case, RULE, ("netlink",), "message", _advise, congested=_congested)


def _congested(level: Level) -> bool:
    # It has dropped once, and its queue has not been read empty since, as far as the samples show.
    return bool(level.drops and level.rmem and level.past and level.past[1] and level.past[0] and level.unread)


def _advise(case: Case, _socket: Socket, level: Level) -> tuple[Advice, ...]:
    empty = Advice(
        "Let the process read until EAGAIN, then request the whole state again.",
        None,
        "A congested netlink socket drops every message until its queue is empty.",
    )
    return (
        (empty, *buffer_advice(case, level.rcvbuf)) if level.drops else buffer_advice(case, level.rcvbuf, level.unread)
    )
