"""TCP_OUT_OF_ORDER_PRUNE."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit, per_second
from sockdiag.judging.magnitude import THRESHOLDS, severity_of
from sockdiag.model.finding import DROPPING, NAMESPACE, WARNING, Advice, Finding, Subject
from sockdiag.model.quantity import counted
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
    "The kernel discards segments that arrived out of order because it has no room for them. The sender must send "
    "them again, although they were acknowledged by SACK: a small loss on the path becomes a far larger one.",
    "sk_rmem_alloc exceeds sk_rcvbuf, or no memory can be charged (tcp_mem, the cgroup's limit), and collapsing the "
    "queue did not help. Many small segments do that well within the window: the window counts payload, the buffer "
    "counts truesize.",
    "tcp_prune_ofo_queue(), tcp_data_queue_ofo(), net/ipv4/tcp_input.c",
    (_PRUNED, _DROPPED, _CALLED, "sockstat TCP mem", "net.ipv4.tcp_mem"),
    ("/proc/net/netstat",),
    THRESHOLDS,
    (
        "the device or path that loses or reorders packets",
        "SO_RCVBUF left to the kernel, or net.ipv4.tcp_rmem if that is the limit",
        "net.ipv4.tcp_mem or the cgroup's limit if memory is used up",
    ),
    sysctls=ACCOUNT_SYSCTLS,
    counters=(_PRUNED, _DROPPED, _CALLED, _RECEIVED),
    parts=MEMORY_PARTS,
    drop_reasons=("TCP_OFO_DROP", "TCP_OFO_QUEUE_PRUNE"),
)

_ADVICE = (
    Advice(
        "Find out where packets are lost or reordered on the path.",
        "sockdiag path --interval 2",
        "The queue fills only while an earlier segment is missing.",
    ),
    Advice(
        "Let processes leave SO_RCVBUF alone, or raise the third number of net.ipv4.tcp_rmem where they do.",
        None,
        "No memory limit is reached, so the sockets' own buffers are full. Unless the process has set its size, the "
        "kernel grows a buffer for segments out of order up to tcp_rmem[2].",
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
        told.append(f"out-of-order queues discarded {counted(pruned, 'time')}{per_second(case.rate(pruned))}")
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
