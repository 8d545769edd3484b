"""CONNTRACK_INSERT."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit
from sockdiag.judging.magnitude import THRESHOLDS, beyond_guard, guard, severity_of
from sockdiag.model.finding import CRITICAL, DROPPING, NAMESPACE, Advice, Evidence, Finding, Subject
from sockdiag.model.quantity import counted, rate
from sockdiag.rules._conntrack import losses_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

_RECEIVED = "Ip.InReceives"

RULE = DeclaredRule(
    "CONNTRACK_INSERT",
    CRITICAL,
    (DROPPING,),
    "Connection tracking drops packets because it cannot insert their connection, although its table has room.",
    "Another connection has the same addresses and ports after NAT, or two packets of a new flow race each other "
    "(for example two DNS queries from one socket), or a chain of the hash table is too long (since 5.15).",
    "__nf_conntrack_confirm(), nf_ct_resolve_clash(), net/netfilter/nf_conntrack_core.c",
    ("stat/nf_conntrack insert_failed, chainlength", _RECEIVED),
    (),
    (*guard(3, 0.5, 0.0001, "two packets of a new flow race each other now and then"), *THRESHOLDS),
    ("more addresses or ports for NAT", "net.netfilter.nf_conntrack_buckets", "single-request in resolv.conf, for DNS"),
    partly=("/proc/net/stat/nf_conntrack", "/proc/net/snmp"),
    counters=(_RECEIVED,),
    parts=("conntrack",),
    earlier_parts=("conntrack",),
    drop_reasons=("NETFILTER_DROP",),
)

_STAT = "/proc/net/stat/nf_conntrack"


def judge(case: Case) -> Iterator[Hit]:
    """Judge insertions that failed. Without connection tracking there is nothing to judge."""
    lost = losses_of(case)
    if lost is None:
        return
    passed = case.moved(_RECEIVED)
    failed = lost.clashes + lost.chains
    if failed <= 0 or not beyond_guard(case, RULE, failed, passed):
        return
    chains = lost.chains > lost.clashes
    why = (
        "the chains of its hash table are too long" if chains else "another connection has the same addresses and ports"
    )
    advice = (
        Advice(
            "Raise net.netfilter.nf_conntrack_buckets in the host's own namespace.",
            "sysctl net.netfilter.nf_conntrack_buckets",
            "More buckets make the chains shorter.",
        )
        if chains
        else Advice(
            "Give NAT more addresses or ports to choose from; for DNS, let the resolver send one query at a time (single-request).",
            "conntrack -S",
            "After NAT, each connection needs a unique pair of addresses and ports.",
        )
    )
    yield Hit(
        Finding(
            RULE.code,
            severity_of(failed, passed, case.seconds),
            Subject(NAMESPACE, "conntrack"),
            f"connection tracking dropped {counted(failed, 'packet')} ({rate(case.rate(failed))}): {why}",
            {
                "insert_failed": Evidence(failed, "count", None, _STAT),
                "chainlength": Evidence(lost.chains, "count", None, _STAT),
            },
            None,
            None,
            (advice,),
            DROPPING,
            loss_per_s=case.rate(failed),
        )
    )
