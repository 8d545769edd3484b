"""Tell a condition of the present from two phases of a healthy one, where the earlier sample is from another run.

Two samples that lie minutes apart prove what was lost in between. They do not prove that a queue grows: a process that
reads in batches is seen at two phases. So a suspicion is confirmed by a second sample of the present, a moment later.
"""

from __future__ import annotations

from sockdiag.judging.case import Unseen, batch_table, looked_up
from sockdiag.judging.declared import TWO_SAMPLES
from sockdiag.judging.judge import Judgement
from sockdiag.judging.service import FEW_BYTES
from sockdiag.model.batch import identities
from sockdiag.model.finding import AT_RISK, INFO, LEAKING, SOCKET, STALLED, badness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from sockdiag.judging.case import Case, Hit
    from sockdiag.model.finding import Finding
    from sockdiag.model.sample import Sample

_LASTING = (AT_RISK, STALLED, LEAKING)
# Tables whose sockets are queues of messages; of the others only listeners have a queue that fills.
_MESSAGES = ("udp", "udplite", "raw", "icmp", "unix", "netlink", "packet")
_ACCEPTING = ("tcp", "mptcp")


def suspicious(case: Case, judgement: Judgement) -> bool:
    """Whether only a second sample of the present can tell what is wrong.

    That is so if a rule that compares samples found something that lasts, and if data, or a connection, waited at the same
    socket both times: whether that is served, two distant samples do not show.
    """
    for hit in judgement.hits:
        finding = hit.finding
        if finding.verdict in _LASTING and finding.severity != INFO and finding.code in TWO_SAMPLES:
            return True
    return _waited_both_times(case)


def _waited_both_times(case: Case) -> bool:
    waiting = {}
    for batch in case.batches((*_MESSAGES, *_ACCEPTING)):
        listeners, unix = batch_table(batch) in _ACCEPTING, batch_table(batch) == "unix"
        queues = batch.values("recv_q")
        if not any(queues):
            continue
        states, units = batch.values("state"), batch.values("recv_q_unit")
        keys = identities(batch)
        types = batch.values("type") if unix else ()
        for row, queue in enumerate(queues):
            if not queue or (listeners and states[row] != "LISTEN"):
                continue
            # Of a unix datagram socket recv_q is the length of the first message, however many wait.
            if units[row] != "bytes" or queue >= FEW_BYTES or (unix and types[row] == "SOCK_DGRAM"):
                waiting[keys[row]] = queue
    try:
        earlier = case.earlier((*_MESSAGES, *_ACCEPTING), waiting, "recv_q")
    except Unseen:
        # A table of the two samples is from different sources: what waits now may have waited then.
        return bool(waiting)
    return any(queue for (queue,) in earlier.values())


def confirmed(since: Judgement, present: Judgement, case: Case) -> Judgement:
    """Combine what happened since an earlier run with what two samples of the present show.

    Losses, and what is about the namespace or the host, come from the longer time. What a socket waits for comes from the
    present. Sockets that pile up must have been there in both samples of the present.

    Args:
        since: the later sample of the present, compared with the earlier run.
        present: the two samples of the present, compared.
        case: these two samples.
    """
    first = case.before
    kept = [hit for hit in since.hits if first is None or _stands(hit, first)]
    known = {_problem(hit.finding) for hit in kept}
    kept += [
        hit
        for hit in present.hits
        if hit.finding.subject.kind == SOCKET and hit.finding.verdict in _LASTING and _problem(hit.finding) not in known
    ]
    kept.sort(key=lambda hit: badness(hit.finding))
    return Judgement(kept, since.unknown, case)


def _stands(hit: Hit, first: Sample) -> bool:
    finding = hit.finding
    if finding.verdict not in _LASTING or finding.code not in TWO_SAMPLES:
        return True
    if finding.verdict == LEAKING:
        return not hit.rows or 2 * _were_there(hit, first) > len(hit.rows)
    return finding.subject.kind != SOCKET


def _were_there(hit: Hit, first: Sample) -> int:
    """Count the sockets of a finding that had the same state in a sample."""
    keys = looked_up(hit.rows, identities)
    now = looked_up(hit.rows, lambda batch: batch.values("state"))
    wanted: dict[Any, str | None] = {keys[place]: now[place] for place in keys}
    found = 0
    for batch in first.batches:
        states = batch.values("state")
        found += sum(key in wanted and states[row] == wanted[key] for row, key in enumerate(identities(batch)))
    return found


def _problem(finding: Finding) -> Any:
    subject = finding.subject
    return finding.code, subject.netid, subject.cookie or subject.inode or (subject.local, subject.peer)
