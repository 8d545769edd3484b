"""TCP_OUT_OF_ORDER_PRUNE."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit, counted, per_second
from sockdiag.judging.magnitude import THRESHOLDS, severity_of
from sockdiag.model.finding import DROPPING, NAMESPACE, WARNING, Advice, Finding, Subject
from sockdiag.rules._memory import ACCOUNT_SYSCTLS, MEMORY_PARTS, used_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

_PRUNED, _DROPPED, _CALLED = "TcpExt.OfoPruned", "TcpExt.TCPOFODrop", "TcpExt.PruneCalled"
_RECEIVED = "Tcp.InSegs"

RULE = DeclaredRule(
    "TCP_OUT_OF_ORDER_PRUNE",
    WARNING,
    (DROPPING,),
    "Segments that came out of order, after one that is missing, are thrown away for want of room: they must be sent again, "
    "though the sender was told that they had arrived (SACK). A loss on the way becomes a far larger one.",
    "sk_rmem_alloc exceeds sk_rcvbuf, or no memory can be charged (tcp_mem, the cgroup's limit), and joining what waits did not "
    "help. Many small segments do that well within the window, which counts payload: each costs its truesize.",
    "tcp_prune_ofo_queue(), tcp_data_queue_ofo(), net/ipv4/tcp_input.c",
    (_PRUNED, _DROPPED, _CALLED, "sockstat TCP mem", "net.ipv4.tcp_mem"),
    ("/proc/net/netstat",),
    THRESHOLDS,
    (
        "what loses or reorders packets on the way",
        "SO_RCVBUF left to the kernel, net.ipv4.tcp_rmem where that bounds it",
        "net.ipv4.tcp_mem or the cgroup's limit where memory is used up",
    ),
    sysctls=ACCOUNT_SYSCTLS,
    counters=(_PRUNED, _DROPPED, _CALLED, _RECEIVED),
    parts=MEMORY_PARTS,
)

_ADVICE = (
    Advice(
        "Look for what loses or reorders packets on the way.",
        "sockdiag path --interval 2",
        "The queue fills only while an earlier segment is missing.",
    ),
    Advice(
        "Let processes leave SO_RCVBUF alone, or raise the third number of net.ipv4.tcp_rmem where they do.",
        None,
        "No memory limit is seen that is reached: the sockets' own buffers are. Up to tcp_rmem[2] the kernel makes a buffer larger "
        "for what waits out of order, unless the process has set its size.",
    ),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge the counters: how often the queue was thrown away, and segments that were not let in."""
    case.need_counters(_PRUNED, _DROPPED)
    pruned, dropped = case.moved(_PRUNED) or 0, case.moved(_DROPPED) or 0
    if pruned <= 0 and dropped <= 0:
        return
    told = []
    if pruned > 0:
        told.append(f"out-of-order queues were thrown away {counted(pruned, 'time')}{per_second(case.rate(pruned))}")
    if dropped > 0:
        told.append(f"{counted(dropped, 'segment')} out of order dropped{per_second(case.rate(dropped))}")
    causes, advice = used_up(case, "TCP")
    said = f"TCP: {', '.join(told)}" + (f"; {causes}" if causes else "")
    evidence = {
        name.partition(".")[2]: case.counter_evidence(name)
        for name in (_PRUNED, _DROPPED, _CALLED)
        if name in case.now.counters
    }
    yield Hit(
        Finding(
            RULE.code,
            severity_of(pruned + dropped, case.moved(_RECEIVED), case.seconds, RULE.severity),
            Subject(NAMESPACE, "TCP"),
            said,
            evidence,
            None,
            None,
            advice or _ADVICE,
            DROPPING,
            loss_per_s=case.rate(pruned + dropped),
        )
    )
