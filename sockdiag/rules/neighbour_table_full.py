"""NEIGHBOUR_TABLE_FULL."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit, Threshold
from sockdiag.judging.magnitude import THRESHOLDS, severity_of
from sockdiag.model.finding import AT_RISK, CRITICAL, DROPPING, HOST_KIND, WARNING, Advice, Evidence, Finding, Subject
from sockdiag.model.quantity import counted, part_of, rate
from sockdiag.model.record import HOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

_VERSIONS = {"arp_cache": "IPv4", "ndisc_cache": "IPv6"}
_SYSCTLS = {"arp_cache": "net.ipv4.neigh.default.gc_thresh3", "ndisc_cache": "net.ipv6.neigh.default.gc_thresh3"}

RULE = DeclaredRule(
    "NEIGHBOUR_TABLE_FULL",
    CRITICAL,
    (DROPPING, AT_RISK),
    "The neighbour table, which all network namespaces share, is full: the kernel drops packets to hosts that are "
    "not in it.",
    "The table holds gc_thresh3 entries, and the kernel can remove no old one.",
    "neigh_alloc(), net/core/neighbour.c",
    ("entries, gc_thresh3 and table_fulls of the neighbour tables",),
    ("rtnetlink:RTM_GETNEIGHTBL",),
    (Threshold("fill_ratio", 0.9, "the next subnet that is scanned or started fills the table"), *THRESHOLDS),
    ("net.ipv4.neigh.default.gc_thresh3 and its IPv6 counterpart, on the host",),
    parts=("neighbour_tables",),
    earlier_parts=("neighbour_tables",),
    drop_reasons=("NEIGH_CREATEFAIL",),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge each table: how full it is, and what it refused."""
    past = case.before.neighbour_tables if case.before is not None else None
    before = {table.name: table.table_fulls for table in past or ()}
    for table in case.now.neighbour_tables or ():
        lost = table.table_fulls - before.get(table.name, table.table_fulls)
        ratio = table.entries / table.limit if table.limit else 1.0
        if lost <= 0 and ratio < case.threshold(RULE, "fill_ratio"):
            continue
        version, sysctl = _VERSIONS.get(table.name, table.name), _SYSCTLS.get(table.name)
        said = f"the {version} neighbour table holds {part_of(table.entries, table.limit, 'entries', 'entry')}"
        if lost > 0:
            said += f"; it refused {counted(lost, 'entry', 'entries')} ({rate(case.rate(lost))})"
        evidence = {
            "entries": Evidence(table.entries, "entries", table.limit, "RTM_GETNEIGHTBL: ndtc_entries", HOST),
            "table_fulls": Evidence(lost, "entries", None, "RTM_GETNEIGHTBL: ndts_table_fulls", HOST),
        }
        advice = Advice(
            f"Raise {sysctl or 'its gc_thresh3'} in the host's own network namespace.",
            f"sysctl -w {sysctl}={4 * table.limit}" if sysctl else None,
            "Containers and large subnets need more entries than the default of 1024.",
        )
        yield Hit(
            Finding(
                RULE.code,
                severity_of(lost, 0, case.seconds) if lost > 0 else WARNING,
                Subject(HOST_KIND, f"{version} neighbours"),
                said,
                evidence,
                max(0.0, round(1 - ratio, 4)),
                None,
                (advice,),
                DROPPING if lost > 0 else AT_RISK,
                loss_per_s=case.rate(lost) if lost > 0 else None,
            )
        )
