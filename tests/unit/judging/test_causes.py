"""Causes and effects among findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sockdiag.judging.case import Case
from sockdiag.judging.group import by_cause
from sockdiag.judging.judge import judge
from sockdiag.model.address import Endpoint
from sockdiag.model.fdinfo import Descriptors
from sockdiag.model.qdisc import TC_H_ROOT, Qdisc
from sockdiag.model.socket import Timer
from tests.unit.rules.samples import listener, sample, sock

if TYPE_CHECKING:
    from sockdiag.model.finding import Finding
    from sockdiag.model.socket import Socket

WAYS = {"10.0.0.9": ("eth0", "10.0.0.9"), "192.0.2.7": ("eth1", "10.1.0.1"), "198.51.100.1": ("eth0", "10.0.0.9")}
GONE = {"dev.eth0.tx_drop": 30, "dev.eth0.tx_packets": 0}


def silent(address: str, cookie: int = 1) -> object:
    timer = Timer("retransmit", 100, 5)
    return sock("tcp", cookie, "ESTABLISHED", send_q=9, timer=timer, peer=Endpoint(address, 80))


def findings(sockets: list[object], counters: dict[str, int] | None = None, **now: object) -> list[Finding]:
    later = sample(sockets, at=2.0, counters=counters or {}, **now)  # type: ignore[arg-type]
    earlier = sample(sockets, qdiscs=[Qdisc("eth0", "fq", 0, 0, 0, 0, TC_H_ROOT)])  # type: ignore[arg-type]
    case = Case(later, earlier, way=WAYS.get)
    codes = ("DEVICE_DROP", "QDISC_DROP", "PEER_SILENT", "RETRANSMISSION", "IP_DISCARD", "CONNECTIONS_REFUSED")
    return judge(case, codes).findings


def test_peer_behind_a_device_that_drops_all() -> None:
    """The device is the cause, and comes first; the peer is its effect and keeps its verdict."""
    first, second = findings([silent("10.0.0.9")], GONE)
    assert (first.code, first.severity, first.verdict) == ("DEVICE_DROP", "critical", "dropping")
    assert (second.code, second.effect_of, second.severity, second.verdict) == (
        "PEER_SILENT",
        "DEVICE_DROP",
        "info",
        "stalled",
    )
    assert "eth0" in second.cause
    (one,) = by_cause([first, second])
    assert one.code == "DEVICE_DROP"
    assert one.evidence["effect PEER_SILENT"].value == 1


def test_a_cause_is_as_severe_as_its_effects() -> None:
    """Two packets are little, but they are all that there was for the peers behind the device."""
    first, *effects = findings([silent("10.0.0.9")], {"dev.eth0.tx_drop": 1, "dev.eth0.tx_packets": 0})
    assert (first.code, first.severity) == ("DEVICE_DROP", "warning")
    assert [effect.severity for effect in effects] == ["info"]


def test_peer_behind_another_device() -> None:
    """It has a cause of its own."""
    found = {f.code: f for f in findings([silent("192.0.2.7")], GONE)}
    assert found["PEER_SILENT"].effect_of == ""
    assert found["PEER_SILENT"].severity == "warning"
    assert len(by_cause(found.values())) == 2


def test_peer_whose_way_is_unknown() -> None:
    """Nothing is claimed about it."""
    found = {f.code: f for f in findings([silent("203.0.113.1")], GONE)}
    assert found["PEER_SILENT"].effect_of == ""


def test_a_small_loss_does_not_silence_a_peer() -> None:
    """A device that drops a hundredth lets answers through."""
    found = {f.code: f for f in findings([silent("10.0.0.9")], {"dev.eth0.tx_drop": 30, "dev.eth0.tx_packets": 3000})}
    assert found["PEER_SILENT"].effect_of == ""


def test_effects_of_the_namespace() -> None:
    """What TCP and IP count is an effect of a queueing discipline that drops, whichever device it is of."""
    counters = {"Tcp.RetransSegs": 100, "TcpExt.TCPOrigDataSent": 900, "Ip.OutDiscards": 90, "Ip.OutRequests": 900}
    found = findings([], counters, qdiscs=[Qdisc("eth0", "fq", 900, 100, 0, 0, TC_H_ROOT)])
    assert {f.code: f.effect_of for f in found} == {
        "QDISC_DROP": "",
        "RETRANSMISSION": "QDISC_DROP",
        "IP_DISCARD": "QDISC_DROP",
    }
    assert [f.code for f in by_cause(found)] == ["QDISC_DROP"]


def test_effects_about_one_subject() -> None:
    """Attempts that ICMP errors ended are an effect of a device that drops everything; those that were reset are not."""
    failed = {**GONE, "Tcp.AttemptFails": 60, "Tcp.ActiveOpens": 60}
    for more, effect_of in (({"Icmp.InDestUnreachs": 60}, "DEVICE_DROP"), ({"Tcp.OutRsts": 60}, "")):
        found = {f.code: f for f in findings([], {**failed, **more})}
        assert found["CONNECTIONS_REFUSED"].effect_of == effect_of
        assert ("unreachable" in found["CONNECTIONS_REFUSED"].summary) == bool(effect_of)


def test_a_finding_without_its_cause_stays() -> None:
    """A command that shows some rules only shows the effect."""
    effects = [f for f in findings([silent("10.0.0.9")], GONE) if f.effect_of]
    assert [f.code for f in by_cause(effects)] == ["PEER_SILENT"]


def clients(peer: str, own: str = "10.0.0.2", port: int = 80) -> list[Socket]:
    timer = Timer("retransmit", 100, 2)
    return [
        sock("tcp", 50 + i, "SYN_SENT", peer=Endpoint(peer, port), local=Endpoint(own, 4000 + i), timer=timer)
        for i in range(3)
    ]


@pytest.mark.parametrize(
    ("listening", "peer", "own", "port", "effect"),
    [
        ("0.0.0.0", "127.0.0.1", "127.0.0.1", 80, True),
        ("::", "::ffff:127.0.0.1", "::ffff:127.0.0.1", 80, True),
        ("0.0.0.0", "10.0.0.2", "10.0.0.2", 80, True),
        ("10.0.0.9", "10.0.0.9", "10.0.0.2", 80, True),
        ("127.0.0.1", "127.0.0.1", "127.0.0.1", 81, False),
        ("127.0.0.2", "127.0.0.1", "127.0.0.1", 80, False),
        ("0.0.0.0", "10.0.0.9", "10.0.0.2", 80, False),
    ],
)
def test_clients_of_a_full_listener_on_this_host(listening: str, peer: str, own: str, port: int, effect: bool) -> None:
    """Their attempts are dropped by the full queue: one cause, one finding. A peer elsewhere has its own."""
    full = listener(6, 5, local=Endpoint(listening, 80))
    case = Case(sample([full, *clients(peer, own, port)]))
    found = judge(case, ("ACCEPT_QUEUE_FULL", "SYN_SENT_UNANSWERED")).findings
    assert {f.code: f.effect_of for f in found} == {
        "ACCEPT_QUEUE_FULL": "",
        "SYN_SENT_UNANSWERED": "ACCEPT_QUEUE_FULL" if effect else "",
    }
    assert len(by_cause(found)) == (1 if effect else 2)


def test_a_process_without_descriptors_refuses_clients() -> None:
    """It cannot accept, so the queue of its listener is an effect, and what the kernel refuses is what its limit costs."""
    counters = {"TcpExt.ListenOverflows": 50, "TcpExt.ListenDrops": 50}
    few = {7: Descriptors(7, b"memcached", 64, 64, frozenset({101}))}
    later = sample([listener(9, 8, drops=50)], at=2.0, counters=counters, descriptors=few)
    earlier = sample([listener(9, 8)], counters=dict.fromkeys(counters, 0))
    first, second = judge(Case(later, earlier), ("FD_LIMIT", "ACCEPT_QUEUE_OVERFLOW")).findings
    assert (first.code, first.severity, first.verdict) == ("FD_LIMIT", "critical", "dropping")
    assert (second.code, second.effect_of, second.verdict) == ("ACCEPT_QUEUE_OVERFLOW", "FD_LIMIT", "dropping")
    other = sample(
        [listener(9, 8, drops=50)], at=2.0, counters=counters, descriptors={7: few[7]._replace(inodes=frozenset({102}))}
    )
    (only,) = judge(Case(other, earlier), ("FD_LIMIT", "ACCEPT_QUEUE_OVERFLOW")).findings
    assert (only.code, only.effect_of) == ("ACCEPT_QUEUE_OVERFLOW", "")
