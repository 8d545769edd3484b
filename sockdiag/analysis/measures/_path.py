"""Measures of the path between device and socket: CPU queues, devices, connection tracking, queueing disciplines."""

from __future__ import annotations

from sockdiag.analysis.measures.measure import MAX, Facts, Label, Measure, count, ratio
from sockdiag.model.record import BYTES, COUNTER, HOST, RATIO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sockdiag.analysis.measures.measure import Labels, Value
    from sockdiag.model.conntrack import Conntrack
    from sockdiag.model.sample import Sample

    Reader = Callable[[Facts], Iterator[tuple[Labels, Value]]]

_CPU = Label("cpu", "CPU number.")
_DEVICE = Label("device", "Network device.")
_KIND = Label("kind", "Kind of the queueing discipline.")


def _softnet(column: str) -> Reader:
    def read(facts: Facts) -> Iterator[tuple[Labels, Value]]:
        for row in facts.sample.softnet or ():
            yield (str(row.cpu),), getattr(row, column)

    return read


def _backlog_limit(facts: Facts) -> Iterator[tuple[Labels, Value]]:
    yield (), facts.sample.limits.number("net.core.netdev_max_backlog")


_LOST = ("rx_errs", "rx_drop", "tx_errs", "tx_drop")


def _devices(sample: Sample) -> dict[str, dict[str, int]]:
    # Devices that lost most come first: losses only grow, so the order seldom changes.
    found: dict[str, dict[str, int]] = {}
    for name in sample.counters:
        prefix, _, rest = name.partition(".")
        if prefix == "dev":
            device, _, column = rest.rpartition(".")
            found.setdefault(device, {})[column] = sample.counters[name]
    lost = {device: sum(columns.get(column, 0) for column in _LOST) for device, columns in found.items()}
    return {device: found[device] for device in sorted(found, key=lambda device: (-lost[device], device))}


def _device(column: str) -> Reader:
    def read(facts: Facts) -> Iterator[tuple[Labels, Value]]:
        # The devices of a hundred containers that lost packets at their start must not hide the ring of the physical one.
        devices = facts.once(_devices).items()
        for device, columns in sorted(devices, key=lambda item: -item[1].get(column, 0)):
            yield (device,), columns.get(column)

    return read


def _conntrack(value: Callable[[Conntrack], Value]) -> Reader:
    def read(facts: Facts) -> Iterator[tuple[Labels, Value]]:
        if facts.sample.conntrack is not None:  # otherwise nothing is tracked
            yield (), value(facts.sample.conntrack)

    return read


def _qdisc(column: str) -> Reader:
    def read(facts: Facts) -> Iterator[tuple[Labels, Value]]:
        # A root also counts the drops of the disciplines below it.
        roots = [qdisc for qdisc in facts.sample.qdiscs or () if qdisc.is_root]
        for qdisc in sorted(roots, key=lambda one: (-(one.drops or 0), one.device)):
            yield (qdisc.device, qdisc.kind), getattr(qdisc, column)

    return read


def _cpu(name: str, help: str, column: str, kind: str = COUNTER) -> Measure:
    return count(f"softnet.{name}", help, _softnet(column), ("softnet",), labels=(_CPU,), kind=kind, scope=HOST)


def _lost(name: str, help: str, column: str) -> Measure:
    return count(f"device.{name}", help, _device(column), ("counters",), labels=(_DEVICE,), kind=COUNTER, many=True)


def _tracked(name: str, help: str, column: str) -> Measure:
    return count(f"conntrack.{name}", help, _conntrack(lambda now: now.total(column)), ("conntrack",), kind=COUNTER)


MEASURES = (
    _cpu("processed", "Packets that a CPU processed.", "processed"),
    _cpu(
        "dropped",
        "Packets dropped before IP: the CPU's input queue was full (netdev_max_backlog) or a flow too large.",
        "dropped",
    ),
    _cpu(
        "flow_limit",
        "Packets of a large flow dropped while the CPU's queue was more than half full; dropped counts them too.",
        "flow_limit",
    ),
    _cpu(
        "squeezed", "Times that a CPU deferred work because netdev_budget was used up; nothing is lost.", "time_squeeze"
    ),
    _cpu("backlog", "Packets in a CPU's input queues now.", "backlog", "gauge"),
    count(
        "softnet.backlog_limit",
        "Packets that a CPU's input queue holds: net.core.netdev_max_backlog.",
        _backlog_limit,
        ("limits",),
        scope=HOST,
        combine=MAX,
    ),
    _lost("receive_errors", "Packets that arrived damaged, or for which the device had no room.", "rx_errs"),
    _lost("receive_drops", "Packets received and dropped before a protocol saw them.", "rx_drop"),
    _lost("receive_overruns", "Packets dropped by the device: its ring was full.", "rx_fifo"),
    _lost("transmit_errors", "Packets that the device could not send.", "tx_errs"),
    _lost("transmit_drops", "Packets dropped by the driver instead of sent.", "tx_drop"),
    count(
        "conntrack.entries", "Connections tracked in the namespace.", _conntrack(lambda now: now.count), ("conntrack",)
    ),
    count(
        "conntrack.limit",
        "Maximum: net.netfilter.nf_conntrack_max.",
        _conntrack(lambda now: now.max),
        ("conntrack",),
        combine=MAX,
    ),
    Measure(
        "conntrack.used_ratio",
        RATIO,
        "Connections tracked as a share of the limit.",
        _conntrack(lambda now: ratio(now.count, now.max)),
        ("conntrack",),
        combine=MAX,
    ),
    _tracked("drops", "Packets dropped because the table is full or no memory is left.", "drop"),
    _tracked("insert_failures", "Packets dropped because their connection could not be entered.", "insert_failed"),
    _tracked("early_drops", "Entries removed to make room for new ones.", "early_drop"),
    count(
        "qdisc.drops",
        "Packets dropped by a device's queueing discipline instead of sent.",
        _qdisc("drops"),
        ("qdiscs",),
        labels=(_DEVICE, _KIND),
        kind=COUNTER,
        many=True,
    ),
    Measure(
        "qdisc.backlog_bytes",
        BYTES,
        "Bytes waiting in a device's queueing discipline.",
        _qdisc("backlog_bytes"),
        ("qdiscs",),
        (_DEVICE, _KIND),
        many=True,
    ),
)
