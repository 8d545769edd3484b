"""The operands of the ss language: hosts, ports, devices, marks.

Numbers are read as C does, with all that follows: ``010`` is 8, ``0x16`` a port, ``10.77`` the address 10.77.0.0.
"""

from __future__ import annotations

from _socket import inet_aton, inet_pton  # start-up: docs/rejected.md

from sockdiag.filter.cnumbers import INT_MAX, LONG_MAX, UINT_MAX, ULONG_MAX, converted, signed, unsigned
from sockdiag.kernel.byte_order import U32
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX, AF_UNSPEC, AF_VSOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.filter.context import FilterContext

FAMILY_PREFIXES = (
    ("unix:", AF_UNIX),
    ("link:", AF_PACKET),
    ("netlink:", AF_NETLINK),
    ("vsock:", AF_VSOCK),
    ("inet:", AF_INET),
    ("inet6:", AF_INET6),
)
ANY_PORT = -1
_EVERY_ADDRESS = ("default", "all", "any")
_ALL_BITS = 0xFFFFFFFF
_DIGITS = "0123456789"


class OperandError(Exception):
    """An operand does not parse. The message may be empty."""


class HostOperand:
    """One alternative of a HOST or PORT operand.

    Attributes:
        family: AF_… of the operand, AF_UNSPEC for a bare port.
        address: 4 or 16 bytes; of other families the number of the protocol (link, netlink) as 4 bytes.
        length: how many bits of it count; 0 is any address.
        port: port, port id or interface index; ANY_PORT for any.
        pattern: of a unix socket, the pattern of its name, one character a byte.
    """

    __slots__ = ("address", "family", "length", "pattern", "port")

    def __init__(
        self, family: int, address: bytes = b"", length: int = 0, port: int = ANY_PORT, *, pattern: str = ""
    ) -> None:
        self.family = family
        self.address = address
        self.length = length
        self.port = port
        self.pattern = pattern

    @classmethod
    def of(cls, address: bytes, length: int, port: int = ANY_PORT) -> HostOperand:
        """Return the host of an IP prefix."""
        return cls(AF_INET if len(address) == 4 else AF_INET6, address, length, port)

    def _key(self) -> tuple[object, ...]:
        return self.family, self.address, self.length, self.port, self.pattern

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HostOperand) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        if self.family == AF_UNIX:
            return f"unix:{self.pattern}"
        return f"{self.family}:{self.address.hex()}/{self.length}:{self.port}"


def split_family(text: str, family: int) -> tuple[str, int]:
    """Cut a family prefix off an operand; *family* where it has none."""
    for prefix, named in FAMILY_PREFIXES:
        if text.startswith(prefix):
            return text[len(prefix) :], named
    return text, family


class HostParser:
    """Parse HOST and PORT operands.

    Args:
        context: the look-ups.
        services: protocols that a service name is looked up in: ``udp``, ``tcp``.
        wide: port numbers are 64 bit (ss 7.1), or 32 bit (6.1).
    """

    __slots__ = ("_context", "_largest", "_services", "_wide")

    def __init__(self, context: FilterContext, services: tuple[str, ...], *, wide: bool = True) -> None:
        self._context = context
        self._services = services
        self._wide = wide
        self._largest = LONG_MAX if wide else INT_MAX

    def parse(self, text: str, family: int, *, is_port: bool) -> tuple[HostOperand, ...]:
        """Parse an operand without its family prefix.

        Args:
            text: the operand.
            family: the one of its prefix, or AF_UNSPEC.
            is_port: it stands after sport or dport.

        Returns:
            The alternatives: one, or one for each address of a host name.

        Raises:
            OperandError: it does not parse; the message is what ss prints of it.
        """
        if family == AF_UNIX:
            raw = text.encode("utf-8", "surrogateescape").decode("latin-1")
            return (HostOperand(AF_UNIX, length=8 * len(raw), pattern=raw),)
        if family == AF_PACKET:
            return (self._link(*_cut_port(text, is_port=is_port)),)
        if family == AF_NETLINK:
            return (self._netlink(*_cut_port(text, is_port=is_port)),)
        if family == AF_VSOCK:
            return (self._vsock(*_cut_port(text, is_port=is_port)),)
        return self._inet(text, family, is_port=is_port)

    def _link(self, name: str, port: str | None) -> HostOperand:
        index = ANY_PORT
        if port not in (None, "", "*"):
            number = signed(port, self._largest)
            index = device_index(port, self._context) if number is None else number
            if number is None and not index:
                raise OperandError
        if name in ("", "*"):
            return HostOperand(AF_PACKET, port=index)
        kind = self._context.ether_type(name)
        if kind is None:
            kind = unsigned(name, 0xFFFF)
        if kind is None:
            raise OperandError
        return HostOperand(AF_PACKET, word(kind), 32, index)

    def _netlink(self, name: str, port: str | None) -> HostOperand:
        portid = ANY_PORT
        if port not in (None, "", "*"):
            number = signed(port, self._largest)
            if number is None and port != "kernel":
                raise OperandError
            portid = number or 0
        if name in ("", "*"):
            return HostOperand(AF_NETLINK, port=portid)
        protocol = self._context.netlink_protocol(name)
        if protocol is None:
            protocol = unsigned(name, 0xFF)
        if protocol is None:
            raise OperandError
        return HostOperand(AF_NETLINK, word(protocol), 32, portid)

    def _vsock(self, name: str, port: str | None) -> HostOperand:
        number = ANY_PORT
        if port not in (None, "*"):
            value = unsigned(port, UINT_MAX)
            if value is None:
                raise OperandError
            # ss 7.1 stores 32 bits into the lower half of a 64-bit -1; 6.1 into an int.
            number = value - (1 << 32) if self._wide or value > INT_MAX else value
        if name not in ("", "*") and unsigned(name, UINT_MAX) is None:
            raise OperandError
        # The CID is parsed, and then takes no part in the comparison.
        return HostOperand(AF_VSOCK, port=number)

    def _inet(self, text: str, family: int, *, is_port: bool) -> tuple[HostOperand, ...]:
        address, port = _cut_inet(text)
        if is_port:
            address, port = "", address if text[:1] == "[" else text
        number = self.port(port[1:] if port[:1] == ":" else port)
        if address[:1] in ("", "*"):
            return (HostOperand(AF_UNSPEC, port=number),)
        if address in _EVERY_ADDRESS:
            return (HostOperand(family, port=number),)
        prefix = parse_prefix(address, family)
        if prefix is not None:
            return (HostOperand.of(*prefix, number),)
        found = self._look_up(address, family)
        if not found:
            raise OperandError(f'Error: an inet prefix is expected rather than "{address}".')
        return tuple(HostOperand.of(raw, 8 * len(raw), number) for raw in found)

    def _look_up(self, name: str, family: int) -> list[bytes]:
        if "/" in name or ":" in name or _is_odd_number(name):
            return []
        hosts = self._context.hosts
        if family not in (AF_UNSPEC, AF_INET, AF_INET6):
            # Of another family gethostbyname(3) knows no names, but takes digits and dots as they are.
            return _digits_and_dots(name)
        if family != AF_UNSPEC:
            return hosts(name, family)
        return hosts(name, AF_INET) + hosts(name, AF_INET6)

    def port(self, text: str) -> int:
        """Parse a port: a number or the name of a service; empty or beginning with ``*`` is any.

        Raises:
            OperandError: it is neither.
        """
        if text[:1] in ("", "*"):
            return ANY_PORT
        number = signed(text, self._largest)
        if number is not None:
            return number
        known = {self._context.service(text, protocol) for protocol in self._services} - {None}
        if not known:
            known = {port for protocol in self._services for port in self._context.rpc_ports(text, protocol)}
        if len(known) > 1:
            raise OperandError(f'Error: ambiguous port "{text}".')
        if not known:
            raise OperandError(f'Error: "{text}" does not look like a port.')
        return known.pop() or 0


def _cut_inet(text: str) -> tuple[str, str]:
    # The port begins after the bracket, after a leading star, or at the last colon behind the slash.
    if text[:1] == "[":
        address, bracket, port = text[1:].partition("]")
        if not bracket:
            raise OperandError
        return address, port
    if text[:1] == "*":
        return "", text[1:]
    slash = text.find("/")
    colon = text.rfind(":", max(slash, 0))
    return (text, "") if colon < 0 else (text[:colon], text[colon:])


def _cut_port(text: str, *, is_port: bool) -> tuple[str, str | None]:
    if is_port:
        return "", text.removeprefix(":")
    name, colon, port = text.partition(":")
    return name, port if colon else None


def word(number: int) -> bytes:
    """Return a number as the first word of an address, in the order of this machine."""
    return U32.pack(number)


def parse_prefix(text: str, family: int) -> tuple[bytes, int] | None:
    """Parse ``ADDR[/LEN]``: address bytes and length in bits; None where it is none of *family*.

    An IPv4 address has one to four parts, missing ones are 0 on the right; LEN is a number or a contiguous netmask.
    """
    address, slash, length = text.partition("/")
    if ":" in address:
        if family not in (AF_UNSPEC, AF_INET6):
            return None
        try:
            raw = inet_pton(AF_INET6, address)
        except (OSError, ValueError):
            return None
    else:
        quad = _ipv4(address) if family in (AF_UNSPEC, AF_INET) else None
        if quad is None:
            return None
        raw = quad
    most = 8 * len(raw)
    if not slash:
        return raw, most
    bits = unsigned(length, UINT_MAX)
    if bits is None:
        mask = _ipv4(length)
        if mask is None:
            return None
        number = int.from_bytes(mask, "big")
        bits = number.bit_count()
        if number != _ALL_BITS >> (32 - bits) << (32 - bits):
            return None
    return (raw, bits) if bits <= most else None


def _ipv4(text: str) -> bytes | None:
    parts = text.split(".")
    if len(parts) > 4:
        return None
    numbers = [unsigned(part, 0xFF) for part in parts]
    if None in numbers:
        return None
    return bytes(n or 0 for n in numbers).ljust(4, b"\0")


def _digits_and_dots(text: str) -> list[bytes]:
    try:
        return [] if text.strip("0123456789.") else [inet_aton(text)]
    except OSError:
        return []


def _is_odd_number(name: str) -> bool:
    # gethostbyname(3) takes digits and dots for an address, getaddrinfo(3) hexadecimal and octal parts, too.
    if name.strip("0123456789.") == "":
        return False
    try:
        inet_aton(name)
    except (OSError, UnicodeError, ValueError):
        return False
    return True


def device_index(name: str, context: FilterContext) -> int:
    """Return the index of an interface; ``ifN`` is N whether it exists or not; 0 where the name is none."""
    index = context.interface(name)
    if index:
        return index
    return _scan_unsigned(name[2:]) if name.startswith("if") else 0


def _scan_unsigned(text: str) -> int:
    # As %u of scanf(3): any sign, decimal, cut to 32 bits; 0 where there is no number.
    text = text.lstrip(" \t\n\v\f\r")
    negative = text[:1] == "-"
    text = text[1:] if text[:1] in ("-", "+") else text
    end = 0
    while text[end : end + 1] in _DIGITS and end < len(text):
        end += 1
    value = min(int(text[:end].lstrip("0")[:25] or "0"), ULONG_MAX)
    return (-value if negative else value) & UINT_MAX


def parse_device(text: str, context: FilterContext) -> int:
    """Parse DEV: a name, ``ifN``, or an index; 0 is "bound to none".

    Raises:
        OperandError: there is no such device.
    """
    index = device_index(text, context) or unsigned(text, UINT_MAX)
    if index is None:
        raise OperandError
    return index


def parse_mark(text: str) -> tuple[int, int]:
    """Parse ``MARK[/MASK]``; a mark without mask is compared whole.

    Raises:
        OperandError: it has no number where one is needed.
    """
    mark, used = converted(text)
    mask = _ALL_BITS
    if used and "/" in text:
        if text[used : used + 1] == "/":
            mask, used = converted(text[used + 1 :])
        else:
            used = 0
    if not used:
        raise OperandError
    return mark, mask
