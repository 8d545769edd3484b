"""UNIX_DGRAM_QUEUE."""

from __future__ import annotations

from sockdiag.judging.case import Compared, DeclaredRule, Hit, counted
from sockdiag.judging.subjects import at, one, subject_of
from sockdiag.model.finding import STALLED, WARNING, Advice, Evidence, Finding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case
    from sockdiag.model.batch import Batch

_TABLES = ("unix",)
_FIELDS = ("inode", "recv_q_unit", "recv_q", "send_q", "unix.peer_inode")

RULE = DeclaredRule(
    "UNIX_DGRAM_QUEUE",
    WARNING,
    (STALLED,),
    "Messages wait at a unix socket whose process does not read. Senders sleep or get EAGAIN when its queue, or their own send "
    "buffer, is full. Nothing is lost by the kernel.",
    "A datagram socket takes net.unix.max_dgram_qlen messages and one; a stream's writer waits when its own send buffer is full.",
    "unix_dgram_sendmsg(), unix_recvq_full(), net/unix/af_unix.c",
    ("recv_q", "unix.peer_inode", "send_q of the senders"),
    ("unix",),
    (),
    ("the process that does not read",),
    tables=_TABLES,
    compared=(Compared(_TABLES, ("recv_q", "send_q"), ("inode", "recv_q_unit", "unix.peer_inode")),),
    blames_reader=True,
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge sockets at which, at both looks, the same waits and what their connected senders have sent is the same.

    The length of a datagram queue cannot be read, so that one look tells nothing.
    """
    if case.before is None:
        return
    waiting, sent = _levels(case, earlier=False)
    waited, sent_before = _levels(case, earlier=True)
    for inode, (unread, batch, row) in waiting.items():
        mine = sent.get(inode, (0, 0))
        if inode not in waited or waited[inode][0] != unread or sent_before.get(inode, (0, 0)) != mine or not mine[0]:
            continue
        socket = one(batch, row)
        said = (
            f"what {counted(mine[1], 'sender')} sent to the unix socket {at(socket.local)} (inode {socket.inode}) has not been read "
            f"for at least {case.seconds:.3g} s: {mine[0]} bytes of their buffers"
        )
        evidence = {
            "wmem_alloc": Evidence(mine[0], "bytes", None, "UNIX_DIAG_RQLEN of the senders", "socket"),
            "recv_q": Evidence(socket.recv_q, "bytes", None, "UNIX_DIAG_RQLEN", "socket"),
        }
        advice = Advice(
            "Find out why the process does not read.",
            None,
            "A longer queue (net.unix.max_dgram_qlen) would only be filled too.",
        )
        yield Hit(
            Finding(RULE.code, WARNING, subject_of(socket), said, evidence, None, None, (advice,), STALLED),
            [(batch, row)],
        )


def _levels(case: Case, *, earlier: bool) -> tuple[dict[int, tuple[int, Batch, int]], dict[int, tuple[int, int]]]:
    # Sockets that have something to read, by inode, and by peer what senders are charged for.
    waiting: dict[int, tuple[int, Batch, int]] = {}
    sent: dict[int, tuple[int, int]] = {}
    for batch, *columns in case.scan(_TABLES, *_FIELDS, earlier=earlier):
        for row, (inode, unit, unread, unsent, peer) in enumerate(zip(*columns, strict=True)):
            if unit != "bytes":
                continue
            if unread and inode:
                waiting[inode] = (unread, batch, row)
            if peer and unsent:
                held, senders = sent.get(peer, (0, 0))
                sent[peer] = (held + unsent, senders + 1)
    return waiting, sent
