"""Families have as many samples as they should, and what is left out is in `other`."""

from __future__ import annotations

from sockdiag.analysis.measures import MEASURES, Facts
from sockdiag.analysis.metric_families import families, placed, shown
from sockdiag.model.address import Endpoint
from sockdiag.model.metric_family import MetricFamily
from tests.unit.rules.samples import listener, sample, sock


def found(facts: Facts, top: int, scopes: tuple[str, ...] = ("netns", "host")) -> dict[str, MetricFamily]:
    return {family.name: family for family in families(facts, top, scopes)}


def test_thousands_of_listeners_are_a_few_samples() -> None:
    """Those that lost something or are filling are shown, the rest is one."""
    sockets = [listener(1, 9, cookie=n, local=Endpoint("10.0.0.1", n)) for n in range(1, 5001)]
    sockets[4000] = listener(2, 9, drops=9, cookie=4001, local=Endpoint("10.0.0.1", 4001))
    sockets[3000] = listener(8, 9, cookie=3001, local=Endpoint("10.0.0.1", 3001))
    sockets += [
        sock("udp", n, rmem_alloc=5, drops=1, local=Endpoint("10.0.0.1", n), peer=Endpoint("0.0.0.0", 0))
        for n in range(1, 3001)
    ]
    every = found(Facts(sample(sockets)), 20)
    queue = dict(every["sockdiag_listener_accept_queue"].samples)
    assert len(queue) == 21
    assert queue["tcp", "10.0.0.1:4001"] == 2
    assert queue["tcp", "10.0.0.1:3001"] == 8
    assert queue["other", "other"] == 4980
    assert sum(queue.values()) == 2 + 8 + 4998
    ratio = dict(every["sockdiag_listener_accept_queue_ratio"].samples)
    assert ratio["other", "other"] == 0.1
    assert dict(every["sockdiag_udp_drops"].samples)["other", "other"] == 2980
    assert sum(len(family.samples) for family in every.values()) < 500


def test_without_any_shown_one_by_one_the_rest_is_all() -> None:
    """--top 0."""
    every = found(Facts(sample([listener(1, 9, cookie=1), listener(2, 9, cookie=2, local=Endpoint("::", 80))])), 0)
    assert every["sockdiag_listener_accept_queue"].samples == ((("other", "other"), 3),)


def test_the_rest_of_counters_is_left_out() -> None:
    """A sum whose members change would fall, which looks like a counter that began anew."""
    facts = Facts(sample(counters={f"dev.veth{n}.rx_drop": n for n in range(100)}))
    assert shown(MEASURES["device.receive_drops"], facts, 2) == [(("veth99",), 99), (("veth98",), 98)]


def test_a_device_is_not_hidden_by_what_others_lost() -> None:
    """Of each counter those are shown that have most of it: one ring's overruns, whatever containers' devices drop."""
    counters = {f"dev.cali{i}.tx_drop": 100 + i for i in range(50)} | {f"dev.cali{i}.rx_fifo": 0 for i in range(50)}
    facts = Facts(sample(counters={**counters, "dev.eth0.rx_fifo": 3, "dev.eth0.tx_drop": 0}))
    overruns = dict(shown(MEASURES["device.receive_overruns"], facts, 2))
    assert overruns == {("eth0",): 3, ("cali49",): 0}
    drops = dict(shown(MEASURES["device.transmit_drops"], facts, 2))
    assert drops == {("cali49",): 149, ("cali48",): 148}


def test_what_is_unknown_has_no_sample() -> None:
    """Neither 0 nor anything else."""
    every = found(Facts(sample(sockstat=None, limits={"net.ipv4.udp_mem": None})), 20)
    assert "sockdiag_sockets_used" not in every
    assert "sockdiag_udp_mem_used_ratio" not in every
    assert "sockdiag_files_open" in every


def test_numbers_of_the_host_are_no_namespace_s() -> None:
    """They are shown where the program was started."""
    every = found(Facts(sample([sock()])), 20, scopes=("netns",))
    assert "sockdiag_sockets" in every
    assert not [name for name in every if name.startswith(("sockdiag_tcp_mem", "sockdiag_softnet", "sockdiag_files"))]
    (family,) = placed([MetricFamily("sockdiag_x", "X.", ("a",), samples=((("1",), 2),))], "web")
    assert (family.labels, family.samples) == (("netns", "a"), ((("web", "1"), 2),))
