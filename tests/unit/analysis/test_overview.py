"""The losses of several namespaces add up."""

from __future__ import annotations

from sockdiag.analysis.losses import Loss
from sockdiag.analysis.overview import joined_losses


def loss(name: str, total: int, delta: int | None) -> Loss:
    return Loss(name, total, delta, None if delta is None else float(delta), "netns", "", delta, total)


def test_namespaces_add_up() -> None:
    """What grew most comes first; an unknown difference is left out of the sum."""
    one, other = loss("Udp.RcvbufErrors", 5, 1), loss("Udp.RcvbufErrors", 7, 4)
    assert joined_losses([[one], [other, loss("Ip.InDiscards", 9, 9)]]) == [
        loss("Ip.InDiscards", 9, 9),
        loss("Udp.RcvbufErrors", 12, 5),
    ]
    assert joined_losses([[one], [loss("Udp.RcvbufErrors", 7, None)]]) == [loss("Udp.RcvbufErrors", 12, 1)]
