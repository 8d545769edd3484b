"""TCP_MEMORY_PRESSURE."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit, Threshold, Unseen
from sockdiag.model.finding import AT_RISK, CRITICAL, PROTOCOL, WARNING, Evidence, Finding, Subject
from sockdiag.model.quantity import duration
from sockdiag.model.record import HOST
from sockdiag.rules._memory import (
    ACCOUNT_PARTS,
    ACCOUNT_SYSCTLS,
    FULL,
    TREND,
    WHO,
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
    "TCP_MEMORY_PRESSURE",
    CRITICAL,
    (AT_RISK,),
    "All TCP sockets of the host together hold more memory than tcp_mem's pressure mark: windows shrink, and at the "
    "limit the kernel drops segments, makes senders wait and resets closing connections.",
    "Pressure begins above tcp_mem[1] and ends below tcp_mem[0]. Above tcp_mem[2] the kernel refuses memory to "
    "sockets that hold more than tcp_rmem[0] or tcp_wmem[0].",
    "__sk_mem_raise_allocated(), net/core/sock.c; tcp_enter_memory_pressure()",
    ("sockstat TCP mem", "protocols TCP press", "net.ipv4.tcp_mem"),
    (),
    (Threshold("limit_ratio", FULL, "monitoring systems alert between 85 and 100 % of tcp_mem[2]"), TREND),
    ("the processes that hold the memory", "net.ipv4.tcp_mem, as far as the machine's RAM allows"),
    partly=("/proc/net/protocols",),
    sysctls=ACCOUNT_SYSCTLS,
    parts=ACCOUNT_PARTS,
    earlier_parts=ACCOUNT_PARTS,
    commands=("memory",),
    drop_reasons=("PROTO_MEM", "SK_MEM_RECV", "SK_MEM_SEND"),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge the kernel's own word for it, and the level against the limit where that is visible."""
    account = account_of(case, "TCP")
    if account is None or (account.pressure is None and account.ratio is None):
        raise Unseen("/proc/net/protocols", "neither the memory of TCP nor its pressure is known")
    eta = trend(case, RULE, account, "TCP")
    near = account.ratio is not None and account.ratio >= case.threshold(RULE, "limit_ratio")
    soon = eta is not None and eta <= case.horizon
    if not (account.pressure or near or soon):
        return
    evidence = {"memory": pages_evidence(account)}
    if account.pressure is not None:
        evidence["pressure"] = Evidence("yes" if account.pressure else "no", "", None, "/proc/net/protocols", HOST)
    said = f"TCP sockets of the whole host hold {memory_held(case, account)}"
    said += ", and the kernel is under memory pressure" if account.pressure else ""
    said += f"; at this rate they reach the limit in {duration(eta)}" if soon else ""
    room = None if account.ratio is None else max(0.0, round(1 - account.ratio, 4))
    yield Hit(
        Finding(
            RULE.code,
            CRITICAL if near or soon else WARNING,
            Subject(PROTOCOL, "TCP"),
            said,
            evidence,
            room,
            eta,
            (WHO, raise_protocol(account.limit_source)),
            AT_RISK,
        )
    )
