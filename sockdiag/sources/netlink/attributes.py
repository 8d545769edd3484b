"""Netlink attributes (struct nlattr): split those that follow a message's fixed part, read their payloads, pack one."""

from __future__ import annotations

from _socket import AF_INET6 as _PYTHON_AF_INET6  # start-up: docs/rejected.md
from _socket import inet_ntoa, inet_ntop  # start-up: docs/rejected.md
from struct import unpack_from

from sockdiag.errors import ParseError
from sockdiag.kernel.byte_order import LITTLE, ORDER, U16, integer
from sockdiag.kernel.netlink import NLA_HDRLEN, NLA_TYPE_MASK, NLATTR, align4
from sockdiag.kernel.sock_diag import AF_INET, AF_INET6
from sockdiag.model.address import Endpoint
from sockdiag.model.skmem import SkMem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from struct import Struct
    from typing import Any


def attributes(data: bytes, offset: int, source: str) -> dict[int, bytes]:
    """Return the payload of each attribute by number; of a repeated one, the last.

    Args:
        data: the message.
        offset: where its attributes begin.
        source: ``netlink:NAME``, for errors.

    Raises:
        ParseError: an attribute claims more bytes than there are, or fewer than its header.
    """
    found: dict[int, bytes] = {}
    end = len(data)
    header = NLATTR.unpack_from
    while end - offset >= NLA_HDRLEN:
        length, kind = header(data, offset)
        if not NLA_HDRLEN <= length <= end - offset:
            raise ParseError(source, offset, "nla_len", f"4 to {end - offset}", str(length))
        found[kind & NLA_TYPE_MASK] = data[offset + NLA_HDRLEN : offset + length]
        offset += (length + 3) & ~3
    return found


def attribute(number: int, payload: bytes) -> bytes:
    """Pack one netlink attribute."""
    length = NLA_HDRLEN + len(payload)
    return NLATTR.pack(length, number) + payload + bytes(align4(length) - length)


def fields(layout: Struct, payload: bytes, name: str, source: str) -> tuple[Any, ...]:
    """Return the members of a struct; those that a newer kernel appended are left out.

    Args:
        layout: the struct.
        payload: of the attribute.
        name: of the attribute, for errors.
        source: ``netlink:NAME``, for errors.

    Raises:
        ParseError: the payload is shorter than the struct.
    """
    if len(payload) < layout.size:
        raise ParseError(source, 0, name, f"at least {layout.size} bytes", payload)
    return layout.unpack_from(payload)


def number(payload: bytes, size: int, name: str, source: str) -> int:
    """Return an unsigned integer of *size* bytes.

    Raises:
        ParseError: the payload is shorter.
    """
    if len(payload) < size:
        raise ParseError(source, 0, name, f"at least {size} bytes", payload)
    return integer(payload[:size])


def text(payload: bytes | None) -> str:
    """Return the name that an attribute holds; "" if there is none."""
    return (payload or b"").rstrip(b"\0").decode("utf-8", "surrogateescape")


def words(payload: bytes, name: str, source: str) -> tuple[int, ...]:
    """Return an array of u32.

    Raises:
        ParseError: the payload is no multiple of four bytes.
    """
    if len(payload) & 3:
        raise ParseError(source, 0, name, "a multiple of 4 bytes", payload)
    return unpack_from(f"{ORDER}{len(payload) >> 2}I", payload)


def sockopt_flags(payload: bytes) -> int:
    """Return ``struct inet_diag_sockopt``, two bytes of bit fields, with the first field as the lowest bit."""
    # The order of bit fields within a byte follows the byte order.
    return int.from_bytes(payload if LITTLE else payload.translate(_REVERSED_BITS), "little")


def skmem(payload: bytes, name: str, source: str) -> SkMem:
    """Return the words of a SKMEMINFO attribute; those that an old kernel does not send are None.

    Raises:
        ParseError: the payload is no multiple of four bytes.
    """
    values = words(payload, name, source)
    return SkMem._make((values + _NO_WORDS)[:_SKMEM_WORDS])


_REVERSED_BITS = b"" if LITTLE else bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_SKMEM_WORDS = len(SkMem.FIELDS)
_NO_WORDS: tuple[None, ...] = (None,) * _SKMEM_WORDS


def ip_text(family: int, address: bytes) -> str | None:
    """Print an address of an IP family: four bytes of AF_INET, sixteen of AF_INET6; None for another family."""
    if family == AF_INET:
        return inet_ntoa(address[:4])
    if family == AF_INET6:
        return inet_ntop(_PYTHON_AF_INET6, address[:16])
    return None


# sizeof(struct sockaddr_storage)
SOCKADDR_STORAGE = 128


def sockaddr_ip(data: bytes) -> tuple[int, bytes] | None:
    """Return family and address of a ``struct sockaddr_storage``; None where it is of no IP family.

    Source: include/uapi/linux/in.h, in6.h: family, port (big endian), then the address, for IPv6 after the flow label.
    """
    family = U16.unpack_from(data)[0]
    if family == AF_INET:
        return family, data[4:8]
    if family == AF_INET6:
        return family, data[8:24]
    return None


def sockaddr(data: bytes) -> Endpoint | None:
    """Decode a ``struct sockaddr_storage`` as :func:`sockaddr_ip` does, with its port."""
    found = sockaddr_ip(data)
    return None if found is None else Endpoint(ip_text(*found), unpack_from("!H", data, 2)[0])
