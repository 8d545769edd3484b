"""Links, addresses, routes and neighbours over rtnetlink, by pyroute2: its import takes longer than all requests.

That no route leads to an address is an answer, although the kernel reports it as an error. All other errors are
SourceErrors.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from socket import MSG_DONTWAIT, socket
from struct import error as struct_error

from sockdiag.errors import SourceDenied, SourceError, SourceTruncated, SourceUnavailable
from sockdiag.kernel.netlink import NLM_F_REQUEST
from sockdiag.kernel.rtnetlink import (
    NUD_FAILED,
    NUD_INCOMPLETE,
    ROUTE_PROTOCOLS,
    RTM_F_FIB_MATCH,
    RTM_F_LOOKUP_TABLE,
    RTM_GETROUTE,
)
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6
from sockdiag.model.link import Link
from sockdiag.model.record import ID, LABEL, Record, field
from sockdiag.model.route import LocalAddress, Neighbour, Route, RouteMetrics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, Self

ROUTE, LINK, NEIGHBOUR, ADDRESS, RULE = (
    f"rtnetlink:RTM_GET{what}" for what in ("ROUTE", "LINK", "NEIGH", "ADDR", "RULE")
)

# What route lookups end with where no route leads to the peer: fib_props[], net/ipv4/fib_semantics.c;
# ip6_dst_lookup_tail(), net/ipv6/ip6_output.c. A blackhole is EINVAL, a prohibit route EACCES.
_NO_ROUTE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EACCES, errno.EINVAL)

# Values in RTA_CACHEINFO are in ticks of USER_HZ, which is 100 but on alpha and ia64.
_TICK_MS = 10


class Flow(Record):
    """The key of a route lookup: the fields of ``struct flowi`` that a socket's packets have."""

    destination: str = field("Peer address.", kind=ID, kernel="daddr", sources=("RTA_DST",))
    source: str | None = field("Local address.", default=None, kind=ID, kernel="saddr", sources=("RTA_SRC",))
    device: int | None = field(
        "Index of the device that the socket is bound to.",
        default=None,
        kind=ID,
        kernel="flowi_oif",
        sources=("RTA_OIF",),
    )
    mark: int | None = field("SO_MARK.", default=None, kind=ID, kernel="flowi_mark", sources=("RTA_MARK",))
    uid: int | None = field("Owner of the socket.", default=None, kind=ID, kernel="flowi_uid", sources=("RTA_UID",))
    dscp: int = field("Type of service, without its ECN bits.", default=0, kind=LABEL, sources=("rtm_tos",))
    protocol: int | None = field(
        "Protocol, of TCP and UDP.", default=None, kind=ID, kernel="flowi_proto", sources=("RTA_IP_PROTO",)
    )
    sport: int | None = field("Local port.", default=None, kind=ID, kernel="fl4_sport", sources=("RTA_SPORT",))
    dport: int | None = field("Peer port.", default=None, kind=ID, kernel="fl4_dport", sources=("RTA_DPORT",))


class NoRoute(Exception):
    """No route leads to the peer: sending to it ends with this error.

    Args:
        errno: the error.
    """

    def __init__(self, errno: int) -> None:
        super().__init__(os.strerror(errno))
        self.errno = errno


def prepare() -> None:
    """Import the slow modules once, before forking processes that read."""
    with suppress(SourceUnavailable):
        _iproute()


class Routes:
    """The routing tables, links and neighbours of the network namespace that the process is in when this is made.

    Args:
        connect: returns the connection, a ``pyroute2.IPRoute`` where none is given.

    Raises:
        SourceUnavailable: pyroute2 is not installed.
        SourceError: there is no rtnetlink.
    """

    def __init__(self, connect: Callable[[], Any] | None = None) -> None:
        opens = connect or _iproute()
        self._links: dict[int, Link] = {}
        with _asking(ROUTE):
            self._kernel = opens() if connect else _connected(opens())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._kernel.close()

    def route(self, flow: Flow) -> Route:
        """Look up the route of a flow, as the kernel does when it sends.

        Raises:
            NoRoute: there is none.
            SourceError: it cannot be asked.
        """
        message = self._lookup(flow, RTM_F_LOOKUP_TABLE)
        device = message.get_attr("RTA_OIF")
        via = message.get_attr("RTA_VIA")
        prefix, protocol, priority = self._entry(flow)
        expires = (message.get_attr("RTA_CACHEINFO") or {}).get("rta_expires")
        return Route(
            type=message["type"],
            prefix=prefix,
            gateway=message.get_attr("RTA_GATEWAY") or (None if via is None else via["addr"]),
            device=None if device is None else self.link(device).name,
            ifindex=device,
            source=flow.source or message.get_attr("RTA_PREFSRC"),
            table=message.get_attr("RTA_TABLE") or message["table"],
            protocol=protocol,
            priority=priority,
            metrics=_metrics(message.get_attr("RTA_METRICS")),
            expires_ms=expires * _TICK_MS if expires else None,
        )

    def link(self, index: int) -> Link:
        """Read a link; once, where it is asked for again.

        Raises:
            SourceUnavailable: there is none.
            SourceError: it cannot be read.
        """
        if index not in self._links:
            with _asking(LINK):
                (message,) = self._kernel.get_links(index)
            self._links[index] = _link(message)
        return self._links[index]

    def neighbour(self, address: str, device: int) -> Neighbour | None:
        """Find a neighbour; None where the kernel has no entry for it.

        Args:
            address: its address.
            device: index of the device that it is behind.

        Raises:
            SourceError: it cannot be asked: before 5.0, among others.
        """
        try:
            with _asking(NEIGHBOUR):
                (message,) = self._kernel.neigh("get", dst=address, ifindex=device)
        except SourceError as error:
            if error.errno == errno.ENOENT:
                return None
            raise
        return self._neighbour(message)

    def links(self) -> list[Link]:
        """Read all links.

        Raises:
            SourceError: they cannot be read.
        """
        with _asking(LINK):
            found = [_link(message) for message in self._kernel.get_links()]
        self._links.update((link.index, link) for link in found)
        return found

    def unanswering(self) -> list[Neighbour]:
        """Find the neighbours that are being resolved or did not answer.

        Raises:
            SourceError: they cannot be read.
        """
        with _asking(NEIGHBOUR):
            messages = list(self._kernel.get_neighbours())
        return [self._neighbour(one) for one in messages if one["state"] & (NUD_INCOMPLETE | NUD_FAILED)]

    def _neighbour(self, message: Any) -> Neighbour:
        return Neighbour(
            message.get_attr("NDA_DST"),
            message["state"],
            message.get_attr("NDA_LLADDR"),
            message.get_attr("NDA_PROBES"),
            self.link(message["ifindex"]).name,
        )

    def address(self, address: str) -> LocalAddress | None:
        """Find an address of this namespace; None where no device has it.

        Raises:
            SourceError: the addresses cannot be read.
        """
        with _asking(ADDRESS):
            messages = list(self._kernel.get_addr(family=_family(address)))
        for message in messages:
            # On a point-to-point device IFA_ADDRESS is the peer's.
            if (message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")) == address:
                device = self.link(message["index"]).name
                flags = message.get_attr("IFA_FLAGS") or message["flags"]
                return LocalAddress(address, message["prefixlen"], device, flags)
        return None

    def rules_select_by_mark(self, address: str) -> bool:
        """Return whether the route to an address may depend on the mark of packets.

        Raises:
            SourceError: the rules cannot be read.
        """
        with _asking(RULE):
            return any(rule.get_attr("FRA_FWMARK") is not None for rule in self._kernel.get_rules(_family(address)))

    def _entry(self, flow: Flow) -> tuple[str | None, str | None, int | None]:
        """Return prefix, protocol and priority of the entry that a flow's route was made from."""
        try:
            message = self._lookup(flow, RTM_F_LOOKUP_TABLE | RTM_F_FIB_MATCH)
        except (NoRoute, SourceError):
            return None, None, None
        length = message["dst_len"]
        number = message["proto"]
        return (
            f"{message.get_attr('RTA_DST')}/{length}" if length else "default",
            ROUTE_PROTOCOLS.get(number, str(number)),
            message.get_attr("RTA_PRIORITY"),
        )

    def _lookup(self, flow: Flow, flags: int) -> Any:
        request = _request()
        request["family"] = _family(flow.destination)
        request["dst_len"] = 128 if request["family"] == AF_INET6 else 32
        request["src_len"] = 0 if flow.source is None else request["dst_len"]
        request["tos"] = flow.dscp
        request["flags"] = flags
        attributes = (
            ("RTA_DST", flow.destination),
            ("RTA_SRC", flow.source),
            ("RTA_OIF", flow.device),
            ("RTA_MARK", flow.mark),
            ("RTA_UID", flow.uid),
            ("RTA_IP_PROTO", flow.protocol),
            ("RTA_SPORT", flow.sport),
            ("RTA_DPORT", flow.dport),
        )
        request["attrs"] = [(name, value) for name, value in attributes if value is not None]
        # pyroute2 0.9 reads this setting and has no default for it.
        status = getattr(self._kernel, "status", None)
        if status is not None:
            status.setdefault("nlm_generator", False)
        try:
            with _asking(ROUTE):
                (message,) = self._kernel.nlm_request(request, RTM_GETROUTE, NLM_F_REQUEST)
        except SourceError as error:
            if error.errno in _NO_ROUTE:
                raise NoRoute(error.errno) from None
            raise
        return message


def _iproute() -> Any:
    try:
        from pyroute2 import IPRoute
    except ImportError as error:
        raise SourceUnavailable(ROUTE, f"pyroute2 cannot be imported: {error}", hint="install pyroute2") from None
    return IPRoute


def _connected(kernel: Any) -> Any:
    """Let a connection of pyroute2, which believes any sender, receive from the kernel only."""
    channel = socket(fileno=os.dup(kernel.fileno()))
    try:
        # Some versions join groups, and anyone with CAP_NET_ADMIN in the namespace may send to those.
        channel.bind((channel.getsockname()[0], 0))
        channel.connect((0, 0))
        # What came before that is no answer: nothing has been asked.
        with suppress(BlockingIOError):
            while True:
                channel.recv(1, MSG_DONTWAIT)
    finally:
        channel.close()
    return kernel


def _request() -> Any:
    """Return a struct rtmsg that may have the attributes which pyroute2's own lacks."""
    from pyroute2.netlink import nlmsg
    from pyroute2.netlink.rtnl.rtmsg import rtmsg

    # For a subclass of rtmsg, pyroute2 would use the table of attributes that it has compiled for rtmsg.
    class RouteRequest(nlmsg):  # type: ignore[misc]
        prefix = "RTA_"
        fields = rtmsg.fields
        nla_map = (
            (1, "RTA_DST", "ipaddr"),
            (2, "RTA_SRC", "ipaddr"),
            (4, "RTA_OIF", "uint32"),
            (16, "RTA_MARK", "uint32"),
            (25, "RTA_UID", "uint32"),
            (27, "RTA_IP_PROTO", "uint8"),
            (28, "RTA_SPORT", "be16"),
            (29, "RTA_DPORT", "be16"),
        )

    return RouteRequest()


@contextmanager
def _asking(source: str) -> Iterator[None]:
    """Turn the exceptions of pyroute2 into SourceErrors."""
    from pyroute2.netlink.exceptions import NetlinkDecodeError, NetlinkError

    try:
        yield
    except NetlinkError as error:
        raise _refused(source, error.code) from None
    except OSError as error:
        raise _refused(source, error.errno) from None
    except (NetlinkDecodeError, struct_error, LookupError, TypeError, ValueError) as error:
        raise SourceTruncated(source, f"pyroute2 does not understand the answer: {error!r}") from None


def _refused(source: str, number: int | None) -> SourceError:
    reason = os.strerror(number) if number else "no answer"
    if number in (errno.EPERM, errno.EACCES):
        return SourceDenied(source, reason, number)
    return SourceUnavailable(source, reason, number)


def _family(address: str) -> int:
    return AF_INET6 if ":" in address else AF_INET


def _text(name: str | bytes) -> str:
    # pyroute2 leaves bytes that are not UTF-8 as they are.
    return name.decode("utf-8", "surrogateescape") if isinstance(name, bytes) else name


def _metrics(nested: Any) -> RouteMetrics:
    if nested is None:
        return RouteMetrics()
    metric = nested.get_attr

    def text(name: str) -> str | None:
        value = metric(name)
        return None if value is None else _text(value)

    return RouteMetrics(
        mtu=metric("RTAX_MTU"),
        advmss=metric("RTAX_ADVMSS"),
        window=metric("RTAX_WINDOW"),
        initcwnd=metric("RTAX_INITCWND"),
        initrwnd=metric("RTAX_INITRWND"),
        rto_min_ms=metric("RTAX_RTO_MIN"),
        hoplimit=metric("RTAX_HOPLIMIT"),
        quickack=metric("RTAX_QUICKACK"),
        congctl=text("RTAX_CC_ALGO"),
        locked=metric("RTAX_LOCK"),
    )


_LINK_COUNTERS = tuple(one.name for one in Link.FIELDS if one.kernel.startswith("rtnl_link_stats64."))


def _link(message: Any) -> Link:
    information = message.get_attr("IFLA_LINKINFO")
    kind = None if information is None else information.get_attr("IFLA_INFO_KIND")
    counters = message.get_attr("IFLA_STATS64") or {}
    return Link(
        _text(message.get_attr("IFLA_IFNAME")),
        message["index"],
        None if kind is None else _text(kind),
        message.get_attr("IFLA_OPERSTATE"),
        message["flags"],
        message.get_attr("IFLA_MTU"),
        message.get_attr("IFLA_TXQLEN"),
        message.get_attr("IFLA_CARRIER_CHANGES"),
        *(counters.get(name) for name in _LINK_COUNTERS),
    )
