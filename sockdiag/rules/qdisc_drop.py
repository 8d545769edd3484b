"""QDISC_DROP."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit
from sockdiag.judging.magnitude import THRESHOLDS, severity_of, share_of
from sockdiag.model.finding import CRITICAL, DROPPING, NAMESPACE, Advice, Evidence, Finding, Subject
from sockdiag.model.quantity import counted, rate, share

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

RULE = DeclaredRule(
    "QDISC_DROP",
    CRITICAL,
    (DROPPING,),
    "A queueing discipline drops packets: the host sends more than the device or its rate limit allows. TCP sends "
    "them again. UDP loses them, without an error for the sender unless IP_RECVERR is set.",
    "The queue's limit is reached, or the discipline (fq_codel, red) drops to keep it short.",
    "qdisc_drop(), include/net/sch_generic.h",
    ("qdisc drops, backlog",),
    ("rtnetlink:RTM_GETQDISC",),
    THRESHOLDS,
    ("the rate limit", "the queue's limit"),
    parts=("qdiscs",),
    earlier_parts=("qdiscs",),
    drop_reasons=(
        "QDISC_DROP",
        "QDISC_BURST_DROP",
        "QDISC_OVERLIMIT",
        "QDISC_CONGESTED",
        "CAKE_FLOOD",
        "FQ_BAND_LIMIT",
        "FQ_HORIZON_LIMIT",
        "FQ_FLOW_LIMIT",
        "DUALPI2_STEP_DROP",
        "TC_EGRESS",
    ),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge each queueing discipline; drops since boot are history."""
    if case.before is None or case.now.qdiscs is None or case.before.qdiscs is None:
        return
    past = {(q.device, q.kind, q.handle, q.parent): q for q in case.before.qdiscs}
    for qdisc in case.now.qdiscs:
        if not (qdisc.is_root or qdisc.is_ingress):
            continue  # its root counts them too
        before = past.get((qdisc.device, qdisc.kind, qdisc.handle, qdisc.parent))
        if before is None or qdisc.drops is None or before.drops is None or qdisc.drops <= before.drops:
            continue
        lost = qdisc.drops - before.drops
        sent = (qdisc.packets or 0) - (before.packets or 0)
        ratio = share_of(lost, sent) or 0.0
        said = f"the queueing discipline {qdisc.kind} of {qdisc.device} dropped {counted(lost, 'packet')} ({rate(case.rate(lost))}, {share(ratio)})"
        evidence = {
            "drops": Evidence(lost, "packets", None, "RTM_GETQDISC: TCA_STATS2"),
            "sent": Evidence(sent, "packets", None, "RTM_GETQDISC: TCA_STATS2"),
            "share": Evidence(round(ratio, 4), "ratio"),
            "backlog": Evidence(qdisc.backlog_bytes, "bytes", None, "RTM_GETQDISC: TCA_STATS2"),
        }
        advice = Advice(
            "Check its limits, or send less.",
            f"tc -s qdisc show dev {qdisc.device}",
            "It sends more slowly than packets arrive. A longer queue only absorbs bursts and adds delay.",
        )
        yield Hit(
            Finding(
                RULE.code,
                severity_of(lost, sent, case.seconds),
                Subject(NAMESPACE, qdisc.device),
                said,
                evidence,
                None,
                None,
                (advice,),
                DROPPING,
                loss_per_s=case.rate(lost),
            ),
            device=qdisc.device,
        )
