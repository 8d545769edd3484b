"""Rules of nf_tables that send a port to another address: DNAT and REDIRECT, of nft and of iptables-nft.

Rules of iptables-legacy are not visible over netlink, and ports that a rule finds in a map or a set are not followed.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_ntop  # start-up: docs/rejected.md
from struct import error as struct_error

from sockdiag.kernel import nf_nat as nf
from sockdiag.kernel.netlink import NLMSG_HDRLEN, NLMSGHDR
from sockdiag.kernel.nfnetlink import (
    NFGENMSG,
    NFT_MSG_NEWRULE,
    NFTA_IMMEDIATE_DATA,
    NFTA_RULE_CHAIN,
    NFTA_RULE_EXPRESSIONS,
    NFTA_RULE_TABLE,
)
from sockdiag.kernel.sock_diag import IPPROTO_NAMES
from sockdiag.model.address import Endpoint
from sockdiag.model.record import ID, LABEL, Record, field
from sockdiag.sources.netlink.attributes import attributes, text
from sockdiag.sources.netlink.nfnetlink_nft import RULES, SOURCE, expressions, head
from sockdiag.sources.system.transport import read_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.sources.system.transport import Transport

# Only rules with one of these expressions are decoded: a host may have thousands of others.
_NAT = (b"nat\0", b"redir\0", b"DNAT\0", b"REDIRECT\0")
_PROTOCOL, _PORT = "protocol", "port"


class NatRule(Record):
    """A rule that sends packets for a port elsewhere."""

    netid: str = field("Protocol: tcp, udp or another; empty for any.", kind=LABEL)
    first: int = field("First port that it is for.", kind=ID)
    last: int = field("Last one.", kind=ID)
    to: Endpoint = field("Where it sends them; without address, this host; without port, the same port.", of=Endpoint)
    by: str = field("Family, table and chain.", kind=LABEL)


def read_nat_rules(transport: Transport | None = None) -> list[NatRule]:
    """Read the rules of the current network namespace.

    Args:
        transport: who answers; None: the kernel.

    Raises:
        SourceError: the kernel has no nf_tables, it may not be asked (CAP_NET_ADMIN), or its answer is not complete.
        ParseError: its answer is not understood.
    """

    def decode(message: bytes) -> NatRule | None:
        return parse_rule(message) if any(mark in message for mark in _NAT) else None

    return read_all(transport, RULES, decode)


def parse_rule(message: bytes) -> NatRule | None:
    """Decode one rule; None if it does not send a port elsewhere.

    Source: ``nf_tables_fill_rule_info()``, ``nft_nat_dump()``, ``nft_redir_dump()``, ``nft_target_dump()``.

    Raises:
        ParseError: an attribute claims more bytes than there are.
    """
    if len(message) < NLMSG_HDRLEN + NFGENMSG.size or NLMSGHDR.unpack_from(message)[1] != NFT_MSG_NEWRULE:
        return None
    family, found = head(message, SOURCE)
    rule = _RuleReader()
    for name, data in expressions(found.get(NFTA_RULE_EXPRESSIONS, b"")):
        rule.read(name, attributes(data, 0, SOURCE))
    if rule.to is None or rule.ports is None:
        return None
    place = " ".join((family, text(found.get(NFTA_RULE_TABLE)), text(found.get(NFTA_RULE_CHAIN))))
    return NatRule(rule.protocol, *rule.ports, rule.to, place)


class _RuleReader:
    """What the expressions of one rule have said so far."""

    def __init__(self) -> None:
        self.protocol = ""
        self.ports: tuple[int, int] | None = None
        self.to: Endpoint | None = None
        self._loaded: dict[bytes, str] = {}
        self._values: dict[bytes, bytes] = {}

    def read(self, name: bytes, data: dict[int, bytes]) -> None:
        if name == b"meta":
            self._load(data.get(nf.META_DREG), _PROTOCOL if _big(data.get(nf.META_KEY)) == nf.META_L4PROTO else "")
        elif name == b"payload":
            self._load(data.get(nf.PAYLOAD_DREG), _PARTS.get(_place(data), ""))
        elif name == b"cmp":
            self._compare(data.get(nf.CMP_SREG), _big(data.get(nf.CMP_OP)), _value(data.get(nf.CMP_DATA)))
        elif name == b"range" and _big(data.get(nf.RANGE_OP)) == nf.CMP_EQ:
            if self._loaded.get(data.get(nf.RANGE_SREG, b"")) == _PORT:
                first, last = _big(_value(data.get(nf.RANGE_FROM))), _big(_value(data.get(nf.RANGE_TO)))
                self.ports = None if first is None or last is None else (first, last)
        elif name == b"immediate":
            self._values[data.get(nf.IMMEDIATE_DREG, b"")] = _value(data.get(NFTA_IMMEDIATE_DATA)) or b""
        elif name == b"nat" and _big(data.get(nf.NAT_TYPE)) == nf.NAT_DNAT:
            self.to = Endpoint(
                _address(self._values.get(data.get(nf.NAT_ADDR_MIN, b""), b"")),
                _big(self._values.get(data.get(nf.NAT_PROTO_MIN, b"-"))),
            )
        elif name == b"redir":
            self.to = Endpoint(None, _big(self._values.get(data.get(nf.REDIR_PROTO_MIN, b"-"))))
        elif name in (b"match", b"target"):
            self._compat(
                text(data.get(nf.COMPAT_NAME)), _big(data.get(nf.COMPAT_REV)) or 0, data.get(nf.COMPAT_INFO, b"")
            )

    def _load(self, register: bytes | None, what: str) -> None:
        self._loaded[register or b""] = what

    def _compare(self, register: bytes | None, operator: int | None, value: bytes | None) -> None:
        what = self._loaded.get(register or b"")
        number = _big(value)
        if number is None:
            return
        if what == _PROTOCOL and operator == nf.CMP_EQ:
            self.protocol = IPPROTO_NAMES.get(number, str(number)).lower()
        elif what == _PORT:
            first, last = self.ports or (0, 0xFFFF)
            if operator == nf.CMP_EQ:
                self.ports = number, number
            elif operator == nf.CMP_GTE:
                self.ports = number, last
            elif operator == nf.CMP_LTE:
                self.ports = first, number

    def _compat(self, name: str, revision: int, info: bytes) -> None:
        try:
            if name in ("tcp", "udp"):
                _from, _to, first, last = nf.XT_PORTS.unpack_from(info)
                self.protocol = name
                if (first, last) != (0, 0xFFFF):
                    self.ports = first, last
            elif name in ("DNAT", "REDIRECT"):
                self.to = _range(name, revision, info)
        except struct_error:
            return


def _range(name: str, revision: int, info: bytes) -> Endpoint:
    if revision == 0:
        # IPv6's own REDIRECT has revision 0 too, and the struct of revision 1.
        if len(info) >= nf.NAT_RANGE.size and len(info) != nf.NAT_MULTI_RANGE.size:
            return _range(name, 1, info)
        _size, flags, address, _most, port, _last = nf.NAT_MULTI_RANGE.unpack_from(info)
    else:
        flags, address, _most, port, _last = nf.NAT_RANGE.unpack_from(info)
        address = address[:4] if not any(address[4:]) else address
    shown = _address(address) if flags & nf.RANGE_MAP_IPS and name == "DNAT" else None
    return Endpoint(shown, int.from_bytes(port, "big") if flags & nf.RANGE_PROTO_SPECIFIED else None)


def _place(data: dict[int, bytes]) -> tuple[int | None, int | None, int | None]:
    return _big(data.get(nf.PAYLOAD_BASE)), _big(data.get(nf.PAYLOAD_OFFSET)), _big(data.get(nf.PAYLOAD_LEN))


_PARTS: dict[tuple[int | None, int | None, int | None], str] = {
    (nf.NETWORK_HEADER, nf.PROTOCOL_AT, 1): _PROTOCOL,
    (nf.TRANSPORT_HEADER, nf.DESTINATION_PORT_AT, 2): _PORT,
}


def _value(data: bytes | None) -> bytes | None:
    return None if data is None else attributes(data, 0, SOURCE).get(nf.DATA_VALUE)


def _big(payload: bytes | None) -> int | None:
    return None if not payload else int.from_bytes(payload, "big")


def _address(raw: bytes) -> str | None:
    if len(raw) not in (4, 16):
        return None
    return inet_ntop(AF_INET if len(raw) == 4 else AF_INET6, raw)
