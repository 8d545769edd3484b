"""How a connection's packets leave: which sockets have a way out, what it is made of, and what is missing from it."""

from __future__ import annotations

import errno
import sys
from pathlib import Path
from typing import Any

import pytest
from pyroute2.netlink.exceptions import NetlinkError

from sockdiag.analysis.inspect import has_egress
from sockdiag.model.address import Endpoint
from sockdiag.model.inet_attrs import InetAttrs
from sockdiag.model.provenance import Gap
from sockdiag.model.route import LinkLayer, LocalAddress, Neighbour
from sockdiag.model.socket import Socket
from sockdiag.sources.system.machine import this_system
from sockdiag.survey import egress as module
from sockdiag.survey.egress import read_egress, read_link_layer
from tests.unit.sources.netlink.test_routes import MAC, Kernel, Message, link, neighbour, route

PEER, LOCAL, ROUTER = "198.51.100.9", "192.0.2.1", "192.0.2.254"


def tcp(local: str = LOCAL, peer: str | None = PEER, **changes: Any) -> Socket:
    return Socket(
        netid="tcp",
        family="AF_INET6" if ":" in local else "AF_INET",
        type="SOCK_STREAM",
        protocol="TCP",
        state="ESTABLISHED",
        local=Endpoint(local, 40000),
        peer=Endpoint(peer, 443),
        uid=1000,
        mark=0,
        source="netlink",
    )._replace(**changes)


def kernel(**answers: Any) -> Kernel:
    """Answer with a route over a router on eth0, unless told otherwise."""
    return Kernel(
        **{
            "route": (route({"RTA_OIF": 2, "RTA_GATEWAY": ROUTER, "RTA_SRC": LOCAL}),),
            "link": [link(IFLA_MTU=1400)],
            "neighbour": [neighbour(2, ROUTER)],
            "address": [Message({"IFA_LOCAL": LOCAL}, index=2, prefixlen=24, flags=0x80)],
            "rule": [],
            **answers,
        }
    )


def read(socket: Socket, answers: Kernel) -> Any:
    return read_egress(this_system(), socket, lambda: answers)


@pytest.fixture(autouse=True)
def no_qdiscs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of this host are not the fake's."""
    monkeypatch.setattr(module._EgressReader, "_qdisc", lambda *_: None)


@pytest.mark.parametrize(
    "socket",
    [
        tcp(peer=None),
        tcp(peer="0.0.0.0", state="LISTEN"),
        tcp("::", "::"),
        tcp("127.0.0.1", "127.0.0.1"),
        tcp("127.0.0.1", "127.8.0.1"),
        tcp("::1", "::1"),
        tcp("::ffff:127.0.0.1", "::ffff:127.0.0.1"),
        tcp(LOCAL, LOCAL),
        Socket(netid="unix", family="AF_UNIX", type="SOCK_STREAM", protocol="0", peer=Endpoint(b"/run/x")),
        Socket(netid="vsock", family="AF_VSOCK", type="SOCK_STREAM", protocol="0", peer=Endpoint("2", 1)),
    ],
)
def test_sockets_without_a_way_out(socket: Socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a peer, or with one on this host, there is nothing to tell, and pyroute2 is not imported."""
    monkeypatch.setitem(sys.modules, "pyroute2", None)
    assert not has_egress(socket)
    assert read_egress(this_system(), socket) is None


def test_all_of_it() -> None:
    """Route, device, neighbour and address; nothing is missing."""
    answers = kernel()
    found = read(tcp(), answers)
    assert (found.route.gateway, found.route.device, found.mtu) == (ROUTER, "eth0", 1400)
    assert found.link.name == "eth0"
    assert found.neighbour == Neighbour(ROUTER, 2, MAC, 3, "eth0")
    assert found.address == LocalAddress(LOCAL, 24, "eth0", 0x80)
    assert (found.refused, found.note, found.lacks) == (None, "", ())
    request = answers.asked[0][1]
    assert dict(request["attrs"]) == {
        "RTA_DST": PEER,
        "RTA_SRC": LOCAL,
        "RTA_MARK": 0,
        "RTA_UID": 1000,
        "RTA_IP_PROTO": 6,
        "RTA_SPORT": 40000,
        "RTA_DPORT": 443,
    }
    assert request["tos"] == 0


def test_what_selects_the_route() -> None:
    """Type of service without ECN, device, mark; ports of TCP and UDP only."""
    bound = Endpoint(LOCAL, 40000, "lo")
    answers = kernel()
    read(tcp(netid="sctp", mark=7, inet=InetAttrs(tos=0x2B))._replace(local=bound), answers)
    request = answers.asked[0][1]
    assert dict(request["attrs"]) == {
        "RTA_DST": PEER,
        "RTA_SRC": LOCAL,
        "RTA_OIF": 1,
        "RTA_MARK": 7,
        "RTA_UID": 1000,
    }
    assert request["tos"] == 0x28


def test_an_ipv4_peer_of_an_ipv6_socket() -> None:
    """Its packets are IPv4 ones, and so is their route."""
    answers = kernel()
    found = read(tcp(f"::ffff:{LOCAL}", f"::ffff:{PEER}"), answers)
    assert dict(answers.asked[0][1]["attrs"])["RTA_DST"] == PEER
    assert found.address.address == LOCAL


def test_the_routes_mtu_counts() -> None:
    """Before the device's."""
    metrics = {"RTA_METRICS": Message({"RTAX_MTU": 1300})}
    assert read(tcp(), kernel(route=(route({"RTA_OIF": 2, **metrics}),))).mtu == 1300
    # ip_dst_mtu_maybe_forward(): IP_MAX_MTU
    assert read(tcp(), kernel(link=[link(IFLA_MTU=65536)])).mtu == 65535
    six = read(tcp("2001:db8::1", "2001:db8::2"), kernel(link=[link(IFLA_MTU=65536)]))
    assert six.mtu == 65536


@pytest.mark.parametrize(
    ("number", "name", "note"),
    [
        (errno.ENETUNREACH, "ENETUNREACH", "no route leads to the peer"),
        (errno.EHOSTUNREACH, "EHOSTUNREACH", "of type unreachable"),
        (errno.EACCES, "EACCES", "of type prohibit"),
        (errno.EINVAL, "EINVAL", "of type blackhole"),
    ],
)
def test_no_route_is_a_fact(number: int, name: str, note: str) -> None:
    """What sending would end with is told, and is no gap."""
    found = read(tcp(), kernel(route=NetlinkError(number)))
    assert (found.route, found.link, found.neighbour, found.mtu) == (None, None, None, None)
    assert found.refused == name
    assert note in found.note
    assert found.lacks == ()


def test_an_address_that_is_gone() -> None:
    """The connection outlives its address; that is a fact, too."""
    found = read(tcp(), kernel(address=[]))
    assert (found.address, found.note) == (None, "No device has the local address.")
    assert found.lacks == ()


def test_parts_that_cannot_be_read() -> None:
    """Each is a gap of its own and takes nothing else with it."""
    refused = NetlinkError(errno.EOPNOTSUPP)
    found = read(tcp(), kernel(neighbour=refused, address=refused))
    assert found.route.gateway == ROUTER
    assert (found.neighbour, found.address, found.note) == (None, None, "")
    assert found.lacks == (
        Gap("rtnetlink:RTM_GETNEIGH", "Operation not supported", errno.EOPNOTSUPP),
        Gap("rtnetlink:RTM_GETADDR", "Operation not supported", errno.EOPNOTSUPP),
    )


def test_an_unknown_mark_matters_where_rules_select_by_it() -> None:
    """The route without the mark may be another than the connection's."""
    assert read(tcp(mark=None), kernel()).lacks == ()
    marked = kernel(rule=[Message({"FRA_FWMARK": 7})])
    (gap,) = read(tcp(mark=None), marked).lacks
    assert (gap.source, gap.hint) == ("SO_MARK", "run as root")
    assert read(tcp(mark=7), marked).lacks == ()


def test_without_pyroute2(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gap that says what to install."""
    monkeypatch.setitem(sys.modules, "pyroute2", None)
    found = read_egress(this_system(), tcp())
    assert found is not None
    assert [(gap.source, gap.hint) for gap in found.lacks] == [("rtnetlink:RTM_GETROUTE", "install pyroute2")]


def test_link_layer() -> None:
    """Links are kept where neighbours cannot be read."""
    answers = kernel(neighbours=[neighbour(0x20)])
    layer, gaps = read_link_layer(this_system(), "blue", lambda: answers)
    assert (layer.netns, [one.name for one in layer.links or ()], gaps) == ("blue", ["eth0"], [])
    assert layer.unanswering == (Neighbour("192.0.2.9", 0x20, MAC, 3, "eth0"),)
    layer, gaps = read_link_layer(this_system(), None, lambda: kernel(neighbours=NetlinkError(errno.EPERM)))
    assert ([one.name for one in layer.links or ()], layer.unanswering) == (["eth0"], None)
    assert gaps == [Gap("rtnetlink:RTM_GETNEIGH", "Operation not permitted", errno.EPERM)]


def test_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a capture does not hold is unknown; nothing of this host is asked."""
    from sockdiag.sources.capture.transport import captured_system

    monkeypatch.setitem(sys.modules, "pyroute2", None)
    system = captured_system(str(Path(__file__).parents[2] / "fixtures" / "6.18-world"))
    found = read_egress(system, tcp())
    assert found is not None
    assert found.lacks == (Gap("rtnetlink:RTM_GETROUTE", "not captured", None, "inspect the running system"),)
    gap = Gap("rtnetlink:RTM_GETLINK", "not captured", None, "inspect the running system")
    assert read_link_layer(system, "blue") == (LinkLayer("blue"), [gap])
