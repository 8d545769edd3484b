"""The health of a host's sockets on one screen: findings, states, memory, losses, and the fullest queues."""

from __future__ import annotations

from sockdiag.analysis.hotspots import PASSING, HotspotSearch, Worst
from sockdiag.analysis.losses import Loss, losses
from sockdiag.analysis.memory import ProtocolMemory
from sockdiag.analysis.states import StateCount, count_states
from sockdiag.model.finding import Finding
from sockdiag.model.record import LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from sockdiag.model.batch import Batch
    from sockdiag.model.sample import Sample


class Overview(Record):
    """The contents of the overview, all from the samples that the rules judge."""

    verdict: str = field("The worst verdict; unknown if no finding is worse and a rule lacks data.", kind=LABEL)
    interval_s: float | None = field("Seconds between the two samples; null for a single one.")
    findings: tuple[Finding, ...] = field("Findings by cause, worst first.", of=Finding)
    states: tuple[StateCount, ...] = field("Sockets by table, family and state.", of=StateCount)
    memory: tuple[ProtocolMemory, ...] = field("Memory of each protocol against its limits.", of=ProtocolMemory)
    losses: tuple[Loss, ...] = field("Counters of loss that are not zero.", of=Loss)
    worst: Worst = field("The fullest buffers and queues, and the most common transient state.", of=Worst)


class NamespaceExtract:
    """What the overview takes from the samples of one network namespace, besides the findings.

    Args:
        now: the sample that is judged.
        before: the earlier one; None if there is a single sample.
        unjudged: sockets that samples leave out, to be counted with the others.

    Attributes:
        counts: sockets by table, family and state.
        search: the fullest buffers and queues.
        inodes: inodes of the TCP sockets in each transient state.
        losses: counters of loss.
    """

    __slots__ = ("counts", "inodes", "losses", "search")

    def __init__(self, now: Sample, before: Sample | None, unjudged: Iterable[Batch] = ()) -> None:
        self.search = HotspotSearch()
        self.counts = count_states(self.search.watch((*now.batches, *unjudged)))
        passing = {key[2] for key in self.counts if key[0] in ("tcp", "mptcp") and key[2] in PASSING}
        self.inodes: dict[str, list[int]] = {}
        for batch in now.batches if passing else ():
            netids, states, inodes = (batch.values(name) for name in ("netid", "state", "inode"))
            for netid, state, inode in zip(netids, states, inodes, strict=True):
                if inode and state in passing and netid in ("tcp", "mptcp"):
                    self.inodes.setdefault(state, []).append(inode)
        seconds = 0.0 if before is None else now.at - before.at
        self.losses = losses(None if before is None else before.counters, now.counters, seconds)
