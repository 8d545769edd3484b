"""Parse the target of ``sockdiag inspect TARGET``, and find the sockets that match it."""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop, inet_pton  # start-up: docs/rejected.md

from sockdiag.errors import UsageError
from sockdiag.kernel.families import IP_TABLES
from sockdiag.kernel.sock_diag import V4_MAPPED
from sockdiag.model.query import TABLES
from sockdiag.model.record import ID, LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sockdiag.model.batch import Batch
    from sockdiag.model.socket import Socket

DESCRIPTOR, INODE, COOKIE, ENDPOINT, PAIR, UNIX = "descriptor", "inode", "cookie", "endpoint", "pair", "unix"

_FORMS = (
    "PID/FD, inode:N, cookie:HEX, :PORT, ADDR:PORT, two of these for both ends, @ABSTRACT or a unix path "
    "(unix:NAME if it looks like another form)"
)
_LARGEST = 1 << 64

# Address (None for any) and port (None for any).
End = tuple[str | None, int | None]


class Target(Record):
    """A parsed target."""

    kind: str = field("descriptor, inode, cookie, endpoint, pair or unix.", kind=LABEL)
    text: str = field("The target as the user typed it.", kind=LABEL)
    pid: int | None = field("Process of a descriptor.", default=None, kind=ID)
    fd: int | None = field("Number of a descriptor.", default=None, kind=ID)
    number: int | None = field("Inode or cookie.", default=None, kind=ID)
    ends: tuple[End, ...] = field("One end, or both.", default=(), kind=ID)
    name: bytes = field("Name of a unix socket.", default=b"", kind=ID)

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables that can have it."""
        if self.kind == UNIX:
            return ("unix",)
        if self.kind in (ENDPOINT, PAIR):
            return tuple(table for table in TABLES if table in IP_TABLES)
        return TABLES


def parse_target(text: str, peer: str | None = None) -> Target:
    """Parse a target.

    Args:
        text: first argument.
        peer: second argument, the other end of an address pair.

    Raises:
        UsageError: it has none of the forms.
    """
    if peer is not None:
        one, other = _end(text), _end(peer)
        if one is None or other is None:
            raise UsageError(f"'{text}' '{peer}' are not both ADDR:PORT")
        return Target(PAIR, f"{text} {peer}", ends=(one, other))
    first, slash, second = text.partition("/")
    if slash and _is_number(first) and _is_number(second):
        return Target(DESCRIPTOR, text, int(first), int(second))
    prefix, _, rest = text.partition(":")
    if prefix in ("inode", "ino"):
        if not _is_number(rest) or not 0 < int(rest) < _LARGEST:
            raise UsageError(f"'{text}': inode: must be followed by the number in socket:[N] of /proc/PID/fd")
        return Target(INODE, text, number=int(rest))
    if prefix in ("cookie", "sk"):
        return Target(COOKIE, text, number=_cookie(text, rest))
    if prefix == "unix" and rest:
        return Target(UNIX, text, name=_name(rest))
    if text.startswith("@") and len(text) > 1:
        return Target(UNIX, text, name=_name(text))
    end = _end(text)
    if end is not None:
        return Target(ENDPOINT, text, ends=(end,))
    for separator in ("-", ","):
        left, found, right = text.partition(separator)
        one, other = _end(left), _end(right)
        if found and one is not None and other is not None:
            return Target(PAIR, text, ends=(one, other))
    if slash:
        return Target(UNIX, text, name=_name(text))
    raise UsageError(f"'{text}' is not a target: {_FORMS}")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 20


def _cookie(text: str, digits: str) -> int:
    try:
        value = int(digits, 16)
    except ValueError:
        value = -1
    if not 0 <= value < _LARGEST or digits[:1] in "+-" or "_" in digits:
        raise UsageError(f"'{text}': cookie: must be followed by a hexadecimal number, such as sk: of ss -e")
    return value


def _name(text: str) -> bytes:
    name = text.encode("utf-8", "surrogateescape")
    return b"\0" + name[1:] if name.startswith(b"@") else name


def _end(text: str) -> End | None:
    """Parse ADDR:PORT, [ADDR]:PORT, :PORT or *:PORT; return None for anything else."""
    address, colon, port = text.rpartition(":")
    if not colon or not (port == "*" or (_is_number(port) and int(port) < 65536)):
        return None
    number = None if port == "*" else int(port)
    if address in ("", "*"):
        return None if number is None else (None, number)
    if address[:1] == "[" and address[-1:] == "]":
        address = address[1:-1]
    plain = _canonical(address.partition("%")[0])
    return None if plain is None else (plain, number)


def _canonical(address: str) -> str | None:
    # Normalise the spelling of addresses; an IPv4-mapped one becomes its IPv4 address.
    for family in (AF_INET, AF_INET6):
        try:
            packed = inet_pton(family, address)
        except (OSError, ValueError):
            continue
        if family == AF_INET6 and packed[:12] == V4_MAPPED:
            return inet_ntop(AF_INET, packed[12:])
        return inet_ntop(family, packed)
    return None


_ANY = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound


def matching(target: Target, batches: Iterable[Batch], inode: int | None = None) -> list[Socket]:
    """Return the sockets that match a target.

    A port, or an address and port, is a socket's local end. If no socket has that local end, sockets with it as their peer
    match, and for an address those that listen on every address. A pair matches in either order.

    Args:
        target: the target.
        batches: sockets of the target's tables.
        inode: for a descriptor, the inode of its socket.
    """
    if target.kind == UNIX:
        return _by_name(target.name, batches)
    if target.kind not in (ENDPOINT, PAIR):
        column, number = ("cookie", target.number) if target.kind == COOKIE else ("inode", inode or target.number)
        return _rows(batches, column, lambda value: value == number)
    first, *others = target.ends
    ports = {end[1] for end in target.ends} - {None}
    rows = [
        socket
        for batch in batches
        for socket in _pick(
            batch,
            [
                {a, b} & ports or not ports
                for a, b in zip(batch.values("local.port"), batch.values("peer.port"), strict=True)
            ],
        )
    ]
    if others:
        return _either_way(rows, first, others[0])
    address, port = first
    own = [s for s in rows if _is(s, "local", first)]
    if not own and address is not None:
        own = [s for s in rows if s.local.port == port and s.local.address in _ANY and not s.peer.port]
    return own or [s for s in rows if _is(s, "peer", first)]


def principal(found: list[Socket]) -> Socket | None:
    """Return the one of several sockets on a port that the port is for: the listener, of several the fullest.

    A datagram socket that is not connected counts as a listener. None if no socket listens.
    """
    listening = [s for s in found if s.state == "LISTEN" or (s.netid in _DATAGRAMS and not s.peer.port)]
    return max(listening, key=_trouble, default=None)


def _trouble(socket: Socket) -> tuple[float, int]:
    waiting, limit = socket.recv_q or 0, socket.send_q
    drops = 0 if socket.skmem is None else socket.skmem.drops or 0
    return (waiting / (limit + 1) if socket.recv_q_unit == "connections" and limit is not None else waiting, drops)


_DATAGRAMS = ("udp", "udplite")


def _either_way(rows: list[Socket], one: End, other: End) -> list[Socket]:
    found = [s for s in rows if _is(s, "local", one) and _is(s, "peer", other)]
    return found or [s for s in rows if _is(s, "local", other) and _is(s, "peer", one)]


def _is(socket: Socket, side: str, end: End) -> bool:
    address, port = end
    mine = getattr(socket, side)
    if port is not None and mine.port != port:
        return False
    return address is None or (isinstance(mine.address, str) and _canonical(mine.address) == address)


def _by_name(name: bytes, batches: Iterable[Batch]) -> list[Socket]:
    if name[:1] == b"\0":
        # ss and /proc/net/unix show other NULs in the name as @ too.
        wanted = name[1:]
        return _rows(
            batches,
            "local.address",
            lambda v: bool(v) and v[:1] == b"\0" and wanted in (v[1:], v[1:].replace(b"\0", b"@")),
        )
    return _rows(batches, "local.address", lambda value: value == name)


def _rows(batches: Iterable[Batch], column: str, wanted: Callable[..., bool]) -> list[Socket]:
    return [s for batch in batches for s in _pick(batch, [wanted(value) for value in batch.values(column)])]


def _pick(batch: Batch, chosen: list[object]) -> list[Socket]:
    # Make records only of batches that have a wanted row.
    if not any(chosen):
        return []
    return [socket for socket, yes in zip(batch.sockets(), chosen, strict=True) if yes]
