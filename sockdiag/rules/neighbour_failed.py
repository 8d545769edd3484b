"""NEIGHBOUR_FAILED."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Explained, Hit, Threshold
from sockdiag.judging.magnitude import THRESHOLDS, severity_of
from sockdiag.kernel.rtnetlink import NUD_FAILED
from sockdiag.model.address import Endpoint
from sockdiag.model.finding import (
    CRITICAL,
    DROPPING,
    NAMESPACE,
    SEVERITIES,
    STALLED,
    WARNING,
    Advice,
    Evidence,
    Finding,
    Subject,
)
from sockdiag.model.quantity import counted, rate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case
    from sockdiag.model.route import Neighbour

# The kernel answers packets that wait for a neighbour in vain with an ICMP error to this host itself, if its limits allow.
_ERRORS = ("Icmp.OutDestUnreachs", "Icmp.OutRateLimitGlobal", "Icmp.OutRateLimitHost", "Icmp6.OutDestUnreachs")
_OTHER_ERRORS = ("Udp.NoPorts", "Udp6.NoPorts")
_SENT = ("Ip.OutRequests", "Ip6.OutRequests")
_HANDED = ("Ip.OutTransmits", "Ip6.OutTransmits")
_NAMED = 3
# A neighbour answers within milliseconds; the second request goes out after this time.
_ANSWER_S = 1

RULE = DeclaredRule(
    "NEIGHBOUR_FAILED",
    CRITICAL,
    (DROPPING, STALLED),
    "A host or gateway on the link does not answer ARP or neighbour discovery: the kernel drops packets to it and "
    "to everything behind it.",
    "Three requests, one per second, remain unanswered. Few packets can wait meanwhile; processes get EHOSTUNREACH "
    "or no error.",
    "neigh_timer_handler(), __neigh_event_send(), net/core/neighbour.c",
    ("neighbour state, probes and last use", *_ERRORS),
    ("rtnetlink:RTM_GETNEIGH",),
    (
        Threshold("probes", 5, "the second of three requests; the count starts at ucast_solicit, 3"),
        Threshold(
            "recent_s", 3, "a packet was sent to it within the time for resolving an address, or within the interval"
        ),
        *THRESHOLDS,
    ),
    ("the host or gateway, the VLAN and the cable", "the address or netmask, if the host should not be on this link"),
    partly=("/proc/net/snmp", "/proc/net/snmp6", "/proc/net/dev"),
    counters=(*_ERRORS, *_OTHER_ERRORS, *_SENT, *_HANDED, "dev.*.tx_packets"),
    parts=("unanswering",),
    earlier_parts=("unanswering",),
    explained_by=(Explained("DEVICE_DROP", 0.5), Explained("NEIGHBOUR_TABLE_FULL"), Explained("QDISC_DROP", 0.9)),
    drop_reasons=("NEIGH_FAILED", "NEIGH_QUEUEFULL", "NEIGH_DEAD"),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge neighbours that stayed without an answer while packets were sent to them, by the device that they are behind."""
    devices: dict[str, list[Neighbour]] = {}
    past = None if case.before is None else case.before.unanswering
    known = {(one.device, one.address) for one in past or ()}
    # Senders may block meanwhile: packets that wait are charged to their send buffers.
    recent = 1000 * max(case.threshold(RULE, "recent_s"), case.seconds or 0)
    for one in case.now.unanswering or ():
        lasting = past is None or (one.device, one.address) in known
        asked = bool(one.state & NUD_FAILED) or (one.probes or 0) >= case.threshold(RULE, "probes")
        asked = asked or (past is not None and (case.seconds or 0) >= _ANSWER_S)
        if lasting and asked and one.used_ms is not None and one.used_ms <= recent:
            devices.setdefault(one.device or "-", []).append(one)
    if not devices:
        return
    lost = max(0, (case.sum_moved(*_ERRORS) or 0) - (case.sum_moved(*_OTHER_ERRORS) or 0), _vanished(case))
    sent = case.sum_moved(*_SENT)
    for device, found in devices.items():
        yield _hit(case, device, found, lost if len(devices) == 1 else 0, sent)


def _vanished(case: Case) -> int:
    """Return how many packets IP handed down and no device sent: with a neighbour that fails, those wait or are dropped."""
    sent = case.sum_moved(*case.device_counters("tx_packets").values()) or 0
    return (case.sum_moved(*_HANDED) or 0) - sent


def _hit(case: Case, device: str, found: list[Neighbour], lost: int, sent: int | None) -> Hit:
    addresses = [one.address for one in found]
    listed = ", ".join(addresses[:_NAMED]) + (f" and {len(found) - _NAMED} more" if len(found) > _NAMED else "")
    said = f"{listed} on {device} not answering neighbour requests: packets to {'it' if len(found) == 1 else 'them'} are dropped"
    said += f" (at least {counted(lost, 'packet')}, {rate(case.rate(lost))})" if lost else ""
    evidence = {
        "neighbours": Evidence(len(found), "neighbours", None, "RTM_GETNEIGH: ndm_state"),
        "probes": Evidence(max(one.probes or 0 for one in found), "requests", None, "RTM_GETNEIGH: NDA_PROBES"),
    }
    evidence |= {name: case.counter_evidence(name) for name in _ERRORS if case.moved(name)}
    passed = None if sent is None else max(0, sent - lost)
    severity = min(WARNING if lost == 0 else severity_of(lost, passed, case.seconds), WARNING, key=SEVERITIES.index)
    advice = Advice(
        "Check that the host or gateway is up and on this link, and that address and netmask are right.",
        f"ip neigh show dev {device}",
        "It does not answer at the link layer, so neither routing nor a firewall on the path is the cause.",
    )
    one = found[0]
    subject = Subject(NAMESPACE, listed, peer=Endpoint(one.address) if len(found) == 1 else None)
    return Hit(
        Finding(
            RULE.code,
            severity,
            subject,
            said,
            evidence,
            None,
            None,
            (advice,),
            STALLED if case.before is None else DROPPING,
            loss_per_s=case.rate(lost) if lost else None,
        ),
        neighbours=addresses,
    )
