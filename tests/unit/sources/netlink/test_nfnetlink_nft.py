"""NFT_MSG_NEWRULE and NFT_MSG_NEWCHAIN: rules that count and drop, and none else."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from sockdiag.errors import ParseError, SourceDenied, SourceTruncated
from sockdiag.model.drop_rule import DropRule
from sockdiag.sources.netlink.nfnetlink_nft import read_drop_rules
from tests.unit.sources.netlink_messages import nlattr, nlmsg

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sockdiag.sources.system.transport import Request

RULE, CHAIN = 0x0A06, 0x0A03
NESTED = 0x8000


class Kernel:
    """Answers each of the two requests."""

    def __init__(self, rules: bytes = b"", chains: bytes = b"", error: Exception | None = None) -> None:
        self.answers = {"NFT_MSG_GETRULE": rules, "NFT_MSG_GETCHAIN": chains}
        self.error = error

    def dump(self, request: Request) -> Iterator[bytes]:
        if self.error is not None:
            raise self.error
        yield self.answers[request.name]


def expression(name: bytes, data: bytes = b"") -> bytes:
    return nlattr(1 | NESTED, nlattr(1, name + b"\0") + nlattr(2 | NESTED, data))


def counter(packets: int) -> bytes:
    return expression(b"counter", nlattr(1, struct.pack(">Q", 999)) + nlattr(2, struct.pack(">Q", packets)))


def verdict(code: int) -> bytes:
    value = nlattr(2 | NESTED, nlattr(1, struct.pack(">i", code)))
    return expression(b"immediate", nlattr(1, struct.pack(">I", 0)) + nlattr(2 | NESTED, value))


def rule(*expressions: bytes, family: int = 1, handle: int = 4) -> bytes:
    body = struct.pack(">BBH", family, 0, 3) + nlattr(1, b"filter\0") + nlattr(2, b"input\0")
    body += nlattr(3, struct.pack(">Q", handle)) + nlattr(4 | NESTED, b"".join(expressions))
    return nlmsg(body, RULE)


def chain(policy: int, packets: int | None) -> bytes:
    body = struct.pack(">BBH", 2, 0, 3) + nlattr(1, b"filter\0") + nlattr(3, b"FORWARD\0")
    body += nlattr(5, struct.pack(">I", policy))
    if packets is not None:
        body += nlattr(8 | NESTED, nlattr(1, bytes(8)) + nlattr(2, struct.pack(">Q", packets)))
    return nlmsg(body, CHAIN)


def found(kernel: Kernel) -> list[DropRule]:
    return read_drop_rules(kernel)  # type: ignore[arg-type]


def test_rules_that_count_and_drop() -> None:
    """Drop and reject, of nftables and of iptables-nft, with their handles and counters."""
    target = expression(b"target", nlattr(1, b"REJECT\0") + nlattr(2, struct.pack(">I", 0)))
    rules = [
        rule(expression(b"meta"), counter(7), verdict(0)),
        rule(counter(8), expression(b"reject", nlattr(1, struct.pack(">I", 0))), handle=5),
        rule(counter(9), target, family=2, handle=6),
    ]
    assert found(Kernel(b"".join(rules))) == [
        DropRule("inet", "filter", "input", 4, "drop", 7),
        DropRule("inet", "filter", "input", 5, "reject", 8),
        DropRule("ip", "filter", "input", 6, "reject", 9),
    ]


@pytest.mark.parametrize(
    "other",
    [
        rule(counter(7), verdict(1)),
        rule(counter(7), verdict(-3)),
        rule(verdict(0)),
        rule(counter(7)),
        rule(),
        rule(counter(7), expression(b"target", nlattr(1, b"LOG\0"))),
    ],
)
def test_other_rules(other: bytes) -> None:
    """Rules that accept, jump or log, and those without a counter."""
    assert found(Kernel(other)) == []


def test_policies() -> None:
    """A chain that drops what no rule takes, if it counts."""
    assert found(Kernel(chains=chain(0, 5) + chain(1, 6) + chain(0, None))) == [
        DropRule("ip", "filter", "FORWARD", None, "policy drop", 5)
    ]


def test_damaged_and_refused() -> None:
    """Neither is an empty list."""
    with pytest.raises(SourceTruncated):
        found(Kernel(nlmsg(struct.pack(">BBH", 1, 0, 0), 16)))
    with pytest.raises(ParseError):
        found(Kernel(rule(struct.pack("=HH", 200, 1) + b"counter\0reject\0")))
    with pytest.raises(SourceDenied):
        found(Kernel(error=SourceDenied("netlink:NFT_MSG_GETRULE", "Operation not permitted")))
