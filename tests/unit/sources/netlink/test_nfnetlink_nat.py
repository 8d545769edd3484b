"""Rules that send a port elsewhere, as nft and iptables write them, and damaged ones."""

from __future__ import annotations

import contextlib
import struct

import pytest

from sockdiag.errors import ParseError
from sockdiag.kernel import nf_nat as nf
from sockdiag.kernel.netlink import NLMSG_HDRLEN, NLMSGHDR
from sockdiag.kernel.nfnetlink import (
    NFGENMSG,
    NFT_MSG_GETRULE,
    NFT_MSG_NEWRULE,
    NFTA_EXPR_DATA,
    NFTA_EXPR_NAME,
    NFTA_IMMEDIATE_DATA,
    NFTA_RULE_CHAIN,
    NFTA_RULE_EXPRESSIONS,
    NFTA_RULE_TABLE,
)
from sockdiag.model.address import Endpoint
from sockdiag.sources.netlink.attributes import attribute
from sockdiag.sources.netlink.nfnetlink_nat import NatRule, parse_rule


def big(number: int, size: int = 4) -> bytes:
    return number.to_bytes(size, "big")


def expression(name: str, *data: tuple[int, bytes]) -> bytes:
    body = b"".join(attribute(number, payload) for number, payload in data)
    return attribute(1, attribute(NFTA_EXPR_NAME, name.encode() + b"\0") + attribute(NFTA_EXPR_DATA, body))


def rule(*expressions: bytes, kind: int = NFT_MSG_NEWRULE) -> bytes:
    body = NFGENMSG.pack(2, 0, 0)
    body += attribute(NFTA_RULE_TABLE, b"nat\0") + attribute(NFTA_RULE_CHAIN, b"PRE\0")
    body += attribute(NFTA_RULE_EXPRESSIONS, b"".join(expressions))
    return NLMSGHDR.pack(NLMSG_HDRLEN + len(body), kind, 0, 0, 0) + body


def value(raw: bytes) -> bytes:
    return attribute(nf.DATA_VALUE, raw)


META = expression("meta", (nf.META_DREG, big(1)), (nf.META_KEY, big(nf.META_L4PROTO)))
TCP = expression("cmp", (nf.CMP_SREG, big(1)), (nf.CMP_OP, big(nf.CMP_EQ)), (nf.CMP_DATA, value(b"\x06")))
LOAD = expression(
    "payload",
    (nf.PAYLOAD_DREG, big(1)),
    (nf.PAYLOAD_BASE, big(nf.TRANSPORT_HEADER)),
    (nf.PAYLOAD_OFFSET, big(2)),
    (nf.PAYLOAD_LEN, big(2)),
)
ADDRESS = expression("immediate", (nf.IMMEDIATE_DREG, big(1)), (NFTA_IMMEDIATE_DATA, value(bytes((172, 17, 0, 2)))))
TO_PORT = expression("immediate", (nf.IMMEDIATE_DREG, big(2)), (NFTA_IMMEDIATE_DATA, value(big(80, 2))))
DNAT = expression("nat", (nf.NAT_TYPE, big(1)), (nf.NAT_ADDR_MIN, big(1)), (nf.NAT_PROTO_MIN, big(2)))


def port(operator: int, number: int) -> bytes:
    return expression("cmp", (nf.CMP_SREG, big(1)), (nf.CMP_OP, big(operator)), (nf.CMP_DATA, value(big(number, 2))))


def compat(kind: str, name: str, revision: int, info: bytes) -> bytes:
    return expression(
        kind, (nf.COMPAT_NAME, name.encode() + b"\0"), (nf.COMPAT_REV, big(revision)), (nf.COMPAT_INFO, info)
    )


RANGE2 = nf.NAT_RANGE.pack(3, bytes((172, 17, 0, 2)).ljust(16, b"\0"), bytes(16), big(80, 2), big(80, 2)) + bytes(2)
RANGE0 = nf.NAT_MULTI_RANGE.pack(1, 2, bytes(4), bytes(4), big(53, 2), big(53, 2))


@pytest.mark.parametrize(
    ("expressions", "expected"),
    [
        (
            (META, TCP, LOAD, port(nf.CMP_EQ, 8080), ADDRESS, TO_PORT, DNAT),
            NatRule("tcp", 8080, 8080, Endpoint("172.17.0.2", 80), "ip nat PRE"),
        ),
        (
            (LOAD, port(nf.CMP_GTE, 1), port(nf.CMP_LTE, 9), expression("redir")),
            NatRule("", 1, 9, Endpoint(None, None), "ip nat PRE"),
        ),
        (
            (
                compat("match", "tcp", 0, struct.pack("=4HBBBB", 0, 65535, 81, 82, 0, 0, 0, 0)),
                compat("target", "DNAT", 2, RANGE2),
            ),
            NatRule("tcp", 81, 82, Endpoint("172.17.0.2", 80), "ip nat PRE"),
        ),
        (
            (
                compat("match", "udp", 0, struct.pack("=4HB", 0, 65535, 5, 5, 0)),
                compat("target", "REDIRECT", 0, RANGE0),
            ),
            NatRule("udp", 5, 5, Endpoint(None, 53), "ip nat PRE"),
        ),
        ((META, TCP, ADDRESS, DNAT), None),  # every port
        ((META, TCP, LOAD, port(nf.CMP_EQ, 80)), None),  # goes nowhere else
        (
            (LOAD, port(nf.CMP_EQ, 80), expression("nat", (nf.NAT_TYPE, big(0)), (nf.NAT_ADDR_MIN, big(1)))),
            None,
        ),  # SNAT
        ((), None),
    ],
)
def test_rules(expressions: tuple[bytes, ...], expected: NatRule | None) -> None:
    """What is compared with the port, and what the addresses become."""
    assert parse_rule(rule(*expressions)) == expected
    assert parse_rule(rule(*expressions, kind=NFT_MSG_GETRULE)) is None


def test_damaged() -> None:
    """Cut anywhere, or with any byte changed, a rule is read, left out or refused."""
    for whole in (
        rule(META, TCP, LOAD, port(0, 8080), ADDRESS, TO_PORT, DNAT),
        rule(
            compat("match", "tcp", 0, bytes(8)), compat("target", "DNAT", 2, RANGE2), compat("target", "DNAT", 0, b"")
        ),
    ):
        for at in range(len(whole)):
            for damaged in (whole[:at], whole[:at] + b"\xff" + whole[at + 1 :]):
                with contextlib.suppress(ParseError):
                    parse_rule(damaged)
