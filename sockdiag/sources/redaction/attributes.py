"""Netlink attributes with pseudonyms: which are kept, and what becomes of their payload. One that is not known is left out."""

from __future__ import annotations

from sockdiag.kernel.netlink import NLA_HDRLEN, NLA_TYPE_MASK, NLATTR, align4
from sockdiag.sources.redaction.proc_files import Unredactable
from sockdiag.sources.redaction.text import redacted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from sockdiag.sources.redaction.mapping import Mapping

    # The new payload of an attribute, from the old one and the message's own header; None: the attribute is left out.
    Attribute: TypeAlias = Callable[[bytes, bytes, Mapping], bytes | None]
    Attributes: TypeAlias = dict[int, Attribute]


def numbers(payload: bytes, _head: bytes, _mapping: Mapping) -> bytes:
    """Keep numbers."""
    return payload


def word(payload: bytes, _head: bytes, _mapping: Mapping) -> bytes | None:
    """Keep a word of the kernel: an algorithm, a kind of device."""
    text = payload.rstrip(b"\0")
    return payload if text.replace(b"_", b"").replace(b"-", b"").isalnum() and len(text) < 32 else None


def name(payload: bytes, _head: bytes, mapping: Mapping) -> bytes:
    """Give a pseudonym to a name."""
    return redacted(payload, mapping)


def address(payload: bytes, _head: bytes, mapping: Mapping) -> bytes:
    """Give a pseudonym to an IP address."""
    return mapping.address(payload)


def link_address(payload: bytes, _head: bytes, mapping: Mapping) -> bytes:
    """Give a pseudonym to a link-layer address; of a tunnel it is an IP address."""
    return mapping.address(payload) if len(payload) in (4, 16) else mapping.mac(payload)


def network(place: int) -> Attribute:
    """Give a pseudonym to the address of a network, whose length is an octet of the message's header."""

    def one(payload: bytes, head: bytes, mapping: Mapping) -> bytes:
        return mapping.network(payload, head[place])

    return one


def nested(inner: Attributes) -> Attribute:
    """Rewrite attributes within an attribute."""

    def one(payload: bytes, head: bytes, mapping: Mapping) -> bytes:
        return attributes(payload, inner, head, mapping)

    return one


def attributes(data: bytes, known: Attributes, head: bytes, mapping: Mapping) -> bytes:
    """Rewrite a row of attributes.

    Raises:
        Unredactable: one claims more bytes than there are.
    """
    out = bytearray()
    offset, end = 0, len(data)
    while end - offset >= NLA_HDRLEN:
        length, kind = NLATTR.unpack_from(data, offset)
        if not NLA_HDRLEN <= length <= end - offset:
            raise Unredactable(f"an attribute of {length} bytes where there are {end - offset}")
        rewrite = known.get(kind & NLA_TYPE_MASK)
        if rewrite is numbers:
            out += data[offset : offset + length]
            out += bytes(-length & 3)
        elif rewrite is not None:
            new = rewrite(data[offset + NLA_HDRLEN : offset + length], head, mapping)
            if new is not None:
                out += NLATTR.pack(NLA_HDRLEN + len(new), kind)
                out += new
                out += bytes(-len(new) & 3)
        offset += align4(length)
    return bytes(out)
