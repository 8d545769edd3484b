"""Parse the port of ``sockdiag port PORT``."""

from __future__ import annotations

from sockdiag.analysis.bind_conflict import packed
from sockdiag.errors import UsageError, unknown
from sockdiag.kernel.families import IP_TABLES
from sockdiag.model.record import ID, LABEL, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# The tables whose sockets have ports; a raw socket has a protocol there, a ping socket an ICMP id.
PORT_TABLES = tuple(table for table in IP_TABLES if table not in ("raw", "icmp"))
_FORMS = "a port is a number or a service name: 8080, :8080, http, tcp/8080, 8080/udp or 127.0.0.1:8080"


class PortTarget(Record):
    """A parsed port."""

    text: str = field("The port as the user typed it.", kind=LABEL)
    port: int = field("Its number.", kind=ID)
    tables: tuple[str, ...] = field("Tables that are meant.", default=PORT_TABLES, kind=LABEL)
    address: str | None = field("The address that is meant; None for any.", default=None, kind=ID)
    service: str | None = field("The name of its service.", default=None, kind=LABEL)


def parse_port(
    text: str, service: Callable[[str, str], int | None], name_of: Callable[[int], str | None]
) -> PortTarget:
    """Parse a port.

    Args:
        text: the argument.
        service: finds the port of a service name in a protocol.
        name_of: finds the name of the service of a port.

    Raises:
        UsageError: it has none of the forms, or the service is unknown.
    """
    rest, tables = _protocol(text)
    address, colon, word = rest.rpartition(":")
    if address[:1] == "[" and address[-1:] == "]":
        address = address[1:-1]
    if colon and address and packed(address) is None:
        raise UsageError(f"'{text}': '{address}' is not an address; {_FORMS}")
    if word.isascii() and word.isdecimal():
        port = int(word) if len(word) <= 5 else 0
        if not 0 < port < 65536:
            raise UsageError(f"'{text}': ports are 1 to 65535")
    elif word and not word[:1].isdigit():
        port, tables = _service(text, word, tables, service)
    else:
        raise UsageError(f"'{text}': {_FORMS}")
    return PortTarget(text, port, tables, address.strip("*") or None, name_of(port))


def _protocol(text: str) -> tuple[str, tuple[str, ...]]:
    """Split tcp/8080 or 8080/tcp."""
    one, slash, other = text.partition("/")
    if not slash:
        return text, PORT_TABLES
    for word, rest in ((one, other), (other, one)):
        if word.lower() in PORT_TABLES:
            return rest, (word.lower(),)
    raise UsageError(unknown("protocol", one if other[:1].isdigit() else other, PORT_TABLES))


def _service(
    text: str, word: str, tables: tuple[str, ...], service: Callable[[str, str], int | None]
) -> tuple[int, tuple[str, ...]]:
    found: dict[str, int | None] = {p: service(word, p) for p in ("tcp", "udp") if p in tables}
    if not found:
        found = {tables[0]: service(word, "tcp")}
    ports = {port for port in found.values() if port is not None}
    if not ports:
        raise UsageError(f"'{text}': there is no service '{word}' in /etc/services; {_FORMS}")
    if len(ports) > 1:
        raise UsageError(
            f"'{text}': {' and '.join(f'{name}/{port}' for name, port in found.items())}; give one of them"
        )
    named = tuple(protocol for protocol, port in found.items() if port is not None)
    return ports.pop(), tables if len(named) == len(found) else named
