"""The per-CPU queues between the network devices and the protocols."""

from __future__ import annotations

from sockdiag.model.record import COUNT, COUNTER, HOST, ID, Record, field

_PATH = "/proc/net/softnet_stat"


class SoftnetCpu(Record):
    """What one CPU received: the host's figures, in every namespace. Counters are 32 bits wide and wrap.

    Source: ``softnet_seq_show()``, net/core/net-procfs.c.
    """

    cpu: int = field(
        "CPU number; before 5.10 the kernel does not print it and this is the position among those online.",
        kind=ID,
        scope=HOST,
        sources=(f"{_PATH}: 13th column, else line number",),
    )
    cpu_is_position: bool = field(
        "The number is the line's, which is not the CPU's where one is offline.", kind=ID, scope=HOST, header="POS"
    )
    processed: int = field(
        "Packets taken up.",
        unit=COUNT,
        kind=COUNTER,
        scope=HOST,
        kernel="softnet_data.processed",
        sources=(f"{_PATH}: 1st column",),
    )
    dropped: int = field(
        "Packets dropped because the input queue held netdev_max_backlog, or its flow limit was reached.",
        unit=COUNT,
        kind=COUNTER,
        scope=HOST,
        kernel="softnet_data.dropped",
        sources=(f"{_PATH}: 2nd column",),
    )
    time_squeeze: int = field(
        "Times that work was left when netdev_budget or netdev_budget_usecs was used up; nothing is lost.",
        unit=COUNT,
        kind=COUNTER,
        scope=HOST,
        header="SQUEEZED",
        kernel="softnet_data.time_squeeze",
        sources=(f"{_PATH}: 3rd column",),
    )
    cpu_collision: int = field(
        "Collisions on a device's transmit lock; always 0 since 4.8.",
        unit=COUNT,
        kind=COUNTER,
        scope=HOST,
        header="COLLISIONS",
        sources=(f"{_PATH}: 9th column",),
    )
    received_rps: int | None = field(
        "Times that another CPU woke this one to take packets (RPS).",
        default=None,
        unit=COUNT,
        kind=COUNTER,
        scope=HOST,
        header="RPS",
        kernel="softnet_data.received_rps",
        sources=(f"{_PATH}: 10th column (2.6.35)",),
    )
    flow_limit: int | None = field(
        "Packets of a large flow dropped while the queue was more than half full.",
        default=None,
        unit=COUNT,
        kind=COUNTER,
        scope=HOST,
        header="FLOW-LIMIT",
        kernel="sd_flow_limit.count",
        sources=(f"{_PATH}: 11th column (3.11)",),
    )
    backlog: int | None = field(
        "Packets in both queues now; netdev_max_backlog bounds the input queue.",
        default=None,
        unit=COUNT,
        scope=HOST,
        sources=(f"{_PATH}: 12th column (5.10)",),
    )
    input_queue: int | None = field(
        "Packets in the input queue now.",
        default=None,
        unit=COUNT,
        scope=HOST,
        header="INPUT",
        kernel="softnet_data.input_pkt_queue",
        sources=(f"{_PATH}: 14th column (6.4)",),
    )
    process_queue: int | None = field(
        "Packets taken from the input queue that are being worked through now.",
        default=None,
        unit=COUNT,
        scope=HOST,
        header="PROCESS",
        kernel="softnet_data.process_queue",
        sources=(f"{_PATH}: 15th column (6.4)",),
    )
    more: tuple[int, ...] = field("Columns of newer kernels.", default=(), scope=HOST)
