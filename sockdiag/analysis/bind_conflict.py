"""What bind(2) would answer, by the kernel's own rules.

Nothing is bound. What the kernel compares and no source shows (whether a socket in TIME_WAIT had SO_REUSEADDR) makes the answer
unknown instead of wrong.

Source: ``inet_csk_get_port()``, ``inet_bind_conflict()``, ``ipv6_rcv_saddr_equal()``, net/ipv4/inet_connection_sock.c;
``udp_lib_lport_inuse()``, net/ipv4/udp.c; ``__inet_bind()``, net/ipv4/af_inet.c.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_pton  # start-up: docs/rejected.md

from sockdiag.kernel.sock_diag import V4_MAPPED
from sockdiag.model.record import ID, LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

OK, EADDRINUSE, EACCES, EADDRNOTAVAIL = "OK", "EADDRINUSE", "EACCES", "EADDRNOTAVAIL"

_ANY4, _ANY6 = bytes(4), bytes(16)


class BoundSocket(Record):
    """A socket on the port, as bind(2) compares it. Unknown is None."""

    netid: str = field("Table.", kind=LABEL)
    address: bytes = field("Local address, 4 bytes or 16.", kind=ID)
    listening: bool = field("It listens.", default=False, kind=LABEL)
    connected: bool = field("It is connected, or was.", default=False, kind=LABEL)
    time_wait: bool = field("It is a timewait socket, also one in FIN_WAIT2.", default=False, kind=LABEL)
    v6only: bool | None = field("IPV6_V6ONLY.", default=None, kind=LABEL)
    reuseaddr: bool | None = field("SO_REUSEADDR.", default=None, kind=LABEL)
    reuseport: bool | None = field("SO_REUSEPORT.", default=None, kind=LABEL)
    uid: int | None = field("User that created it.", default=None, kind=ID)
    name: str = field("What to call it.", default="", kind=LABEL)


class BindRequest(Record):
    """A request to bind(2), of a new socket that is bound to no device."""

    netid: str = field("tcp or udp.", kind=LABEL)
    address: bytes = field("Address, 4 bytes or 16.", kind=ID)
    v6only: bool = field("IPV6_V6ONLY.", default=False, kind=LABEL)
    reuseaddr: bool = field("SO_REUSEADDR.", default=False, kind=LABEL)
    reuseport: bool = field("SO_REUSEPORT.", default=False, kind=LABEL)
    uid: int | None = field("User that asks.", default=None, kind=ID)


def packed(address: str) -> bytes | None:
    """Return the bytes of an address as sockets show it; None if it is none."""
    text = "0.0.0.0" if address == "*" else address.partition("%")[0]  # noqa: S104 - compared, not bound
    try:
        return inet_pton(AF_INET6 if ":" in text else AF_INET, text)
    except (OSError, ValueError):
        return None


def conflicts(wanted: BindRequest, taken: Iterable[BoundSocket]) -> tuple[str | None, list[BoundSocket]]:
    """Decide whether a port is in use for a request.

    Returns:
        OK or EADDRINUSE, or None if it depends on what is unknown; and the sockets that decide.
    """
    taken = [one for one in taken if one.netid == wanted.netid]
    by_conflict: dict[bool | None, list[BoundSocket]] = {True: [], None: [], False: []}
    for one in taken:
        by_conflict[_conflict(wanted, one)].append(one)
    certain, possible = by_conflict[True], by_conflict[None]
    if wanted.netid == "tcp" and wanted.reuseport and (certain or possible):
        passes = _passes(wanted, taken)
        if passes:
            return OK, []
        if passes is None:
            return None, [*certain, *possible]
    if certain:
        return EADDRINUSE, [one for one in certain if one.listening] or certain
    return (None, possible) if possible else (OK, [])


def _passes(wanted: BindRequest, taken: list[BoundSocket]) -> bool | None:
    """Return whether SO_REUSEPORT passes without a look at the sockets; None if that depends on their order.

    The kernel remembers for a port the address and user of the last socket with SO_REUSEPORT that was bound to it, unless
    one without was bound since. Who matches these passes, whoever has accepted connections meanwhile.

    Source: ``sk_reuseport_match()``, ``inet_csk_update_fastreuse()``.
    """
    bound = [one for one in taken if not one.connected]
    willing = [one for one in bound or taken if one.reuseport is not False and one.uid in (wanted.uid, None)]
    if not willing:
        return False if bound or all(one.reuseport is False for one in taken) else None
    if not bound or not all(one.reuseport and one.uid is not None and one.uid == wanted.uid for one in bound):
        return None
    first = bound[0]
    covers = first.address == wanted.address or (not any(first.address) and _overlap(wanted, first))
    alike = all((one.address, one.v6only) == (first.address, first.v6only) for one in bound)
    return True if alike and covers else None


def _conflict(wanted: BindRequest, one: BoundSocket) -> bool | None:
    return _both(_overlap(wanted, one), _excludes(wanted, one))


def _both(*facts: bool | None) -> bool | None:
    if False in facts:
        return False
    return None if None in facts else True


def _excludes(wanted: BindRequest, one: BoundSocket) -> bool | None:
    """Return whether two sockets that overlap exclude each other."""
    # SO_REUSEADDR of both lets them share, for TCP unless the other one listens.
    if wanted.netid == "tcp" and one.listening:
        share: bool | None = False
    else:
        share = wanted.reuseaddr and one.reuseaddr
    # So does SO_REUSEPORT of both, with one user; a timewait socket has no user any more.
    same: bool | None = one.time_wait or (None if one.uid is None or wanted.uid is None else one.uid == wanted.uid)
    port = _both(wanted.reuseport, one.reuseport, same)
    if share or port:
        return False
    return None if share is None or port is None else True


def _overlap(wanted: BindRequest, one: BoundSocket) -> bool | None:
    """Return whether two local addresses overlap. Source: ``inet_rcv_saddr_equal(sk, sk2, true)``."""
    mine, other = wanted.address, one.address
    if len(other) == 16 and other != _ANY6 and other[:12] != V4_MAPPED:
        only: bool | None = True  # __inet6_bind() sets it for a specific address
    else:
        only = False if len(other) == 4 else one.v6only
    my_only = wanted.v6only or (len(mine) == 16 and mine != _ANY6 and mine[:12] != V4_MAPPED)
    my4 = _as_ipv4(mine)
    if len(mine) == 4 or (my4 is not None and len(mine) == 16):
        # IPv4, also as a mapped address of an IPv6 socket.
        other4 = _ANY4 if other == _ANY6 else _as_ipv4(other)
        if other4 is None or (my4 not in (other4, _ANY4) and other4 != _ANY4):
            return False
        return None if only is None else not only
    if other in (mine, _ANY6):
        return True
    if mine == _ANY6:
        return not (my_only and _as_ipv4(other) is not None)
    return False


def _as_ipv4(address: bytes) -> bytes | None:
    """Return the IPv4 address that an address is or maps; None if it is neither."""
    if len(address) == 4:
        return address
    return address[12:] if address[:12] == V4_MAPPED else None
