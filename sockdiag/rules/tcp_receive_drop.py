"""TCP_RECEIVE_DROP."""

from __future__ import annotations

from sockdiag.model.finding import CRITICAL, DROPPING, Advice
from sockdiag.rules._base import Rule
from sockdiag.rules._counters import lost_in_interval
from sockdiag.rules._memory import account_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.rules._base import Case, Hit

_NAMES = ("TcpExt.TCPRcvQDrop", "TcpExt.RcvPruned", "TcpExt.TCPOFODrop", "TcpExt.OfoPruned")

RULE = Rule(
    "TCP_RECEIVE_DROP",
    CRITICAL,
    (DROPPING,),
    "The kernel drops TCP segments that it has received, because no memory could be charged for them. They are sent again.",
    "A segment does not fit although the receive queue was collapsed and pruned, or TCP's memory (tcp_mem, the cgroup's "
    "limit) is used up. A full buffer alone never loses: its window is closed.",
    "tcp_data_queue(), tcp_prune_queue(), tcp_try_rmem_schedule(), net/ipv4/tcp_input.c",
    (*_NAMES, "sockstat TCP mem", "net.ipv4.tcp_mem"),
    ("/proc/net/netstat",),
    (),
    ("the processes that hold the memory", "net.ipv4.tcp_mem or the cgroup's limit, by the machine's RAM"),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge the counters, and say whether tcp_mem is what is used up."""
    account = account_of(case, "TCP")
    full = account is not None and account.ratio is not None and account.ratio >= 0.9
    who = Advice(
        "See who holds the memory.", "sockdiag memory --by process", "Buffers that nobody reads are the usual cause."
    )
    if full:
        raise_it = Advice(
            "Raise net.ipv4.tcp_mem as far as the machine's RAM allows.",
            None,
            "TCP's memory is at its limit, tcp_mem[2].",
        )
    else:
        raise_it = Advice(
            "Look at the memory limit of the processes' cgroup.", None, "TCP's memory is not seen at tcp_mem[2]."
        )
    yield from lost_in_interval(
        case, RULE, _NAMES, "TCP", "segments dropped after they were received: no memory for them", (who, raise_it)
    )
