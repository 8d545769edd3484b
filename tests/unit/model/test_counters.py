"""What changed between two samples of the counters."""

from __future__ import annotations

import pytest

from sockdiag.model.counters import MIBS, U32, U64, Counter, Counters, Delta, counters_of, delta
from sockdiag.model.device import Device
from sockdiag.model.record import COUNTER, GAUGE, HOST, NETNS
from sockdiag.model.softnet import SoftnetCpu


def counter(value: int, name: str = "TcpExt.ListenDrops", **more: object) -> Counter:
    """Make a counter."""
    known = {"kind": COUNTER, "scope": NETNS, "wraps_at": U64, "source": "", **more}
    return Counter(name, value, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (counter(5), counter(5), 0),
        (counter(5), counter(9), 4),
        (counter(U32 - 1, wraps_at=U32), counter(2, wraps_at=U32), 3),
        (counter(U32 // 2 + 1, wraps_at=U32), counter(0, wraps_at=U32), U32 // 2 - 1),
        (counter(7, kind=GAUGE), counter(3, kind=GAUGE), -4),
    ],
)
def test_delta(before: Counter, after: Counter, change: int) -> None:
    """Counters grow, 32-bit ones start over at 2**32, gauges go both ways."""
    assert delta(before, after) == Delta("TcpExt.ListenDrops", change)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (counter(5), counter(4), "set to zero in between"),
        (counter(U32 - 1), counter(2), "set to zero in between"),
        (counter(1000, wraps_at=U32), counter(2, wraps_at=U32), "set to zero in between"),
        (counter(U32 // 2, wraps_at=U32), counter(0, wraps_at=U32), "set to zero in between"),
        (counter(1), counter(2, scope=HOST), "of different scopes: netns before, host after"),
        (counter(1, "Udp.NoPorts"), counter(2), "not the same counter as Udp.NoPorts"),
    ],
)
def test_no_delta(before: Counter, after: Counter, reason: str) -> None:
    """Where a difference would mean nothing there is none, and the reason."""
    assert delta(before, after) == Delta("TcpExt.ListenDrops", None, reason)


def test_known_of_a_counter() -> None:
    """Scope, width and source follow from the MIB; gauges are told apart."""
    counters = Counters({"Tcp.CurrEstab": 3, "softnet_stat.0.dropped": 1, "NewExt.Foo": 2})
    assert counters.counter("Tcp.CurrEstab") == Counter("Tcp.CurrEstab", 3, GAUGE, NETNS, U64, "/proc/net/snmp")
    assert counters.counter("softnet_stat.0.dropped") == Counter(
        "softnet_stat.0.dropped", 1, COUNTER, HOST, U32, "/proc/net/softnet_stat"
    )
    assert counters.counter("NewExt.Foo") == Counter("NewExt.Foo", 2, COUNTER, NETNS, U64, "")
    with pytest.raises(KeyError):
        counters.counter("Tcp.None")


def test_since() -> None:
    """Every counter that is there now has its change; one that is new has none."""
    before = Counters({"Udp.NoPorts": 1, "Udp.InErrors": 4})
    after = Counters({"Udp.NoPorts": 3, "Udp.InErrors": 4, "IcmpMsg.InType3": 2})
    assert list(after.since(before)) == [
        Delta("Udp.NoPorts", 2),
        Delta("Udp.InErrors", 0),
        Delta("IcmpMsg.InType3", None, "not there before"),
    ]


def test_since_another_namespace() -> None:
    """Counters of two namespaces are not subtracted; those of the host are."""
    values = {"Udp.NoPorts": 1, "softnet_stat.0.dropped": 2}
    changes = list(Counters(values).at(2, "b").since(Counters(values).at(1, "b")))
    assert changes == [
        Delta("Udp.NoPorts", None, "of another network namespace"),
        Delta("softnet_stat.0.dropped", 0),
    ]


def test_since_another_boot() -> None:
    """After a boot all counters have begun anew."""
    values = {"Udp.NoPorts": 1, "softnet_stat.0.dropped": 2}
    changes = list(Counters(values).at(1, "b").since(Counters(values).at(1, "a")))
    assert [change.value for change in changes] == [None, None]
    assert {change.reason for change in changes} == {"the host was booted in between"}


@pytest.mark.parametrize("place", [(1, "a"), (2, "a"), (1, "b")], ids=["same", "other namespace", "other boot"])
def test_moved(place: tuple[int, str]) -> None:
    """The changes by name are those of :meth:`Counters.since`, also after another earlier sample was asked for."""
    names = ["Udp.NoPorts", "Udp.InErrors", "Tcp.CurrEstab", "softnet_stat.0.dropped", "Ip.InReceives"]
    first = Counters(dict(zip(names, (1, 5, 9, U32 - 2, 7), strict=True))).at(1, "a")
    second = Counters(dict(zip(names[:4], (2, 5, 3, 4), strict=True))).at(1, "a")
    after = Counters(dict(zip(names, (4, 5, 2, 4, 0), strict=True))).at(*place)
    for before in (first, second, first, after):
        assert after.moved(before) == {change.name: change.value for change in after.since(before)}


def test_joined() -> None:
    """Counters of several files are one."""
    joined = Counters({"A.a": 1}).at(7, "b").joined(Counters({"B.b": 2}), Counters({"C.c": 3}))
    assert (dict(joined.values), joined.netns, joined.boot_id) == ({"A.a": 1, "B.b": 2, "C.c": 3}, 7, "b")
    assert (list(joined), len(joined), "B.b" in joined, joined["C.c"]) == (["A.a", "B.b", "C.c"], 3, True, 3)


def test_rows_as_counters() -> None:
    """Rows of a table become counters PREFIX.ROW.COLUMN; levels and unknown columns do not."""
    devices = counters_of("dev", [Device(b"eth0.5", rx_bytes=1, tx_drop=0), Device(b"\xff", rx_drop=2)])
    assert dict(devices.values) == {"dev.eth0.5.rx_bytes": 1, "dev.eth0.5.tx_drop": 0, "dev.\udcff.rx_drop": 2}
    cpus = counters_of("softnet_stat", [SoftnetCpu(3, False, 5, 6, 7, 0, backlog=9)])
    assert dict(cpus.values) == {
        "softnet_stat.3.processed": 5,
        "softnet_stat.3.dropped": 6,
        "softnet_stat.3.time_squeeze": 7,
        "softnet_stat.3.cpu_collision": 0,
    }


def test_only_softnet_is_of_the_host() -> None:
    """All MIBs and devices are the namespace's; CPUs are not."""
    assert {mib.prefix for mib in MIBS.values() if mib.scope == HOST} == {"softnet_stat"}
    assert {mib.prefix for mib in MIBS.values() if mib.wraps_at == U32} == {
        "softnet_stat",
        "nf_conntrack",
        "qdisc",
        "qdisc_ingress",
    }


def test_no_sample_keeps_all_before_it() -> None:
    """The sample that is compared with lets go of what it was compared with itself: a server takes one every few seconds."""
    first, second, third = (Counters({"Tcp.InSegs": value}) for value in (1, 2, 4))
    assert second.moved(first) == {"Tcp.InSegs": 1}
    assert third.moved(second) == {"Tcp.InSegs": 2}
    assert second._moved is None
    assert second.moved(first) == {"Tcp.InSegs": 1}
