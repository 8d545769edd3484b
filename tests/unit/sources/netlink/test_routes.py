"""Routes, links, neighbours and addresses from messages as pyroute2 gives them, and what becomes of its errors."""

from __future__ import annotations

import errno
import struct
import sys
from typing import TYPE_CHECKING, Any

import pytest
from pyroute2.netlink.exceptions import NetlinkDecodeError, NetlinkError

from sockdiag.errors import SourceDenied, SourceError, SourceTruncated, SourceUnavailable
from sockdiag.model.link import Link
from sockdiag.model.route import LocalAddress, Neighbour, Route, RouteMetrics
from sockdiag.sources.netlink.routes import Flow, NoRoute, Routes

if TYPE_CHECKING:
    from collections.abc import Callable

PEER, LOCAL = "192.0.2.9", "192.0.2.1"
MAC = "02:00:00:00:00:01"


class Message(dict[str, Any]):
    """A message as pyroute2 decodes it: members, and attributes by name."""

    def __init__(self, attributes: dict[str, Any], **members: Any) -> None:
        super().__init__(members)
        self.attributes = attributes

    def get_attr(self, name: str) -> Any:
        return self.attributes.get(name)


def link(name: str | bytes = "eth0", index: int = 2, **attributes: Any) -> Message:
    return Message({"IFLA_IFNAME": name, **attributes}, index=index, flags=0x11043)


def route(attributes: dict[str, Any], **members: Any) -> Message:
    return Message(attributes, **{"family": 2, "dst_len": 32, "type": 1, "table": 254, "proto": 4, **members})


def neighbour(state: int, address: str = PEER) -> Message:
    return Message({"NDA_DST": address, "NDA_LLADDR": MAC, "NDA_PROBES": 3}, state=state, ifindex=2)


class Kernel:
    """Answers as pyroute2.IPRoute does, and keeps what it was asked."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[Any] = []
        self.closed = False

    def _answer(self, what: str, *about: Any) -> Any:
        self.asked.append((what, *about))
        answer = self.answers[what]
        if callable(answer):
            answer = answer(*about)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def get_links(self, *index: int) -> Any:
        return self._answer("link", *index)

    def get_neighbours(self) -> Any:
        return self._answer("neighbours")

    def get_addr(self, family: int) -> Any:
        return self._answer("address", family)

    def get_rules(self, family: int) -> Any:
        return self._answer("rule", family)

    def neigh(self, command: str, **about: Any) -> Any:
        return self._answer("neighbour", command, about)

    def nlm_request(self, request: Any, kind: int, flags: int) -> Any:
        return self._answer("route", request, kind, flags)

    def close(self) -> None:
        self.closed = True


def ask(kernel: Kernel, what: Callable[[Routes], Any]) -> Any:
    with Routes(lambda: kernel) as routes:
        answer = what(routes)
    assert kernel.closed
    return answer


def test_route() -> None:
    """The lookup gives way out and metrics, the table's entry prefix, protocol and preference."""
    metrics = Message({"RTAX_MTU": 1300, "RTAX_CC_ALGO": b"reno", "RTAX_LOCK": 4})
    cached = route(
        {
            "RTA_DST": PEER,
            "RTA_OIF": 2,
            "RTA_PREFSRC": LOCAL,
            "RTA_GATEWAY": "192.0.2.254",
            "RTA_TABLE": 100,
            "RTA_METRICS": metrics,
            "RTA_CACHEINFO": {"rta_expires": 5998},
        },
        proto=0,
    )
    entry = route({"RTA_DST": "192.0.0.0", "RTA_PRIORITY": 20}, dst_len=16, proto=16)
    kernel = Kernel(route=lambda request, *_: (entry if request["flags"] & 0x2000 else cached,), link=[link()])
    assert ask(kernel, lambda routes: routes.route(Flow(PEER))) == Route(
        type=1,
        prefix="192.0.0.0/16",
        gateway="192.0.2.254",
        device="eth0",
        ifindex=2,
        source=LOCAL,
        table=100,
        protocol="dhcp",
        priority=20,
        metrics=RouteMetrics(mtu=1300, congctl="reno", locked=4),
        expires_ms=59980,
    )


def test_default_route_by_an_ipv6_router() -> None:
    """RTA_VIA names a router of the other family; a protocol without a name is its number."""
    cached = route({"RTA_OIF": 2, "RTA_PREFSRC": "192.0.2.7", "RTA_VIA": {"family": 10, "addr": "fe80::1"}})
    kernel = Kernel(
        route=lambda request, *_: (route({}, dst_len=0, proto=77) if request["flags"] & 0x2000 else cached,)
    )
    kernel.answers["link"] = [link()]
    found = ask(kernel, lambda routes: routes.route(Flow(PEER, LOCAL)))
    assert (found.prefix, found.gateway, found.source, found.protocol) == ("default", "fe80::1", LOCAL, "77")
    assert (found.expires_ms, found.table) == (None, 254)


def test_an_entry_that_cannot_be_asked_for_is_unknown() -> None:
    """Before 4.13 there is no RTM_F_FIB_MATCH."""
    answers = {0x1000: (route({"RTA_OIF": 2}),), 0x3000: NetlinkError(errno.EOPNOTSUPP)}
    kernel = Kernel(route=lambda request, *_: answers[request["flags"]], link=[link()])
    found = ask(kernel, lambda routes: routes.route(Flow(PEER)))
    assert (found.device, found.prefix, found.protocol, found.priority) == ("eth0", None, None, None)


def test_everything_that_selects_a_route_is_asked_for() -> None:
    """The bytes of the request are those of struct rtmsg and of the attributes, in the kernel's order of bytes."""
    kernel = Kernel(route=NetlinkError(errno.ENETUNREACH))
    with pytest.raises(NoRoute):
        ask(kernel, lambda routes: routes.route(Flow(PEER, LOCAL, 2, 0x10, 1000, 0x28, 6, 40000, 443)))
    ((_what, request, kind, flags),) = kernel.asked
    request.reset()
    request.encode()
    body = bytes(request.data[16:])
    assert (kind, flags) == (26, 1)
    assert body[:12] == struct.pack("=BBBBBBBBI", 2, 32, 32, 0x28, 0, 0, 0, 0, 0x1000)
    assert body[12:] == b"".join(
        struct.pack("=HH", 4 + len(value), number) + value + bytes(-len(value) & 3)
        for number, value in (
            (1, bytes((192, 0, 2, 9))),
            (2, bytes((192, 0, 2, 1))),
            (4, struct.pack("=I", 2)),
            (16, struct.pack("=I", 0x10)),
            (25, struct.pack("=I", 1000)),
            (27, b"\x06"),
            (28, struct.pack("!H", 40000)),
            (29, struct.pack("!H", 443)),
        )
    )


@pytest.mark.parametrize("number", [errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL])
def test_no_route_is_an_answer(number: int) -> None:
    """What lookups of missing, unreachable, prohibited and blackhole routes end with."""
    with pytest.raises(NoRoute) as caught:
        ask(Kernel(route=NetlinkError(number)), lambda routes: routes.route(Flow("2001:db8::1")))
    assert caught.value.errno == number


def test_link() -> None:
    """What the kernel does not send is unknown."""
    counters = {"rx_bytes": 1, "tx_dropped": 2, "tx_window_errors": 3}
    full = link(
        b"\xff\x1b",
        IFLA_MTU=1400,
        IFLA_OPERSTATE="UP",
        IFLA_TXQLEN=1000,
        IFLA_LINKINFO=Message({"IFLA_INFO_KIND": "veth"}),
        IFLA_STATS64=counters,
    )
    kernel = Kernel(link=lambda index: [full if index == 2 else link("lo", 1)])

    def both(routes: Routes) -> list[Link]:
        return [routes.link(2), routes.link(1), routes.link(2)]

    first, second, again = ask(kernel, both)
    assert first is again
    assert kernel.asked == [("link", 2), ("link", 1)]
    assert first == Link("\udcff\x1b", 2, "veth", "UP", 0x11043, 1400, 1000, rx_bytes=1, tx_dropped=2)
    assert second == Link("lo", 1, flags=0x11043)


def test_neighbour() -> None:
    """An entry, and that there is none."""
    kernel = Kernel(neighbour=[neighbour(2)], link=[link()])
    assert ask(kernel, lambda routes: routes.neighbour(PEER, 2)) == Neighbour(PEER, 2, MAC, 3, "eth0")
    assert kernel.asked == [("neighbour", "get", {"dst": PEER, "ifindex": 2}), ("link", 2)]
    none = Kernel(neighbour=NetlinkError(errno.ENOENT))
    assert ask(none, lambda routes: routes.neighbour(PEER, 2)) is None
    with pytest.raises(SourceUnavailable):
        ask(Kernel(neighbour=NetlinkError(errno.EOPNOTSUPP)), lambda routes: routes.neighbour(PEER, 2))


def test_the_link_layer() -> None:
    """All links, and of the neighbours those that do not answer; links are asked for once."""
    found = [neighbour(state) for state in (0x00, 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80)]
    kernel = Kernel(link=[link("lo", 1), link()], neighbours=found)
    links, unanswering = ask(kernel, lambda routes: (routes.links(), routes.unanswering()))
    assert [one.name for one in links] == ["lo", "eth0"]
    assert unanswering == [Neighbour(PEER, 0x01, MAC, 3, "eth0"), Neighbour(PEER, 0x20, MAC, 3, "eth0")]
    assert kernel.asked == [("link",), ("neighbours",)]


def test_address() -> None:
    """That of a point-to-point device is IFA_LOCAL; flags beyond the eighth are in IFA_FLAGS."""
    messages = [
        Message({"IFA_ADDRESS": LOCAL, "IFA_LOCAL": "192.0.2.3"}, index=1, prefixlen=32, flags=0x80),
        Message(
            {"IFA_ADDRESS": "192.0.2.2", "IFA_LOCAL": LOCAL, "IFA_FLAGS": 0x280}, index=2, prefixlen=24, flags=0x80
        ),
    ]
    kernel = Kernel(address=messages, link=[link()])
    assert ask(kernel, lambda routes: routes.address(LOCAL)) == LocalAddress(LOCAL, 24, "eth0", 0x280)
    assert ask(kernel, lambda routes: routes.address("192.0.2.2")) is None
    assert kernel.asked[0] == ("address", 2)
    six = Kernel(address=[Message({"IFA_ADDRESS": "fe80::1"}, index=2, prefixlen=64, flags=0xC0)], link=[link()])
    assert ask(six, lambda routes: routes.address("fe80::1")) == LocalAddress("fe80::1", 64, "eth0", 0xC0)


def test_rules() -> None:
    """Only rules with a mark select by it."""
    plain, marked = Message({"FRA_TABLE": 254}), Message({"FRA_FWMARK": 0, "FRA_FWMASK": 0xFF})
    assert ask(Kernel(rule=[plain, marked]), lambda routes: routes.rules_select_by_mark(PEER)) is True
    assert ask(Kernel(rule=[plain]), lambda routes: routes.rules_select_by_mark(PEER)) is False


@pytest.mark.parametrize(
    ("error", "expected", "number"),
    [
        (NetlinkError(errno.EPERM), SourceDenied, errno.EPERM),
        (NetlinkError(errno.EOPNOTSUPP), SourceUnavailable, errno.EOPNOTSUPP),
        (OSError(errno.ENOBUFS, "no space"), SourceUnavailable, errno.ENOBUFS),
        (NetlinkDecodeError(ValueError("x")), SourceTruncated, None),
        (struct.error("short"), SourceTruncated, None),
        (KeyError("IFLA_MTU"), SourceTruncated, None),
        ([], SourceTruncated, None),
    ],
)
def test_errors(error: Any, expected: type[SourceError], number: int | None) -> None:
    """Each is an error of the source; nothing that pyroute2 raises gets out."""
    with pytest.raises(expected) as caught:
        ask(Kernel(link=error), lambda routes: routes.link(2))
    assert caught.value.source == "rtnetlink:RTM_GETLINK"
    assert caught.value.errno == number


def test_no_connection() -> None:
    """Without a socket there is an error and no more."""

    def refuse() -> Any:
        raise OSError(errno.EAFNOSUPPORT, "no netlink")

    with pytest.raises(SourceUnavailable) as caught:
        Routes(refuse)
    assert (caught.value.source, caught.value.errno) == ("rtnetlink:RTM_GETROUTE", errno.EAFNOSUPPORT)


def test_without_pyroute2(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setitem(sys.modules, "pyroute2", None)
    with pytest.raises(SourceUnavailable) as caught:
        Routes()
    assert caught.value.hint == "install pyroute2"
