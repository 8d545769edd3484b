"""Rules and chains of nf_tables with pseudonyms, as far as sockdiag reads them: counters, verdicts, and where ports are passed on to."""

from __future__ import annotations

from sockdiag.kernel import nf_nat as nf
from sockdiag.kernel.netlink import NLA_HDRLEN, NLA_TYPE_MASK, NLATTR, align4
from sockdiag.kernel.nfnetlink import (
    NFGENMSG,
    NFT_MSG_NEWCHAIN,
    NFT_MSG_NEWRULE,
    NFTA_EXPR_DATA,
    NFTA_EXPR_NAME,
    NFTA_IMMEDIATE_DATA,
    NFTA_RULE_EXPRESSIONS,
)
from sockdiag.sources.redaction.attributes import attributes, name, nested, numbers, word
from sockdiag.sources.redaction.proc_files import Unredactable
from sockdiag.sources.redaction.text import redacted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.sources.redaction.attributes import Attributes
    from sockdiag.sources.redaction.mapping import Mapping

_ALL = range(1, 16)
_NUMBERS: Attributes = dict.fromkeys(_ALL, numbers)
_CHAIN: Attributes = {
    **dict.fromkeys((2, 5, 6, 9, 10, 11), numbers),
    1: name,
    3: name,
    4: nested({1: numbers, 2: numbers}),
    7: word,
    8: nested(_NUMBERS),
}
_RULE: Attributes = {**dict.fromkeys((3, 6, 8, 9), numbers), 1: name, 2: name, 5: nested(_NUMBERS)}

# Expressions whose attributes are registers, keys and counts.
_OF_NUMBERS = frozenset(
    (
        b"meta",
        b"payload",
        b"ct",
        b"counter",
        b"nat",
        b"redir",
        b"masq",
        b"reject",
        b"rt",
        b"fib",
        b"limit",
        b"quota",
        b"bitwise",
    )
)
_HEADER_ADDRESSES = {(12, 4): 4, (16, 4): 4, (8, 16): 16, (24, 16): 16}
_STARTS = (12, 16, 8, 24)
_TCP_UDP = (b"tcp", b"udp")
_NAT = (b"DNAT", b"SNAT", b"REDIRECT", b"MASQUERADE")
_PORTS_ONLY = 12


def rewritten(kind: int, payload: bytes, mapping: Mapping) -> bytes | None:
    """Rewrite a message's payload; None: it is neither a rule nor a chain."""
    head = payload[: NFGENMSG.size]
    rest = payload[NFGENMSG.size :]
    if kind == NFT_MSG_NEWCHAIN:
        return head + attributes(rest, _CHAIN, head, mapping)
    if kind != NFT_MSG_NEWRULE:
        return None
    known: Attributes = {
        **_RULE,
        NFTA_RULE_EXPRESSIONS: lambda data, _head, _mapping: RuleRewriter(mapping).expressions(data),
    }
    return head + attributes(rest, known, head, mapping)


def _row(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while len(data) - offset >= NLA_HDRLEN:
        length, kind = NLATTR.unpack_from(data, offset)
        if not NLA_HDRLEN <= length <= len(data) - offset:
            raise Unredactable(f"an attribute of {length} bytes")
        yield kind, data[offset + NLA_HDRLEN : offset + length]
        offset += align4(length)


def _one(kind: int, payload: bytes) -> bytes:
    return NLATTR.pack(NLA_HDRLEN + len(payload), kind) + payload + bytes(-len(payload) & 3)


class RuleRewriter:
    """One rule: what its registers were loaded with tells what they are compared with."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._loaded: dict[bytes, str] = {}

    def expressions(self, data: bytes) -> bytes:
        """Rewrite the list of its expressions."""
        out = bytearray()
        for kind, one in _row(data):
            found = {k & NLA_TYPE_MASK: v for k, v in _row(one)}
            title = found.get(NFTA_EXPR_NAME, b"").rstrip(b"\0")
            if not title.replace(b"_", b"").isalnum():
                continue
            inner = _one(NFTA_EXPR_NAME, found.get(NFTA_EXPR_NAME, b""))
            new = self._expression(title, found.get(NFTA_EXPR_DATA, b""))
            if new is not None:
                inner += _one(NFTA_EXPR_DATA | 0x8000, new)
            out += _one(kind, inner)
        return bytes(out)

    def _expression(self, title: bytes, data: bytes) -> bytes | None:
        known: Attributes
        found = {kind & NLA_TYPE_MASK: payload for kind, payload in _row(data)}
        if title in (b"payload", b"meta"):
            self._loaded[found.get(1, b"")] = self._what(title, found)
        if title in _OF_NUMBERS:
            known = {kind: numbers for kind, payload in found.items() if len(payload) in (1, 2, 4, 8)}
            if title in (b"limit", b"quota", b"bitwise", b"ct"):
                known = {kind: rewrite for kind, rewrite in known.items() if title != b"bitwise" or kind <= 3}
        elif title == b"cmp":
            what = self._loaded.get(found.get(nf.CMP_SREG, b""), "")
            known = {1: numbers, 2: numbers, nf.CMP_DATA: lambda d, _h, _m: self._data(d, what)}
        elif title == b"range":
            what = self._loaded.get(found.get(nf.RANGE_SREG, b""), "")
            known = {1: numbers, 2: numbers, 3: lambda d, _h, _m: self._data(d, what)}
            known[4] = known[3]
        elif title == b"immediate":
            known = {1: numbers, NFTA_IMMEDIATE_DATA: lambda d, _h, _m: self._data(d, "")}
        elif title in (b"match", b"target"):
            extension = found.get(nf.COMPAT_NAME, b"").rstrip(b"\0")
            known = {1: word, 2: numbers, nf.COMPAT_INFO: lambda d, _h, _m: self._compat(extension, d)}
        elif title == b"lookup":
            known = {1: name, 2: numbers, 3: numbers, 4: numbers, 5: numbers}
        else:
            return None
        return attributes(data, known, b"", self._mapping)

    @staticmethod
    def _what(title: bytes, found: dict[int, bytes]) -> str:
        if title == b"meta":
            return "device" if int.from_bytes(found.get(nf.META_KEY, b""), "big") in (6, 7) else "number"
        base, offset = (int.from_bytes(found.get(k, b""), "big") for k in (nf.PAYLOAD_BASE, nf.PAYLOAD_OFFSET))
        if base == nf.NETWORK_HEADER and offset in _STARTS:
            return "address4" if offset in (12, 16) else "address6"
        return "link" if base == 0 else "number"

    def _data(self, data: bytes, what: str) -> bytes:
        verdict = nested({1: numbers, 2: name})
        known: Attributes = {nf.DATA_VALUE: lambda d, _h, _m: self._value(d, what), 2: verdict}
        return attributes(data, known, b"", self._mapping)

    def _value(self, value: bytes, what: str) -> bytes:
        mapping = self._mapping
        if what.startswith("address"):
            size = 4 if what == "address4" and len(value) <= 4 else 16
            return mapping.network(value.ljust(size, b"\0"), 8 * len(value))[: len(value)]
        if what == "device":
            return redacted(value, mapping)
        if what == "link":
            return mapping.mac(value)
        if len(value) in (4, 16):
            return value if what == "number" and len(value) == 4 else mapping.address(value)
        return value if len(value) <= 2 else bytes(len(value))

    def _compat(self, extension: bytes, info: bytes) -> bytes | None:
        mapping = self._mapping
        if extension in _TCP_UDP:
            return info[:_PORTS_ONLY].ljust(len(info), b"\0")
        if extension not in _NAT:
            return None
        if len(info) == nf.NAT_MULTI_RANGE.size:
            size, flags, least, most, *ports = nf.NAT_MULTI_RANGE.unpack(info)
            return nf.NAT_MULTI_RANGE.pack(size, flags, mapping.address(least), mapping.address(most), *ports)
        if len(info) < nf.NAT_RANGE.size:
            return None
        flags, least, most, *ports = nf.NAT_RANGE.unpack_from(info)
        return nf.NAT_RANGE.pack(flags, self._padded(least), self._padded(most), *ports).ljust(len(info), b"\0")

    def _padded(self, raw: bytes) -> bytes:
        # An IPv4 address stands at the beginning, and zeros behind it.
        if any(raw[4:]):
            return self._mapping.address(raw)
        return self._mapping.address(raw[:4]).ljust(16, b"\0")
