"""ZERO_WINDOW_FROM_PEER."""

from __future__ import annotations

from sockdiag.judging.case import DeclaredRule, Hit
from sockdiag.judging.subjects import at, one, subject_of
from sockdiag.model.finding import INFO, STALLED, WARNING, Advice, Evidence, Finding
from sockdiag.model.quantity import counted, size
from sockdiag.rules import tcp_receiver_stalled
from sockdiag.rules._tcp import UNREAD, UNSENT, ends, stalled_receivers, waiting_for_window

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.judging.case import Case

RULE = DeclaredRule(
    "ZERO_WINDOW_FROM_PEER",
    WARNING,
    (STALLED,),
    "A peer has closed its window because its process does not read. Data waits in the local send buffer, and the "
    "kernel probes the window from time to time. Nothing is lost.",
    "The persist timer runs while there is data to send, none in flight, and no window.",
    "tcp_probe_timer(), net/ipv4/tcp_timer.c",
    ("timer", "send_q"),
    ("tcp",),
    (),
    ("the peer's process",),
    tables=("tcp",),
    compared=(UNREAD, UNSENT),
)


def judge(case: Case) -> Iterator[Hit]:
    """Judge connections that wait for the peer's window; where the peer is a stalled process of this host, that is the cause."""
    rows = waiting_for_window(case)
    if not rows:
        return
    known = tcp_receiver_stalled.RULE
    here = {
        ends(batch, row)
        for batch, row in stalled_receivers(
            case, case.threshold(known, "fill_ratio"), case.threshold(known, "fill_ratio_once")
        )
    }
    for batch, row, timer in rows:
        socket = one(batch, row)
        local = (socket.peer.address, socket.peer.port, socket.local.address, socket.local.port) in here
        probes = timer.retransmits or 0
        said = f"{size(socket.send_q)} queued {at(socket.local)} -> {at(socket.peer)}; its receive window is closed"
        if local:
            said += ": the process there does not read"
        else:
            said += f", {counted(probes, 'probe')} unanswered" if probes else ", no probe unanswered yet"
        evidence = {
            "send_q": Evidence(socket.send_q, "bytes", None, "idiag_wqueue", "socket"),
            "probes": Evidence(timer.retransmits, "count", None, "idiag_retrans", "socket"),
        }
        advice = Advice(
            "Find out why the process at the other end does not read.",
            None,
            "The peer closed its window; no buffer or sysctl on this host changes that.",
        )
        severity = INFO if local else WARNING
        yield Hit(
            Finding(RULE.code, severity, subject_of(socket), said, evidence, None, None, (advice,), STALLED),
            [(batch, row)],
        )
