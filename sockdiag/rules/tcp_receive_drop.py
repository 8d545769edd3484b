"""TCP_RECEIVE_DROP."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit, per_second
from sockdiag.judging.magnitude import THRESHOLDS, severity_of
from sockdiag.model.finding import CRITICAL, DROPPING, NAMESPACE, Advice, Finding, Subject
from sockdiag.model.quantity import counted
from sockdiag.rules._memory import ACCOUNT_SYSCTLS, MEMORY_PARTS, WHO, used_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

_DROPPED, _PRUNED, _OUT_OF_ORDER = "TcpExt.TCPRcvQDrop", "TcpExt.RcvPruned", "TcpExt.TCPOFODrop"
_RESERVED, _RECEIVED = "TcpExt.PFMemallocDrop", "Tcp.InSegs"

RULE = DeclaredRule(
    "TCP_RECEIVE_DROP",
    CRITICAL,
    (DROPPING,),
    "The kernel drops TCP segments that arrived in order because it could charge no memory for them. The peer sends "
    "them again.",
    "A segment does not fit although the kernel collapsed and pruned the receive queue, or TCP's memory (tcp_mem, "
    "the cgroup's limit) is used up. A full buffer alone loses nothing: its window is closed.",
    "tcp_data_queue(), tcp_prune_queue(), tcp_try_rmem_schedule(), net/ipv4/tcp_input.c; sk_filter_trim_cap()",
    (_DROPPED, _PRUNED, _OUT_OF_ORDER, _RESERVED, "sockstat TCP mem", "net.ipv4.tcp_mem"),
    ("/proc/net/netstat",),
    THRESHOLDS,
    (
        "the processes that hold the memory",
        "net.ipv4.tcp_mem or the cgroup's limit, as far as the machine's RAM allows",
    ),
    sysctls=ACCOUNT_SYSCTLS,
    counters=(_DROPPED, _PRUNED, _OUT_OF_ORDER, _RESERVED, _RECEIVED),
    parts=MEMORY_PARTS,
    drop_reasons=("PROTO_MEM", "SK_MEM_RECV", "PFMEMALLOC"),
)

_LOOK = Advice(
    "Check TCP's memory and the memory limits of the processes' cgroups.",
    "sockdiag memory",
    "Neither is at its limit now; it may have been between the samples.",
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge segments dropped, and say which memory is used up.

    RcvPruned counts a segment that TCPRcvQDrop or TCPOFODrop counts too; a kernel without the first of these (before 5.0)
    tells by the difference.
    """
    case.need_counters(_DROPPED, _PRUNED)
    lost = case.moved(_DROPPED)
    if lost is None:
        lost = (case.moved(_PRUNED) or 0) - (case.moved(_OUT_OF_ORDER) or 0)
    reserved = case.moved(_RESERVED) or 0
    lost = max(0, lost) + reserved
    if lost <= 0:
        return
    causes, advice = used_up(case, "TCP")
    said = f"{counted(lost, 'segment')} dropped after arrival{per_second(case.rate(lost))}: no memory for them"
    said += f"; {causes}" if causes else ""
    said += (
        f"; {counted(reserved, 'segment')} arrived in emergency memory, which is reserved for swapping"
        if reserved
        else ""
    )
    evidence = {
        name.partition(".")[2]: case.counter_evidence(name)
        for name in (_DROPPED, _PRUNED, _RESERVED)
        if case.moved(name)
    }
    yield Hit(
        Finding(
            RULE.code,
            severity_of(lost, case.moved(_RECEIVED), case.seconds),
            Subject(NAMESPACE, "TCP"),
            said,
            evidence,
            None,
            None,
            advice or (WHO, _LOOK),
            DROPPING,
            loss_per_s=case.rate(lost),
        )
    )
