"""The health of a host's sockets on one screen: states, memory, losses, and what stands out."""

from __future__ import annotations

from sockdiag.analysis.hotspots import Worst
from sockdiag.analysis.losses import Loss
from sockdiag.analysis.memory import ProtocolMemory
from sockdiag.analysis.states import StateCount
from sockdiag.model.record import RATIO, Record, field


class Overview(Record):
    """The contents of the overview. Source: all that other commands read, except tcp_info and the owners of all sockets."""

    interval_s: float = field("Time between the two samples of the counters.", unit=RATIO)
    states: tuple[StateCount, ...] = field("Sockets by table, family and state.", of=StateCount)
    memory: tuple[ProtocolMemory, ...] = field("Memory of each protocol against its limits.", of=ProtocolMemory)
    losses: tuple[Loss, ...] = field("Counters of loss that are not zero.", of=Loss)
    worst: Worst = field("What stands out.", of=Worst)
