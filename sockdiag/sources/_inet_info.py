"""The info structs of inet_diag answers: tcp_info, mptcp_info, sctp_info, and those of congestion control."""

from __future__ import annotations

import sys

from sockdiag.kernel.tcp_states import LISTEN
from sockdiag.model.congestion import BbrInfo, DctcpInfo, VegasInfo
from sockdiag.model.inet_attrs import MemInfo
from sockdiag.model.mptcp_info import MptcpInfo
from sockdiag.model.sctp_info import SctpInfo
from sockdiag.model.tcp_info import LISTEN_FIELDS, NOT_SET, TcpInfo
from sockdiag.sources._layout import Layout
from sockdiag.sources._sockaddr import sockaddr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TCP_INFO = Layout(TcpInfo)
MPTCP_INFO = Layout(MptcpInfo)
SCTP_INFO = Layout(SctpInfo)
VEGAS_INFO = Layout(VegasInfo)
DCTCP_INFO = Layout(DctcpInfo)
BBR_INFO = Layout(BbrInfo)
MEMINFO = Layout(MemInfo)

_TCP_NAMES = [f.name for f in TcpInfo.FIELDS]
_NOT_SET = [(_TCP_NAMES.index(name), value) for name, value in NOT_SET.items()]
_UNFILLED = [index for index, name in enumerate(_TCP_NAMES) if name not in LISTEN_FIELDS]


def tcp_info(data: bytes) -> TcpInfo:
    """Decode ``struct tcp_info`` of any length.

    Source: ``tcp_get_info()``, net/ipv4/tcp.c.
    """
    values = TCP_INFO.values(data)
    for index, value in _NOT_SET:
        if values[index] == value:
            values[index] = None
    if values[0] == LISTEN:
        for index in _UNFILLED:
            if values[index] == 0:
                values[index] = None
    return TcpInfo._make(values)


def bbr_info(data: bytes) -> BbrInfo:
    """Decode ``struct tcp_bbr_info``, whose bandwidth is two words, the low one first.

    Source: ``bbr_get_info()``, net/ipv4/tcp_bbr.c.
    """
    values = BBR_INFO.values(data)
    if sys.byteorder == "big" and values[0] is not None:
        values[0] = values[0] >> 32 | (values[0] & 0xFFFFFFFF) << 32
    return BbrInfo._make(values)


def sctp_info(data: bytes) -> SctpInfo:
    """Decode ``struct sctp_info`` of any length.

    Source: ``sctp_get_sctp_info()``, net/sctp/socket.c.
    """
    info: Any = SCTP_INFO.decode(data)
    address = info.p_address
    found: SctpInfo = info if address is None else info._replace(p_address=sockaddr(address))
    return found
