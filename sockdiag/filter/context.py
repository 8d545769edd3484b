"""Look up the operands of a filter: services, hosts, interfaces, users, cgroups.

Nothing is read before an operand needs it.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, if_indextoname, if_nameindex  # start-up: docs/rejected.md

from sockdiag.kernel.ether_types import ether_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Netlink protocols in ss's spelling, which is not the kernel's.
NETLINK_NAMES = {
    0: "rtnl",
    1: "unused",
    2: "usersock",
    3: "fw",
    4: "tcpdiag",
    5: "nflog",
    6: "xfrm",
    7: "selinux",
    8: "iscsi",
    9: "audit",
    10: "fiblookup",
    11: "connector",
    12: "nft",
    13: "ip6fw",
    14: "dec-rt",
    15: "uevent",
    16: "genl",
    18: "scsi-trans",
    19: "ecryptfs",
    20: "rdma",
    21: "crypto",
}


def service(name: str, protocol: str) -> int | None:
    """Return the port of a service, None if it is unknown. Source: getservbyname(3)."""
    from _socket import getservbyname  # start-up: docs/rejected.md

    try:
        return getservbyname(name, protocol)
    except (OSError, UnicodeError, ValueError):
        return None


def rpc_ports(_name: str, _protocol: str) -> set[int]:
    """Return no port: only ss asks rpcbind, and only with -r."""
    return set()


def hosts(name: str, family: int) -> list[bytes]:
    """Return the addresses of a host in one family, none where it has none. Source: gethostbyname(3)."""
    from _socket import SOCK_STREAM, getaddrinfo, gethostbyname_ex, inet_pton  # start-up: docs/rejected.md

    try:
        if family == AF_INET:
            return [inet_pton(AF_INET, text) for text in gethostbyname_ex(name)[2]]
        found = getaddrinfo(name, None, AF_INET6, SOCK_STREAM)
    except (OSError, UnicodeError, ValueError):
        return []
    # A link-local address comes with its interface.
    return list(dict.fromkeys(inet_pton(AF_INET6, str(where[0]).partition("%")[0]) for *_, where in found))


def interface(name: str) -> int | None:
    """Return the index of a network interface, None if there is none of that name. Source: if_nameindex(3).

    if_nametoindex(3) is not asked: for root, SIOCGIFINDEX with a name that no interface has loads a module of that name. Like it,
    this leaves out a colon and what follows (``dev_ioctl()``): the name of an alias.
    """
    try:
        return {known: index for index, known in if_nameindex()}.get(name.partition(":")[0])
    except OSError:
        return None


def interface_name(index: int) -> str | None:
    """Return the name of a network interface, None if there is none of that index. Source: SIOCGIFNAME."""
    try:
        return if_indextoname(index) if 0 < index < 1 << 32 else None
    except OSError:
        return None


def user_name(uid: int) -> str:
    """Return the name of a user, the number where it has none. Source: getpwuid(3)."""
    from pwd import getpwuid

    try:
        return getpwuid(uid).pw_name
    except (KeyError, OverflowError, OSError):
        return str(uid)


def cgroup_id(path: str) -> int:
    """Refuse: only sources may read /sys.

    Raises:
        LookupError: there is no such cgroup; the message gives the reason.
    """
    raise LookupError(path)


def port_range() -> tuple[int, int]:
    """Return the kernel's default of net.ipv4.ip_local_port_range."""
    return 32768, 60999


def netlink_protocol(name: str) -> int | None:
    """Return the number of a netlink protocol by the name that ss has built in for it."""
    return next((number for number, word in NETLINK_NAMES.items() if word == name), None)


class FilterContext:
    """The look-ups of one filter; by default this system's.

    Args:
        service: name and protocol (``tcp``, ``udp``) to port.
        rpc_ports: the same for RPC programs, which may have several; asked where there is no service of that name.
        hosts: name and family to addresses of 4 or 16 bytes.
        interface: name to index.
        interface_name: index to name.
        user_name: user id to name, or to the number where it has none.
        cgroup_id: path, absolute or below the cgroup2 mount, to id; raises LookupError with the reason.
        port_range: the local port range, first and last.
        netlink_protocol: name to number.
        ether_type: name to number.
    """

    __slots__ = (
        "cgroup_id",
        "ether_type",
        "hosts",
        "interface",
        "interface_name",
        "netlink_protocol",
        "port_range",
        "rpc_ports",
        "service",
        "user_name",
    )

    def __init__(
        self,
        *,
        service: Callable[[str, str], int | None] = service,
        rpc_ports: Callable[[str, str], set[int]] = rpc_ports,
        hosts: Callable[[str, int], list[bytes]] = hosts,
        interface: Callable[[str], int | None] = interface,
        interface_name: Callable[[int], str | None] = interface_name,
        user_name: Callable[[int], str] = user_name,
        cgroup_id: Callable[[str], int] = cgroup_id,
        port_range: Callable[[], tuple[int, int]] = port_range,
        netlink_protocol: Callable[[str], int | None] = netlink_protocol,
        ether_type: Callable[[str], int | None] = ether_type,
    ) -> None:
        self.service = service
        self.rpc_ports = rpc_ports
        self.hosts = hosts
        self.interface = interface
        self.interface_name = interface_name
        self.user_name = user_name
        self.cgroup_id = cgroup_id
        self.port_range = port_range
        self.netlink_protocol = netlink_protocol
        self.ether_type = ether_type
