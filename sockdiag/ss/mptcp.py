"""The block of MPTCP internals (-M -i).

**Source:** struct mptcp_info, include/uapi/linux/mptcp.h.
"""

from __future__ import annotations

from struct import Struct

from sockdiag.kernel.inet_diag import INFO
from sockdiag.ss.details import memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sockdiag.ss.context import Context
    from sockdiag.ss.row import Row

# subflows … add_addr_accepted_max; flags, token, write_seq, snd_una, rcv_nxt; local_addr_used … csum_enabled;
# retransmits … bytes_acked; subflows_total, endp_laminar_max, reserved; last_data_sent, last_data_recv, last_ack_recv
_INFO = Struct("=6B2xII3Q3BxI4QBB2xIII")
_FALLBACK, _REMOTE_KEY = 1, 2


def internals(row: Row, context: Context) -> str:
    """Print memory and mptcp_info."""
    text = memory(row.attributes)
    if INFO not in row.attributes:
        return text
    data = row.attributes[INFO][: _INFO.size]
    (
        subflows,
        add_addr_signal,
        add_addr_accepted,
        subflows_max,
        add_addr_signal_max,
        add_addr_accepted_max,
        flags,
        token,
        write_seq,
        snd_una,
        rcv_nxt,
        local_addr_used,
        local_addr_max,
        csum_enabled,
        retransmits,
        bytes_retrans,
        bytes_sent,
        bytes_received,
        bytes_acked,
        subflows_total,
        endp_laminar_max,
        last_data_sent,
        last_data_recv,
        last_ack_recv,
    ) = _INFO.unpack(data + bytes(_INFO.size - len(data)))
    old = context.settings.old
    out: list[tuple[str, int | str]] = [
        ("subflows", subflows),
        ("add_addr_signal", add_addr_signal),
        ("add_addr_accepted", add_addr_accepted),
        ("subflows_max", subflows_max),
        ("add_addr_signal_max", add_addr_signal_max),
        ("add_addr_accepted_max", add_addr_accepted_max),
    ]
    text += "".join([f" {name}:{value}" for name, value in out if value])
    if flags & _FALLBACK:
        text += " fallback"
    if flags & _REMOTE_KEY:
        text += " remote_key"
    if token:
        text += f" token:{token:x}"
    for name, value in (("write_seq", write_seq), ("snd_una", snd_una), ("rcv_nxt", rcv_nxt)):
        if value:
            text += f" {name}:{f'{value:x}' if old else value}"
    if old:
        return text
    last = (
        ("local_addr_used", local_addr_used),
        ("local_addr_max", local_addr_max),
        ("csum_enabled", csum_enabled),
        ("retransmits", retransmits),
        ("bytes_retrans", bytes_retrans),
        ("bytes_sent", bytes_sent),
        ("bytes_received", bytes_received),
        ("bytes_acked", bytes_acked),
        ("subflows_total", subflows_total),
        ("endp_laminar_max", endp_laminar_max),
        ("last_data_sent", last_data_sent),
        ("last_data_recv", last_data_recv),
        ("last_ack_recv", last_ack_recv),
    )
    return text + "".join([f" {name}:{value}" for name, value in last if value])
