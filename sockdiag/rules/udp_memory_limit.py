"""UDP_MEMORY_LIMIT."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit, Threshold, Unseen
from sockdiag.model.finding import AT_RISK, CRITICAL, PROTOCOL, Advice, Finding, Subject
from sockdiag.rules._memory import (
    ACCOUNT_PARTS,
    ACCOUNT_SYSCTLS,
    FULL,
    account_of,
    pages_evidence,
    raise_protocol,
    trend,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

RULE = DeclaredRule(
    "UDP_MEMORY_LIMIT",
    CRITICAL,
    (AT_RISK,),
    "All UDP sockets of the host together hold nearly as much memory as they may: datagrams will be dropped at sockets whose "
    "own buffers have room, and since 6.18 no SNMP counter shows it.",
    "Above udp_mem[0] memory is refused to sockets that hold at least udp_rmem_min; UDP has no pressure state.",
    "__sk_mem_raise_allocated(), net/core/sock.c",
    ("sockstat UDP mem", "net.ipv4.udp_mem"),
    (),
    (Threshold("limit_ratio", FULL, "the per-CPU reserves make the level uncertain by mem_pcpu_rsv pages a CPU"),),
    ("the processes that hold the memory", "net.ipv4.udp_mem, by the machine's RAM"),
    sysctls=ACCOUNT_SYSCTLS,
    parts=ACCOUNT_PARTS,
    earlier_parts=ACCOUNT_PARTS,
    commands=("memory",),
)

_ADVICE = (
    Advice(
        "See who holds the memory.",
        "sockdiag memory --by process --netid udp",
        "Queues that nobody reads are the usual cause.",
    ),
    raise_protocol("net.ipv4.udp_mem"),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge the level against udp_mem[0]."""
    account = account_of(case, "UDP")
    if account is None or account.pages is None:
        raise Unseen("/proc/net/sockstat", "UDP's memory is not known")
    if account.ratio is None:
        raise Unseen("net.ipv4.udp_mem", case.now.limits.missing.get("net.ipv4.udp_mem", "not read"))
    eta = trend(case, account, "UDP")
    if account.ratio < case.threshold(RULE, "limit_ratio") and (eta is None or eta > case.horizon):
        return
    said = f"UDP sockets of the whole host hold {account.pages} of {account.limit_pages} pages: above that datagrams are dropped"
    yield Hit(
        Finding(
            RULE.code,
            CRITICAL,
            Subject(PROTOCOL, "UDP"),
            said,
            {"memory": pages_evidence(account)},
            max(0.0, round(1 - account.ratio, 4)),
            eta,
            _ADVICE,
            AT_RISK,
        )
    )
