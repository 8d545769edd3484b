"""Attributes of an inet_diag answer that are records of their own: options, congestion control, info, keys, ULP."""

from __future__ import annotations

from sockdiag.errors import ParseError
from sockdiag.kernel.byte_order import U16, integer, low_first
from sockdiag.kernel.inet_diag import (
    BBRINFO,
    CLASS_ID,
    CONG,
    DCTCPINFO,
    INFO,
    LOCALS,
    MD5SIG,
    MD5SIG_STRUCT,
    MEMINFO,
    PEERS,
    SK_BPF_STORAGES,
    SKV6ONLY,
    SOCKOPT,
    TCLASS,
    TOS,
    ULP_INFO,
    ULP_MPTCP,
    ULP_NAME,
    ULP_TLS,
    VEGASINFO,
)
from sockdiag.kernel.tcp_states import LISTEN
from sockdiag.kernel.ulp import (
    SUBFLOW_ATTRS,
    SUBFLOW_PAD,
    TLS_CIPHER,
    TLS_CIPHERS,
    TLS_CONFS,
    TLS_RX_NO_PAD,
    TLS_RXCONF,
    TLS_TX_MAX_PAYLOAD_LEN,
    TLS_TXCONF,
    TLS_VERSION,
    TLS_VERSIONS,
    TLS_ZC_RO_TX,
)
from sockdiag.model.congestion import BbrInfo, DctcpInfo, VegasInfo
from sockdiag.model.inet_attrs import InetAttrs, Md5Key, MemInfo
from sockdiag.model.mptcp_info import SINCE, MptcpInfo
from sockdiag.model.sctp_info import SctpInfo
from sockdiag.model.tcp_info import LISTEN_FIELDS, NOT_SET, TcpInfo
from sockdiag.model.ulp import MptcpSubflow, TlsInfo, UlpInfo
from sockdiag.sources.netlink.attributes import SOCKADDR_STORAGE, attributes, ip_text, sockaddr, sockopt_flags
from sockdiag.sources.netlink.wire import StructLayout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from sockdiag.sources.system.kernel_version import Version

    Unknown = list[tuple[int, bytes]]


TCP_INFO = StructLayout(TcpInfo)
MPTCP_INFO = StructLayout(MptcpInfo)
SCTP_INFO = StructLayout(SctpInfo)
VEGAS_INFO = StructLayout(VegasInfo)
DCTCP_INFO = StructLayout(DctcpInfo)
BBR_INFO = StructLayout(BbrInfo)
MEM_INFO = StructLayout(MemInfo)

_TCP_NAMES = [f.name for f in TcpInfo.FIELDS]
_NOT_SET = [(_TCP_NAMES.index(name), value) for name, value in NOT_SET.items()]
_WERE_RESERVED = [([f.name for f in MptcpInfo.FIELDS].index(name), since) for name, since in SINCE.items()]
_SCTP_OF_ASSOCIATION = [f.name for f in SctpInfo.FIELDS].index("s_autoclose_s")
_UNFILLED = [index for index, name in enumerate(_TCP_NAMES) if name not in LISTEN_FIELDS]


# The length of the struct that ends in a word about ECN. Of its bit fields the last 24 bits, options2, have no meaning yet.
_WITH_ECN_WORD = 280
ECN_WORD_AT = _WITH_ECN_WORD - 4
# Linux 6.18 and 6.19 have two members of 16 bits there, 7.0 and later bit fields.
_ECN_WORD_SINCE, _ECN_BITS_SINCE = (6, 18), (7, 0)
ECN_WORD = ("ecn_mode", "accecn_opt_seen", "accecn_fail_mode")


def decode_tcp_info(data: bytes, version: Version) -> TcpInfo:
    """Decode ``struct tcp_info`` of any length.

    Source: ``tcp_get_info()``, net/ipv4/tcp.c.

    Args:
        data: the struct.
        version: of the kernel that filled it, which the last word depends on.
    """
    values = TCP_INFO.values(data)
    if len(data) > ECN_WORD_AT:
        values[-len(ECN_WORD) :] = _ecn_word(data, values[-len(ECN_WORD) :], version())
    for index, value in _NOT_SET:
        if values[index] == value:
            values[index] = None
    if values[0] == LISTEN:
        for index in _UNFILLED:
            if values[index] == 0:
                values[index] = None
    return TcpInfo._make(values)


def _ecn_word(data: bytes, bits: list[Any], version: tuple[int, int] | None) -> list[Any]:
    if len(data) < _WITH_ECN_WORD or version is None or version < _ECN_WORD_SINCE:
        # Which of the two layouts a kernel with changes of its own has, nobody can tell.
        return [None] * len(bits)
    if version >= _ECN_BITS_SINCE:
        return bits
    return [None, U16.unpack_from(data, ECN_WORD_AT + 2)[0], U16.unpack_from(data, ECN_WORD_AT)[0]]


def ecn_members(word: bytes, version: Version) -> list[Any]:
    """Decode the word about ECN of ``struct tcp_info`` as ``decode_tcp_info`` does: one value for each name of ECN_WORD."""
    data = bytes(ECN_WORD_AT) + word
    return _ecn_word(data, TCP_INFO.values(data)[-len(ECN_WORD) :], version())


def decode_mptcp_info(data: bytes, version: Version) -> MptcpInfo:
    """Decode ``struct mptcp_info`` of any length.

    Source: ``mptcp_diag_fill_info()``, net/mptcp/sockopt.c. Some members took bytes that older kernels leave 0.
    """
    values = MPTCP_INFO.values(data)
    for index, since in _WERE_RESERVED:
        if values[index] == 0 and ((known := version()) is None or known < since):
            values[index] = None
    return MptcpInfo._make(values)


def decode_bbr_info(data: bytes) -> BbrInfo:
    """Decode ``struct tcp_bbr_info``, whose bandwidth is two words, the low one first.

    Source: ``bbr_get_info()``, net/ipv4/tcp_bbr.c.
    """
    values = BBR_INFO.values(data)
    if values[0] is not None:
        values[0] = low_first(values[0])
    return BbrInfo._make(values)


def decode_sctp_info(data: bytes) -> SctpInfo:
    """Decode ``struct sctp_info`` of any length.

    Source: ``sctp_get_sctp_info()``, net/sctp/socket.c. It leaves zeros where an endpoint has no association, whose tag
    is never 0.
    """
    info: Any = SCTP_INFO.decode(data)
    if info.tag == 0:
        info = SctpInfo._make([None] * _SCTP_OF_ASSOCIATION + list(info[_SCTP_OF_ASSOCIATION:]))
    if info.fragmentation_point == 0:
        # No kernel fills it.
        info = info._replace(fragmentation_point=None)
    address = info.p_address
    found: SctpInfo = info if address is None else info._replace(p_address=sockaddr(address))
    return found


_TLS_NUMBERS = {
    TLS_VERSION: ("version", TLS_VERSIONS),
    TLS_CIPHER: ("cipher", TLS_CIPHERS),
    TLS_TXCONF: ("txconf", TLS_CONFS),
    TLS_RXCONF: ("rxconf", TLS_CONFS),
}
_TLS_FLAGS = {TLS_ZC_RO_TX: "zc_ro_tx", TLS_RX_NO_PAD: "no_pad_rx"}


def decode_attributes(
    found: dict[int, bytes], table: str, unknown: Unknown, version: Version
) -> tuple[Any, InetAttrs | None, Any, Any]:
    """Decode the rest of *found*; add attributes without a known meaning, or of the wrong size, to *unknown*.

    Args:
        found: payloads of the attributes, by number.
        table: netid of the socket.
        unknown: list to add to.
        version: of the kernel that sent them.

    Returns:
        tcp_info, the other attributes or None where there is none, mptcp_info, sctp_info.
    """
    tcp_info = mptcp_info = sctp_info = None
    values: list[Any] | None = None
    for number, payload in found.items():
        if number == INFO:
            if table == "mptcp":
                mptcp_info = _struct(MPTCP_INFO.size, decode_mptcp_info(payload, version), payload, unknown)
            elif table == "sctp":
                sctp_info = _struct(SCTP_INFO.size + _SCTP_RESERVED, decode_sctp_info(payload), payload, unknown)
            else:
                tcp_info = _struct(_WITH_ECN_WORD, decode_tcp_info(payload, version), payload, unknown)
            continue
        if number == ULP_INFO:
            value, rest = _ulp(payload)
            index = _ULP
        else:
            index, decode = DECODERS.get(number, _UNKNOWN)
            value = decode(payload)
            rest = value is None
        if rest:
            unknown.append((number, payload))
        if value is not None:
            if values is None:
                values = _NO_VALUES.copy()
            values[index] = value
    inet = None if values is None else InetAttrs._make(values)
    return tcp_info, inet, mptcp_info, sctp_info


# struct sctp_info ends in a reserved word.
_SCTP_RESERVED = 4


def _struct(size: int, decoded: Any, payload: bytes, unknown: Unknown) -> Any:
    # A struct of a newer kernel: the part after the known members stays bytes.
    if len(payload) > size:
        unknown.append((INFO, payload[size:]))
    return decoded


def _uint(size: int) -> Callable[[bytes], int | None]:
    def decode(payload: bytes) -> int | None:
        return integer(payload) if len(payload) == size else None

    return decode


def _flag(payload: bytes) -> bool | None:
    return bool(payload[0]) if len(payload) == 1 else None


def _sockopt(payload: bytes) -> int | None:
    return sockopt_flags(payload) if len(payload) == 2 else None


def _text(payload: bytes) -> str | None:
    return payload.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _whole(layout: StructLayout, read: Callable[[bytes], Any] | None = None) -> Callable[[bytes], Any]:
    def decode(payload: bytes) -> Any:
        return (read or layout.decode)(payload) if len(payload) == layout.size else None

    return decode


def _md5_keys(payload: bytes) -> tuple[Md5Key, ...] | None:
    if len(payload) % MD5SIG_STRUCT.size:
        return None
    keys = []
    for family, prefixlen, length, address, key in MD5SIG_STRUCT.iter_unpack(payload):
        text = ip_text(family, address)
        if text is None:
            return None
        keys.append(Md5Key(text, prefixlen, key[:length]))
    return tuple(keys)


def _sockaddrs(payload: bytes) -> tuple[Any, ...] | None:
    if len(payload) % SOCKADDR_STORAGE:
        return None
    ends = [sockaddr(payload[i : i + SOCKADDR_STORAGE]) for i in range(0, len(payload), SOCKADDR_STORAGE)]
    return None if None in ends else tuple(ends)


def _ulp(payload: bytes) -> tuple[UlpInfo | None, bool]:
    # Its known attributes, and whether there are others.
    try:
        nested = attributes(payload, 0, "INET_DIAG_ULP_INFO")
        name, tls, mptcp = nested.pop(ULP_NAME, None), nested.pop(ULP_TLS, None), nested.pop(ULP_MPTCP, None)
        tls_values, tls_rest = _tls(tls)
        mptcp_values, mptcp_rest = _subflow(mptcp)
    except ParseError:
        return None, True
    ulp = UlpInfo(
        _text(name) if name is not None else None,
        TlsInfo(**tls_values) if tls is not None else None,
        MptcpSubflow(**mptcp_values) if mptcp is not None else None,
    )
    return ulp, bool(nested) or tls_rest or mptcp_rest


def _tls(payload: bytes | None) -> tuple[dict[str, Any], bool]:
    values: dict[str, Any] = {}
    rest = False
    for number, content in attributes(payload or b"", 0, "INET_ULP_INFO_TLS").items():
        if number in _TLS_NUMBERS and len(content) == 2:
            name, words = _TLS_NUMBERS[number]
            value = integer(content)
            values[name] = words.get(value, f"unknown({value})")
        elif number == TLS_TX_MAX_PAYLOAD_LEN and len(content) == 2:
            values["tx_max_payload_bytes"] = integer(content)
        elif number in _TLS_FLAGS and not content:
            values[_TLS_FLAGS[number]] = True
        else:
            rest = True
    return values, rest


def _subflow(payload: bytes | None) -> tuple[dict[str, Any], bool]:
    values: dict[str, Any] = {}
    rest = False
    for number, content in attributes(payload or b"", 0, "INET_ULP_INFO_MPTCP").items():
        if 0 < number < len(SUBFLOW_ATTRS) and len(content) in (1, 2, 4, 8):
            values[SUBFLOW_ATTRS[number]] = integer(content)
        elif number != SUBFLOW_PAD:
            rest = True
    return values, rest


_NO_VALUES: list[Any] = [f.default for f in InetAttrs.FIELDS]
_NAMES = [f.name for f in InetAttrs.FIELDS]
_ULP = _NAMES.index("ulp")
_UNKNOWN: tuple[int, Callable[[bytes], Any]] = (0, lambda _payload: None)
DECODERS: dict[int, tuple[int, Callable[[bytes], Any]]] = {
    number: (_NAMES.index(name), decode)
    for number, name, decode in (
        (TOS, "tos", _uint(1)),
        (TCLASS, "tclass", _uint(1)),
        (CLASS_ID, "class_id", _uint(4)),
        (SKV6ONLY, "v6only", _flag),
        (SOCKOPT, "sockopt", _sockopt),
        (CONG, "congestion", _text),
        (VEGASINFO, "vegas", _whole(VEGAS_INFO)),
        (DCTCPINFO, "dctcp", _whole(DCTCP_INFO)),
        (BBRINFO, "bbr", _whole(BBR_INFO, decode_bbr_info)),
        (MEMINFO, "meminfo", _whole(MEM_INFO)),
        (MD5SIG, "md5_keys", _md5_keys),
        (LOCALS, "locals", _sockaddrs),
        (PEERS, "peers", _sockaddrs),
        (SK_BPF_STORAGES, "bpf_storage", bytes),
    )
}
