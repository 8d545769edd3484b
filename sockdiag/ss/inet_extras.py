"""What few sockets have below -i: the internals of MPTCP and SCTP, MD5 keys, the upper layer protocol.

**Source:** include/uapi/linux/mptcp.h, sctp.h, tcp.h, tls.h; the order and the conditions are ss's.
"""

from __future__ import annotations

from sockdiag.errors import ParseError
from sockdiag.kernel.byte_order import integer
from sockdiag.kernel.inet_diag import INFO, LOCALS, MD5SIG_STRUCT, PEERS, ULP_MPTCP, ULP_NAME, ULP_TLS
from sockdiag.kernel.sock_diag import AF_INET
from sockdiag.kernel.ulp import (
    SUBFLOW_ATTRS,
    TLS_CIPHER,
    TLS_CIPHERS,
    TLS_CONFS,
    TLS_RX_NO_PAD,
    TLS_RXCONF,
    TLS_TXCONF,
    TLS_VERSION,
    TLS_VERSIONS,
    TLS_ZC_RO_TX,
)
from sockdiag.sources.netlink.attributes import SOCKADDR_STORAGE, attributes, sockaddr_ip
from sockdiag.sources.netlink.wire import StructLayout
from sockdiag.ss.details import memory
from sockdiag.ss.output import safe_text, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from sockdiag.model.record import Record
    from sockdiag.ss.listing import Listing
    from sockdiag.ss.names import Names
    from sockdiag.ss.row import SocketRow

# mptcpi_flags
_FALLBACK, _REMOTE_KEY = 1, 2
_MPTCP_LIMITS = (
    "subflows",
    "add_addr_signal",
    "add_addr_accepted",
    "subflows_max",
    "add_addr_signal_max",
    "add_addr_accepted_max",
)
_MPTCP_COUNTS = (
    "local_addr_used",
    "local_addr_max",
    "csum_enabled",
    "retransmits",
    "bytes_retrans",
    "bytes_sent",
    "bytes_received",
    "bytes_acked",
    "subflows_total",
    "endp_laminar_max",
)


def mptcp_internals(row: SocketRow, listing: Listing) -> str:
    """Print memory and mptcp_info."""
    text = memory(row.attributes)
    if INFO not in row.attributes:
        return text
    from sockdiag.model.mptcp_info import MptcpInfo

    info: Any = _layout(MptcpInfo).filled(row.attributes[INFO])
    old = listing.settings.old
    text += _counts([(name, getattr(info, name)) for name in _MPTCP_LIMITS])
    if info.flags & _FALLBACK:
        text += " fallback"
    if info.flags & _REMOTE_KEY:
        text += " remote_key"
    if info.token:
        text += f" token:{info.token:x}"
    for name in ("write_seq", "snd_una", "rcv_nxt"):
        value = getattr(info, name)
        if value:
            text += f" {name}:{f'{value:x}' if old else value}"
    if old:
        return text
    text += _counts([(name, getattr(info, name)) for name in _MPTCP_COUNTS])
    return text + _counts(
        [(name, getattr(info, f"{name}_ms")) for name in ("last_data_sent", "last_data_recv", "last_ack_recv")]
    )


def _counts(values: Iterable[tuple[str, object]]) -> str:
    return "".join([f" {name}:{value}" for name, value in values if value])


_layouts: dict[type[Record], StructLayout] = {}


def _layout(record: type[Record]) -> StructLayout:
    layout = _layouts.get(record)
    if layout is None:
        layout = _layouts[record] = StructLayout(record)
    return layout


def sctp_state(number: int) -> str:
    """Name a state of an association, in words that are shorter than the kernel's."""
    from sockdiag.model.sctp_info import STATES

    if number >= len(STATES):
        return "UNDEF"
    return _SCTP_WORDS.get(STATES[number], STATES[number])


_SCTP_WORDS = {"ESTABLISHED": "ESTAB", "SHUTDOWN_ACK_SENT": "ACK_SENT"}


def sctp_internals(row: SocketRow, listing: Listing) -> str:
    """Print memory, addresses and sctp_info."""
    found = row.attributes
    text = memory(found)
    for number, word in ((LOCALS, "locals"), (PEERS, "peers")):
        if number in found:
            text += f" {word}:{_addresses(found[number], listing.names)}"
    if INFO in found:
        text += _sctp_info(found[INFO])
    return text


def _addresses(data: bytes, names: Names) -> str:
    ends = [
        sockaddr_ip(data[at : at + SOCKADDR_STORAGE])
        for at in range(0, len(data) - SOCKADDR_STORAGE + 1, SOCKADDR_STORAGE)
    ]
    return ",".join([names.host(end[1]) for end in ends if end is not None])


def _sctp_info(data: bytes) -> str:
    from sockdiag.model.sctp_info import SctpInfo

    info: Any = _layout(SctpInfo).filled(data)
    return _counts(
        (
            ("tag", f"{info.tag:x}" if info.tag else 0),
            ("state", sctp_state(info.state) if info.state else 0),
            ("rwnd", info.rwnd_bytes),
            ("unackdata", info.unackdata),
            ("penddata", info.penddata),
            ("instrms", info.instrms),
            ("outstrms", info.outstrms),
            ("inqueue", info.inqueue),
            ("outqueue", info.outqueue),
            ("overerr", info.overall_error),
            ("maxburst", info.max_burst),
            ("maxseg", info.maxseg),
            ("prwnd", info.peer_rwnd_bytes),
            ("ptag", f"{info.peer_tag:x}" if info.peer_tag else 0),
            ("pcapable", info.peer_capable),
            ("psack", info.peer_sack),
            ("autoclose", info.s_autoclose_s),
            ("adapind", info.s_adaptation_ind),
            ("pdpoint", info.s_pd_point),
            ("nodelay", info.s_nodelay),
            ("nofrag", info.s_disable_fragments),
            ("v4mapped", info.s_v4mapped),
            ("fraginl", info.s_frag_interleave),
        )
    )


def md5_keys(data: bytes, listing: Listing) -> str:
    """Print the keys of INET_DIAG_MD5SIG. As 6.1: the key bytes go ahead of the whole table."""
    keys = []
    for offset in range(0, len(data) - MD5SIG_STRUCT.size + 1, MD5SIG_STRUCT.size):
        family, prefix, length, raw, key = MD5SIG_STRUCT.unpack_from(data, offset)
        address = listing.names.host(raw[:4] if family == AF_INET else raw)
        text = "".join([_key_byte(byte) for byte in key[: min(length, len(key))]])
        if listing.settings.old:
            write(text)
            text = ""
        keys.append(f"{address}/{prefix}={text}")
    return f" md5keys:{','.join(keys)}"


def _key_byte(byte: int) -> str:
    return chr(byte) if 0x21 <= byte <= 0x7E and byte not in b",\\" else f"\\{byte:03o}"


def upper_layer(data: bytes, listing: Listing) -> str:
    """Print INET_DIAG_ULP_INFO."""
    found = _nested(data)
    text = ""
    if ULP_NAME in found:
        text = f" tcp-ulp-{_string(found[ULP_NAME])}"
    if ULP_TLS in found:
        text += _tls(_nested(found[ULP_TLS]), old=listing.settings.old)
    if ULP_MPTCP in found:
        text += _mptcp(_nested(found[ULP_MPTCP]), old=listing.settings.old)
    return text


def _nested(data: bytes) -> dict[int, bytes]:
    try:
        return attributes(data, 0, "netlink:inet_diag")
    except ParseError:
        return {}


def _string(data: bytes) -> str:
    return safe_text(data.split(b"\0", 1)[0])


# ss knows two of the ciphers, and prints nothing of the others.
_CIPHERS_SHOWN = (51, 52)


def _tls(found: dict[int, bytes], *, old: bool) -> str:
    text = ""
    if TLS_VERSION in found:
        number = integer(found[TLS_VERSION][:2])
        text += f" version: {TLS_VERSIONS.get(number, f'unknown({number})')}"
    if TLS_CIPHER in found:
        number = integer(found[TLS_CIPHER][:2])
        text += f" cipher: {_tls_word(TLS_CIPHERS[number])}" if number in _CIPHERS_SHOWN else ""
    for number, word in ((TLS_RXCONF, "rxconf"), (TLS_TXCONF, "txconf")):
        if number in found:
            value = integer(found[number][:2])
            text += f" {word}: {_tls_word(TLS_CONFS[value]) if value in TLS_CONFS else f'unknown({value})'}"
    if TLS_ZC_RO_TX in found:
        text += " zc_ro_tx"
    if TLS_RX_NO_PAD in found and not old:
        text += " no_pad_rx"
    return text


def _tls_word(name: str) -> str:
    return "none" if name == "BASE" else name.lower().replace("_", "-")


# One letter for each bit of MPTCP_SUBFLOW_ATTR_FLAGS.
_SUBFLOW_FLAGS = "MmJjBbecv"


def _mptcp(found: dict[int, bytes], *, old: bool) -> str:
    values = {SUBFLOW_ATTRS[number]: integer(data) for number, data in found.items() if number < len(SUBFLOW_ATTRS)}
    flags = values.get("flags", 0)
    text = f" flags:{''.join([c for bit, c in enumerate(_SUBFLOW_FLAGS) if flags >> bit & 1])}" if flags else ""
    if values.keys() >= {"token_rem", "token_loc", "id_rem", "id_loc"}:
        text += " token:{token_rem:04x}(id:{id_rem})/{token_loc:04x}(id:{id_loc})".format_map(values)
    for name, word in (
        ("map_seq", "seq"),
        ("map_sfseq", "sfseq"),
        ("ssn_offset", "ssnoff"),
        ("map_data_len", "maplen"),
    ):
        if name in values:
            text += f" {word}:{f'{values[name]:x}' if old else values[name]}"
    return text
