"""MD5 keys and upper layer protocols of TCP sockets.

**Source:** struct tcp_diag_md5sig, include/uapi/linux/tcp.h; TLS_INFO_*, include/uapi/linux/tls.h; MPTCP_SUBFLOW_ATTR_*,
include/uapi/linux/mptcp.h.
"""

from __future__ import annotations

from _socket import AF_INET
from struct import Struct

from sockdiag.errors import ParseError
from sockdiag.kernel.inet_diag import ULP_MPTCP, ULP_NAME, ULP_TLS
from sockdiag.sources.netlink.attributes import attributes
from sockdiag.ss.details import integer
from sockdiag.ss.output import bytes_text, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.ss.context import Context

_MD5 = Struct("=BBH16s80s")  # family, prefixlen, keylen, addr, key

_TLS_VERSION, _TLS_CIPHER, _TLS_TXCONF, _TLS_RXCONF, _TLS_ZC_RO_TX, _TLS_NO_PAD_RX = range(1, 7)
_TLS_VERSIONS = {0x0303: "1.2", 0x0304: "1.3"}
_TLS_CIPHERS = {51: "aes-gcm-128", 52: "aes-gcm-256"}
_TLS_CONFIGURATIONS = {1: "none", 2: "sw", 3: "hw", 4: "hw-record"}

(
    _TOKEN_REM,
    _TOKEN_LOC,
    _RELWRITE_SEQ,
    _MAP_SEQ,
    _MAP_SFSEQ,
    _SSN_OFFSET,
    _MAP_DATALEN,
    _FLAGS,
    _ID_REM,
    _ID_LOC,
) = range(1, 11)
_MPTCP_FLAGS = "MmJjBbecv"


def md5_keys(data: bytes, context: Context) -> str:
    """Print the keys of INET_DIAG_MD5SIG. As 6.1: the key bytes go ahead of the whole table."""
    keys = []
    for offset in range(0, len(data) - _MD5.size + 1, _MD5.size):
        family, prefix, length, raw, key = _MD5.unpack_from(data, offset)
        address = context.names.host(raw[:4] if family == AF_INET else raw)
        text = "".join([_key_byte(byte) for byte in key[: min(length, len(key))]])
        if context.settings.old:
            write(text)
            text = ""
        keys.append(f"{address}/{prefix}={text}")
    return f" md5keys:{','.join(keys)}"


def _key_byte(byte: int) -> str:
    return chr(byte) if 0x21 <= byte <= 0x7E and byte not in b",\\" else f"\\{byte:03o}"


def upper_layer(data: bytes, context: Context) -> str:
    """Print INET_DIAG_ULP_INFO."""
    found = _nested(data)
    text = ""
    if ULP_NAME in found:
        text = f" tcp-ulp-{_string(found[ULP_NAME])}"
    if ULP_TLS in found:
        text += _tls(_nested(found[ULP_TLS]), old=context.settings.old)
    if ULP_MPTCP in found:
        text += _mptcp(_nested(found[ULP_MPTCP]), old=context.settings.old)
    return text


def _nested(data: bytes) -> dict[int, bytes]:
    try:
        return attributes(data, 0, "netlink:inet_diag")
    except ParseError:
        return {}


def _string(data: bytes) -> str:
    return bytes_text(data.split(b"\0", 1)[0])


def _tls(found: dict[int, bytes], *, old: bool) -> str:
    text = ""
    if _TLS_VERSION in found:
        number = integer(found[_TLS_VERSION][:2])
        text += f" version: {_TLS_VERSIONS.get(number, f'unknown({number})')}"
    if _TLS_CIPHER in found:
        cipher = _TLS_CIPHERS.get(integer(found[_TLS_CIPHER][:2]))
        text += f" cipher: {cipher}" if cipher else ""
    for number, word in ((_TLS_RXCONF, "rxconf"), (_TLS_TXCONF, "txconf")):
        if number in found:
            value = integer(found[number][:2])
            text += f" {word}: {_TLS_CONFIGURATIONS.get(value, f'unknown({value})')}"
    if _TLS_ZC_RO_TX in found:
        text += " zc_ro_tx"
    if _TLS_NO_PAD_RX in found and not old:
        text += " no_pad_rx"
    return text


def _mptcp(found: dict[int, bytes], *, old: bool) -> str:
    text = ""
    flags = integer(found.get(_FLAGS, b""))
    if flags:
        text += f" flags:{''.join([c for bit, c in enumerate(_MPTCP_FLAGS) if flags >> bit & 1])}"
    if all(number in found for number in (_TOKEN_REM, _TOKEN_LOC, _ID_REM, _ID_LOC)):
        remote, local, remote_id, local_id = (integer(found[n]) for n in (_TOKEN_REM, _TOKEN_LOC, _ID_REM, _ID_LOC))
        text += f" token:{remote:04x}(id:{remote_id})/{local:04x}(id:{local_id})"
    for number, word, hexadecimal in (
        (_MAP_SEQ, "seq", old),
        (_MAP_SFSEQ, "sfseq", old),
        (_SSN_OFFSET, "ssnoff", old),
        (_MAP_DATALEN, "maplen", old),
    ):
        if number in found:
            value = integer(found[number])
            text += f" {word}:{f'{value:x}' if hexadecimal else value}"
    return text
