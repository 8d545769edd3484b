"""Split the attributes (struct nlattr) that follow a netlink message's fixed part."""

from __future__ import annotations

from struct import unpack_from

from sockdiag.errors import ParseError
from sockdiag.kernel.netlink import NLA_HDRLEN, NLA_TYPE_MASK


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
    while end - offset >= NLA_HDRLEN:
        length, kind = unpack_from("=HH", data, offset)
        if not NLA_HDRLEN <= length <= end - offset:
            raise ParseError(source, offset, "nla_len", f"4 to {end - offset}", str(length))
        found[kind & NLA_TYPE_MASK] = data[offset + NLA_HDRLEN : offset + length]
        offset += (length + 3) & ~3
    return found
