"""One end of a socket."""

from __future__ import annotations

from sockdiag.kernel.sock_diag import V4_MAPPED_TEXT
from sockdiag.model.record import ID, LABEL, Record, field


class Endpoint(Record):
    """Local or peer end; what its members mean depends on the family.

    AF_INET, AF_INET6: printable address, port 0 where none is bound. AF_UNIX: the name as bytes (an abstract one keeps
    its leading NUL), no port. AF_NETLINK: protocol name, port id. AF_PACKET: protocol. AF_VSOCK: CID, port. A member is
    None if the family has none or the source does not show it.
    """

    address: str | bytes | None = field(
        "Address; a unix name is kept as bytes, an abstract one with its leading NUL.",
        default=None,
        kind=ID,
        header="ADDRESS",
        kernel="inet->inet_saddr, sk->sk_v6_rcv_saddr, unix_sk(sk)->addr",
        sources=("inet_diag_sockid.idiag_src/idiag_dst", "UNIX_DIAG_NAME", "/proc/net/tcp: local_address"),
    )
    port: int | None = field(
        "Port; the port id of a netlink socket, the protocol number of a raw one.",
        default=None,
        kind=ID,
        header="PORT",
        kernel="inet->inet_sport, inet->inet_dport, nlk->portid",
        sources=("inet_diag_sockid.idiag_sport/idiag_dport", "/proc/net/tcp: local_address"),
    )
    interface: str | None = field(
        "Interface the socket is bound to (SO_BINDTODEVICE, or the device of a packet socket).",
        default=None,
        kind=LABEL,
        header="IFACE",
        kernel="sk->sk_bound_dev_if",
        sources=("inet_diag_sockid.idiag_if", "packet_diag_info.pdi_index"),
    )


NOWHERE = Endpoint()
# Wildcard addresses: a listener there gets connections to each address.
ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to


def plain_address(address: str | bytes | None) -> str | bytes | None:
    """Return an address without its scope, an IPv4 address of an IPv6 socket in the form of IPv4."""
    return address.removeprefix(V4_MAPPED_TEXT).partition("%")[0] if isinstance(address, str) else address


def is_loopback(address: object) -> bool:
    """Return whether an IP address is one of the loopback device, in whichever form it is."""
    plain = plain_address(address) if isinstance(address, str) else None
    return isinstance(plain, str) and (plain == "::1" or plain.startswith("127."))


def same_end(one: Endpoint, other: Endpoint) -> bool:
    """Return whether two IP ends are the same, in whichever form their IPv4 addresses are."""
    return one.port == other.port and plain_address(one.address) == plain_address(other.address)
