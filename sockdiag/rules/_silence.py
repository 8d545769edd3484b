"""Peers that do not answer: what was sent to them again and again."""

from __future__ import annotations

from sockdiag.model.finding import NAMESPACE, STALLED, Evidence, Finding, Subject
from sockdiag.rules._base import Hit, counted
from sockdiag.rules._sockets import at

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.model.address import Endpoint
    from sockdiag.model.batch import Batch
    from sockdiag.model.finding import Advice
    from sockdiag.rules._base import Case, Rule


def unanswered(
    case: Case, rule: Rule, states: tuple[str, ...], what: tuple[str, str], advice: tuple[Advice, ...], *, port: bool
) -> Iterator[Hit]:
    """Yield a finding for each peer that leaves retransmissions unanswered.

    Args:
        case: the looks.
        rule: the rule; its thresholds ``retransmits`` and ``least`` decide.
        states: states of the connections.
        what: what they do, one and many of them.
        advice: what to do.
        port: a peer is an address and port, else an address.
    """
    peers: dict[Endpoint, list[tuple[Batch, int, int]]] = {}
    for (batch,) in case.scan(("tcp", "mptcp")):
        if batch.columns is not None and "timer" not in batch.columns:
            continue
        for row, timer in enumerate(batch.values("timer")):
            if timer is None or timer.name != "retransmit" or (timer.retransmits or 0) < rule.threshold("retransmits"):
                continue
            if batch.values("state")[row] not in states:
                continue
            socket = batch.at([row])[0]
            end = socket.peer if port else socket.peer._replace(port=None)
            peers.setdefault(end, []).append((batch, row, timer.retransmits))
    for end, rows in peers.items():
        if len(rows) < rule.threshold("least"):
            continue
        most = max(n for _batch, _row, n in rows)
        said = f"{at(end)} does not answer: {counted(len(rows), *what)}, sent again up to {counted(most, 'time')}"
        evidence = {
            "sockets": Evidence(len(rows), "sockets", None, "idiag_state", "netns"),
            "retransmits": Evidence(most, "count", None, "idiag_retrans", "socket"),
        }
        subject = Subject(NAMESPACE, at(end), "tcp", "/".join(states), None, end, sockets=len(rows))
        yield Hit(
            Finding(rule.code, rule.severity, subject, said, evidence, None, None, advice, STALLED),
            [(batch, row) for batch, row, _n in rows],
        )
