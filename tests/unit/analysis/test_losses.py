"""Losses of the overview: each event once."""

from __future__ import annotations

import pytest

from sockdiag.analysis.losses import losses
from sockdiag.model.counters import Counters


def told(before: dict[str, int] | None, after: dict[str, int]) -> dict[str, tuple[int | None, int]]:
    """Return what is told of each counter: of the interval, and of the past."""
    found = losses(None if before is None else Counters(before), Counters(after), 2.0)
    return {loss.name: (loss.own, loss.own_total) for loss in found}


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ({"TcpExt.ListenDrops": 44, "TcpExt.ListenOverflows": 44}, {"TcpExt.ListenOverflows": (44, 44)}),
        (
            {"TcpExt.ListenDrops": 50, "TcpExt.ListenOverflows": 44},
            {"TcpExt.ListenDrops": (6, 6), "TcpExt.ListenOverflows": (44, 44)},
        ),
        ({"Udp.InErrors": 9, "Udp.RcvbufErrors": 9}, {"Udp.RcvbufErrors": (9, 9)}),
        ({"Udp.SndbufErrors": 8, "Ip.OutDiscards": 8}, {"Udp.SndbufErrors": (8, 8)}),
        ({"Ip.ReasmFails": 4, "Ip.ReasmTimeout": 4}, {"Ip.ReasmTimeout": (4, 4)}),
        ({"TcpExt.TCPAbortOnMemory": 3}, {"TcpExt.TCPAbortOnMemory": (3, 3)}),
        # Noise and signs are no losses by themselves.
        ({"Udp.NoPorts": 3, "dev.eth0.rx_drop": 9, "Tcp.RetransSegs": 5, "Ip.InReceives": 7}, {}),
    ],
)
def test_each_loss_once(after: dict[str, int], expected: dict[str, tuple[int | None, int]]) -> None:
    """A counter that only repeats others has no row of its own."""
    assert told(dict.fromkeys(after, 0), after) == expected


def test_history() -> None:
    """Without an earlier sample nothing of now is known."""
    assert told(None, {"TcpExt.ListenDrops": 5, "TcpExt.ListenOverflows": 3}) == {
        "TcpExt.ListenDrops": (None, 2),
        "TcpExt.ListenOverflows": (None, 3),
    }
