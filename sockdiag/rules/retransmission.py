"""RETRANSMISSION."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Explained, Hit, Threshold, nonzero
from sockdiag.judging.subjects import at
from sockdiag.model.finding import (
    AT_RISK,
    CRITICAL,
    INFO,
    NAMESPACE,
    OK,
    WARNING,
    Advice,
    Evidence,
    Finding,
    Subject,
)
from sockdiag.model.quantity import count, counted
from sockdiag.model.quantity import share as percentage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

# Segments, since 5.10, and reports of them.
_HAD_TWICE = ("TcpExt.TCPDSACKRecvSegs", "TcpExt.TCPDSACKRecv")

RULE = DeclaredRule(
    "RETRANSMISSION",
    CRITICAL,
    (AT_RISK, OK),
    "TCP sent a large share of its segments again: packets are lost on the path, or their acknowledgements arrive "
    "late.",
    "A timeout, or duplicate acknowledgements (SACK, RACK).",
    "tcp_retransmit_skb(), net/ipv4/tcp_output.c",
    ("Tcp.RetransSegs", "TcpExt.TCPOrigDataSent", "TcpExt.TCPDSACKRecvSegs"),
    ("/proc/net/snmp", "/proc/net/netstat"),
    (
        Threshold(
            "warning_ratio", 0.05, "throughput suffers from 1 %, and monitoring systems alert between 1 and 20 %"
        ),
        Threshold("info_ratio", 0.01, "the lower end of that range"),
        Threshold("critical_ratio", 0.2, "above it, most connections stall"),
        Threshold("least", 5, "TCP may send one lost segment again several times"),
        Threshold(
            "deviations",
            1.28,
            "the rule subtracts so many standard deviations, so that nine findings in ten are not chance",
        ),
    ),
    ("drops in devices and queueing disciplines on this host and on the path",),
    tables=("tcp",),
    counters=("Tcp.RetransSegs", "TcpExt.TCPOrigDataSent", "TcpExt.TCPSynRetrans", "Tcp.OutSegs", *_HAD_TWICE),
    explained_by=(
        Explained("QDISC_DROP"),
        Explained("DEVICE_DROP"),
        Explained("DEVICE_ERRORS"),
        Explained("CHECKSUM_ERRORS"),
        Explained("NEIGHBOUR_FAILED"),
        Explained("NFT_DROP"),
        Explained("CONNTRACK_INSERT"),
        Explained("TCP_SEND_FAILED"),
        # What does not fit into a window that closes is sent again.
        Explained("TCP_RECEIVER_STALLED"),
        Explained("ZERO_WINDOW_FROM_PEER"),
        Explained("TCP_OUT_OF_WINDOW"),
        Explained("PEER_SILENT"),
        Explained("ACCEPT_QUEUE_OVERFLOW"),
        Explained("TCP_BACKLOG_DROP"),
        Explained("TCP_RECEIVE_DROP"),
        Explained("TCP_OUT_OF_ORDER_PRUNE"),
        Explained("SOFTNET_BACKLOG_DROP"),
    ),
)

_ADVICE = Advice(
    "Find out where packets are lost: run sockdiag path here and on the peers.",
    "sockdiag path --interval 2",
    "Retransmissions are the symptom of a loss elsewhere; no socket buffer causes them.",
)

_WHICH = Advice(
    "Find the connections that send again, and their peers.",
    "sockdiag trace retransmits --for 10s --summary",
    "Those of short connections are gone when sockets are listed. The totals show which peers and processes have most of them.",
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge the share of segments sent again; data segments are the base, as pure acknowledgements are not sent again."""
    again, sent = case.moved("Tcp.RetransSegs"), case.moved("TcpExt.TCPOrigDataSent")
    if again:
        # SYNs and SYN-ACKs that are sent again are other rules'.
        again = max(0, again - (case.moved("TcpExt.TCPSynRetrans") or 0))
        # What the peer says that it had already (DSACK) was not lost: probes for a lost tail, timeouts that came too early.
        again = max(0, again - max(case.moved(name) or 0 for name in _HAD_TWICE))
    if sent is None:
        sent = case.moved("Tcp.OutSegs")
    if not again or sent is None or again < case.threshold(RULE, "least"):
        return
    certain = again - case.threshold(RULE, "deviations") * again**0.5
    share = again / (again + sent)
    bound = certain / (certain + sent)
    if bound < case.threshold(RULE, "info_ratio"):
        return
    bad = bound >= case.threshold(RULE, "warning_ratio")
    critical = bound >= case.threshold(RULE, "critical_ratio")
    said = f"{percentage(share)} of TCP segments were retransmissions: {count(again)}, and {counted(sent, 'segment')} sent for the first time"
    evidence = {
        "RetransSegs": Evidence(again, "segments", None, "/proc/net/snmp"),
        "TCPOrigDataSent": Evidence(sent, "segments", None, "/proc/net/netstat"),
        "share": Evidence(round(share, 4), "ratio"),
    }
    peers = _peers(case)
    if peers:
        listed = ", ".join(f"{peer} ({counted(n, 'connection')})" for peer, n in peers[:_NAMED])
        said += f"; waiting for {listed}"
        evidence["peers"] = Evidence(listed, "", None, "idiag_retrans", "socket")
    yield Hit(
        Finding(
            RULE.code,
            CRITICAL if critical else WARNING if bad else INFO,
            Subject(NAMESPACE, "TCP"),
            said,
            evidence,
            None,
            None,
            (_ADVICE, _WHICH),
            AT_RISK if bad else OK,
        )
    )


_NAMED = 3


def _peers(case: Case) -> list[tuple[str, int]]:
    """Return the peers whose connections retransmit now, most connections first."""
    found: dict[str, int] = {}
    for batch in case.batches(("tcp",)):
        if batch.columns is not None and "timer" not in batch.columns:
            continue
        timers = batch.values("timer")
        for row in nonzero(timers):
            if timers[row].name == "retransmit" and timers[row].retransmits:
                peer = at(batch.at([row])[0].peer._replace(port=None))
                found[peer] = found.get(peer, 0) + 1
    return sorted(found.items(), key=lambda pair: -pair[1])
