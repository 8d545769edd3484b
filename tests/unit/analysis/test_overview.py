"""The losses of several namespaces add up."""

from __future__ import annotations

from sockdiag.analysis.losses import Loss, added_up
from sockdiag.model.counters import of_all_cpus


def loss(name: str, total: int, delta: int | None) -> Loss:
    return Loss(
        name,
        total,
        delta,
        None if delta is None else float(delta),
        "netns",
        "",
        delta,
        total,
        None if delta is None else float(delta),
    )


def test_namespaces_add_up() -> None:
    """What grew most comes first; an unknown difference is left out of the sum."""
    one, other = loss("Udp.RcvbufErrors", 5, 1), loss("Udp.RcvbufErrors", 7, 4)
    assert added_up([one, other, loss("Ip.InDiscards", 9, 9)]) == [
        loss("Ip.InDiscards", 9, 9),
        loss("Udp.RcvbufErrors", 12, 5),
    ]
    assert added_up([one, loss("Udp.RcvbufErrors", 7, None)]) == [loss("Udp.RcvbufErrors", 12, 1)]


def test_cpus_add_up() -> None:
    """The counters of all CPUs become one; each device keeps its own."""
    rows = [loss(f"softnet_stat.{cpu}.dropped", 5, 2) for cpu in range(64)]
    rows += [loss(f"nf_conntrack.{cpu}.drop", 1, 0) for cpu in range(2)]
    rows += [loss("dev.eth0.100.rx_drop", 3, 1), loss("dev.eth1.rx_drop", 4, 0), loss("Udp.MemErrors", 6, 0)]
    assert added_up(rows, of_all_cpus) == [
        loss("softnet_stat.*.dropped", 320, 128),
        loss("dev.eth0.100.rx_drop", 3, 1),
        loss("Udp.MemErrors", 6, 0),
        loss("dev.eth1.rx_drop", 4, 0),
        loss("nf_conntrack.*.drop", 2, 0),
    ]
