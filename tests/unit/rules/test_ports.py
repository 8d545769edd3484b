"""Local ports that run out: one finding per cause, with the process and advice that fits the states."""

from __future__ import annotations

from typing import Any

from sockdiag.model.address import Endpoint
from sockdiag.model.socket import Owner
from tests.unit.rules.samples import course, found, sample, sock

CODE = "EPHEMERAL_PORTS"


def ports(n: int, state: str = "ESTABLISHED", there: str = "10.0.0.9", first: int = 0) -> list[Any]:
    peer = Endpoint(there, 80)
    more = {"inode": 0} if state == "TIME_WAIT" else {}
    return [
        sock("tcp", first + i + 1, state, local=Endpoint("10.0.0.1", 40000 + i), peer=peer, **more) for i in range(n)
    ]


def test_open_connections() -> None:
    """The process that has them is named; neither TIME_WAIT nor keep-alive is spoken of."""
    (finding,) = found(CODE, sample(ports(100)))
    assert (finding.verdict, finding.severity, finding.headroom_ratio) == ("at_risk", "critical", 0)
    assert finding.summary == "server(7): 100 of 100 local ports in use from 10.0.0.1 to 10.0.0.9:80: 100 ESTABLISHED"
    assert [one.pid for one in finding.suspects] == [7]
    assert "more source addresses" in finding.advice[0].action
    assert not any("tw_reuse" in (one.command or "") or "keep" in one.action for one in finding.advice)


def test_connections_that_ended() -> None:
    """TIME_WAIT takes the ports: clients should keep connections, and the kernel may use the ports again."""
    (finding,) = found(CODE, sample(ports(90, "TIME_WAIT"), limits={"net.ipv4.tcp_tw_reuse": 0}))
    assert finding.severity == "warning"
    assert [one.command for one in finding.advice] == [
        None,
        "sysctl -w net.ipv4.tcp_tw_reuse=1",
        'sysctl -w net.ipv4.ip_local_port_range="1024 65535"',
        "sockdiag trace states --where 'dport > 0' --for 10s --summary",
    ]
    assert found(CODE, sample(ports(90, "TIME_WAIT"), limits={"net.ipv4.tcp_tw_reuse": 1})) == []


def test_many_destinations_of_one_process() -> None:
    """One cause is one finding."""
    full = [socket for i in range(8) for socket in ports(100, there=f"10.0.1.{i}", first=100 * i)]
    (finding,) = found(CODE, sample(full))
    assert "7 more destinations near the limit" in finding.summary
    assert finding.evidence["destinations"].value == 8
    two = {
        **dict.fromkeys(range(101, 201), (Owner(7, b"a", 3),)),
        **dict.fromkeys(range(201, 301), (Owner(8, b"b", 3),)),
    }
    both = found(CODE, sample(full[:200]), owners=lambda inodes: {i: two[i] for i in inodes})
    assert sorted(one.subject.pid or 0 for one in both) == [7, 8]


def test_when_they_run_out() -> None:
    """Two samples show how fast."""
    (finding,) = found(CODE, *course(ports(80), ports(0), ports(90)))
    assert finding.eta_s == 1
