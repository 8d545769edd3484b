"""NFT_DROP."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit
from sockdiag.judging.magnitude import THRESHOLDS, beyond_guard, guard, severity_of, share_of
from sockdiag.model.finding import CRITICAL, DROPPING, NAMESPACE, Advice, Evidence, Finding, Subject
from sockdiag.model.quantity import counted, rate, share

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

_TRAFFIC = ("Ip.InReceives", "Ip.OutRequests", "Ip6.InReceives", "Ip6.OutRequests")

RULE = DeclaredRule(
    "NFT_DROP",
    CRITICAL,
    (DROPPING,),
    "A firewall rule drops or rejects a large share of the packets. That may be its purpose: the finding names the "
    "rule, so that you can check it.",
    "An nftables rule with a counter and the verdict drop or reject matches, or the policy of a chain with a "
    "counter is drop. This includes rules of iptables-nft. Rules without a counter and those of iptables-legacy are "
    "not visible.",
    "nft_do_chain(), net/netfilter/nf_tables_core.c",
    ("packets of drop rules", *_TRAFFIC),
    (),
    (*guard(20, 10, 0.05, "a firewall drops scans from the Internet all the time"), *THRESHOLDS),
    ("the rule: nft -a list chain …",),
    partly=("netlink:NFT_MSG_GETRULE", "/proc/net/snmp", "/proc/net/snmp6"),
    counters=_TRAFFIC,
    parts=("drop_rules",),
    earlier_parts=("drop_rules",),
    drop_reasons=("NETFILTER_DROP",),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge each rule by its share of the packets."""
    if case.before is None or case.now.drop_rules is None or case.before.drop_rules is None:
        return
    past = {one.identity: one.packets for one in case.before.drop_rules}
    # On loopback a packet is both sent and received.
    ways = [case.sum_moved(*names) for names in (_TRAFFIC[::2], _TRAFFIC[1::2])]
    traffic = max((n for n in ways if n is not None), default=None)
    for one in case.now.drop_rules:
        # A rule that is new, or was loaded anew, began at zero.
        lost = one.packets - past.get(one.identity, 0)
        # Packets that an output rule drops are counted as sent, those that an input rule drops as received.
        passed = None if traffic is None else max(0, traffic - lost)
        if lost <= 0 or not beyond_guard(case, RULE, lost, passed):
            continue
        place = f"{one.family} {one.table} {one.chain}"
        which = "policy" if one.handle is None else f"rule {one.handle}"
        ratio = share_of(lost, passed)
        of = f", {share(ratio)} of packets" if ratio is not None else ""
        verb = "rejected" if one.verdict == "reject" else "dropped"
        evidence = {"packets": Evidence(lost, "packets", None, "NFT_MSG_GETRULE: NFTA_COUNTER_PACKETS")}
        if ratio is not None:
            evidence["share"] = Evidence(round(ratio, 4), "ratio")
        advice = Advice(
            "Check whether the rule should match these packets.",
            f"nft -a list chain {place}",
            "Both sides see dropped or rejected packets as a network failure.",
        )
        yield Hit(
            Finding(
                RULE.code,
                severity_of(lost, passed, case.seconds),
                Subject(NAMESPACE, f"{place} {which}"),
                f"the firewall's {which} in chain {place} {verb} {counted(lost, 'packet')} ({rate(case.rate(lost))}{of})",
                evidence,
                None,
                None,
                (advice,),
                DROPPING,
                loss_per_s=case.rate(lost),
            )
        )
