"""UDP_MEMORY_LIMIT."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit, Threshold, Unseen
from sockdiag.model.finding import AT_RISK, CRITICAL, PROTOCOL, Advice, Finding, Subject
from sockdiag.rules._memory import (
    ACCOUNT_PARTS,
    ACCOUNT_SYSCTLS,
    FULL,
    TREND,
    account_of,
    memory_held,
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
    "All UDP sockets of the host together hold nearly as much memory as udp_mem allows: the kernel will drop "
    "datagrams at sockets whose own buffers have room, and since 6.18 no SNMP counter shows it.",
    "Above udp_mem[0] the kernel refuses memory to sockets that hold at least udp_rmem_min. UDP has no pressure state.",
    "__sk_mem_raise_allocated(), net/core/sock.c",
    ("sockstat UDP mem", "net.ipv4.udp_mem"),
    (),
    (
        Threshold("limit_ratio", FULL, "the per-CPU reserves make the level uncertain by mem_pcpu_rsv pages per CPU"),
        TREND,
    ),
    ("the processes that hold the memory", "net.ipv4.udp_mem, as far as the machine's RAM allows"),
    sysctls=ACCOUNT_SYSCTLS,
    parts=ACCOUNT_PARTS,
    earlier_parts=ACCOUNT_PARTS,
    commands=("memory",),
    drop_reasons=("PROTO_MEM", "ENOBUFS", "SK_MEM_RECV"),
)

_ADVICE = (
    Advice(
        "Find the processes that hold the memory.",
        "sockdiag memory --by process --netid udp",
        "Unread queues are the usual cause.",
    ),
    raise_protocol("net.ipv4.udp_mem"),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge the level against udp_mem[0]."""
    account = account_of(case, "UDP")
    if account is None or account.pages is None:
        raise Unseen("/proc/net/sockstat", "the memory of UDP is not known")
    if account.ratio is None:
        raise Unseen("net.ipv4.udp_mem", case.now.limits.missing.get("net.ipv4.udp_mem", "not read"))
    eta = trend(case, RULE, account, "UDP")
    if account.ratio < case.threshold(RULE, "limit_ratio") and (eta is None or eta > case.horizon):
        return
    said = (
        f"UDP sockets of the whole host hold {memory_held(case, account)}; above the limit the kernel drops datagrams"
    )
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
