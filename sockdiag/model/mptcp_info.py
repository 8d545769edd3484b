"""The state of an MPTCP connection: ``struct mptcp_info``, member by member in the kernel's order."""

from __future__ import annotations

from sockdiag.model.record import BYTES, COUNT, COUNTER, FLAGS, GAUGE, ID, MS, Record, field

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# mptcpi_flags, MPTCP_INFO_FLAG_*
FLAG_WORDS = ("FALLBACK", "REMOTE_KEY_RECEIVED")

# Members that took reserved bytes or padding, which earlier kernels fill with 0, and the version that brought each.
SINCE = {"csum_enabled": (5, 14), "retransmits": (6, 5), "endp_laminar_max": (6, 18), "endp_fullmesh_max": (6, 19)}


def _member(  # the declarations below read as a table
    name: str,
    wire: str,
    help: str,
    kernel: str,
    unit: str = COUNT,
    kind: str = GAUGE,
    words: tuple[str, ...] = (),
    base: int = 10,
) -> Any:
    return field(
        help,
        default=None,
        kernel=kernel,
        sources=(f"INET_DIAG_INFO.mptcpi_{name}",),
        unit="" if kind in (ID, FLAGS) else unit,
        kind=kind,
        words=words,
        base=base,
        wire=wire,
    )


class MptcpInfo(Record):
    """Members of ``struct mptcp_info`` (96 bytes on Linux 6.18, 40 when it came in 5.9).

    Source: ``mptcp_diag_fill_info()``, net/mptcp/sockopt.c, which takes the socket lock. The ``wire`` of the fields,
    taken together, is the layout of the struct; ``x`` is a byte of padding. A member that this kernel's struct does not
    reach yet is None.
    """

    subflows: int | None = _member("subflows", "B", "Subflows beyond the first.", "msk->pm.subflows")
    add_addr_signal: int | None = _member(
        "add_addr_signal", "B", "Own addresses announced to the peer.", "msk->pm.add_addr_signaled"
    )
    add_addr_accepted: int | None = _member(
        "add_addr_accepted", "B", "Addresses of the peer accepted.", "msk->pm.add_addr_accepted"
    )
    subflows_max: int | None = _member("subflows_max", "B", "Limit of subflows.", "mptcp_pm_get_subflows_max(msk)")
    add_addr_signal_max: int | None = _member(
        "add_addr_signal_max", "B", "Limit of add_addr_signal.", "mptcp_pm_get_add_addr_signal_max(msk)"
    )
    add_addr_accepted_max: int | None = _member(
        "add_addr_accepted_max", "B", "Limit of add_addr_accepted.", "mptcp_pm_get_add_addr_accept_max(msk)"
    )
    flags: int | None = _member(
        "flags", "2xI", "Fallback to plain TCP, and whether the peer's key is known.", "", kind=FLAGS, words=FLAG_WORDS
    )
    token: int | None = _member("token", "I", "Token of the connection.", "msk->token", kind=ID, base=16)
    write_seq: int | None = _member(
        "write_seq", "Q", "Next data sequence number to write.", "msk->write_seq", kind=ID, base=16
    )
    snd_una: int | None = _member(
        "snd_una", "Q", "First data sequence number not acknowledged.", "msk->snd_una", kind=ID, base=16
    )
    rcv_nxt: int | None = _member(
        "rcv_nxt", "Q", "Next data sequence number expected.", "msk->ack_seq", kind=ID, base=16
    )
    local_addr_used: int | None = _member(
        "local_addr_used", "B", "Own addresses used for subflows.", "msk->pm.local_addr_used"
    )
    local_addr_max: int | None = _member(
        "local_addr_max", "B", "Limit of local_addr_used.", "mptcp_pm_get_local_addr_max(msk)"
    )
    csum_enabled: int | None = _member(
        "csum_enabled", "B", "1: data is protected by a checksum.", "msk->csum_enabled", kind=ID
    )
    retransmits: int | None = _member(
        "retransmits", "xI", "Unanswered retransmission timeouts at the MPTCP level.", "inet_csk(sk)->icsk_retransmits"
    )
    bytes_retrans: int | None = _member(
        "bytes_retrans", "Q", "Bytes sent again on another subflow.", "msk->bytes_retrans", BYTES, COUNTER
    )
    bytes_sent: int | None = _member("bytes_sent", "Q", "Bytes sent.", "msk->bytes_sent", BYTES, COUNTER)
    bytes_received: int | None = _member(
        "bytes_received", "Q", "Bytes received.", "msk->bytes_received", BYTES, COUNTER
    )
    bytes_acked: int | None = _member(
        "bytes_acked", "Q", "Bytes acknowledged by the peer.", "msk->bytes_acked", BYTES, COUNTER
    )
    subflows_total: int | None = _member(
        "subflows_total", "B", "Subflows, the first included.", "mptcp_subflows_count(msk)"
    )
    endp_laminar_max: int | None = _member(
        "endp_laminar_max", "B", "Limit of laminar endpoints.", "mptcp_pm_get_endp_laminar_max(msk)"
    )
    endp_fullmesh_max: int | None = _member(
        "endp_fullmesh_max", "B", "Limit of fullmesh endpoints.", "mptcp_pm_get_endp_fullmesh_max(msk)"
    )
    last_data_sent_ms: int | None = _member(
        "last_data_sent", "xI", "Time since data was sent.", "msk->last_data_sent", MS
    )
    last_data_recv_ms: int | None = _member(
        "last_data_recv", "I", "Time since data was received.", "msk->last_data_recv", MS
    )
    last_ack_recv_ms: int | None = _member(
        "last_ack_recv", "I", "Time since a data acknowledgement was received.", "msk->last_ack_recv", MS
    )
