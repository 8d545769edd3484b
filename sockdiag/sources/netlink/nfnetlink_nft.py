"""Drop rules of nftables and their counters, over nfnetlink. Reading them takes CAP_NET_ADMIN.

Rules that were written with iptables-nft are such rules too; those of iptables-legacy are not visible here.
"""

from __future__ import annotations

from sockdiag.errors import ParseError
from sockdiag.kernel.netlink import NETLINK_NETFILTER, NLA_HDRLEN, NLATTR, NLMSG_HDRLEN
from sockdiag.kernel.nfnetlink import (
    NF_DROP,
    NF_FAMILIES,
    NFGENMSG,
    NFT_MSG_GETCHAIN,
    NFT_MSG_GETRULE,
    NFT_MSG_NEWCHAIN,
    NFT_MSG_NEWRULE,
    NFTA_CHAIN_COUNTERS,
    NFTA_CHAIN_NAME,
    NFTA_CHAIN_POLICY,
    NFTA_CHAIN_TABLE,
    NFTA_COUNTER_PACKETS,
    NFTA_DATA_VERDICT,
    NFTA_EXPR_DATA,
    NFTA_EXPR_NAME,
    NFTA_IMMEDIATE_DATA,
    NFTA_RULE_CHAIN,
    NFTA_RULE_EXPRESSIONS,
    NFTA_RULE_HANDLE,
    NFTA_RULE_TABLE,
    NFTA_TARGET_NAME,
    NFTA_VERDICT_CODE,
)
from sockdiag.model.drop_rule import DropRule
from sockdiag.sources.netlink.attributes import attributes, text
from sockdiag.sources.system.transport import Request, check_type, read_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.sources.system.transport import Transport

RULES = Request("NFT_MSG_GETRULE", NFGENMSG.pack(0, 0, 0), NFT_MSG_GETRULE, protocol=NETLINK_NETFILTER)
_CHAINS = Request("NFT_MSG_GETCHAIN", NFGENMSG.pack(0, 0, 0), NFT_MSG_GETCHAIN, protocol=NETLINK_NETFILTER)
SOURCE = RULES.source

# A host may have thousands of rules, most of which accept, jump or do not count.
_COUNTS, _DROPS = b"counter\0", (b"reject\0", b"REJECT\0", NLATTR.pack(8, NFTA_VERDICT_CODE) + bytes(4))


def read_drop_rules(transport: Transport | None = None) -> list[DropRule]:
    """Read the rules that count and drop, and the chains whose policy does, in the current network namespace.

    Args:
        transport: who answers; None: the kernel.

    Raises:
        SourceError: the kernel has no nftables, it may not be asked, or its answer is not complete.
        ParseError: its answer is not understood.
    """
    return read_all(transport, RULES, _rule) + read_all(transport, _CHAINS, _chain)


def head(message: bytes, source: str) -> tuple[str, dict[int, bytes]]:
    """Return the family and the attributes of a message.

    Raises:
        ParseError: an attribute claims more bytes than there are.
    """
    family = NFGENMSG.unpack_from(message, NLMSG_HDRLEN)[0]
    return NF_FAMILIES.get(family, str(family)), attributes(message, NLMSG_HDRLEN + NFGENMSG.size, source)


def _rule(message: bytes) -> DropRule | None:
    check_type(RULES, message, "NFT_MSG_NEWRULE", NFT_MSG_NEWRULE, NFGENMSG.size)
    if _COUNTS not in message or not any(mark in message for mark in _DROPS):
        return None
    family, found = head(message, SOURCE)
    packets = verdict = None
    for name, data in expressions(found.get(NFTA_RULE_EXPRESSIONS, b"")):
        if name == b"counter":
            packets = _big(attributes(data, 0, SOURCE).get(NFTA_COUNTER_PACKETS))
        elif name == b"reject" or (
            name == b"target" and attributes(data, 0, SOURCE).get(NFTA_TARGET_NAME, b"").startswith(b"REJECT\0")
        ):
            verdict = "reject"
        elif name == b"immediate" and _verdict(data) == NF_DROP:
            verdict = "drop"
    if packets is None or verdict is None:
        return None
    return DropRule(
        family,
        text(found.get(NFTA_RULE_TABLE)),
        text(found.get(NFTA_RULE_CHAIN)),
        _big(found.get(NFTA_RULE_HANDLE)),
        verdict,
        packets,
    )


def _chain(message: bytes) -> DropRule | None:
    check_type(_CHAINS, message, "NFT_MSG_NEWCHAIN", NFT_MSG_NEWCHAIN, NFGENMSG.size)
    family, found = head(message, _CHAINS.source)
    if _big(found.get(NFTA_CHAIN_POLICY)) != NF_DROP or NFTA_CHAIN_COUNTERS not in found:
        return None
    packets = _big(attributes(found[NFTA_CHAIN_COUNTERS], 0, SOURCE).get(NFTA_COUNTER_PACKETS))
    if packets is None:
        return None
    return DropRule(
        family, text(found.get(NFTA_CHAIN_TABLE)), text(found.get(NFTA_CHAIN_NAME)), None, "policy drop", packets
    )


def expressions(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and attributes of each expression of a rule.

    Raises:
        ParseError: one claims more bytes than there are.
    """
    offset = 0
    while len(data) - offset >= NLA_HDRLEN:
        length, _kind = NLATTR.unpack_from(data, offset)
        if not NLA_HDRLEN <= length <= len(data) - offset:
            raise ParseError(SOURCE, offset, "nla_len", f"4 to {len(data) - offset}", str(length))
        one = attributes(data[offset + NLA_HDRLEN : offset + length], 0, SOURCE)
        yield one.get(NFTA_EXPR_NAME, b"").rstrip(b"\0"), one.get(NFTA_EXPR_DATA, b"")
        offset += (length + 3) & ~3


def _verdict(data: bytes) -> int | None:
    value = attributes(attributes(data, 0, SOURCE).get(NFTA_IMMEDIATE_DATA, b""), 0, SOURCE)
    return _big(attributes(value.get(NFTA_DATA_VERDICT, b""), 0, SOURCE).get(NFTA_VERDICT_CODE))


def _big(payload: bytes | None) -> int | None:
    return None if payload is None else int.from_bytes(payload, "big")
