"""TCP_BACKLOG_DROP."""

from __future__ import annotations

from sockdiag.judging.case import Compared, DeclaredRule, Hit, Threshold, nonzero
from sockdiag.judging.subjects import at, memory_evidence, one, subject_of
from sockdiag.model.batch import identities
from sockdiag.model.finding import AT_RISK, DROPPING, STALLED, WARNING, Advice, Finding
from sockdiag.model.quantity import size
from sockdiag.rules._counters import lost_in_interval

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

RULE = DeclaredRule(
    "TCP_BACKLOG_DROP",
    WARNING,
    (DROPPING, AT_RISK, STALLED),
    "Segments arrive while the owner holds the socket lock, and the backlog where they wait is full. The peer sends "
    "them again, so users notice delay.",
    "sk_backlog.len and sk_rmem_alloc exceed 2 * sk_rcvbuf + sk_sndbuf / 2 + 65536 (6.10; before, sk_rcvbuf + sk_sndbuf + 65536).",
    "tcp_add_backlog(), net/ipv4/tcp_ipv4.c",
    ("TcpExt.TCPBacklogDrop", "skmem.backlog", "skmem.rmem_alloc", "skmem.rcvbuf", "skmem.sndbuf"),
    ("/proc/net/netstat",),
    (Threshold("fill_ratio", 0.85, "the limit differs between kernels by less than half of sk_rcvbuf"),),
    ("the system call that the owner does not leave",),
    partly=("skmem:tcp",),
    tables=("tcp",),
    counters=("TcpExt.TCPBacklogDrop", "Tcp.InSegs"),
    compared=(Compared(("tcp",), ("skmem.backlog",)),),
    drop_reasons=("SOCKET_BACKLOG",),
)

_ADVICE = Advice(
    "Find out which system call the owner is in: cat /proc/PID/stack, or perf trace.",
    None,
    "The backlog fills only while a process holds the socket lock, in send(2), recv(2) or a page fault within them.",
)

_FIND = Advice(
    "Find the socket and its process.",
    "sockdiag trace drops --where 'netid = tcp' --for 10s",
    "The counter names neither. The trace shows each drop with the reason SOCKET_BACKLOG.",
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge the counter, and the level of each socket that has a backlog."""
    yield from lost_in_interval(
        case,
        RULE,
        ("TcpExt.TCPBacklogDrop",),
        "TCP",
        "segment",
        "dropped: the owner held the socket lock and the backlog was full",
        (_FIND, _ADVICE),
        passed=case.moved("Tcp.InSegs"),
        of="segments received",
    )
    for batch, backlog in case.scan(("tcp",), "skmem.backlog"):
        rows = nonzero(backlog)
        if not rows:
            continue
        keys = identities(batch)
        past = case.earlier(("tcp",), [keys[row] for row in rows], "skmem.backlog")
        for row in rows:
            socket = one(batch, row)
            memory = socket.skmem
            if memory is None or memory.rcvbuf is None or memory.sndbuf is None:
                continue
            limit = 2 * memory.rcvbuf + memory.sndbuf // 2 + 65536
            used = backlog[row] + (memory.rmem_alloc or 0)
            stuck = bool(past.get(keys[row], (0,))[0])
            if used / limit < case.threshold(RULE, "fill_ratio") and not stuck:
                continue
            verdict = AT_RISK if used / limit >= case.threshold(RULE, "fill_ratio") else STALLED
            said = f"tcp {at(socket.local)} from {at(socket.peer)}: {size(backlog[row])} in the backlog until its owner leaves a system call"
            evidence = {"backlog": memory_evidence(socket, "backlog", backlog[row], "bytes", limit)}
            room = max(0.0, round(1 - used / limit, 4))
            yield Hit(
                Finding(RULE.code, WARNING, subject_of(socket), said, evidence, room, None, (_ADVICE,), verdict),
                [(batch, row)],
            )
