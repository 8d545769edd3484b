"""Read how packets leave this host: those of one connection, and the devices and neighbours of a namespace."""

from __future__ import annotations

from errno import errorcode

from sockdiag.analysis.inspect import egress_note, has_egress
from sockdiag.errors import NotCaptured, ParseError, SourceError
from sockdiag.kernel.sock_diag import V4_MAPPED_TEXT
from sockdiag.model.inspection import Egress
from sockdiag.model.provenance import Gap
from sockdiag.model.route import LinkLayer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from sockdiag.model.qdisc import Qdisc
    from sockdiag.model.route import Route
    from sockdiag.model.socket import Socket
    from sockdiag.sources.netlink.routes import Flow, Routes
    from sockdiag.sources.system.machine import System

    Part = TypeVar("Part")

# Protocols that a lookup may name (rtm_getroute_parse_ip_proto()), so that ports select a route.
_PROTOCOLS = {"tcp": 6, "mptcp": 6, "udp": 17}

_IP_MAX_MTU = 65535


def read_egress(system: System, socket: Socket, connect: Callable[[], Any] | None = None) -> Egress | None:
    """Look up the route of a connection, and read the device, queueing discipline and neighbour that it leads to.

    Args:
        system: the system; the process is in the socket's network namespace.
        socket: the socket.
        connect: returns the connection to rtnetlink; None for pyroute2's.

    Returns:
        None if no packet of the socket leaves this host: it has no peer, or one on this host.
    """
    if not has_egress(socket):
        return None
    from sockdiag.sources.netlink.routes import ROUTE, Routes

    if not system.files.live:
        return Egress(lacks=(Gap(ROUTE, "not captured", None, "inspect the running system"),))
    try:
        with Routes(connect) as routes:
            return _EgressReader(system, socket, routes).egress()
    except SourceError as error:
        return Egress(lacks=(Gap.from_error(error),))


def read_link_layer(
    system: System, netns: str | None, connect: Callable[[], Any] | None = None
) -> tuple[LinkLayer, list[Gap]]:
    """Read the devices of the network namespace that the process is in, and neighbours that do not answer.

    Args:
        system: the system.
        netns: name of the namespace, for the record.
        connect: returns the connection to rtnetlink; None for pyroute2's.

    Returns:
        The link layer, and gaps for what could not be read.
    """
    from sockdiag.sources.netlink.routes import Routes

    if not system.files.live:
        return _captured_link_layer(system, netns)
    links = unanswering = None
    gaps = []
    try:
        with Routes(connect) as routes:
            links = tuple(routes.links())
            unanswering = tuple(routes.unanswering())
    except SourceError as error:
        gaps.append(Gap.from_error(error))
    return LinkLayer(netns, links, unanswering), gaps


def _captured_link_layer(system: System, netns: str | None) -> tuple[LinkLayer, list[Gap]]:
    from sockdiag.sources.netlink.rtnetlink_links import read_links
    from sockdiag.sources.netlink.rtnetlink_neighbours import read_unanswering

    gaps: list[Gap] = []

    def attempt(read: Callable[[], list[Part]]) -> tuple[Part, ...] | None:
        try:
            return tuple(read())
        except NotCaptured as error:
            gaps.append(Gap(error.source, "not captured", None, "inspect the running system"))
        except (SourceError, ParseError) as error:
            gaps.append(Gap.from_error(error))
        return None

    links = attempt(lambda: read_links(system.netlink))
    if links is None:
        return LinkLayer(netns), gaps
    names = {link.index: link.name for link in links}
    # As in an answer of the running system, which says no time.
    unanswering = attempt(lambda: [one._replace(used_ms=None) for one in read_unanswering(names.get, system.netlink)])
    return LinkLayer(netns, links, unanswering), gaps


class _EgressReader:
    """Reads the parts one after the other, as far as each can be read without the others; an error is a gap."""

    def __init__(self, system: System, socket: Socket, routes: Routes) -> None:
        self.system = system
        self.socket = socket
        self.routes = routes
        self.lacks: list[Gap] = []

    def egress(self) -> Egress:
        from sockdiag.sources.netlink.routes import NoRoute

        flow = self._flow()
        route, refused = None, None
        try:
            route = self._part(lambda: self.routes.route(flow))
        except NoRoute as error:
            refused = errorcode.get(error.errno, str(error.errno))
        link = qdisc = neighbour = address = None
        if route is not None and route.ifindex is not None:
            index, nexthop = route.ifindex, route.gateway or flow.destination
            link = self._part(lambda: self.routes.link(index))
            neighbour = self._part(lambda: self.routes.neighbour(nexthop, index))
            qdisc = self._qdisc(route.device)
        source, before = flow.source, len(self.lacks)
        if source is not None:
            address = self._part(lambda: self.routes.address(source))
        unassigned = source is not None and address is None and len(self.lacks) == before
        if self.socket.mark is None and self._part(lambda: self.routes.rules_select_by_mark(flow.destination)):
            self.lacks.append(
                Gap("SO_MARK", "unknown: the route is that of packets without a mark", None, "run as root")
            )
        return Egress(
            route,
            refused,
            _mtu(route, None if link is None else link.mtu, flow.destination),
            link,
            qdisc,
            neighbour,
            address,
            egress_note(refused, unassigned=unassigned),
            tuple(self.lacks),
        )

    def _part(self, read: Callable[[], Part]) -> Part | None:
        try:
            return read()
        except (SourceError, ParseError) as error:
            self.lacks.append(Gap.from_error(error))
            return None

    def _flow(self) -> Flow:
        from sockdiag.sources.netlink.routes import Flow
        from sockdiag.sources.system.interfaces import interface_index

        socket = self.socket
        peer, local = (_plain(end.address) for end in (socket.peer, socket.local))
        assert peer is not None
        bound = socket.local.interface or socket.peer.interface
        protocol = _PROTOCOLS.get(socket.netid)
        tos = None if socket.inet is None else socket.inet.tos
        return Flow(
            peer,
            local,
            None if bound is None else interface_index(bound),
            socket.mark,
            socket.uid,
            tos & 0xFC if tos and ":" not in peer else 0,
            protocol,
            None if protocol is None else socket.local.port,
            None if protocol is None else socket.peer.port,
        )

    def _qdisc(self, device: str | None) -> Qdisc | None:
        from sockdiag.model.qdisc import TC_H_ROOT
        from sockdiag.sources.netlink.rtnetlink_qdisc import read_qdiscs
        from sockdiag.sources.system.interfaces import interface_names

        found = self._part(lambda: read_qdiscs(interface_names(self.system.files)))
        return next((q for q in found or () if q.device == device and q.parent == TC_H_ROOT), None)


def _plain(address: str | bytes | None) -> str | None:
    """Return an address in the form of packets: an IPv4 peer of an IPv6 socket has an IPv4 address."""
    if not isinstance(address, str) or address in ("0.0.0.0", "::"):  # noqa: S104 - no address to bind to
        return None
    mapped = address.removeprefix(V4_MAPPED_TEXT)
    return mapped if "." in mapped and ":" not in mapped else address


def _mtu(route: Route | None, device: int | None, destination: str) -> int | None:
    """Return the value of ``dst_mtu()``."""
    if route is None:
        return None
    mtu = route.metrics.mtu or device
    return mtu if mtu is None or ":" in destination else min(mtu, _IP_MAX_MTU)
